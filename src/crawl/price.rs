//! Prices as people write them: `1.2万`, `到手价 ¥199`, `1.299,00 €`, `$.75`.
//!
//! [`parse`] finds the price in a short text and the currency beside it. Which text of a page is its
//! price is decided by the facts; integers in hundredths (分) are read only where a profile says so.

mod currency;
mod number;

use crate::model::Amount;

use self::{
    currency::Found,
    number::{Number, numbers},
};

/// The longest text in which a price is looked for, in bytes; what follows is not read.
pub const PRICE_TEXT_BYTES: usize = 512;

/// A price and its currency as ISO 4217, where the text names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency: Option<String>,
}

/// Words before the price one really pays.
const PAID: &[&str] = &[
    "到手",
    "券后",
    "现价",
    "折后",
    "促销价",
    "活动价",
    "优惠价",
    "秒杀价",
    "实付",
    "特价",
    "now",
    "sale",
    "our price",
    "special",
    "jetzt",
    "ahora",
    "maintenant",
    "adesso",
    "agora",
    "teraz",
    "сейчас",
];

/// Words before a price one does not pay.
const NOT_PAID: &[&str] = &[
    "原价",
    "市场价",
    "划线价",
    "吊牌价",
    "专柜价",
    "立减",
    "已省",
    "满",
    "运费",
    "定金",
    "was",
    "rrp",
    "msrp",
    "list price",
    "save",
    "statt",
    "uvp",
    "instead of",
    "antes",
    "avant",
    "au lieu de",
    "prima",
    "shipping",
    "versand",
    "deposit",
    "x de",
];

/// Finds the price in `text`. `hint` is a currency or a text that names one, believed where `text` is silent or names
/// a sign that several currencies share.
#[must_use]
pub fn parse(text: &str, hint: Option<&str>) -> Option<Price> {
    let text = plain(text);
    let hinted = hint.and_then(named);
    let found = numbers(&text);
    let Some((number, sign)) = choose(&text, &found) else { return free(&text, hinted) };
    let sign = sign.or_else(|| currency::anywhere(&text));
    let code = match (sign, hinted) {
        (Some(sign), Some(hint)) if sign.shared && currency::shares_sign(sign.code, hint) => Some(hint),
        (Some(sign), _) => Some(sign.code),
        (None, hint) => hint,
    };
    let amount = number.amount(code)?;
    Some(Price { amount, currency: code.map(str::to_owned) })
}

/// A price that a program wrote (a JSON number, a `content` attribute): a point is a decimal point, save before three
/// digits of a currency without decimals.
#[must_use]
pub fn parse_machine(text: &str, hint: Option<&str>) -> Option<Price> {
    let text = text.trim();
    let code = hint.and_then(named);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let thousands = fraction.len() == 3 && code.is_some_and(currency::has_no_decimals);
    if !whole.is_empty() && digits(whole) && digits(fraction) && !thousands {
        let amount = number::decimal(whole, fraction)?;
        return Some(Price { amount, currency: code.map(str::to_owned) });
    }
    parse(text, hint)
}

/// The ISO 4217 code of a currency named by code, sign or word.
#[must_use]
pub fn currency_code(text: &str) -> Option<&'static str> {
    named(text)
}

/// Whether `sign`, as a page writes it, may stand for the currency `code`.
#[must_use]
pub fn currency_may_be(sign: &str, code: &str) -> bool {
    let text = plain(sign);
    match currency::at_start(text.trim()) {
        Some(found) if found.shared => currency::shares_sign(found.code, code),
        Some(found) => found.code == code,
        None => false,
    }
}

fn named(hint: &str) -> Option<&'static str> {
    let text = plain(hint);
    let text = text.trim();
    currency::code(text)
        .or_else(|| currency::at_start(text).filter(|found| found.length == text.len()).map(|f| f.code))
        .or_else(|| currency::anywhere(text).map(|found| found.code))
}

