//! Codes of a second factor: RFC 6238 over HMAC-SHA-1, six digits, steps of 30 seconds.
//!
//! A code counts once: who checks keeps the step it was made for. One step to either side is taken, for clocks that are off.

use ring::hmac;

use super::WebError;
use crate::model::Timestamp;

/// Seconds of one step.
const STEP_SECONDS: i64 = 30;
/// Digits of a code.
const DIGITS: usize = 6;
/// Steps to either side that are taken.
const SLACK: i64 = 1;
/// Bytes of a secret: as many as SHA-1 gives.
const SECRET_BYTES: usize = 20;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new secret, in base32 without padding, as authenticator apps take it.
pub(super) fn new_secret() -> Result<String, WebError> {
    let mut random = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| WebError::Random(error.to_string()))?;
    Ok(encode(&random))
}

/// The address that an authenticator app reads, for the account `name`.
pub(super) fn address(secret: &str, name: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("otpauth://totp/Markwarden:{}?secret={secret}&issuer=Markwarden", name.replace('+', "%20"))
}

/// The step that `code` was made for, if it is right at `now` and newer than `last`.
pub(super) fn check(secret: &str, code: &str, now: Timestamp, last: i64) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).take(DIGITS + 1).collect();
    let key = decode(secret)?;
    let here = now.as_second().div_euclid(STEP_SECONDS);
    // All steps are computed, so that the time does not tell which fits.
    let fitting = (here - SLACK..=here + SLACK)
        .filter(|&step| u64::try_from(step).is_ok_and(|counter| super::tokens::same(&code_of(&key, counter), &code)));
    fitting.filter(|&step| step > last).max()
}

/// The code of `secret` at `now`.
#[cfg(test)]
pub(super) fn code_at(secret: &str, now: Timestamp) -> String {
    code_of(&decode(secret).unwrap(), u64::try_from(now.as_second().div_euclid(STEP_SECONDS)).unwrap())
}

/// RFC 4226, section 5.3.
fn code_of(key: &[u8], counter: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().map_or(0, |last| last & 0x0f));
    let part = bytes.get(offset..offset + 4).and_then(|part| <[u8; 4]>::try_from(part).ok()).unwrap_or_default();
    format!("{:06}", (u32::from_be_bytes(part) & 0x7fff_ffff) % 1_000_000)
}

fn encode(bytes: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for &byte in bytes {
        held = held << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
        }
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

fn letter(bits: u32) -> char {
    BASE32.get((bits & 31) as usize).map_or('A', |&letter| char::from(letter))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = BASE32.iter().position(|&known| known == letter)?;
        held = held << 5 | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The last six digits of the eight in RFC 6238, appendix B.
    #[test]
    fn the_codes_of_the_rfc_are_ours() {
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let step = u64::try_from(second / STEP_SECONDS).unwrap();
            assert_eq!(code_of(b"12345678901234567890", step), code);
            assert_eq!(check(&encode(b"12345678901234567890"), code, at(second), 0), Some(second / STEP_SECONDS));
        }
    }

    #[test]
    fn a_code_counts_once_and_not_long() {
        let secret = new_secret().unwrap();
        assert_eq!(secret.len(), 32);
        let now = at(1_800_000_000);
        let code = code_at(&secret, now);
        let step = check(&secret, &format!(" {} {} ", &code[..3], &code[3..]), now, 0).unwrap();
        assert_eq!(check(&secret, &code, now, step), None, "a second time");
        assert!(check(&secret, &code, at(1_800_000_000 + STEP_SECONDS), 0).is_some());
        assert_eq!(check(&secret, &code, at(1_800_000_000 + 3 * STEP_SECONDS), 0), None);
        for wrong in ["", "1", &format!("{code}0"), "abcdef"] {
            assert_eq!(check(&secret, wrong, now, 0), None, "{wrong}");
        }
        assert_eq!(check("not base32!", &code, now, 0), None);
        assert!(address(&secret, "林 a&b").contains("%20a%26b?secret="));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
    }
}
