//! Unpacked blocks that were read lately.

use std::{collections::HashMap, sync::Arc};

/// Two generations: when the younger is full it becomes the older, and what nobody asked for since is let go of.
#[derive(Debug)]
pub(super) struct Cache {
    half_bytes: usize,
    young: HashMap<usize, Arc<Vec<u8>>>,
    young_bytes: usize,
    old: HashMap<usize, Arc<Vec<u8>>>,
}

impl Cache {
    pub fn new(bytes: usize) -> Self {
        Self { half_bytes: bytes / 2, young: HashMap::new(), young_bytes: 0, old: HashMap::new() }
    }

    pub fn get(&mut self, block: usize) -> Option<Arc<Vec<u8>>> {
        if let Some(found) = self.young.get(&block) {
            return Some(Arc::clone(found));
        }
        let found = self.old.remove(&block)?;
        self.put(block, Arc::clone(&found));
        Some(found)
    }

    pub fn put(&mut self, block: usize, bytes: Arc<Vec<u8>>) {
        if self.young_bytes + bytes.len() > self.half_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes.len();
        self.young.insert(block, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_whole_stays_within_its_bound() {
        let mut cache = Cache::new(1000);
        for block in 0..200 {
            cache.put(block, Arc::new(vec![0; 10]));
            cache.get(0).unwrap();
        }
        assert!(cache.get(1).is_none());
        assert!((cache.young.len() + cache.old.len()) * 10 <= 1010);
    }
}
