//! The numbers in a short text, and what their points, commas and spaces mean.

use crate::model::Amount;

use super::currency;

/// Most numbers looked at in one text.
pub(super) const NUMBERS: usize = 32;

/// A number in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    /// Its first byte.
    pub start: usize,
    /// The byte after it, a multiplying 万 included.
    pub end: usize,
    digits: String,
    zeros: usize,
}

/// The numbers of `text` that may be prices: no percentages, no dates, no parts of words.
pub(super) fn numbers(text: &str) -> Vec<Number> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(start) = next_start(text, at) {
        let end = run_end(text, start);
        at = end.max(start + 1);
        if let Some(number) = number(text, start, end) {
            at = number.end.max(at);
            out.push(number);
            if out.len() == NUMBERS {
                break;
            }
        }
    }
    out
}

/// The next digit, or point before a digit.
fn next_start(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let digit = (from..bytes.len()).find(|&at| bytes[at].is_ascii_digit())?;
    let previous = |back: usize| digit.checked_sub(back).and_then(|at| bytes.get(at));
    let pointed = digit > from && previous(1) == Some(&b'.') && !previous(2).is_some_and(u8::is_ascii_alphabetic);
    let letters = text.get(..digit).and_then(|before| before.chars().rev().nth(1)).is_some_and(char::is_alphabetic);
    Some(if pointed && !letters { digit - 1 } else { digit })
}

/// Where the digits from `start`, with their separators, end.
fn run_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let digits_from = |at: usize| (at..bytes.len()).take_while(|&at| is_digit(at)).count();
    let mut at = start + usize::from(bytes.get(start) == Some(&b'.'));
    let mut group = digits_from(at);
    let mut spaces_group = at == start;
    at += group;
    loop {
        let Some(&next) = bytes.get(at) else { return at };
        let (skip, after) = match next {
            b'.' | b',' | b'\'' if is_digit(at + 1) => (1, digits_from(at + 1)),
            // `1.837, 32 €`, `$119. 95`
            b'.' | b',' if bytes.get(at + 1) == Some(&b' ') && digits_from(at + 2) == 2 => (2, 2),
            b' ' if spaces_group && group <= 3 && digits_from(at + 1) == 3 => (1, 3),
            _ => match euro_decimals(text, at) {
                Some(skipped) => return at + skipped,
                None => return at,
            },
        };
        spaces_group &= next == b' ';
        at += skip + after;
        group = after;
    }
}

/// `35€99` and `35€ 99`: the sign stands where the comma would; how many bytes it and the cents take.
fn euro_decimals(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?.strip_prefix('€')?;
    let spaced = rest.strip_prefix(' ');
    let digits = spaced.unwrap_or(rest);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    let fits = if spaced.is_some() { count == 2 } else { (1..=3).contains(&count) };
    fits.then(|| '€'.len_utf8() + usize::from(spaced.is_some()) + count)
}

fn number(text: &str, start: usize, end: usize) -> Option<Number> {
    let before = text.get(..start)?;
    let after = text.get(end..)?;
    if after.trim_start().starts_with('%') || glued_to_word(before) {
        return None;
    }
    let (zeros, suffix) = multiplier(after);
    let digits: String = text.get(start..end)?.replace("€ ", "€");
    let parts: Vec<&str> = digits.split('.').collect();
    let is_date = matches!(parts.as_slice(), [day, month, _] if !day.is_empty() && month.len() != 3);
    if is_date || digits.len() > 40 {
        return None;
    }
    Some(Number { start, end: end + suffix, digits, zeros })
}

/// `X100` and `CR2032` are names; `US12`, `Rs12` and `EUR12` are known by their currency.
fn glued_to_word(before: &str) -> bool {
    let word: String = before.chars().rev().take_while(|c| c.is_ascii_alphanumeric()).collect();
    !word.is_empty() && currency::at_end(before).is_none()
}

fn multiplier(after: &str) -> (usize, usize) {
    let trimmed = after.trim_start();
    let space = after.len() - trimmed.len();
    for (word, zeros) in [("万", 4), ("萬", 4), ("亿", 8), ("億", 8)] {
        if trimmed.starts_with(word) {
            return (zeros, space + word.len());
        }
    }
    let thousand = after.starts_with(['k', 'K']) && !after.chars().nth(1).is_some_and(char::is_alphabetic);
    if thousand { (3, 1) } else { (0, 0) }
}

impl Number {
    /// The price it writes, read with the customs of `code`.
    pub(super) fn amount(&self, code: Option<&str>) -> Option<Amount> {
        let (whole, fraction) = self.split(code);
        let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
        let fraction: String = fraction.chars().filter(char::is_ascii_digit).collect();
        if self.zeros == 0 {
            return decimal(&whole, &fraction);
        }
        let shifted = format!("{fraction:0<width$}", width = self.zeros);
        let (more, rest) = shifted.split_at_checked(self.zeros)?;
        decimal(&format!("{whole}{more}"), rest)
    }

    /// For comparing two numbers of one range.
    pub(super) fn value(&self) -> u64 {
        self.amount(None).map_or(0, Amount::ten_thousandths)
    }

    /// The digits before and after the decimal separator.
    fn split(&self, code: Option<&str>) -> (&str, &str) {
        let text = self.digits.as_str();
        if let Some((whole, cents)) = text.split_once('€') {
            return (whole, cents);
        }
        let text = text.strip_prefix('.').filter(|rest| rest.contains(['.', ','])).unwrap_or(text);
        let Some(at) = text.rfind(['.', ',']) else { return (text, "") };
        let (whole, rest) = text.split_at(at);
        let separator = rest.get(..1).unwrap_or(".");
        let after = rest.get(1..).unwrap_or("").trim();
        let other_kind = whole.contains(['.', ',']) && !whole.contains(separator);
        let repeated = whole.contains(separator);
        let lone_point = whole.is_empty() || whole.bytes().all(|byte| byte == b'0');
        let decimal = if self.zeros > 0 || lone_point {
            true
        } else if repeated || after.len() > 3 && separator == "," && other_kind {
            false
        } else if after.len() == 3 && !other_kind {
            separator == "." && code.is_some_and(currency::has_three_decimals)
        } else {
            true
        };
        if decimal && (lone_point || !repeated) { (whole, after) } else { (text, "") }
    }
}

/// An amount from the digits before and after the point; places past the fourth are dropped.
pub(super) fn decimal(whole: &str, fraction: &str) -> Option<Amount> {
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.get(..fraction.len().min(4))?;
    if fraction.is_empty() { whole.parse().ok() } else { format!("{whole}.{fraction}").parse().ok() }
}
