//! From the bytes of a page to its text: which encoding it is in, and who said so.
//!
//! The order is a byte order mark, the `Content-Type` header, a `meta` element near the start, and
//! last a guess from the bytes. A header or `meta` that cannot be true is overruled and reported.
//! Decompression and byte limits belong to the fetch.

use encoding_rs::{Encoding, GBK, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};
use memchr::memmem;

/// How far into a page a `meta` element may declare its encoding.
pub const META_PRESCAN_BYTES: usize = 4096;
/// How much of a page is looked at when its encoding is guessed.
pub const DETECTION_BYTES: usize = 256 * 1024;

/// A page's text, and how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text; bytes that mean nothing became U+FFFD.
    pub text: String,
    /// The encoding's name after the Encoding Standard, such as `GBK`.
    pub encoding: &'static str,
    /// Who said so.
    pub how: CharsetSource,
    /// The declared encoding that the bytes contradict, if any.
    pub overruled: Option<&'static str>,
}

/// Who named the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharsetSource {
    /// A byte order mark.
    Bom,
    /// The `Content-Type` header.
    Header,
    /// A `meta` element or XML declaration.
    Meta,
    /// The bytes themselves.
    Detected,
}

/// Decodes `body`, which was served with `content_type`.
pub fn decode(body: &[u8], content_type: Option<&str>) -> Decoded {
    if let Some((encoding, length)) = Encoding::for_bom(body) {
        let rest = body.get(length..).unwrap_or(&[]);
        return finish(rest, encoding, CharsetSource::Bom, None);
    }
    let header = content_type.and_then(header_charset);
    let declared =
        header.map(|found| (found, CharsetSource::Header)).or_else(|| meta(body).map(|m| (m, CharsetSource::Meta)));
    let Some((encoding, how)) = declared else {
        return finish(body, guess(body), CharsetSource::Detected, None);
    };
    if how == CharsetSource::Header
        && let Some(second) = meta(body)
        && !is_plausible(body, encoding)
        && is_plausible(body, second)
    {
        return finish(body, second, CharsetSource::Meta, Some(encoding.name()));
    }
    match contradiction(body, encoding) {
        Some(truth) => finish(body, truth, CharsetSource::Detected, Some(encoding.name())),
        None => finish(body, encoding, how, None),
    }
}

/// Decodes `body` as the encoding called `label` whatever the page says; none when nobody knows that name.
pub fn decode_as(body: &[u8], label: &str) -> Option<Decoded> {
    let encoding = Encoding::for_label(label.trim().as_bytes())?;
    Some(finish(body, encoding, CharsetSource::Header, None))
}

fn finish(body: &[u8], encoding: &'static Encoding, how: CharsetSource, overruled: Option<&'static str>) -> Decoded {
    let (text, _) = encoding.decode_without_bom_handling(body);
    Decoded { text: text.into_owned(), encoding: encoding.name(), how, overruled }
}

fn header_charset(content_type: &str) -> Option<&'static Encoding> {
    label_after(content_type.as_bytes())
}

/// The encoding named after `charset=` in `text`, quotes and spaces allowed.
fn label_after(text: &[u8]) -> Option<&'static Encoding> {
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = memmem::find(lower.get(from..)?, b"charset") {
        from += found + b"charset".len();
        let rest = lower.get(from..)?.trim_ascii_start();
        if let Some(value) = rest.strip_prefix(b"=") {
            return label(value);
        }
    }
    None
}

fn label(value: &[u8]) -> Option<&'static Encoding> {
    let value = value.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let end = value.iter().position(|byte| b"\"'; \t\r\n>/,".contains(byte)).unwrap_or(value.len());
    let encoding = Encoding::for_label(value.get(..end)?)?;
    (encoding != REPLACEMENT && encoding != X_USER_DEFINED).then_some(encoding)
}

/// What a `meta` element or an XML declaration in the first bytes says.
fn meta(body: &[u8]) -> Option<&'static Encoding> {
    let head = body.get(..body.len().min(META_PRESCAN_BYTES))?;
    let encoding = xml_declaration(head).or_else(|| meta_element(head))?;
    // Whoever could read this far as ASCII was not reading UTF-16.
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

