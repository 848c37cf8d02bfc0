//! Open hash tables that `build.rs` has laid out: looked into where they lie.

use super::ahead;

/// Every slot of so many bytes that may hold what hashes to `hash`, until the first free one.
#[inline]
pub(super) fn chain<const BYTES: usize>(table: &'static [u8], hash: u64) -> impl Iterator<Item = u64> {
    let slots = table.as_chunks::<BYTES>().0;
    let mask = slots.len().wrapping_sub(1);
    let first = hash as usize & mask;
    (0..slots.len())
        .map(move |step| slots.get(first.wrapping_add(step) & mask).map_or(0, number))
        .take_while(|slot| *slot != 0)
}

/// Every slot of so many bytes that is not free.
pub(super) fn all<const BYTES: usize>(table: &'static [u8]) -> impl Iterator<Item = u64> {
    table.as_chunks::<BYTES>().0.iter().map(number).filter(|slot| *slot != 0)
}

#[inline]
fn number<const BYTES: usize>(slot: &[u8; BYTES]) -> u64 {
    slot.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Reads where each of many chains begins, so that it is near when it is looked into and the waits for memory overlap.
#[inline]
pub(super) fn touch<const BYTES: usize>(table: &'static [u8], hashes: impl Iterator<Item = u64>) {
    let slots = table.as_chunks::<BYTES>().0;
    let mask = slots.len().wrapping_sub(1);
    ahead::touch(hashes.map(|hash| slots.get(hash as usize & mask).map_or(0, |slot| slot[0].into())));
}
