//! A block: entries in order, each key without what it shares with the one before.
//!
//! Little-endian, an entry: shared 2, rest of the key 2, value 4, then the rest and the value. All keys of a block begin
//! with the same byte, so that a block can be counted by prefix without being read.

use super::sums::Sum;

const ENTRY_BYTES: usize = 8;
/// Longer keys are not kept.
pub(super) const MAX_KEY_BYTES: usize = 8 * 1024;

/// A block being filled.
#[derive(Debug, Default)]
pub(super) struct Filling {
    pub bytes: Vec<u8>,
    pub first: Vec<u8>,
    pub last: Vec<u8>,
    pub sum: Sum,
}

impl Filling {
    /// Whether `key` may go into this block: all share their first byte.
    pub fn takes(&self, key: &[u8]) -> bool {
        self.bytes.is_empty() || self.first.first() == key.first()
    }

    /// Adds an entry behind the others; false when its key or value is beyond what a block can say.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> bool {
        let shared = self.last.iter().zip(key).take_while(|(left, right)| left == right).count();
        let shared = if self.bytes.is_empty() { 0 } else { shared };
        let rest = key.get(shared..).unwrap_or_default();
        let lengths = (u16::try_from(shared), u16::try_from(rest.len()), u32::try_from(value.len()));
        let (Ok(shared), Ok(rest_length), Ok(value_length)) = lengths else { return false };
        if key.len() > MAX_KEY_BYTES {
            return false;
        }
        if self.bytes.is_empty() {
            self.first = key.to_vec();
        }
        self.bytes.extend_from_slice(&shared.to_le_bytes());
        self.bytes.extend_from_slice(&rest_length.to_le_bytes());
        self.bytes.extend_from_slice(&value_length.to_le_bytes());
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(value);
        self.last.clear();
        self.last.extend_from_slice(key);
        self.sum.add(key, value);
        true
    }
}

/// A key and where its value lies in the block.
type Entry<'w, 'b> = (&'w [u8], &'b [u8]);

/// A walk over the entries of a block's bytes.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    key: Vec<u8>,
}

impl<'a> Walk<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, key: Vec::new() }
    }

    /// The next key and where its value lies; an error when the bytes are no block. Keys come in order, each longer than
    /// nothing.
    pub fn next(&mut self) -> Result<Option<Entry<'_, 'a>>, &'static str> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let broken = "a block's entries do not fit into it";
        let header: &[u8; ENTRY_BYTES] = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or(broken)?;
        let [s0, s1, r0, r1, v0, v1, v2, v3] = *header;
        let (shared, rest) = (usize::from(u16::from_le_bytes([s0, s1])), usize::from(u16::from_le_bytes([r0, r1])));
        let value = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).map_err(|_| broken)?;
        let begin = self.at + ENTRY_BYTES;
        let rest_of_key = self.bytes.get(begin..begin + rest).ok_or(broken)?;
        let end = (begin + rest).checked_add(value).ok_or(broken)?;
        let value = self.bytes.get(begin + rest..end).ok_or(broken)?;
        if shared > self.key.len() || (self.at > 0 && self.key.get(shared..) >= Some(rest_of_key)) {
            return Err("a block's keys are not in order");
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(rest_of_key);
        self.at = end;
        Ok(Some((&self.key, value)))
    }
}
