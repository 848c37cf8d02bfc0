//! Canaries of a run: they are visited first, like any listing, and held against what must be read of them.

use url::Url;

use super::Run;
use crate::{
    crawl::{Canary, CanaryReading, FetchError, Refusal, Sung, frontier::Purpose},
    model::Listing,
};

impl Run<'_> {
    /// Queues the canaries before everything else.
    pub(super) fn begin_canaries(&self) {
        for url in self.profile.canaries.iter().filter_map(|canary| Url::parse(&canary.url).ok()) {
            self.add(&url, 0, Purpose::Page);
        }
    }

    /// The canary at an address. It is always asked for whole.
    pub(super) fn canary_at(&self, url: &Url) -> Option<&Canary> {
        if self.profile.canaries.is_empty() {
            return None;
        }
        let key = self.compiled.key(url);
        let is_it = |canary: &&Canary| Url::parse(&canary.url).is_ok_and(|own| self.compiled.key(&own) == key);
        self.profile.canaries.iter().find(is_it)
    }

    /// Holds what was read at `asked` against what must be, if that is a canary.
    pub(super) fn canary_read(&self, asked: &Url, listing: Option<&Listing>) {
        if let Some(canary) = self.canary_at(asked) {
            self.tally().canary(CanaryReading::of(canary, listing));
        }
    }

    /// The host answered with something that is no listing.
    pub(super) fn canary_without_page(&self, asked: &Url, why: &str) {
        if let Some(canary) = self.canary_at(asked) {
            self.tally().canary(CanaryReading::without_page(canary, Sung::Wrong, why));
        }
    }

    /// No answer came. That a page may not be asked for says something about the profile, a host that is down does not.
    pub(super) fn canary_unfetched(&self, asked: &Url, error: &FetchError) {
        let Some(canary) = self.canary_at(asked) else { return };
        let sung = match error {
            FetchError::Refused(Refusal::Halted { .. } | Refusal::Stopping | Refusal::Unreachable { .. }) => {
                Sung::Unanswered
            }
            FetchError::Refused(_) | FetchError::TooLarge { .. } | FetchError::Redirects { .. } => Sung::Wrong,
            _ => Sung::Unanswered,
        };
        self.tally().canary(CanaryReading::without_page(canary, sung, &error.to_string()));
    }
}
