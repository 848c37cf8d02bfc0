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
        let mut sums = [0_i32; 64];
        let mut characters = characters.into_iter();
        let mut before = characters.next();
        for character in characters {
            let mixed = before.into_iter().chain([character]).fold(0xcbf2_9ce4_8422_2325_u64, |hash, c| {
                let hash = (hash ^ u64::from(u32::from(c))).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                hash ^ (hash >> 29)
            });
            for (bit, sum) in sums.iter_mut().enumerate() {
                *sum += if mixed >> bit & 1 == 1 { 1 } else { -1 };
            }
            before = Some(character);
        }
        Self(sums.iter().enumerate().filter(|(_, sum)| **sum > 0).fold(0, |bits, (bit, _)| bits | 1 << bit))
    }

    /// In how many of 64 bits two texts read otherwise.
    pub fn distance(self, other: Self) -> u32 {
        (self.0 ^ other.0).count_ones()
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
