//! Notes what became of every address, for the next run and for whoever asks.

use url::Url;

use super::{
    Run,
    read::{Kind, kind_of},
};
use crate::{
    crawl::{
        Exchange, Item, Known, Validators,
        coverage::{Facts, facts_of, short_hash},
        frontier::Purpose,
    },
    model::Listing,
};

impl Run<'_> {
    /// What is known of an address.
    pub(super) fn known(&self, url: &Url) -> Option<Known> {
        let known = self.crawl.coverage.as_ref()?.get(&self.profile.id, &self.compiled.key(url));
        known.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is known of an address cannot be read");
            None
        })
    }

    /// What `url`'s host can be asked with: nothing where the page is needed whole.
    pub(super) fn validators(&self, url: &Url, known: Option<&Known>) -> Validators {
        let known = known.filter(|known| self.would_be_read_as_then(url, known));
        known.map(|known| known.validators.clone()).unwrap_or_default()
    }

    /// Whether `page`, asked for at `url`, is what its facts were read from, to the byte, and would yield the same again.
    pub(super) fn is_same_page(&self, url: &Url, known: &Known, page: &Exchange) -> bool {
        known.page.is_some() && self.would_be_read_as_then(url, known) && known.page == Some(short_hash(&page.body))
    }

    /// Whether the same page would yield what it did: not a list, which is needed for what it names; and no listing that would
    /// be read or looked at otherwise than the last time.
    fn would_be_read_as_then(&self, url: &Url, known: &Known) -> bool {
        let as_then = known.looked_with == self.looks_with && known.read_with == self.reads_with;
        known.facts.is_some()
            && known.last.kind != "no_facts"
            && as_then
            && self.canary_at(url).is_none()
            // The document a browser begins with says nothing about what its scripts will write.
            && self.renders(url, &Purpose::Page).is_none()
            && kind_of(&self.compiled, url) == Kind::Listing
            && !self.profile.lists.iter().any(|list| list.pattern.matches(url))
    }

    /// Notes that the same page was had again.
    pub(super) fn had_again(&self, mut known: Known, page: &Exchange) {
        if page.status.is_success() {
            known.validators = validators_of(page);
        }
        self.tally().unchanged();
        self.had(known, page, "unchanged", None);
    }

    /// Notes that a page was had: what it is, and its facts where it is a listing.
    pub(super) fn had(&self, known: Known, page: &Exchange, kind: &str, facts: Option<Facts>) {
        let mut known = known;
        known.had(self.number);
        known.ended(page.finished, kind, "");
        let Some(facts) = facts else {
            if kind == "unchanged" {
                self.meter.listing("unchanged");
                self.hold_to_signs(&mut known, Some(false));
                known.watch(page.finished, false);
            }
            self.cover(&known);
            return;
        };
        // Read otherwise than the last time, other facts say nothing about the listing.
        if known.read_with != self.reads_with {
            known.facts = None;
            known.read_with.clone_from(&self.reads_with);
        }
        let first = known.facts.is_none();
        let changed = known.facts_are(facts.hash, page.finished);
        self.meter.listing(match (first, changed) {
            (true, _) => "new",
            (false, true) => "changed",
            (false, false) => "unchanged",
        });
        self.hold_to_signs(&mut known, (!first).then_some(changed));
        if first {
            known.had_at = Some(page.finished);
        } else {
            known.watch(page.finished, changed);
        }
        known.stands = facts.stands;
        // What another address sent is no answer to whether this one has changed.
        let own = page.url.as_str() == known.url;
        known.validators = if own { validators_of(page) } else { Validators::default() };
        known.page = own.then(|| short_hash(&page.body));
        known.looked_with.clone_from(&self.looks_with);
        self.cover(&known);
    }

    /// Holds what was said of a listing's changes, where it was, against what a visit found.
    fn hold_to_signs(&self, known: &mut Known, changed: Option<bool>) {
        let said = known.is_said_to_have_changed();
        known.said_then = known.said;
        if let (Some(coverage), Some(said), Some(changed)) = (&self.crawl.coverage, said, changed)
            && let Err(error) = coverage.proved(&known.host(), said, changed)
        {
            tracing::warn!(%error, "what a sign of change came to cannot be noted");
        }
    }

    /// Whether an address that is named must be asked for: not when it says that it did not change since it was had, the
    /// profile believes that, and it would be looked at as then.
    pub(super) fn is_news(&self, item: &Item) -> bool {
        let Some(updated) = item.updated.filter(|_| self.profile.trust_updated) else { return true };
        let Some(mut known) = self.known(&item.url) else { return true };
        let had = matches!(known.last.kind.as_str(), "listing" | "unchanged") && known.facts.is_some();
        if !had || known.looked_with != self.looks_with || known.last.at <= updated {
            return true;
        }
        self.tally().unchanged();
        known.had(self.number);
        known.ended(self.crawl.clock.now(), "unchanged", "who names it says that it did not change");
        self.cover(&known);
        false
    }

    /// Those listings of a list that are others than before; what did not change need not come again.
    pub(super) fn changed(
        &self,
        listings: Vec<(Listing, Option<Url>)>,
        page: &Exchange,
    ) -> Vec<(Listing, Option<Known>)> {
        let mut changed = Vec::with_capacity(listings.len());
        for (listing, url) in listings {
            let covered = url.filter(|_| self.crawl.coverage.is_some());
            let Some(url) = covered else {
                changed.push((listing, None));
                continue;
            };
            let known = self.known(&url).unwrap_or_else(|| Known::new(&url, 0, page.finished));
            let facts = facts_of(&listing);
            if known.facts.as_ref() == Some(&facts) && known.looked_with == self.looks_with {
                self.tally().unchanged();
                self.had(known, page, "unchanged", None);
            } else {
                changed.push((listing, Some(known)));
            }
        }
        changed
    }

    /// Counts and notes that an address yielded nothing.
    pub(super) fn missed(&self, url: &Url, depth: u16, kind: &str, detail: &str) {
        self.tally().failed(kind, url, detail);
        self.note(url, depth, kind, detail);
    }

    /// Notes what became of an address that was not had.
    pub(super) fn note(&self, url: &Url, depth: u16, kind: &str, detail: &str) {
        if self.crawl.coverage.is_none() {
            return;
        }
        let now = self.crawl.clock.now();
        let mut known = self.known(url).unwrap_or_else(|| Known::new(url, depth, now));
        known.ended(now, kind, detail);
        self.cover(&known);
    }

    /// Counts an address that was named and not queued, and notes it when nothing better is known of it.
    pub(super) fn dropped(&self, kind: &str, url: &Url, depth: u16) {
        self.tally().dropped(kind, url);
        if self.crawl.coverage.is_some() && self.known(url).is_none() {
            let now = self.crawl.clock.now();
            let mut known = Known::new(url, depth, now);
            known.ended(now, kind, "named by a page and not queued");
            self.cover(&known);
        }
    }

    /// Whether `item` is a known listing of a profile that says when each is looked at again: then a list that names it is no
    /// reason to visit it. It counts as met in this run, and what is said of its changes is kept.
    pub(super) fn is_left_to_recrawl(&self, item: &Item) -> bool {
        let url = &item.url;
        if self.profile.recrawl.is_none() || kind_of(&self.compiled, url) != Kind::Listing {
            return false;
        }
        let Some(mut known) = self.known(url).filter(|known| known.facts.is_some()) else { return false };
        let said = item.updated.filter(|updated| known.said != Some(*updated));
        let met = self.number > 0 && !known.was_had_in(self.number);
        if met {
            known.named_in(self.number);
        }
        if said.is_some() {
            known.said = said;
        }
        if met || said.is_some() {
            self.cover(&known);
        }
        true
    }

    /// Coverage is derived: a run goes on without it.
    fn cover(&self, known: &Known) {
        let Some(coverage) = &self.crawl.coverage else { return };
        let kept = Url::parse(&known.url).map(|url| coverage.put(&self.profile.id, &self.compiled.key(&url), known));
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "what became of an address cannot be noted");
        }
    }
}

fn validators_of(page: &Exchange) -> Validators {
    Validators::new(page.header("etag"), page.header("last-modified"))
}
