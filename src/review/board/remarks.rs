//! What people left behind, ordered for who asks: notes by seller, filters by account, opinions.

use std::collections::{BTreeMap, HashMap};

use super::Board;
use crate::model::{AccountName, Check, HitId, Reason, Remark, Saying, Timestamp, Verdict};

/// A note on a seller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its key.
    pub key: String,
    /// Who wrote it.
    pub by: AccountName,
    /// When.
    pub at: Timestamp,
    /// The note.
    pub text: String,
}

/// A filter under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its key.
    pub key: String,
    /// Whose.
    pub by: AccountName,
    /// Its name.
    pub name: String,
    /// The query of its address.
    pub query: String,
    /// Whether everybody sees it.
    pub shared: bool,
}

/// What somebody said of a hit without knowing what was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// The hit.
    pub hit: HitId,
    /// Who.
    pub by: AccountName,
    /// When.
    pub at: Timestamp,
    /// What they said.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What for.
    pub check: Check,
    /// What was decided, or is known.
    pub against: Verdict,
    /// By whom.
    pub of: AccountName,
}

/// All remarks that stand.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    all: BTreeMap<String, Remark>,
    notes: HashMap<String, Vec<String>>,
}

impl Remarks {
    pub fn get(&self, key: &str) -> Option<&Remark> {
        self.all.get(key)
    }

    pub fn put(&mut self, remark: Remark) {
        if let Some(Remark { says: Saying::SellerNote { seller, .. }, key, .. }) = self.all.remove(&remark.key)
            && let Some(keys) = self.notes.get_mut(&seller)
        {
            keys.retain(|known| *known != key);
        }
        match &remark.says {
            Saying::Gone => return,
            Saying::SellerNote { seller, .. } => self.notes.entry(seller.clone()).or_default().push(remark.key.clone()),
            _ => {}
        }
        self.all.insert(remark.key.clone(), remark);
    }

    /// Those whose key begins with `prefix`.
    pub fn under<'r>(&'r self, prefix: &'r str) -> impl Iterator<Item = &'r Remark> {
        self.all
            .range(prefix.to_owned()..)
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(_, remark)| remark)
    }
}

/// The opinion that a remark is.
pub(super) fn opinion(remark: &Remark) -> Option<Opinion> {
    let Saying::Opinion { hit, verdict, reason, check, against, of } = &remark.says else { return None };
    Some(Opinion {
        hit: *hit,
        by: remark.by.clone(),
        at: remark.at,
        verdict: *verdict,
        reason: *reason,
        check: *check,
        against: *against,
        of: of.clone(),
    })
}

impl Board {
    /// Notes on a seller, newest first.
    pub fn notes(&self, seller: u64) -> Vec<Note> {
        let state = self.read();
        let keys = state.remarks.notes.get(&format!("{seller:016x}"));
        let mut notes: Vec<Note> = keys
            .into_iter()
            .flatten()
            .filter_map(|key| match state.remarks.all.get(key)? {
                Remark { key, by, at, says: Saying::SellerNote { text, .. } } => {
                    Some(Note { key: key.clone(), by: by.clone(), at: *at, text: text.clone() })
                }
                _ => None,
            })
            .collect();
        notes.sort_by_key(|note| std::cmp::Reverse(note.at));
        notes
    }

    /// Filters that `who` saved or others share, by name.
    pub fn saved(&self, who: &AccountName) -> Vec<Saved> {
        let state = self.read();
        let saved = state.remarks.under("filter:").filter_map(|remark| match &remark.says {
            Saying::SavedFilter { name, query, shared } if *shared || remark.by == *who => Some(Saved {
                key: remark.key.clone(),
                by: remark.by.clone(),
                name: name.clone(),
                query: query.clone(),
                shared: *shared,
            }),
            _ => None,
        });
        let mut saved: Vec<Saved> = saved.collect();
        saved.sort_by(|a, b| a.name.cmp(&b.name));
        saved
    }

    /// The keys that `who` presses, where they changed any.
    pub fn keys(&self, who: &AccountName) -> BTreeMap<String, String> {
        match self.read().remarks.all.get(&format!("keys:{who}")) {
            Some(Remark { says: Saying::Keys { keys }, .. }) => keys.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// Hits whose answer is known, with the answer.
    pub fn gold(&self) -> Vec<(HitId, Verdict)> {
        let state = self.read();
        let gold = state.remarks.under("gold:").filter_map(|remark| match remark.says {
            Saying::Gold { hit, verdict } => Some((hit, verdict)),
            _ => None,
        });
        gold.collect()
    }

    /// Every opinion.
    pub fn opinions(&self) -> Vec<Opinion> {
        self.read().remarks.under("opinion:").filter_map(opinion).collect()
    }

    /// A remark by its key.
    pub fn remark(&self, key: &str) -> Option<Remark> {
        self.read().remarks.all.get(key).cloned()
    }
}
