//! The compiled fold table (`build.rs` writes it): one look-up a character.

static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fold.bin"));
static MANY: &[&str] = &include!(concat!(env!("OUT_DIR"), "/fold_many.rs"));

const PAGES: usize = 0x11_0000 / 256;
const ENTRIES: usize = (BYTES.len() - PAGES * 2) / 4;

static PAGE_OF: [u16; PAGES] = {
    let mut pages = [0; PAGES];
    let mut at = 0;
    while at < PAGES {
        pages[at] = u16::from_le_bytes([BYTES[at * 2], BYTES[at * 2 + 1]]);
        at += 1;
    }
    pages
};

static VALUES: [u32; ENTRIES] = {
    let mut values = [0; ENTRIES];
    let mut at = 0;
    while at < ENTRIES {
        let byte = PAGES * 2 + at * 4;
        values[at] = u32::from_le_bytes([BYTES[byte], BYTES[byte + 1], BYTES[byte + 2], BYTES[byte + 3]]);
        at += 1;
    }
    values
};

/// A bit for each character up to U+FFFF: set when it is a unit as it stands. 8 KiB, where the table itself has 170.
static PLAIN: [u64; 0x1_0000 / 64] = {
    let bytes = include_bytes!(concat!(env!("OUT_DIR"), "/fold_plain.bin"));
    let mut words = [0; 0x1_0000 / 64];
    let mut at = 0;
    while at < words.len() * 8 {
        words[at / 8] |= (bytes[at] as u64) << (at % 8 * 8);
        at += 1;
    }
    words
};

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

/// Whether a character is a unit as it stands; false for those beyond U+FFFF, whatever they are.
#[inline]
pub(super) fn is_plain(c: char) -> bool {
    PLAIN.get(c as usize >> 6).is_some_and(|word| word >> (c as u32 & 63) & 1 == 1)
}

/// Folds one character.
#[inline]
pub(super) fn entry(c: char) -> Entry {
    let code = c as usize;
    let page = PAGE_OF.get(code >> 8).copied().unwrap_or(0);
    let value = VALUES.get((page as usize) << 8 | (code & 0xFF)).copied().unwrap_or(0);
    let low = value & 0x1F_FFFF;
    let flags = (value >> 24) as u8;
    match (value >> 21) & 3 {
        0 => Entry::Unit(char::from_u32(low).unwrap_or(c), flags),
        1 => Entry::Gap(low as u8),
        _ => Entry::Many(MANY.get(low as usize).copied().unwrap_or(""), flags),
    }
}
