//! What stands around a hit on its card: its place, its like, its seller, the mark, what changed, what speaks against it.

use super::{
    Desk, WebError,
    card::{age_words, mark_facts, place_words, severity_words, visible},
    spans::{self, Run},
    subjects::{NoteView, notes},
    visit::Visit,
    words::{Language, Words},
};
use crate::{
    model::{Finding, FindingKind, Handling, Hit, HitState, Listing, ListingId, MarkId},
    review::{Due, Entry, Likeness, Queued, Weight, waited},
};

/// Members of a group that are listed; a decision reaches no others.
const MAX_MEMBERS: usize = 200;
/// Differences listed.
const MAX_DIFFERENCES: usize = 12;
/// Characters shown of a text that changed.
const DIFFERENCE_CHARS: usize = 160;
/// Marks shown beside a listing.
const MAX_MARKS: usize = 4;
/// Notes shown on a card.
const NOTES: usize = 3;

/// What a card shows around its hit.
#[derive(Default)]
pub(super) struct Gathered {
    pub points: u32,
    pub factors: Vec<String>,
    pub due: Option<DueView>,
    pub members: Vec<Member>,
    pub members_words: String,
    pub seller: Option<SellerBox>,
    pub listing_href: String,
    pub marks: Vec<MarkView>,
    pub differences: Vec<Difference>,
    pub is_same: bool,
    pub counter: Option<String>,
    pub precedent: Option<u64>,
    pub repeats: u64,
    pub act: Option<String>,
    pub gold: bool,
}

/// How a deadline stands, in words and as a class.
pub(super) struct DueView {
    pub words: String,
    pub code: &'static str,
}

/// A hit like this one.
pub(super) struct Member {
    pub id: u64,
    pub seen: usize,
    pub title: Run,
    pub seller: String,
}

/// The seller of a listing.
pub(super) struct SellerBox {
    pub key: String,
    pub name: String,
    pub record: String,
    pub notes: Vec<NoteView>,
    pub more_notes: usize,
}

/// A registered mark.
pub(super) struct MarkView {
    pub href: String,
    pub text: String,
    pub facts: Vec<(String, String)>,
}

/// A text that is no longer as it was captured.
pub(super) struct Difference {
    pub place: String,
    pub before: Run,
    pub after: Run,
}

impl Gathered {
    /// Around `hit`.
    pub(super) async fn of(desk: &Desk, visit: &Visit, hit: &Hit) -> Result<Self, WebError> {
        let (words, now, inner) = (visit.words, desk.inner.clock.now(), &desk.inner);
        let listing = &hit.what.listing;
        let newest = hit.decisions.last();
        let mut gathered = Self {
            listing_href: format!("/listings/{:016x}", crate::review::listing_key(listing)),
            counter: counter(&hit.what.findings, words),
            precedent: newest.and_then(|made| made.precedent).map(|id| id.0),
            repeats: inner.board.repeats_of(hit.id).len() as u64,
            act: newest.and_then(|made| made.act.clone()).filter(|act| inner.board.has_act(act)),
            gold: inner.board.remark(&format!("gold:{}", hit.id)).is_some(),
            marks: marks(desk, &hit.what.findings, words).await?,
            ..Self::default()
        };
        let minutes = waited(hit.what.found_at, now);
        let entry = inner.board.entry(hit.id);
        let weight = match &entry {
            Some(entry) => inner.board.weight(entry, &inner.review.deadline_hours, now),
            None => {
                let record = crate::review::Record::default();
                let (severity, priority) = (hit.what.severity, hit.what.priority);
                let queued = Queued { severity, priority, sla_minutes: Handling::of(&hit.what.findings).sla_minutes };
                Weight::of(queued, minutes, record, &inner.review.deadline_hours)
            }
        };
        // Shown as if it were open, to be judged again: nothing may tell how it was decided.
        let masked = entry.as_ref().map(|entry| entry.state).filter(|state| *state != hit.state);
        if masked.is_some() {
            gathered.repeats = 0;
        }
        gathered.points = weight.points();
        gathered.factors = factors(&weight, hit, minutes, words);
        if hit.state.waits() {
            gathered.due = Some(due(desk, hit, words));
        }
        if hit.state == HitState::Open {
            gathered.members = members(desk, visit.account()?, hit).await?;
            gathered.members_words = words.count("group-members", gathered.members.len() as u64);
        }
        let key = Likeness::of(hit).seller;
        // A seller's record is made of the hits of all tenants.
        let known = inner.board.seller(key).filter(|_| visit.may(crate::model::Permission::ReadRecords));
        gathered.seller = known.map(|seller| {
            let all = notes(desk, key);
            let without = |state| u32::from(masked == Some(state));
            let confirmed = seller.record.confirmed.saturating_sub(without(HitState::Confirmed)).to_string();
            let dismissed = seller.record.dismissed.saturating_sub(without(HitState::Dismissed)).to_string();
            SellerBox {
                key: format!("{key:016x}"),
                name: visible(&seller.name),
                record: words.with("seller-record", &[("confirmed", &confirmed), ("dismissed", &dismissed)]),
                more_notes: all.len().saturating_sub(NOTES),
                notes: all.into_iter().take(NOTES).collect(),
            }
        });
        if let Ok(id) = ListingId::new(&listing.id)
            && let Some(stored) = inner.store.listing(&id).await?
        {
            gathered.differences = differences(listing, &stored.listing, words);
            gathered.is_same = gathered.differences.is_empty();
        }
        Ok(gathered)
    }
}

