//! How a text reads, in 64 bits: texts that are almost the same differ in few of them.

/// A similarity hash (Charikar 2002) over pairs of neighboring characters.
///
/// Each of its bits is the sign of a sum over all pairs, so that a changed character moves few of them, and the more the
/// shorter the text is. What counts as a character is the caller's choice: letters as they stand, or units of the fold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Of a text's characters, in their order; 0 where there are not two.
    pub fn of(characters: impl IntoIterator<Item = char>) -> Self {
        let (mut sums, mut pairs) = (Sums::default(), 0_usize);
        let mut characters = characters.into_iter();
        let mut before = characters.next();
        for character in characters {
            let mixed = before.into_iter().chain([character]).fold(0xcbf2_9ce4_8422_2325_u64, |hash, c| {
                let hash = (hash ^ u64::from(u32::from(c))).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                hash ^ (hash >> 29)
            });
            sums.add(mixed);
            pairs += 1;
            before = Some(character);
        }
        Self(sums.more_than(pairs / 2))
    }

    /// In how many of 64 bits two texts read otherwise.
    pub fn distance(self, other: Self) -> u32 {
        (self.0 ^ other.0).count_ones()
    }
}

/// How often each of 64 bits was set, counted for all of them at once: the n-th number holds the n-th digit of every count.
#[derive(Debug, Default)]
struct Sums([u64; 24]);

impl Sums {
    fn add(&mut self, bits: u64) {
        let mut carry = bits;
        for digit in &mut self.0 {
            if carry == 0 {
                return;
            }
            (*digit, carry) = (*digit ^ carry, *digit & carry);
        }
    }

    /// The bits that were set more than so often.
    fn more_than(&self, times: usize) -> u64 {
        let count =
            |bit: usize| self.0.iter().enumerate().map(|(n, digit)| ((digit >> bit & 1) as usize) << n).sum::<usize>();
        (0..64).filter(|&bit| count(bit) > times).fold(0, |bits, bit| bits | 1 << bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "云雀同厂同料鞋底防滑耐磨尺码三十六到四十五拍下备注颜色工厂直发支持验货七天无理由退换包邮顺丰";

    #[test]
    fn a_changed_character_moves_few_bits_and_another_text_about_half() {
        let one = Fingerprint::of(TEXT.chars());
        assert_eq!(one, Fingerprint::of(TEXT.chars()));
        let changed = Fingerprint::of(TEXT.replace('滑', "水").chars());
        let other = Fingerprint::of("食品级内胆倒置不漏送清洁刷与杯套一只大容量不锈钢学生水杯保温十二小时".chars());
        assert!((1..12).contains(&one.distance(changed)), "{}", one.distance(changed));
        assert!(one.distance(other) > 20, "{}", one.distance(other));
    }

    #[test]
    fn a_text_without_pairs_has_none() {
        assert_eq!(Fingerprint::of("".chars()), Fingerprint(0));
        assert_eq!(Fingerprint::of("云".chars()), Fingerprint(0));
    }
}
