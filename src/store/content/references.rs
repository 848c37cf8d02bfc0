//! Which bodies the journal cites and holds: counted from the truth itself, never kept beside it.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    model::Timestamp,
    store::{
        event::{Entry, Event},
        folder::journal_dir,
        journal::{Head, read},
        port::{StoreError, Write},
    },
};

/// A body that must not go, whatever its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who holds it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub why: String,
}

/// What the journal says about bodies, up to a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct References {
    /// For each body a hit cites, by how many.
    pub cited: HashMap<String, u64>,
    /// The bodies held.
    pub holds: BTreeMap<String, Hold>,
    /// How far the journal was read.
    pub head: Head,
}

impl Default for References {
    fn default() -> Self {
        Self { cited: HashMap::new(), holds: BTreeMap::new(), head: Head::START }
    }
}

impl References {
    /// Reads on in the journal of the store in `data`, from where these references end to its own end.
    pub fn read_on(&mut self, data: &Path) -> Result<(), StoreError> {
        read(&journal_dir(data), self.head.seq + 1..=u64::MAX, &mut |head, payload| {
            // What is not read cannot be counted; then nothing may be taken for uncited.
            if head.seq != self.head.seq + 1 {
                let what = format!("sequence {} is not in it, so that nobody knows what it cites", self.head.seq + 1);
                return Err(StoreError::Damaged { path: journal_dir(data).display().to_string(), what });
            }
            self.add(head, &Entry::decode(head.seq, payload)?);
            Ok(())
        })
    }

    /// Counts the next entry.
    pub fn add(&mut self, head: &Head, entry: &Entry) {
        self.head = *head;
        let Event::Applied { writes, hits } = &entry.event else { return };
        let mut hits = hits.iter();
        for write in writes {
            match write {
                // A hit that was known already cites what it cited when it was new.
                Write::Hit(hit) if hits.next().is_none_or(|hit| hit.new) => {
                    if let Some(hash) = &hit.evidence {
                        *self.cited.entry(hash.clone()).or_default() += 1;
                    }
                }
                Write::Hold { sha256, hold: true, why } => {
                    let hold = Hold { by: entry.actor.clone(), since: entry.at, why: why.clone() };
                    self.holds.insert(sha256.clone(), hold);
                }
                Write::Hold { sha256, hold: false, .. } => drop(self.holds.remove(sha256)),
                _ => {}
            }
        }
    }

    /// Whether a body must stay for the journal's sake.
    pub fn needs(&self, hash: &str) -> bool {
        self.cited.contains_key(hash) || self.holds.contains_key(hash)
    }
}
