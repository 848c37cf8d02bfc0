//! A page as it was archived, read again.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{charset::decode, fetch::without_encoding};

/// The text of an archived answer: its head, and its body as it came. None where its encoding cannot be undone, or it is longer
/// than `limit` bytes without it.
pub fn archived_text(head: &[u8], body: &[u8], limit: u64) -> Option<String> {
    let mut headers = HeaderMap::new();
    for line in String::from_utf8_lossy(head).lines().skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (HeaderName::try_from(name.trim()), HeaderValue::try_from(value.trim()));
        if let (Ok(name), Ok(value)) = (name, value)
            && headers.try_append(name, value).is_err()
        {
            return None;
        }
    }
    let body = without_encoding(&Bytes::copy_from_slice(body), &headers, limit)?;
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    Some(decode(&body, kind).text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_archived_answer_is_decoded_as_it_was_when_it_came() {
        let (gbk, _, _) = encoding_rs::GBK.encode("云雀");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&gbk).unwrap();
        let body = gzip.finish().unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=gbk\r\ncontent-encoding: gzip\r\n\r\n";
        assert_eq!(archived_text(head, &body, 100).as_deref(), Some("云雀"));
        assert_eq!(archived_text(head, &body, 2), None);
        assert_eq!(archived_text(head, b"no gzip", 100), None);
        assert_eq!(archived_text(b"", "云雀".as_bytes(), 100).as_deref(), Some("云雀"));
    }
}
