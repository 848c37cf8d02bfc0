//! Numbers as they are said: `199`, `9.9`, 九十九, 一百九十九, 两千三, 九块九.

/// Longest number that is read, in characters.
const MAX_CHARACTERS: usize = 12;

/// The number `text` says, in hundredths; none when it is none.
pub(super) fn hundredths(text: &str) -> Option<u64> {
    if text.is_empty() || text.chars().count() > MAX_CHARACTERS {
        return None;
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction: u64 = format!("{fraction:0<2}").get(..2)?.parse().ok()?;
        return whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(fraction);
    }
    han(text)?.checked_mul(100)
}

/// A number in Chinese words.
fn han(text: &str) -> Option<u64> {
    let (mut total, mut section, mut digit) = (0_u64, 0_u64, None);
    // What the last sign was worth: 两千三 is 2,300.
    let mut last_unit = 1_u64;
    for c in text.chars() {
        if let Some(value) = "零一二三四五六七八九".chars().position(|known| known == c) {
            if value == 0 {
                last_unit = 1;
            }
            digit = Some(value as u64);
            continue;
        }
        if c == '两' {
            digit = Some(2);
            continue;
        }
        let unit = match c {
            '十' => 10,
            '百' => 100,
            '千' => 1000,
            '万' => 10_000,
            _ => return None,
        };
        if unit == 10_000 {
            total = total.checked_add(section.checked_add(digit.take().unwrap_or(0))?.checked_mul(unit)?)?;
            section = 0;
        } else {
            // 十 alone is ten.
            section = section.checked_add(digit.take().unwrap_or(1).checked_mul(unit)?)?;
        }
        last_unit = unit;
    }
    let rest = digit.map_or(0, |digit| if last_unit > 10 { digit * (last_unit / 10) } else { digit });
    total.checked_add(section)?.checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_said() {
        for (text, expected) in [
            ("199", 19_900),
            ("9.9", 990),
            ("九", 900),
            ("十", 1000),
            ("十九", 1900),
            ("九十九", 9900),
            ("一百九十九", 19_900),
            ("一百零八", 10_800),
            ("两千三", 230_000),
            ("一万二千", 1_200_000),
        ] {
            assert_eq!(hundredths(text), Some(expected), "{text}");
        }
        assert_eq!(hundredths("好"), None);
        assert_eq!(hundredths("99999999999999999999"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[0-9.零一二两三九十百千万好]{0,14}") {
            proptest::prop_assert!(hundredths(&text).is_none_or(|said| said < u64::MAX));
        }
    }
}