/// How a hit's deadline stands.
pub(super) fn due(desk: &Desk, hit: &Hit, words: Words) -> DueView {
    let minutes = waited(hit.what.found_at, desk.inner.clock.now());
    let limits = &desk.inner.review.deadline_hours;
    let (severity, sla_minutes) = (hit.what.severity, Handling::of(&hit.what.findings).sla_minutes);
    let left = limits.minutes(severity, sla_minutes) - minutes;
    let (key, code) = match limits.due(severity, sla_minutes, minutes) {
        Due::Over => ("due-over", "over"),
        Due::Soon => ("due-soon", "soon"),
        Due::Fine => ("due-fine", "fine"),
    };
    DueView { words: words.with(key, &[("time", &age_words(left.abs(), words))]), code }
}

fn factors(weight: &Weight, hit: &Hit, minutes: i64, words: Words) -> Vec<String> {
    let number = |value: f64| format!("{value:.2}");
    vec![
        format!("{} {}", severity_words(hit.what.severity, words), number(weight.severity)),
        words.with("factor-confidence", &[("value", &format!("{:.0}%", weight.confidence * 100.0))]),
        words.with("factor-deadline", &[("value", &number(weight.deadline))]),
        words.with("factor-seller", &[("value", &number(weight.seller))]),
        words.with("factor-age", &[("value", &number(weight.age)), ("age", &age_words(minutes, words))]),
    ]
}

async fn members(desk: &Desk, account: &crate::model::Account, hit: &Hit) -> Result<Vec<Member>, WebError> {
    let group: Vec<Entry> = desk.inner.board.group(hit.id).into_iter().take(MAX_MEMBERS).collect();
    let ids: Vec<_> = group.iter().map(|entry| entry.id).collect();
    let rows = desk.inner.store.rows(&ids).await?;
    let seller = |listing: &Listing| listing.seller.as_ref().and_then(|seller| seller.name.clone()).unwrap_or_default();
    let waits = rows.into_iter().filter(|row| row.hit.state == hit.state && super::tenant::sees(account, &row.hit));
    Ok(waits
        .map(|row| Member {
            id: row.hit.id.0,
            seen: row.hit.decisions.len(),
            title: spans::plain(&row.hit.what.listing.title.chars().take(100).collect::<String>()),
            seller: visible(&seller(&row.hit.what.listing)),
        })
        .collect())
}

async fn marks(desk: &Desk, findings: &[Finding], words: Words) -> Result<Vec<MarkView>, WebError> {
    let mut views: Vec<MarkView> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.kind == FindingKind::Mark) {
        if views.len() >= MAX_MARKS || seen.contains(&finding.reference.as_str()) {
            continue;
        }
        seen.push(&finding.reference);
        let Ok(id) = MarkId::new(&finding.reference) else { continue };
        if let Some(mark) = desk.inner.store.mark(&id).await? {
            let href = super::card::reference_href(&finding.reference);
            views.push(MarkView { href, text: visible(&mark.text), facts: mark_facts(&mark, words) });
        }
    }
    Ok(views)
}

/// Texts of the newest capture that are not as they were when the hit was found.
fn differences(then: &Listing, now: &Listing, words: Words) -> Vec<Difference> {
    let (before, after) = (then.surfaces(), now.surfaces());
    let shown =
        |text: Option<&str>| spans::plain(&text.unwrap_or("—").chars().take(DIFFERENCE_CHARS).collect::<String>());
    let text_at = |surfaces: &[crate::model::Surface<'_>], path: &str| {
        surfaces.iter().find(|surface| surface.path == path).map(|surface| surface.text.to_owned())
    };
    let mut paths: Vec<&str> = before.iter().chain(&after).map(|surface| surface.path.as_str()).collect();
    let mut seen = std::collections::HashSet::new();
    // A broadcast goes on: its moments are others each time.
    paths.retain(|path| !path.starts_with("timeline[") && seen.insert(*path));
    let changed = paths.into_iter().filter_map(|path| {
        let (old, new) = (text_at(&before, path), text_at(&after, path));
        (old != new).then(|| Difference {
            place: place_words(path, if old.is_some() { then } else { now }, words),
            before: shown(old.as_deref()),
            after: shown(new.as_deref()),
        })
    });
    let mut found: Vec<Difference> = changed.take(MAX_DIFFERENCES).collect();
    if then.price != now.price {
        let price = |listing: &Listing| listing.price.as_ref().map(super::card::price_words);
        found.push(Difference {
            place: words.say("fact-price"),
            before: shown(price(then).as_deref()),
            after: shown(price(now).as_deref()),
        });
    }
    found
}

/// What speaks most against a finding: the step that lowers its score most, or why it was set aside.
fn counter(findings: &[Finding], words: Words) -> Option<String> {
    let steps = findings.iter().flat_map(|finding| &finding.explanation).filter(|step| step.factor < 0.999);
    let lowest = steps.min_by(|a, b| a.factor.total_cmp(&b.factor));
    let said = lowest.map(|step| if words.0 == Language::Chinese { &step.zh } else { &step.en });
    said.map(|said| visible(said))
        .or_else(|| findings.iter().find_map(|finding| finding.suppressed.as_deref()).map(visible))
}
