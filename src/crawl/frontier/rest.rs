//! Addresses that wait, by their number and place in the log. Both grow from one to the next, so that only the steps are
//! kept, seven bits a byte: three or four bytes for most addresses.

use std::collections::VecDeque;

/// A queue of numbers and places.
#[derive(Debug, Default)]
pub(super) struct Rest {
    steps: VecDeque<u8>,
    count: usize,
    /// The one taken last, and the one added last.
    taken: (u64, u64),
    added: (u64, u64),
}

impl Rest {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds one at the end.
    pub(super) fn push(&mut self, id: u64, at: u64) {
        for step in [id.wrapping_sub(self.added.0), at.wrapping_sub(self.added.1)] {
            self.write(step);
        }
        self.added = (id, at);
        self.count += 1;
    }

    /// Takes the first.
    pub(super) fn pop(&mut self) -> Option<(u64, u64)> {
        let (id, at) = (self.read()?, self.read()?);
        self.taken = (self.taken.0.wrapping_add(id), self.taken.1.wrapping_add(at));
        self.count = self.count.saturating_sub(1);
        Some(self.taken)
    }

    fn write(&mut self, mut step: u64) {
        while step >= 0x80 {
            self.steps.push_back((step & 0x7f) as u8 | 0x80);
            step >>= 7;
        }
        self.steps.push_back(step as u8);
    }

    fn read(&mut self) -> Option<u64> {
        let (mut step, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = self.steps.pop_front()?;
            step |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Some(step);
            }
            shift += 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_takes_a_few_bytes() {
        let mut rest = Rest::default();
        (0..100_000_u64).for_each(|n| rest.push(n, n * 106));
        assert!(rest.steps.len() <= 200_001, "{}", rest.steps.len());
        assert_eq!((rest.pop(), rest.pop(), rest.len()), (Some((0, 0)), Some((1, 106)), 99_998));
    }

    proptest! {
        #[test]
        fn what_is_put_in_comes_out_in_its_order(
            acts in prop::collection::vec(prop::option::of((any::<u64>(), any::<u64>())), 0..200),
        ) {
            let (mut rest, mut model) = (Rest::default(), VecDeque::new());
            for act in acts {
                match act {
                    Some((id, at)) => {
                        rest.push(id, at);
                        model.push_back((id, at));
                    }
                    None => prop_assert_eq!(rest.pop(), model.pop_front()),
                }
                prop_assert_eq!((rest.len(), rest.is_empty()), (model.len(), model.is_empty()));
            }
        }
    }
}