fn xml_declaration(head: &[u8]) -> Option<&'static Encoding> {
    let declaration = head.trim_ascii_start().strip_prefix(b"<?xml")?;
    let end = memchr::memchr(b'>', declaration)?;
    let declaration = declaration.get(..end)?;
    let at = memmem::find(declaration, b"encoding")?;
    let value = declaration.get(at + b"encoding".len()..)?.trim_ascii_start().strip_prefix(b"=")?;
    label(value)
}

fn meta_element(head: &[u8]) -> Option<&'static Encoding> {
    let lower = head.to_ascii_lowercase();
    let mut rest: &[u8] = &lower;
    while let Some(open) = memchr::memchr(b'<', rest) {
        rest = rest.get(open..)?;
        if rest.starts_with(b"<!--") {
            let end = memmem::find(rest, b"-->")?;
            rest = rest.get(end + 3..)?;
            continue;
        }
        let end = memchr::memchr(b'>', rest).map_or(rest.len(), |at| at + 1);
        let tag = rest.get(..end)?;
        let is_meta = tag.strip_prefix(b"<meta").and_then(<[u8]>::first).is_some_and(|b| b" \t\r\n/".contains(b));
        if is_meta && let Some(encoding) = label_after(tag) {
            return Some(encoding);
        }
        rest = rest.get(end.max(1)..)?;
    }
    None
}

