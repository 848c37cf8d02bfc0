//! Numbers with units beside a word: 有效率高达 99.5%, 九成, 三天见效, ¥9.9.
//!
//! Main types: [`Number`], what a clause asks for; [`Unit`], what is counted. Numbers are read from what the page says, since
//! the fold drops points and signs: digits of any width with thousands and a point, and Chinese numerals to the 亿.

use std::ops::Range;

use super::file::Order;

/// Bytes between a number and its unit, and of a number, at most.
const MAX_GAP: usize = 4;
const MAX_NUMBER_BYTES: usize = 48;
/// Numbers read of one passage, at most.
const MAX_NUMBERS: usize = 64;

/// What a clause asks of a number beside one of its words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    pub unit: Unit,
    /// Both ends belong to it.
    pub least: f64,
    pub most: f64,
    /// Characters between word and number at most.
    pub within: usize,
    pub order: Order,
}

/// What is counted; a number is brought to the first of its writings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    None,
    Percent,
    Gram,
    Millilitre,
    Centimetre,
    Day,
    Times,
    Yuan,
    Age,
    People,
}

/// A writing of a unit behind a number, and what it is worth.
type Writing = (&'static str, Unit, f64);

/// Longer ones before those that begin them.
const WRITINGS: [Writing; 62] = [
    ("个百分点", Unit::Percent, 1.0),
    ("percent", Unit::Percent, 1.0),
    ("%", Unit::Percent, 1.0),
    ("％", Unit::Percent, 1.0),
    ("﹪", Unit::Percent, 1.0),
    ("成", Unit::Percent, 10.0),
    ("千克", Unit::Gram, 1000.0),
    ("公斤", Unit::Gram, 1000.0),
    ("毫克", Unit::Gram, 0.001),
    ("市斤", Unit::Gram, 500.0),
    ("斤", Unit::Gram, 500.0),
    ("两", Unit::Gram, 50.0),
    ("克", Unit::Gram, 1.0),
    ("kg", Unit::Gram, 1000.0),
    ("mg", Unit::Gram, 0.001),
    ("g", Unit::Gram, 1.0),
    ("毫升", Unit::Millilitre, 1.0),
    ("公升", Unit::Millilitre, 1000.0),
    ("升", Unit::Millilitre, 1000.0),
    ("ml", Unit::Millilitre, 1.0),
    ("l", Unit::Millilitre, 1000.0),
    ("厘米", Unit::Centimetre, 1.0),
    ("毫米", Unit::Centimetre, 0.1),
    ("公分", Unit::Centimetre, 1.0),
    ("米", Unit::Centimetre, 100.0),
    ("cm", Unit::Centimetre, 1.0),
    ("mm", Unit::Centimetre, 0.1),
    ("m", Unit::Centimetre, 100.0),
    ("个工作日", Unit::Day, 1.0),
    ("个小时", Unit::Day, 1.0 / 24.0),
    ("小时", Unit::Day, 1.0 / 24.0),
    ("分钟", Unit::Day, 1.0 / 1440.0),
    ("秒钟", Unit::Day, 1.0 / 86_400.0),
    ("秒", Unit::Day, 1.0 / 86_400.0),
    ("个星期", Unit::Day, 7.0),
    ("星期", Unit::Day, 7.0),
    ("个月", Unit::Day, 30.0),
    ("周岁", Unit::Age, 1.0),
    ("岁", Unit::Age, 1.0),
    ("周", Unit::Day, 7.0),
    ("天", Unit::Day, 1.0),
    ("日", Unit::Day, 1.0),
    ("年", Unit::Day, 365.0),
    ("倍", Unit::Times, 1.0),
    ("万元", Unit::Yuan, 10_000.0),
    ("元", Unit::Yuan, 1.0),
    ("块钱", Unit::Yuan, 1.0),
    ("块", Unit::Yuan, 1.0),
    ("rmb", Unit::Yuan, 1.0),
    ("cny", Unit::Yuan, 1.0),
    ("位", Unit::People, 1.0),
    ("名", Unit::People, 1.0),
    ("人次", Unit::People, 1.0),
    ("人", Unit::People, 1.0),
    ("户", Unit::People, 1.0),
    ("家庭", Unit::People, 1.0),
    ("用户", Unit::People, 1.0),
    ("患者", Unit::People, 1.0),
    ("例", Unit::People, 1.0),
    ("x", Unit::Times, 1.0),
    ("×", Unit::Times, 1.0),
    ("次", Unit::Times, 1.0),
];
/// Writings before a number.
const BEFORE: [Writing; 4] =
    [("百分之", Unit::Percent, 1.0), ("¥", Unit::Yuan, 1.0), ("￥", Unit::Yuan, 1.0), ("rmb", Unit::Yuan, 1.0)];
/// What may stand between a number and its unit.
const BETWEEN: [&str; 6] = [" ", "多", "余", "几", "+", "以上"];

impl Unit {
    /// By the name rules use, with all names.
    pub const NAMES: [(&'static str, Self); 10] = [
        ("none", Self::None),
        ("percent", Self::Percent),
        ("gram", Self::Gram),
        ("millilitre", Self::Millilitre),
        ("centimetre", Self::Centimetre),
        ("day", Self::Day),
        ("times", Self::Times),
        ("yuan", Self::Yuan),
        ("age", Self::Age),
        ("people", Self::People),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
    }
}

/// A number as it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    /// Number and unit, in bytes.
    pub bytes: Range<usize>,
    pub value: f64,
    pub unit: Unit,
}

impl Number {
    /// Whether `read` is what is asked for; without a unit any is.
    pub fn takes(&self, read: &Read) -> bool {
        let slack = read.value.abs() * 1e-9;
        (self.unit == read.unit || self.unit == Unit::None)
            && self.least - slack <= read.value
            && read.value <= self.most + slack
    }
}

/// The numbers in `text`, in order.
pub(super) fn numbers(text: &str) -> Vec<Read> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if found.len() == MAX_NUMBERS {
            break;
        }
        let read = digit(c).map_or_else(|| chinese(text, at), |_| arabic(text, at));
        let Some((value, end)) = read else {
            at += c.len_utf8();
            continue;
        };
        let read = with_unit(text, at..end, value);
        // Its unit is no number of its own: 二两.
        at = end.max(read.bytes.end);
        found.push(read);
    }
    found
}

