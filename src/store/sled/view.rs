//! The index as one sees it: its layers, and over them the changes of a group that is not applied yet.

use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    ops::Bound,
    sync::Arc,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    index::Index,
    keys,
    layers::{Layers, Merged},
};
use crate::store::{
    content::Hold,
    journal::Head,
    port::{Counts, StoreError},
};

/// A value is JSON after this byte.
const INLINE: u8 = 1;
/// A value is the hash of a body in the content store that is JSON.
const IN_CONTENT: u8 = 2;

/// Counters and numbers given out, kept with every batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Meta {
    pub counts: Counts,
    pub generation: u64,
    pub last_hit: u64,
    #[serde(default)]
    pub remarks: u64,
}

/// The hash of the body that a value lies in, if it lies in one.
pub(super) fn body_of(value: &[u8]) -> Option<String> {
    match value.split_first() {
        Some((&IN_CONTENT, hash)) => Some(String::from_utf8_lossy(hash).into_owned()),
        _ => None,
    }
}

/// A change to one key: its new value, or none when it goes.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A view of the index. Without changes it is what is durable.
#[derive(Debug)]
pub(in crate::store) struct View<'a> {
    index: &'a Index,
    layers: Arc<Layers>,
    inline_bytes: usize,
    changes: Changes,
    meta: Meta,
}

impl<'a> View<'a> {
    pub fn new(index: &'a Index, inline_bytes: usize) -> Result<Self, StoreError> {
        let (layers, changes) = (index.layers(), Changes::new());
        let mut view = Self { index, layers, inline_bytes, changes, meta: Meta::default() };
        view.meta = view.get(keys::STATE)?.unwrap_or_default();
        Ok(view)
    }

    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    pub fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    /// How many changes wait.
    pub fn pending(&self) -> usize {
        self.changes.len()
    }

    /// The value at `key`.
    pub fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        match self.changes.get(key) {
            Some(Some(value)) => self.decode(value).map(Some),
            Some(None) => Ok(None),
            None => match self.layers.get(key)? {
                Some(value) => self.decode(&value).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Whether there is a value at `key`.
    pub fn has(&self, key: &[u8]) -> Result<bool, StoreError> {
        match self.changes.get(key) {
            Some(change) => Ok(change.is_some()),
            None => Ok(self.layers.get(key)?.is_some()),
        }
    }

    pub fn put<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
        let value = self.encode(value)?;
        self.changes.insert(key, Some(value));
        Ok(())
    }

    /// Keeps a key that says everything by being there.
    pub fn put_key(&mut self, key: Vec<u8>) {
        self.changes.insert(key, Some(Vec::new()));
    }

    pub fn remove(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    /// Keys and values that begin with `prefix`, in order, only those behind `after`.
    pub fn scan(&self, prefix: &[u8], after: Option<&[u8]>) -> Scan<'_> {
        let begin = after.map_or(Bound::Included(prefix.to_vec()), |after| Bound::Excluded(after.to_vec()));
        // What was removed before the front need not be walked over, wherever the caller stands.
        let front = self.index.front(prefix).filter(|front| after.is_none_or(|after| after < front.as_slice()));
        Scan {
            disk: self.layers.range(front.map_or_else(|| begin.clone(), Bound::Included), prefix).peekable(),
            changes: self.changes.range((begin, Bound::Unbounded)).peekable(),
            prefix: prefix.to_vec(),
        }
    }

    /// The bodies held, and why.
    pub fn holds(&self) -> Result<BTreeMap<String, Hold>, StoreError> {
        let holds = self.scan(keys::HOLDS, None).map(|step| {
            let (key, value) = step?;
            Ok((String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned(), self.decode(&value)?))
        });
        holds.collect()
    }

    pub fn decode<T: DeserializeOwned>(&self, value: &[u8]) -> Result<T, StoreError> {
        let damaged = |what: String| StoreError::Damaged { path: "index".into(), what };
        let read = |json: &[u8]| serde_json::from_slice(json).map_err(|error| damaged(error.to_string()));
        match value.split_first() {
            Some((&INLINE, json)) => read(json),
            Some((&IN_CONTENT, hash)) => {
                let hash = String::from_utf8_lossy(hash);
                let body = self.index.content().get(&hash)?;
                read(&body.ok_or_else(|| damaged(format!("the body {hash} is missing from the content store")))?)
            }
            _ => Err(damaged("a value has an unknown form".into())),
        }
    }

    fn encode<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![INLINE];
        serde_json::to_writer(&mut bytes, value).map_err(|error| StoreError::Refused(error.to_string()))?;
        if bytes.len() <= self.inline_bytes {
            return Ok(bytes);
        }
        let hash = self.index.content().put(bytes.get(1..).unwrap_or_default())?;
        Ok([&[IN_CONTENT], hash.as_bytes()].concat())
    }

    /// Brings the changes into the index in one batch that says they reach `head`.
    pub fn commit(&mut self, head: Head) -> Result<(), StoreError> {
        self.meta.counts.seq = head.seq;
        let meta = self.meta;
        self.put(keys::STATE.to_vec(), &meta)?;
        self.index.write(&self.layers, std::mem::take(&mut self.changes), head)
    }
}

/// An ordered walk over the index and the changes over it.
pub(in crate::store) struct Scan<'v> {
    disk: Peekable<Merged>,
    changes: Peekable<btree_map::Range<'v, Vec<u8>, Option<Vec<u8>>>>,
    prefix: Vec<u8>,
}

impl Iterator for Scan<'_> {
    type Item = Result<(Vec<u8>, Vec<u8>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let on_disk = match self.disk.peek() {
                Some(Ok((key, _))) => Some(key.as_slice()),
                Some(Err(_)) => return self.disk.next(),
                None => None,
            };
            let changed = self.changes.peek().map(|(key, _)| key.as_slice());
            let (take_disk, take_change) = match (on_disk, changed) {
                (None, None) => return None,
                (Some(_), None) => (true, false),
                (None, Some(_)) => (false, true),
                (Some(disk), Some(changed)) => (disk <= changed, changed <= disk),
            };
            let disk = if take_disk { self.disk.next().and_then(Result::ok) } else { None };
            let change = if take_change { self.changes.next() } else { None };
            let (key, value) = match (disk, change) {
                (_, Some((key, Some(value)))) => (key.clone(), value.clone()),
                (_, Some((_, None))) => continue,
                (Some((key, value)), None) => (key, value),
                (None, None) => return None,
            };
            return key.starts_with(&self.prefix).then_some(Ok((key, value)));
        }
    }
}
