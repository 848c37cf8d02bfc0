//! Which two characters follow each other in a listing's folded texts.
//!
//! A pair is one number: the first character in the upper, the second in the lower 21 bits; 0 follows the last one, so that
//! every character is the first of a pair.

use std::sync::OnceLock;

use crate::{
    model::Listing,
    text::{Assembled, Folded, assembled, fold},
};

/// Bits of a character.
pub(super) const CHAR_BITS: u32 = 21;

/// The pair of two characters.
#[cfg(test)]
fn pair(first: char, second: Option<char>) -> u64 {
    u64::from(first as u32) << CHAR_BITS | u64::from(second.map_or(0, |second| second as u32))
}

/// Every pair of `listing`, ascending, each once; texts that are put together from several surfaces are texts too.
pub(super) fn pairs(listing: &Listing) -> Vec<u64> {
    let plain = listing.surfaces();
    let together = assembled(listing, &plain);
    let mut pairs = Vec::new();
    for surface in plain.iter().cloned().chain(together.iter().map(Assembled::surface)) {
        let folded = Folded::new(surface.text);
        let mut before: Option<u32> = None;
        for code in folded.codes() {
            pairs.extend(before.map(|first| u64::from(first) << CHAR_BITS | u64::from(code)));
            before = Some(code);
        }
        pairs.extend(before.map(|last| u64::from(last) << CHAR_BITS));
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// A number that changes with what the fold makes of any character: an index of another fold says nothing.
pub(super) fn fold_print() -> u32 {
    static PRINT: OnceLock<u32> = OnceLock::new();
    *PRINT.get_or_init(|| {
        let all: String = ('\0'..='\u{1ffff}').chain('\u{2f800}'..='\u{2fa1f}').collect();
        crc32c::crc32c(fold(&all).as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_stand_for_folded_texts_and_the_last_character_too() {
        let listing = Listing { title: "雲·雀A".into(), subtitle: Some("雀".into()), ..Listing::default() };
        let mut wanted = [pair('云', Some('雀')), pair('雀', Some('a')), pair('a', None), pair('雀', None)].to_vec();
        wanted.sort_unstable();
        assert_eq!(pairs(&listing), wanted);
        assert_eq!(fold_print(), fold_print());
    }
}
