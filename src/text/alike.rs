//! Characters that look alike (`tables/lookalikes.tsv`).

use std::{collections::HashMap, sync::LazyLock};

use super::{
    mix::{Mixed, spread},
    slots::{all, chain},
};

static PAIRS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/alike.bin"));

/// How much two characters look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Taken for one another at a glance: 己 and 已.
    Near,
    /// Alike in a large part: 耐 and 耍.
    Far,
}

/// Bits of a hash of a pair: 256 KiB, near the processor where the table is not; most pairs that are asked for are none.
const FILTER_BITS: u32 = 21;

static FILTER: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut filter = vec![0; 1 << (FILTER_BITS - 6)];
    for slot in all::<8>(PAIRS) {
        let at = filter_at(spread(slot >> 8));
        if let Some(word) = filter.get_mut(at >> 6) {
            *word |= 1_u64 << (at & 63);
        }
    }
    filter
});

#[inline]
fn filter_at(hash: u64) -> usize {
    (hash >> (64 - FILTER_BITS)) as usize
}

/// How much two folded characters look alike; none when they do not, or are the same.
pub fn likeness(one: u32, other: u32) -> Option<Likeness> {
    let (low, high) = (one.min(other), one.max(other));
    if low == high || high > 0xFFFF {
        return None;
    }
    let pair = u64::from(low) << 16 | u64::from(high);
    let hash = spread(pair);
    let at = filter_at(hash);
    if FILTER.get(at >> 6).is_none_or(|word| word >> (at & 63) & 1 == 0) {
        return None;
    }
    let grade = chain::<8>(PAIRS, hash).find(|slot| slot >> 8 == pair)? & 0xFF;
    Some(if grade == 1 { Likeness::Near } else { Likeness::Far })
}

static NEAR: LazyLock<HashMap<u32, Vec<u32>, Mixed>> = LazyLock::new(|| {
    let mut near: HashMap<u32, Vec<u32>, Mixed> = HashMap::default();
    for slot in all::<8>(PAIRS).filter(|slot| slot & 0xFF == 1) {
        let (low, high) = ((slot >> 24 & 0xFFFF) as u32, (slot >> 8 & 0xFFFF) as u32);
        near.entry(low).or_default().push(high);
        near.entry(high).or_default().push(low);
    }
    near
});

/// The characters that are taken for a folded one at a glance.
pub fn near(code: u32) -> &'static [u32] {
    NEAR.get(&code).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_so_both_ways_and_no_character_is_its_own() {
        assert_eq!(likeness('己' as u32, '已' as u32), Some(Likeness::Near));
        assert_eq!(likeness('已' as u32, '己' as u32), Some(Likeness::Near));
        assert!(near('已' as u32).contains(&('己' as u32)));
        assert_eq!(likeness('己' as u32, '己' as u32), None);
        assert_eq!(likeness('己' as u32, '龙' as u32), None);
        assert_eq!(likeness('己' as u32, '𠀀' as u32), None);
    }
}
