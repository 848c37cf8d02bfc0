//! Open hash tables that `build.rs` has laid out: looked into where they lie.

use super::ahead;

/// Every slot that may hold what hashes to `hash`, until the first free one.
#[inline]
pub(super) fn chain(table: &'static [u8], hash: u64) -> impl Iterator<Item = u64> {
    let slots = table.as_chunks::<8>().0;
    let mask = slots.len().wrapping_sub(1);
    let first = hash as usize & mask;
    (0..slots.len())
        .map(move |step| slots.get(first.wrapping_add(step) & mask).map_or(0, |slot| u64::from_le_bytes(*slot)))
        .take_while(|slot| *slot != 0)
}

/// Every slot that is not free.
pub(super) fn all(table: &'static [u8]) -> impl Iterator<Item = u64> {
    table.as_chunks::<8>().0.iter().map(|slot| u64::from_le_bytes(*slot)).filter(|slot| *slot != 0)
}

/// Reads where each of many chains begins, so that it is near when it is looked into and the waits for memory overlap.
#[inline]
pub(super) fn touch(table: &'static [u8], hashes: impl Iterator<Item = u64>) {
    let slots = table.as_chunks::<8>().0;
    let mask = slots.len().wrapping_sub(1);
    ahead::touch(hashes.map(|hash| slots.get(hash as usize & mask).map_or(0, |slot| slot[0].into())));
}