/// Full-width forms and odd spaces made plain, bounded.
fn plain(text: &str) -> String {
    let end = (0..=text.len().min(PRICE_TEXT_BYTES)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let mut out = String::with_capacity(end);
    for c in text.get(..end).unwrap_or("").chars() {
        out.push(match c {
            '￥' => '¥',
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
            '٠'..='٩' => digit(c, '٠'),
            '۰'..='۹' => digit(c, '۰'),
            '٫' => '.',
            '٬' | '\u{2019}' | '\u{02BC}' | '´' => '\'',
            '\u{200B}'..='\u{200F}' | '\u{FEFF}' | '\u{2060}' | '\u{AD}' => continue,
            c if c.is_whitespace() => ' ',
            c => c,
        });
    }
    out
}

fn digit(c: char, zero: char) -> char {
    char::from_digit(u32::from(c) - u32::from(zero), 10).unwrap_or(c)
}

/// The number that is the price, and the currency written at it.
fn choose<'n>(text: &str, numbers: &'n [Number]) -> Option<(&'n Number, Option<Found>)> {
    let signs: Vec<Option<Found>> = numbers.iter().map(|number| sign_at(text, number)).collect();
    let lower = text.to_lowercase();
    // Lowercasing may move bytes; then the words are not looked at.
    let words = (lower.len() == text.len()).then_some(lower);
    let role = |index: usize| -> i8 {
        let (Some(number), Some(words)) = (numbers.get(index), &words) else { return 0 };
        let from = index.checked_sub(1).and_then(|before| numbers.get(before)).map_or(0, |before| before.end);
        let before = words.get(from..number.start).unwrap_or("");
        if PAID.iter().any(|word| before.contains(word)) {
            1
        } else if NOT_PAID.iter().any(|word| before.contains(word)) {
            -1
        } else {
            0
        }
    };
    let best = (0..numbers.len()).max_by_key(|&index| {
        let signed = signs.get(index).is_some_and(Option::is_some);
        let costs = numbers.get(index).is_some_and(|number| number.value() > 0);
        (signed && costs, signed, role(index), std::cmp::Reverse(index))
    })?;
    let first = range_start(text, numbers, &signs, best);
    let sign = signs.get(first).copied().flatten().or_else(|| signs.get(best).copied().flatten());
    numbers.get(first).map(|number| (number, sign))
}

/// The first number of a range such as `26 to 50 €`, whose currency stands only at the end.
fn range_start(text: &str, numbers: &[Number], signs: &[Option<Found>], best: usize) -> usize {
    let Some(before) = best.checked_sub(1) else { return best };
    let (Some(low), Some(high)) = (numbers.get(before), numbers.get(best)) else { return best };
    if signs.get(before).is_some_and(Option::is_some) || signs.get(best).is_some_and(Option::is_none) {
        return best;
    }
    let between = text.get(low.end..high.start).unwrap_or("").trim().to_lowercase();
    let joined = ["-", "–", "—", "~", "to", "bis", "à", "a", "do", "до", "至", "到"].contains(&between.as_str());
    if joined && low.value() <= high.value() { before } else { best }
}

fn sign_at(text: &str, number: &Number) -> Option<Found> {
    let before = text.get(..number.start)?.trim_end_matches([' ', ':', '-', '.']);
    let raw_before = text.get(..number.start)?.trim_end_matches([' ', ':']);
    let after = text.get(number.end..)?.trim_start_matches([' ', ',', '-', '*', '–']);
    let raw_after = text.get(number.end..)?.trim_start();
    let left = currency::at_end(raw_before).or_else(|| currency::at_end(before));
    let gap = text.get(number.end..)?.len() - after.len();
    let right = currency::at_start(raw_after)
        .or_else(|| currency::at_start(after))
        .or_else(|| after.strip_prefix('.').and_then(|a| currency::at_start(a.trim_start())));
    // In `2 for $3` and `满300减40 ¥269` the sign belongs to the number it touches.
    let is_next = |found: &Found| {
        gap > 0 && after.get(found.length..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let right = right.filter(|found| !is_next(found));
    match (left, right) {
        // `SGD $4.90`, `$1,190.00 AUD`: the code says which dollar.
        (Some(left), Some(right)) if left.shared && currency::shares_sign(left.code, right.code) => Some(right),
        (Some(left), _) if left.shared => code_before(raw_before, left).or(Some(left)),
        (Some(left), _) => Some(left),
        (None, right) => right,
    }
}

/// The code in `SGD$` or `CAD $`.
fn code_before(before: &str, sign: Found) -> Option<Found> {
    let rest = before.get(..before.len().checked_sub(sign.length)?)?.trim_end();
    currency::at_end(rest).filter(|found| currency::shares_sign(sign.code, found.code))
}

fn free(text: &str, currency: Option<&str>) -> Option<Price> {
    let word = text.trim().trim_end_matches(['!', '.']).to_lowercase();
    let is_free =
        ["free", "gratis", "免费", "kostenlos", "gratuit", "bezpłatnie", "бесплатно", "無料"].contains(&word.as_str());
    is_free.then(|| Price { amount: Amount::from_hundredths(0), currency: currency.map(str::to_owned) })
}

#[cfg(test)]
mod tests;
