//! What decisions teach: how often reviewers find a finding right, by the way it is written and by the mark.
//!
//! Each mark, each way of writing and each mark in a way has a Beta posterior. Its prior is what the scores of the decided
//! findings promised, taken for so many decisions; the decisions are added to it. How the odds of the posterior differ from
//! those of the promise shifts the odds of a new finding. That moves a hit in the queue and is told in the explanation; no
//! score changes for it and nothing is set aside.
//!
//! Only the newest decision on each hit counts, so what is learnt follows from the journal up to the sequence it names,
//! however it was read: all of it, or the hits that are decided and the changes since.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    model::{Finding, Hit, HitId, HitState, Step, Verdict},
    store::{Change, Filter, Store, StoreError, each_hit},
};

/// What the scores promise weighs as much as so many decisions on findings of this way of writing.
const WAY_WEIGHT: f64 = 20.0;
/// The same for one mark written in this way.
const MARK_WEIGHT: f64 = 8.0;
/// No chance is beyond these.
const LEAST: f64 = 0.02;
const MOST: f64 = 0.98;
/// Changes read at once.
const CHANGES: usize = 1000;

/// Decided findings of one sort.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Tally {
    confirmed: f64,
    dismissed: f64,
    /// The sum of their scores.
    promised: f64,
}

/// Decisions by way of writing, and by mark and way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Learnt {
    seq: u64,
    ways: BTreeMap<String, Tally>,
    marks: BTreeMap<(String, String), Tally>,
    /// Hits of each rule and version: confirmed, dismissed.
    rules: BTreeMap<(String, u32), (u64, u64)>,
    /// How each decided hit is counted.
    counted: HashMap<HitId, Verdict>,
}

impl Learnt {
    /// The sequence of the journal up to which decisions are counted.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// How many hits are counted.
    pub fn decided(&self) -> usize {
        self.counted.len()
    }

    /// Takes in what was decided since the last time; the first time, everything.
    ///
    /// # Errors
    /// When the store cannot be read; what was learnt before stays.
    pub async fn catch_up(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        if self.seq == 0 {
            // What is decided while the pages are read is read again as a change.
            let seq = store.counts().await?.seq;
            self.read_decided(store).await?;
            self.seq = seq;
        }
        loop {
            let changes = match store.changes_since(self.seq, CHANGES).await {
                Err(StoreError::Away { .. }) => {
                    *self = Self::default();
                    return Box::pin(self.catch_up(store)).await;
                }
                changes => changes?,
            };
            let Some(last) = changes.last().map(|change| change.seq) else { return Ok(()) };
            for (id, verdict) in changes.iter().flat_map(Change::decided) {
                if let Some(hit) = store.hit(id).await? {
                    self.count(&hit, verdict);
                }
            }
            self.seq = last;
        }
    }

    async fn read_decided(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        for (state, verdict) in [(HitState::Confirmed, Verdict::Confirm), (HitState::Dismissed, Verdict::Dismiss)] {
            let filter = Filter { state: Some(state), ..Filter::default() };
            each_hit(store, &filter, |hit| self.count(&hit, verdict)).await?;
        }
        Ok(())
    }

    /// Counts `hit` by its newest decision and no longer by the one before.
    fn count(&mut self, hit: &Hit, verdict: Verdict) {
        let before = match verdict {
            Verdict::Confirm | Verdict::Dismiss => self.counted.insert(hit.id, verdict),
            _ => self.counted.remove(&hit.id),
        };
        let rules: BTreeSet<(&str, u32)> =
            hit.what.findings.iter().filter_map(|finding| Some((&*finding.reference, finding.version?))).collect();
        for (rule, version) in rules {
            let (confirmed, dismissed) = self.rules.entry((rule.to_owned(), version)).or_default();
            match before {
                Some(Verdict::Confirm) => *confirmed = confirmed.saturating_sub(1),
                Some(Verdict::Dismiss) => *dismissed = dismissed.saturating_sub(1),
                _ => {}
            }
            match verdict {
                Verdict::Confirm => *confirmed += 1,
                Verdict::Dismiss => *dismissed += 1,
                _ => {}
            }
        }
        for (verdict, by) in [(before, -1.0), (Some(verdict), 1.0)] {
            for finding in &hit.what.findings {
                let way = way(finding);
                self.ways.entry(way.clone()).or_default().add(verdict, by, finding.score);
                self.marks.entry((finding.reference.clone(), way)).or_default().add(verdict, by, finding.score);
            }
        }
    }

    /// How many hits of a rule in a version were confirmed and dismissed.
    pub fn of_rule(&self, rule: &str, version: u32) -> (u64, u64) {
        self.rules.get(&(rule.to_owned(), version)).copied().unwrap_or_default()
    }

    /// The chance that `finding` is right, as far as decisions tell: its score where there are none.
    pub fn chance(&self, finding: &Finding) -> f64 {
        self.look_up(finding).map_or(finding.score, |(chance, _)| chance)
    }

    /// What decisions say of `finding`, where they say anything.
    pub fn step(&self, finding: &Finding) -> Option<Step> {
        let (chance, own) = self.look_up(finding)?;
        let (confirmed, dismissed) = (own.confirmed, own.dismissed);
        Some(Step {
            code: "rank.learnt".into(),
            before: String::new(),
            after: String::new(),
            factor: 1.0,
            score: None,
            zh: format!(
                "审核员对这样写的这一商标确认 {confirmed:.0} 次、驳回 {dismissed:.0} 次：排序按 {chance:.2} 计，得分不变"
            ),
            en: format!(
                "reviewers confirmed {confirmed:.0} and dismissed {dismissed:.0} findings of this mark written so: it is \
                 ranked as {chance:.2}, its score stays"
            ),
        })
    }

