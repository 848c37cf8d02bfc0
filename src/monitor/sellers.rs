//! The lists of sellers and the documents of holders, as the journal's notes say: followed, and kept in a file that may go.
//!
//! [`Sellers`] is shared by the monitor, whose matcher obeys the lists, and the desk, where people write them.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::follow::Follower;
use crate::{
    model::{Document, DocumentState, ListedSeller, SellerLists, Timestamp},
    store::{Store, StoreError, Write},
};

/// A seller was put on a list.
pub const LISTED: &str = "seller.listed";
/// A seller was taken off.
pub const UNLISTED: &str = "seller.unlisted";
/// A document was handed in.
pub const FILED: &str = "document.filed";
/// A document came into another state.
pub const DOCUMENT_STATE: &str = "document.state";
/// Most sellers on lists, and most documents.
pub const MAX_LISTED: usize = 200_000;
/// The form of the file.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    format: u32,
    /// The sequence of the journal it reaches.
    seq: u64,
    lists: SellerLists,
}

impl Default for Kept {
    fn default() -> Self {
        Self { format: FORMAT, seq: 0, lists: SellerLists::default() }
    }
}

impl Follower for Kept {
    const MAX_BYTES: u64 = 256 << 20;

    fn seq(&mut self) -> &mut u64 {
        &mut self.seq
    }

    fn is_of_this_form(&self) -> bool {
        self.format == FORMAT
    }

    fn take(&mut self, what: &str, details: &Map<String, Value>, _: (Timestamp, &str)) -> bool {
        let lists = &mut self.lists;
        let text = |name: &str| details.get(name).and_then(Value::as_str).unwrap_or_default();
        match what {
            LISTED => match read::<ListedSeller>(details, "listed") {
                Some(listed) if lists.all().len() < MAX_LISTED => {
                    lists.put(listed);
                    true
                }
                _ => false,
            },
            UNLISTED => lists.remove(text("id")),
            FILED => match read::<Document>(details, "document") {
                Some(document) if lists.documents().len() < MAX_LISTED => {
                    lists.file(document);
                    true
                }
                _ => false,
            },
            DOCUMENT_STATE => {
                DocumentState::from_code(text("state")).is_some_and(|state| lists.set_state(text("id"), state))
            }
            _ => false,
        }
    }
}

/// What the journal says of sellers and documents.
#[derive(Debug, Default)]
pub struct Sellers {
    path: Option<PathBuf>,
    seq: Mutex<u64>,
    lists: RwLock<Arc<SellerLists>>,
}

impl Sellers {
    /// Begins with what the file at `path` remembers; with nothing where it is none of ours.
    ///
    /// # Errors
    /// When the file is there and the disk says no.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let kept = Kept::remembered(&path)?;
        Ok(Self { path: Some(path), seq: Mutex::new(kept.seq), lists: RwLock::new(Arc::new(kept.lists.indexed())) })
    }

    /// What is known.
    pub fn lists(&self) -> Arc<SellerLists> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in what was noted since the last time; true when that changed anything.
    ///
    /// # Errors
    /// When the store cannot be read; what was taken in before stays.
    pub async fn follow(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let mut seq = self.seq.lock().await;
        // Most calls end here, and copy nothing.
        if store.counts().await?.seq == *seq {
            return Ok(false);
        }
        let mut kept = Kept { seq: *seq, lists: (*self.lists()).clone(), ..Kept::default() };
        let changed = kept.follow(store).await?;
        *seq = kept.seq;
        if changed {
            if let Some(Err(error)) = self.path.as_ref().map(|path| kept.remember(path)) {
                tracing::warn!(%error, "cannot write the lists of sellers; the journal says them again");
            }
            *self.lists.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(kept.lists);
        }
        Ok(changed)
    }
}

fn read<T: serde::de::DeserializeOwned>(details: &Map<String, Value>, name: &str) -> Option<T> {
    details.get(name).cloned().and_then(|value| serde_json::from_value(value).ok())
}

/// What is written so that a seller is on a list.
pub fn list(listed: &ListedSeller) -> Write {
    super::note(LISTED, json!({"listed": listed}))
}

/// What is written so that a seller is on a list no longer; the holder says whose it was.
pub fn unlist(listed: &ListedSeller) -> Write {
    super::note(UNLISTED, json!({"id": listed.id, "seller": listed.seller, "holder": listed.holder}))
}

/// What is written so that a document is on file: its bytes are held for as long as the journal is.
pub fn file(document: &Document) -> [Write; 2] {
    let why = format!("document {} of {:.200}", document.id, document.holder);
    [
        super::note(FILED, json!({"document": document})),
        Write::Hold { sha256: document.sha256.clone(), hold: true, why },
    ]
}

/// What is written so that a document is in another state.
pub fn set_state(document: &Document, state: DocumentState) -> Write {
    super::note(DOCUMENT_STATE, json!({"id": document.id, "state": state.code()}))
}
