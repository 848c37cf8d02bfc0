//! The layers of the index: changes over a snapshot. What an upper layer says of a key hides what a lower one says.

use std::{iter::Peekable, ops::Bound, sync::Arc};

use super::{
    delta::{Delta, GONE},
    keys,
    table::Step,
};
use crate::store::{journal::Head, port::StoreError, snapshot::Snapshot};

/// The layers at one moment, the newest first. What they say together changes only by writes to the first.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    /// The changes since the last freezing; the only layer that is written to.
    pub fresh: Arc<Delta>,
    /// The changes before, while they are being merged into the next snapshot.
    pub frozen: Option<Arc<Delta>>,
    /// The newest snapshot.
    pub base: Option<Arc<Snapshot>>,
}

impl Layers {
    /// Where the lowest delta begins.
    pub fn base_head(&self) -> Head {
        self.base.as_ref().map_or(Head::START, |base| base.head())
    }

    /// The value at `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.fresh.get(key)? {
            Some(value) => Ok(Some(value).filter(|value| value != GONE)),
            None => self.below(key),
        }
    }

    /// Whether a layer below the first has a value at `key`, which a removal must hide.
    pub fn has_below(&self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.below(key)?.is_some())
    }

    fn below(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(frozen) = &self.frozen
            && let Some(value) = frozen.get(key)?
        {
            return Ok(Some(value).filter(|value| value != GONE));
        }
        self.base.as_ref().map_or(Ok(None), |base| base.get(key))
    }

    /// Keys that begin with `prefix`, from `begin` on, with their values, in order.
    pub fn range(&self, begin: Bound<Vec<u8>>, prefix: &[u8]) -> Merged {
        let mut sources = vec![self.fresh.range(begin.clone()).peekable()];
        sources.extend(self.frozen.as_ref().map(|frozen| frozen.range(begin.clone()).peekable()));
        if let Some(base) = &self.base {
            let entries: Box<dyn Iterator<Item = Step>> = Box::new(base.range(begin));
            sources.push(entries.peekable());
        }
        Merged { sources, prefix: prefix.to_vec() }
    }
}

/// An ordered walk over all layers. After an error it ends.
pub(super) struct Merged {
    /// The newest first.
    sources: Vec<Peekable<Box<dyn Iterator<Item = Step>>>>,
    prefix: Vec<u8>,
}

impl Iterator for Merged {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            let mut next: Option<(usize, &[u8])> = None;
            let mut failed = None;
            for (number, source) in self.sources.iter_mut().enumerate() {
                match source.peek() {
                    Some(Err(_)) => {
                        failed = Some(number);
                        break;
                    }
                    Some(Ok((key, _))) if next.is_none_or(|(_, least)| key.as_slice() < least) => {
                        next = Some((number, key));
                    }
                    _ => {}
                }
            }
            if let Some(number) = failed {
                let error = self.sources.get_mut(number).and_then(Iterator::next);
                self.sources.clear();
                return error;
            }
            let (number, key) = next?;
            if !key.starts_with(&self.prefix) {
                return None;
            }
            let (key, value) = self.sources.get_mut(number)?.next()?.ok()?;
            for source in self.sources.iter_mut().skip(number + 1) {
                source.next_if(|step| step.as_ref().is_ok_and(|(other, _)| *other == key));
            }
            if value != GONE && key.first() != Some(&keys::OWN) {
                return Some(Ok((key, value)));
            }
        }
    }
}