    fn look_up(&self, finding: &Finding) -> Option<(f64, Tally)> {
        let way = way(finding);
        let of_way = self.ways.get(&way).copied().filter(|tally| tally.count() > 0.5)?;
        let own = self.marks.get(&(finding.reference.clone(), way)).copied().unwrap_or_default();
        let by_way = of_way.posterior(of_way.promise(), WAY_WEIGHT) - logit(of_way.promise());
        let shift = if own.count() > 0.5 {
            let promise = chance_of(logit(own.promise()) + by_way);
            own.posterior(promise, MARK_WEIGHT) - logit(own.promise())
        } else {
            by_way
        };
        Some((chance_of(logit(finding.score) + shift), own))
    }
}

impl Tally {
    fn add(&mut self, verdict: Option<Verdict>, by: f64, score: f64) {
        match verdict {
            Some(Verdict::Confirm) => self.confirmed += by,
            Some(Verdict::Dismiss) => self.dismissed += by,
            _ => return,
        }
        self.promised += by * score;
    }

    fn count(self) -> f64 {
        self.confirmed + self.dismissed
    }

    /// The share of findings that their scores promised to be right.
    fn promise(self) -> f64 {
        self.promised / self.count()
    }

    /// The log odds of the mean of the Beta posterior over a prior of mean `promise` that weighs `weight` decisions.
    fn posterior(self, promise: f64, weight: f64) -> f64 {
        logit((promise * weight + self.confirmed) / (weight + self.count()))
    }
}

fn logit(chance: f64) -> f64 {
    let chance = chance.clamp(LEAST, MOST);
    (chance / (1.0 - chance)).ln()
}

fn chance_of(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// A finding's channels as one word: `plain`, `homophone+look_alike`.
fn way(finding: &Finding) -> String {
    let names: Vec<String> = finding.channels.iter().map(ToString::to_string).collect();
    if names.is_empty() { "plain".to_owned() } else { names.join("+") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        model::{AccountName, Decision, Listing, NewHit, Reason, Severity, SystemClock, Timestamp},
        monitor::group,
        store::{Batch, ClaimSpec, MemoryStore, Order, Settings, SledStore, Write},
    };

    fn finding(mark: &str, score: f64) -> Finding {
        Finding { reference: mark.into(), ..group::tests::finding("f", "title", score) }
    }

    async fn decide(store: &dyn Store, mark: &str, n: u32, verdict: Verdict) -> HitId {
        let what = NewHit {
            dedupe: format!("{mark}-{n}"),
            listing: Listing::default(),
            family: "f".into(),
            findings: vec![finding(mark, 0.6)],
            priority: 100,
            severity: Severity::High,
            capture: None,
            evidence: None,
            matched_with: String::new(),
            found_at: Timestamp::UNIX_EPOCH,
        };
        store.apply(Batch { actor: "monitor".into(), writes: vec![Write::Hit(what)] }).await.unwrap();
        let worker = AccountName::new("li").unwrap();
        let spec = ClaimSpec {
            worker: worker.clone(),
            filter: Filter::default(),
            order: Order::Priority,
            max: 1,
            ttl: std::time::Duration::from_secs(60),
        };
        let lease = store.claim(&spec).await.unwrap().remove(0);
        store.complete(&lease.lease, judged(verdict)).await.unwrap();
        lease.hit.id
    }

    fn judged(verdict: Verdict) -> Decision {
        Decision {
            verdict,
            reason: Reason::for_verdict(verdict)[0],
            by: AccountName::new("li").unwrap(),
            at: Timestamp::UNIX_EPOCH,
            note: String::new(),
            looked_ms: 0,
            second: false,
            act: None,
            precedent: None,
        }
    }

    #[tokio::test]
    async fn decisions_move_the_chance_of_a_mark_and_less_that_of_others() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let stores: [Arc<dyn Store>; 2] = [
            Arc::new(MemoryStore::new(clock.clone())),
            Arc::new(SledStore::open(dir.path(), &Settings::default(), clock).unwrap()),
        ];
        for store in stores {
            let mut learnt = Learnt::default();
            learnt.catch_up(&*store).await.unwrap();
            assert_eq!((learnt.chance(&finding("a", 0.6)), learnt.step(&finding("a", 0.6))), (0.6, None));
            let mut last = None;
            for n in 0..12 {
                last = Some(decide(&*store, "a", n, Verdict::Dismiss).await);
            }
            learnt.catch_up(&*store).await.unwrap();
            let (own, other) = (learnt.chance(&finding("a", 0.6)), learnt.chance(&finding("b", 0.6)));
            assert!(own < other && other < 0.6 && own > 0.1, "{own} {other}");
            assert!(learnt.step(&finding("a", 0.6)).unwrap().en.contains("dismissed 12"));
            assert!(learnt.chance(&finding("a", 0.9)) > own, "what is surer stays in front");
            for n in 0..40 {
                decide(&*store, "b", n, Verdict::Confirm).await;
            }
            store.reopen(last.unwrap(), judged(Verdict::Reopen)).await.unwrap();
            learnt.catch_up(&*store).await.unwrap();
            assert!(learnt.chance(&finding("b", 0.6)) > 0.7 && learnt.chance(&finding("a", 0.6)) < 0.6);
            assert_eq!(learnt.decided(), 51);
            let mut again = Learnt::default();
            again.catch_up(&*store).await.unwrap();
            assert_eq!((again.seq(), again.decided()), (learnt.seq(), 51));
            for (mark, score) in [("a", 0.6), ("b", 0.3), ("c", 0.9)] {
                let (one, other) = (learnt.chance(&finding(mark, score)), again.chance(&finding(mark, score)));
                assert!((one - other).abs() < 1e-9, "read from the start, the same is learnt");
            }
        }
    }
}