/// The encoding the bytes prove, when it is not `declared`.
fn contradiction(body: &[u8], declared: &'static Encoding) -> Option<&'static Encoding> {
    if body.is_ascii() {
        return None;
    }
    if declared == UTF_8 {
        return if is_plausible(body, UTF_8) { None } else { Some(guess(body)).filter(|found| *found != UTF_8) };
    }
    // Text in another encoding is valid UTF-8 only by a miracle.
    if is_utf8(body) {
        return Some(UTF_8);
    }
    if is_plausible(body, declared) && !(declared.is_single_byte() && looks_like_gbk(body)) {
        return None;
    }
    Some(guess(body)).filter(|found| *found != declared && is_plausible(body, found))
}

fn is_utf8(body: &[u8]) -> bool {
    match std::str::from_utf8(body) {
        Ok(_) => true,
        // A body cut off in the middle of a character is still UTF-8.
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    }
}

/// Whether few enough bytes mean nothing in `encoding`: real pages carry a stray byte here and there.
fn is_plausible(body: &[u8], encoding: &'static Encoding) -> bool {
    let sample = body.get(..body.len().min(DETECTION_BYTES)).unwrap_or(body);
    let (text, had_errors) = encoding.decode_without_bom_handling(sample);
    if !had_errors {
        return true;
    }
    let wrong = text.chars().filter(|&c| c == '\u{FFFD}').count();
    let foreign = text.chars().filter(|c| !c.is_ascii()).count();
    wrong * 10 <= foreign || wrong <= 1
}

/// Bytes declared as a Western encoding that read as GBK with common Han characters throughout.
fn looks_like_gbk(body: &[u8]) -> bool {
    let sample = body.get(..body.len().min(DETECTION_BYTES)).unwrap_or(body);
    let high = sample.iter().filter(|byte| !byte.is_ascii()).count();
    let (text, _) = GBK.decode_without_bom_handling(sample);
    let is_chinese =
        |c: &char| matches!(*c, '\u{4E00}'..='\u{9FFF}' | '\u{3000}'..='\u{303F}' | '\u{FF01}'..='\u{FF5E}');
    let han = text.chars().filter(is_chinese).count();
    let wrong = text.chars().filter(|&c| c == '\u{FFFD}').count();
    high >= 8 && wrong == 0 && han * 2 * 10 >= high * 9 && guess(sample) != WINDOWS_1252
}

fn guess(body: &[u8]) -> &'static Encoding {
    if is_utf8(body) {
        return UTF_8;
    }
    let sample = body.get(..body.len().min(DETECTION_BYTES)).unwrap_or(body);
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    detector.guess(None, chardetng::Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<p>云雀牌跑步鞋，男女同款，轻便透气，官方旗舰店正品保证</p>";

    fn gbk(text: &str) -> Vec<u8> {
        GBK.encode(text).0.into_owned()
    }

    #[test]
    fn a_byte_order_mark_wins_over_everything() {
        let mut body = b"\xEF\xBB\xBF".to_vec();
        body.extend(TEXT.as_bytes());
        let decoded = decode(&body, Some("text/html; charset=gbk"));
        assert_eq!((decoded.text.as_str(), decoded.how), (TEXT, CharsetSource::Bom));
        let utf16: Vec<u8> = [0xFEFF_u16].into_iter().chain(TEXT.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&utf16, None).text, TEXT);
    }

    #[test]
    fn the_header_wins_over_meta() {
        let page = format!("<meta charset=big5>{TEXT}");
        let decoded = decode(&gbk(&page), Some("text/html; charset=\"GB2312\""));
        assert_eq!((decoded.encoding, decoded.how), ("GBK", CharsetSource::Header));
        assert!(decoded.text.ends_with(TEXT));
    }

    #[test]
    fn both_forms_of_meta_are_read() {
        for head in [
            "<meta charset='gbk'>",
            "<META http-equiv=Content-Type content=\"text/html; charset=gb2312\">",
            "<!-- <meta charset=utf-8> --><html><head><meta name=a><meta charset = \"gb18030\" />",
            "<?xml version='1.0' encoding='gbk'?>",
        ] {
            let decoded = decode(&gbk(&format!("{head}{TEXT}")), Some("text/html"));
            assert_eq!(decoded.how, CharsetSource::Meta, "{head}");
            assert!(decoded.text.ends_with(TEXT), "{head}");
        }
    }

    #[test]
    fn a_header_that_lies_is_overruled_and_reported() {
        let decoded = decode(TEXT.as_bytes(), Some("text/html; charset=ISO-8859-1"));
        assert_eq!((decoded.text.as_str(), decoded.overruled), (TEXT, Some("windows-1252")));
        let decoded = decode(&gbk(TEXT), Some("text/html; charset=utf-8"));
        assert_eq!((decoded.text.as_str(), decoded.encoding, decoded.overruled), (TEXT, "GBK", Some("UTF-8")));
        let decoded = decode(&gbk(TEXT), Some("text/html; charset=ISO-8859-1"));
        assert_eq!((decoded.text.as_str(), decoded.overruled), (TEXT, Some("windows-1252")));
    }

    #[test]
    fn a_lying_header_gives_way_to_a_true_meta() {
        let page = format!("<meta charset=gbk>{TEXT}");
        let decoded = decode(&gbk(&page), Some("text/html; charset=utf-8"));
        assert_eq!((decoded.how, decoded.overruled), (CharsetSource::Meta, Some("UTF-8")));
        assert_eq!(decoded.text, page);
    }

    #[test]
    fn a_western_page_in_its_own_encoding_is_left_alone() {
        let page = "<p>Größe 42, für Mädchen, Café, très élégant, ±5 °C</p>";
        let body = WINDOWS_1252.encode(page).0.into_owned();
        let decoded = decode(&body, Some("text/html; charset=ISO-8859-1"));
        assert_eq!((decoded.text.as_str(), decoded.overruled), (page, None));
    }

    #[test]
    fn an_undeclared_page_is_guessed() {
        let decoded = decode(&gbk(&TEXT.repeat(3)), None);
        assert_eq!((decoded.encoding, decoded.how), ("GBK", CharsetSource::Detected));
        assert_eq!(decode(TEXT.as_bytes(), Some("text/html; charset=nonsense")).text, TEXT);
    }

    #[test]
    fn a_declaration_past_the_prescan_is_not_looked_for() {
        let page = format!("{}<meta charset=windows-1251>{TEXT}", " ".repeat(META_PRESCAN_BYTES));
        assert_eq!(decode(page.as_bytes(), None).how, CharsetSource::Detected);
    }

    #[test]
    fn one_stray_byte_does_not_overrule_a_declaration() {
        let mut body = TEXT.repeat(5).into_bytes();
        body.push(0xFF);
        body.extend(b"</html>");
        let decoded = decode(&body, Some("text/html; charset=utf-8"));
        assert_eq!((decoded.encoding, decoded.how), ("UTF-8", CharsetSource::Header));
    }
}
