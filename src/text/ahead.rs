//! Reading ahead: what large tables hold is read for many places of a text at once, so that the waits for memory overlap.
//!
//! A loop must not branch on what it reads, or the processor waits for each: what passes is packed without a branch, and
//! goes on to the next loop.

/// A list's first `most` elements, whatever they are: filling it anew each time would cost more than using it.
pub(crate) fn room<T: Clone + Default>(list: &mut Vec<T>, most: usize) -> &mut [T] {
    if list.len() < most {
        list.resize(most, T::default());
    }
    list
}

/// Fills a list without a branch: the item is always written, and kept or not.
#[inline(always)]
pub(crate) fn put<T>(list: &mut [T], filled: &mut usize, item: T, keep: bool) {
    if let Some(place) = list.get_mut(*filled) {
        *place = item;
    }
    *filled += usize::from(keep);
}

/// Reads a part of everything that will be needed, so that it is near when it is.
#[inline]
pub(crate) fn touch(parts: impl Iterator<Item = u32>) {
    std::hint::black_box(parts.fold(0, |all, part| all ^ part));
}
