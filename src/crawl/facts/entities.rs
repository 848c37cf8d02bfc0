//! Character references of HTML, those that shops use.

use std::borrow::Cow;

/// Longest reference looked at, in bytes.
const REFERENCE_BYTES: usize = 12;

/// Names and what they stand for, sorted by name.
const NAMED: &[(&str, &str)] = &[
    ("AElig", "Æ"),
    ("Aacute", "Á"),
    ("Acirc", "Â"),
    ("Agrave", "À"),
    ("Aring", "Å"),
    ("Atilde", "Ã"),
    ("Auml", "Ä"),
    ("Ccedil", "Ç"),
    ("Eacute", "É"),
    ("Ecirc", "Ê"),
    ("Egrave", "È"),
    ("Euml", "Ë"),
    ("Iacute", "Í"),
    ("Icirc", "Î"),
    ("Ntilde", "Ñ"),
    ("Oacute", "Ó"),
    ("Ocirc", "Ô"),
    ("Oslash", "Ø"),
    ("Otilde", "Õ"),
    ("Ouml", "Ö"),
    ("Uacute", "Ú"),
    ("Ucirc", "Û"),
    ("Uuml", "Ü"),
    ("aacute", "á"),
    ("acirc", "â"),
    ("acute", "´"),
    ("aelig", "æ"),
    ("agrave", "à"),
    ("amp", "&"),
    ("apos", "'"),
    ("aring", "å"),
    ("atilde", "ã"),
    ("auml", "ä"),
    ("bdquo", "„"),
    ("bull", "•"),
    ("ccedil", "ç"),
    ("cent", "¢"),
    ("copy", "©"),
    ("deg", "°"),
    ("eacute", "é"),
    ("ecirc", "ê"),
    ("egrave", "è"),
    ("emsp", "\u{2003}"),
    ("ensp", "\u{2002}"),
    ("euml", "ë"),
    ("euro", "€"),
    ("frac12", "½"),
    ("frac14", "¼"),
    ("gt", ">"),
    ("hellip", "…"),
    ("iacute", "í"),
    ("icirc", "î"),
    ("iexcl", "¡"),
    ("igrave", "ì"),
    ("iquest", "¿"),
    ("iuml", "ï"),
    ("laquo", "«"),
    ("ldquo", "“"),
    ("lsquo", "‘"),
    ("lt", "<"),
    ("mdash", "—"),
    ("micro", "µ"),
    ("middot", "·"),
    ("nbsp", "\u{A0}"),
    ("ndash", "–"),
    ("ntilde", "ñ"),
    ("oacute", "ó"),
    ("ocirc", "ô"),
    ("oelig", "œ"),
    ("ograve", "ò"),
    ("ordf", "ª"),
    ("ordm", "º"),
    ("oslash", "ø"),
    ("otilde", "õ"),
    ("ouml", "ö"),
    ("para", "¶"),
    ("plusmn", "±"),
    ("pound", "£"),
    ("quot", "\""),
    ("raquo", "»"),
    ("rdquo", "”"),
    ("reg", "®"),
    ("rsquo", "’"),
    ("sbquo", "‚"),
    ("sect", "§"),
    ("shy", "\u{AD}"),
    ("sup2", "²"),
    ("sup3", "³"),
    ("szlig", "ß"),
    ("thinsp", "\u{2009}"),
    ("times", "×"),
    ("trade", "™"),
    ("uacute", "ú"),
    ("ucirc", "û"),
    ("ugrave", "ù"),
    ("uuml", "ü"),
    ("yen", "¥"),
    ("zwj", "\u{200D}"),
    ("zwnj", "\u{200C}"),
];

/// `text` with its references replaced; unknown ones stay as they are.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        out.push_str(before);
        let taken = match read(reference) {
            Some((length, Decoded::Text(text))) => {
                out.push_str(text);
                length
            }
            Some((length, Decoded::Char(c))) => {
                out.push(c);
                length
            }
            None => {
                out.push('&');
                1
            }
        };
        rest = reference.get(taken..).unwrap_or("");
    }
    out.push_str(rest);
    Cow::Owned(out)
}

enum Decoded {
    Text(&'static str),
    Char(char),
}

/// The reference at the start of `text`, and how long it is.
fn read(text: &str) -> Option<(usize, Decoded)> {
    let body = text.get(1..)?;
    let end = body.bytes().take(REFERENCE_BYTES).position(|byte| !byte.is_ascii_alphanumeric() && byte != b'#');
    let length = end.unwrap_or(body.len().min(REFERENCE_BYTES));
    let name = body.get(..length)?;
    let semicolon = usize::from(body.as_bytes().get(length) == Some(&b';'));
    if let Some(number) = name.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']);
        let code = hex.map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
        return Some((1 + length + semicolon, Decoded::Char(numbered(code)?)));
    }
    let at = NAMED.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
    // Without its semicolon a name may be the start of a longer word, as in `?a=1&copy=2`.
    if semicolon == 0 && !matches!(name, "nbsp" | "amp" | "quot" | "lt" | "gt") {
        return None;
    }
    NAMED.get(at).map(|(_, text)| (1 + length + semicolon, Decoded::Text(text)))
}

/// The character of a number; the numbers 128 to 159 mean Windows-1252.
fn numbered(code: u32) -> Option<char> {
    const WINDOWS: [u16; 32] = [
        0x20AC, 0x81, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021, 0x2C6, 0x2030, 0x160, 0x2039, 0x152, 0x8D, 0x17D,
        0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x2DC, 0x2122, 0x161, 0x203A, 0x153, 0x9D,
        0x17E, 0x178,
    ];
    let code = match usize::try_from(code).ok()?.checked_sub(0x80) {
        Some(at) => WINDOWS.get(at).copied().map_or(code, u32::from),
        None => code,
    };
    if code == 0 { Some('\u{FFFD}') } else { char::from_u32(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(NAMED.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn references_are_decoded_and_the_unknown_stay() {
        for (text, expected) in [
            ("a &amp; b", "a & b"),
            ("&#20113;&#x96C0;", "云雀"),
            ("&euro;5 &#128;5", "€5 €5"),
            ("?a=1&copy=2&unknown;&", "?a=1&copy=2&unknown;&"),
            ("&#0;&#xFFFFFFFF;&#;", "\u{FFFD}&#xFFFFFFFF;&#;"),
            ("x&nbsp", "x\u{A0}"),
            ("&云", "&云"),
        ] {
            assert_eq!(decode(text), expected);
        }
    }
}
