//! Long work in parts, one a thread.

use std::ops::Range;

/// Most threads for one piece of work.
const MAX_THREADS: usize = 8;

/// Makes a list of `0..length` in parts, one a thread where there are `many`, and joins them in their order.
pub(crate) fn in_parts<T: Send>(length: usize, many: usize, make: impl Fn(Range<usize>) -> Vec<T> + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    if length < many || threads < 2 {
        return make(0..length);
    }
    let part = length.div_ceil(threads);
    let range = |n: usize| (n * part).min(length)..((n + 1) * part).min(length);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|n| {
                scope.spawn({
                    let make = &make;
                    move || make(range(n))
                })
            })
            .collect();
        let mut all = make(range(0));
        for (n, other) in (1..).zip(others) {
            // A part whose thread did not end well is made here.
            all.extend(other.join().unwrap_or_else(|_| make(range(n))));
        }
        all
    })
}
