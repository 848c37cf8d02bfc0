//! Path patterns of robots.txt, compared without regard to how a byte is percent-encoded.
//!
//! A pattern of `Allow` counts as it is written; one of `Disallow`, and every address, also counts
//! with needless percent-encoding undone, so that `/%70rivate` is no way around `/private`.

use std::borrow::Cow;

use crate::crawl::profile::wildcard;

/// A path pattern: a prefix with `*` for any run and a final `$` for the end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    written: Vec<u8>,
    plain: Option<Vec<u8>>,
}

/// The path and query of an address, ready to be compared.
pub(super) struct Target<'a> {
    written: Cow<'a, [u8]>,
    plain: Option<Vec<u8>>,
}

impl Pattern {
    /// None for the empty pattern, which matches nothing.
    pub(super) fn new(value: &[u8], allow: bool) -> Option<Self> {
        if value.is_empty() {
            return None;
        }
        let written = encoded(value).into_owned();
        let plain = if allow { None } else { unreserved_decoded(&written) };
        Some(Self { written, plain })
    }

    /// Which pattern wins: the longer.
    pub(super) fn length(&self) -> usize {
        self.written.len()
    }

    pub(super) fn matches(&self, target: &Target<'_>) -> bool {
        let plain = target.plain.as_deref();
        wildcard(&self.written, &target.written)
            || plain.is_some_and(|plain| wildcard(&self.written, plain))
            || self.plain.as_ref().is_some_and(|pattern| {
                wildcard(pattern, &target.written) || plain.is_some_and(|plain| wildcard(pattern, plain))
            })
    }
}

impl<'a> Target<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // An address is compared as it stands: only its escapes are brought to upper case.
        let written = uppercase_escapes(text.as_bytes());
        let plain = unreserved_decoded(&written);
        Self { written, plain }
    }
}

/// Bytes beyond ASCII as `%XX`, escapes in upper case.
fn encoded(value: &[u8]) -> Cow<'_, [u8]> {
    if value.is_ascii() {
        return uppercase_escapes(value);
    }
    let mut out = Vec::with_capacity(value.len() * 2);
    for &byte in uppercase_escapes(value).iter() {
        if byte.is_ascii() {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    Cow::Owned(out)
}

fn uppercase_escapes(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = value.to_vec();
    for at in memchr::memchr_iter(b'%', value) {
        if let Some(digits) = out.get_mut(at + 1..at + 3).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            digits.make_ascii_uppercase();
        }
    }
    Cow::Owned(out)
}

/// With escapes of unreserved characters undone; none where there are no such escapes.
fn unreserved_decoded(value: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'%', value)?;
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, tail)) = rest.split_first() {
        let escape = tail.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    (out != value).then_some(out)
}