fn with_unit(text: &str, bytes: Range<usize>, value: f64) -> Read {
    let lower: String = text.get(bytes.end..).unwrap_or("").chars().take(12).flat_map(char::to_lowercase).collect();
    let mut rest = lower.as_str();
    let mut value = value;
    for (large, worth) in [("万", 1e4), ("亿", 1e8), ("千", 1e3), ("w", 1e4)] {
        if let Some(after) = rest.strip_prefix(large).filter(|after| large != "千" || !after.starts_with('克')) {
            // A w is ten thousand only where no word begins with it.
            if large != "w" || !after.starts_with(|c: char| c.is_ascii_alphabetic()) {
                (rest, value) = (after, value * worth);
            }
            break;
        }
    }
    let mut gap = 0;
    while let Some((after, skipped)) = BETWEEN.iter().find_map(|skip| Some((rest.strip_prefix(skip)?, skip.len()))) {
        gap += skipped;
        if gap > 2 * MAX_GAP {
            break;
        }
        rest = after;
    }
    let whole = |writing: &str, after: &str| {
        !writing.ends_with(|c: char| c.is_ascii_alphabetic()) || !after.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    let behind = WRITINGS.iter().find_map(|(writing, unit, worth)| {
        let after = rest.strip_prefix(writing)?;
        whole(writing, after).then_some((after, *unit, *worth))
    });
    if let Some((after, unit, worth)) = behind {
        // Lower case may have other lengths; what stands here has not.
        let end = (bytes.end + lower.len() - after.len()).min(text.len());
        if text.is_char_boundary(end) {
            return Read { bytes: bytes.start..end, value: value * worth, unit };
        }
    }
    let head = text.get(..bytes.start).unwrap_or("").trim_end_matches(' ');
    let before = BEFORE.iter().find(|(writing, ..)| {
        let start = head.len().checked_sub(writing.len());
        start.and_then(|start| head.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(writing))
    });
    match before {
        Some((writing, unit, worth)) => {
            Read { bytes: head.len() - writing.len()..bytes.end, value: value * worth, unit: *unit }
        }
        None => Read { bytes, value, unit: Unit::None },
    }
}

/// A digit of any usual width.
fn digit(c: char) -> Option<u32> {
    match c {
        '０'..='９' => Some(c as u32 - '０' as u32),
        _ => c.to_digit(10),
    }
}

/// Digits with thousands and a point.
fn arabic(text: &str, start: usize) -> Option<(f64, usize)> {
    let (mut written, mut end) = (String::new(), start);
    let mut rest = text.get(start..)?.chars().peekable();
    while let Some(c) = rest.next() {
        let next_is_digit = rest.peek().copied().and_then(digit).is_some();
        match digit(c) {
            Some(digit) => written.extend(char::from_digit(digit, 10)),
            None if matches!(c, '.' | '．') && next_is_digit && !written.contains('.') => written.push('.'),
            None if matches!(c, ',' | '，') && next_is_digit && thousands(rest.clone()) => {}
            None => break,
        }
        end += c.len_utf8();
        if end - start > MAX_NUMBER_BYTES {
            return None;
        }
    }
    Some((written.parse().ok()?, end))
}

/// Three digits follow, and no fourth.
fn thousands(rest: impl Iterator<Item = char>) -> bool {
    rest.take(4).take_while(|c| digit(*c).is_some()).count() == 3
}

/// Chinese numerals: 九, 十五, 三百二十, 一万二千, 九点五, 百 only behind 百分之.
fn chinese(text: &str, start: usize) -> Option<(f64, usize)> {
    let (mut whole, mut section, mut last, mut end) = (0.0_f64, 0.0_f64, None::<f64>, start);
    let mut fraction: Option<f64> = None;
    for c in text.get(start..)?.chars() {
        let value = match c {
            '零' | '〇' => 0.0,
            '一' | '壹' => 1.0,
            '二' | '贰' => 2.0,
            // Behind a numeral it is the weight, unless it counts hundreds or more: 二两, 一万两千.
            '两' if end == start || counts(text.get(end + c.len_utf8()..)) => 2.0,
            '三' | '叁' => 3.0,
            '四' | '肆' => 4.0,
            '五' | '伍' => 5.0,
            '六' | '陆' => 6.0,
            '七' | '柒' => 7.0,
            '八' | '捌' => 8.0,
            '九' | '玖' => 9.0,
            '十' | '拾' | '百' | '佰' | '千' | '仟' | '万' | '亿' if fraction.is_none() => {
                let worth = match c {
                    '十' | '拾' => 10.0,
                    '百' | '佰' => 100.0,
                    '千' | '仟' => 1000.0,
                    '万' => 1e4,
                    _ => 1e8,
                };
                // 十 alone is ten; 百, 千, 万 and 亿 alone are words of everyday language.
                if last.is_none() && section == 0.0 && whole == 0.0 && worth != 10.0 {
                    return None;
                }
                if worth >= 1e4 {
                    whole = (whole + section + last.take().unwrap_or(0.0)) * worth;
                    section = 0.0;
                } else {
                    section += last.take().unwrap_or(1.0) * worth;
                }
                end += c.len_utf8();
                continue;
            }
            '点' if fraction.is_none() && last.is_some() => {
                let digit = text.get(end + c.len_utf8()..).and_then(|rest| chinese_digit(rest.chars().next()?));
                if digit.is_none() {
                    break;
                }
                fraction = Some(1.0);
                end += c.len_utf8();
                continue;
            }
            _ => break,
        };
        match &mut fraction {
            Some(place) => {
                *place /= 10.0;
                section += value * *place;
            }
            // 二〇二六 is a year, read digit by digit.
            None if last.is_some() => last = last.map(|last| last * 10.0 + value),
            None => last = Some(value),
        }
        end += c.len_utf8();
        if end - start > MAX_NUMBER_BYTES {
            return None;
        }
    }
    (end > start).then(|| (whole + section + last.unwrap_or(0.0), end))
}

/// Whether what follows is a hundred or more.
fn counts(rest: Option<&str>) -> bool {
    rest.is_some_and(|rest| rest.starts_with(['百', '千', '万', '亿']))
}

fn chinese_digit(c: char) -> Option<usize> {
    "零一二三四五六七八九".chars().position(|known| known == c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<(&str, f64, Unit)> {
        numbers(text).into_iter().map(|read| (&text[read.bytes], (read.value * 1e6).round() / 1e6, read.unit)).collect()
    }

    #[test]
    fn numbers_are_read_with_their_units() {
        use Unit::{Age, Centimetre, Day, Gram, Millilitre, None, People, Percent, Times, Yuan};
        assert_eq!(all("有效率高达99.5%"), [("99.5%", 99.5, Percent)]);
        assert_eq!(all("有效率９９．５％以上"), [("９９．５％", 99.5, Percent)]);
        assert_eq!(all("百分之九十五的人"), [("百分之九十五", 95.0, Percent)]);
        assert_eq!(all("九成有效，三天见效"), [("九成", 90.0, Percent), ("三天", 3.0, Day)]);
        assert_eq!(all("净含量 1.5kg 或 2斤"), [("1.5kg", 1500.0, Gram), ("2斤", 1000.0, Gram)]);
        assert_eq!(all("￥1,299.00 起"), [("￥1,299.00", 1299.0, Yuan)]);
        assert_eq!(all("原价 3万元"), [("3万元", 30_000.0, Yuan)]);
        assert_eq!(all("十五个月，2小时"), [("十五个月", 450.0, Day), ("2小时", 0.083_333, Day)]);
        assert_eq!(all("500ml 18周岁"), [("500ml", 500.0, Millilitre), ("18周岁", 18.0, Age)]);
        assert_eq!(all("10万多用户"), [("10万多用户", 100_000.0, People)]);
        assert_eq!(all("3倍 175cm"), [("3倍", 3.0, Times), ("175cm", 175.0, Centimetre)]);
        assert_eq!(all("一万二千三百人"), [("一万二千三百人", 12_300.0, People)]);
        assert_eq!(all("二两 两天"), [("二两", 100.0, Gram), ("两天", 2.0, Day)]);
        assert_eq!(all("一万两千人"), [("一万两千人", 12_000.0, People)]);
        assert_eq!(all("九点五成"), [("九点五成", 95.0, Percent)]);
        assert_eq!(all("二〇二六年"), [("二〇二六年", 2026.0 * 365.0, Day)]);
        assert_eq!(all("型号 5G 30max"), [("5G", 5.0, Gram), ("30", 30.0, None)]);
        assert_eq!(all("百姓千家万户亿"), [], "large words alone are no numbers");
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_every_place_is_a_place(text in "[0-9０９.,，一二十百千万亿点%kgKG天 元İ￥百分之x]{0,40}|\\PC{0,40}") {
            let mut before = 0;
            for read in numbers(&text) {
                prop_assert!(text.get(read.bytes.clone()).is_some_and(|found| !found.is_empty()));
                prop_assert!(read.value >= 0.0 && read.bytes.end >= before);
                before = read.bytes.end;
            }
        }
    }
}
