//! The compiled fold table (`build.rs` writes it): one look-up a character.

use std::sync::LazyLock;

static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fold.bin"));
static MANY: &[&str] = &include!(concat!(env!("OUT_DIR"), "/fold_many.rs"));

const PAGES: usize = 0x11_0000 / 256;

struct Table {
    pages: Vec<u16>,
    entries: Vec<u32>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let (pages, entries) = BYTES.split_at(PAGES * 2);
    Table {
        pages: pages.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect(),
        entries: entries.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect(),
    }
});

/// What was changed to make a unit of a character.
pub(super) const WIDTH: u8 = 1;
pub(super) const TRADITIONAL: u8 = 2;
pub(super) const CONFUSABLE: u8 = 4;

/// What a character becomes.
pub(super) enum Entry {
    Unit(char, u8),
    Gap(u8),
    Many(&'static str, u8),
}

/// Folds one character.
#[inline]
pub(super) fn entry(c: char) -> Entry {
    let table = &*TABLE;
    let code = c as usize;
    let page = table.pages.get(code >> 8).copied().unwrap_or(0);
    let value = table.entries.get((page as usize) << 8 | (code & 0xFF)).copied().unwrap_or(0);
    let low = value & 0x1F_FFFF;
    let flags = (value >> 24) as u8;
    match (value >> 21) & 3 {
        0 => Entry::Unit(char::from_u32(low).unwrap_or(c), flags),
        1 => Entry::Gap(low as u8),
        _ => Entry::Many(MANY.get(low as usize).copied().unwrap_or(""), flags),
    }
}
