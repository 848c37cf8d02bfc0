//! Amounts of money as exact decimals: a price in a legal letter has no binary fraction.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A non-negative decimal amount, exact to four places.
///
/// Written as text (`"199.00"`); read from text or from a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    ten_thousandths: u64,
    places: u8,
}

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no amount: write digits with at most four decimal places, such as 199.00")]
pub struct AmountError(String);

impl Amount {
    /// The amount in ten-thousandths of the currency's unit.
    pub fn ten_thousandths(self) -> u64 {
        self.ten_thousandths
    }

    /// The amount as a floating number, for ratios only.
    pub fn as_f64(self) -> f64 {
        self.ten_thousandths as f64 / 10_000.0
    }

    /// An amount from hundredths (分, cents).
    pub fn from_hundredths(hundredths: u64) -> Self {
        Self { ten_thousandths: hundredths.saturating_mul(100), places: 2 }
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let wrong = || AmountError(text.chars().take(40).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 14 || !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let significant = fraction.trim_end_matches('0');
        if significant.len() > 4 || fraction.len() > 18 || text.ends_with('.') {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let fraction_value: u64 = format!("{significant:0<4}").parse().map_err(|_| wrong())?;
        Ok(Self {
            ten_thousandths: whole * 10_000 + fraction_value,
            places: u8::try_from(fraction.len().min(4)).unwrap_or(4),
        })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ten_thousandths / 10_000)?;
        let fraction = format!("{:04}", self.ten_thousandths % 10_000);
        match self.places {
            0 => Ok(()),
            places => write!(f, ".{}", fraction.get(..places as usize).unwrap_or(&fraction)),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount such as \"199.00\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                text.trim().parse().map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Amount, E> {
                value.to_string().parse().map_err(E::custom)
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Amount, E> {
                if !(0.0..1e13).contains(&value) {
                    return Err(E::custom("an amount must be between 0 and 10^13"));
                }
                let text = format!("{value:.4}");
                let text = text.trim_end_matches('0').trim_end_matches('.');
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// An amount in a currency (ISO 4217, such as `CNY`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// How much.
    pub amount: Amount,
    /// In which currency; empty where the page does not say.
    #[serde(default)]
    pub currency: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_as_it_was_read() {
        for text in ["199.00", "0.5", "12000", "71.91", "0.0001"] {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "1.", "-1", "1e5", "1.23456", "99999999999999999999", "１２"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }

    #[test]
    fn json_numbers_are_read_too() {
        let money: Money = serde_json::from_str(r#"{"amount":19.9,"currency":"CNY"}"#).unwrap();
        assert_eq!(money.amount.to_string(), "19.9");
    }
}
