//! Rows of numbers, one after another: which words a group has, which rules a word calls.
//!
//! Main type: [`Rows`].

/// Rows of different length in two allocations.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// Where each row begins, and where the last one ends.
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Default for Rows {
    fn default() -> Self {
        Self { starts: vec![0], items: Vec::new() }
    }
}

impl Rows {
    /// Adds a row at the end.
    pub fn push(&mut self, row: impl IntoIterator<Item = u32>) {
        self.items.extend(row);
        self.starts.push(self.items.len() as u32);
    }

    /// Of pairs `(row, item)` the items of each of `count` rows, in the order in which they come.
    pub fn of_pairs(count: usize, pairs: &[(u32, u32)]) -> Self {
        let mut starts = vec![0_u32; count + 1];
        for (row, _) in pairs {
            if let Some(place) = starts.get_mut(*row as usize + 1) {
                *place += 1;
            }
        }
        let mut sum = 0;
        for place in &mut starts {
            sum += *place;
            *place = sum;
        }
        let mut next = starts.clone();
        let mut items = vec![0; pairs.len()];
        for (row, item) in pairs {
            if let Some(place) = next.get_mut(*row as usize) {
                if let Some(slot) = items.get_mut(*place as usize) {
                    *slot = *item;
                }
                *place += 1;
            }
        }
        Self { starts, items }
    }

    /// The row number `index`; empty where there is none.
    pub fn row(&self, index: u32) -> &[u32] {
        let index = index as usize;
        match (self.starts.get(index), self.starts.get(index + 1)) {
            (Some(&start), Some(&end)) => self.items.get(start as usize..end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_the_order_of_their_items() {
        let mut rows = Rows::default();
        rows.push([3, 1]);
        rows.push([]);
        rows.push([7]);
        assert_eq!([rows.row(0), rows.row(1), rows.row(2), rows.row(3)], [&[3, 1][..], &[], &[7], &[]]);
        let rows = Rows::of_pairs(3, &[(2, 5), (0, 9), (2, 4)]);
        assert_eq!([rows.row(0), rows.row(1), rows.row(2)], [&[9][..], &[], &[5, 4]]);
    }
}
