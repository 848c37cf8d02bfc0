//! Names that many hits share, as numbers.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

/// Names as numbers; 0 is the empty one.
#[derive(Debug)]
pub(super) struct Symbols {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Default for Symbols {
    fn default() -> Self {
        let empty: Arc<str> = Arc::from("");
        Self { names: vec![Arc::clone(&empty)], numbers: HashMap::from([(empty, 0)]) }
    }
}

impl Symbols {
    pub fn add(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let Ok(number) = u32::try_from(self.names.len()) else { return 0 };
        let name: Arc<str> = Arc::from(name);
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    pub fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    /// The numbers of names that contain `word`, in lower case.
    pub fn containing(&self, word: &str) -> std::collections::HashSet<u32> {
        let numbers = (0_u32..).zip(&self.names).filter(|(_, name)| name.to_lowercase().contains(word));
        numbers.map(|(number, _)| number).collect()
    }
}

/// A map from keys that are evenly spread already, such as parts of a SHA-256.
pub(super) type ByKey<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// Hashes a number to itself.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
