//! A page as it was archived, read again.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{charset::decode, fetch::without_encoding};
use crate::evidence::Record;

/// An archived answer's body, without its Content-Encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The `Content-Type` it came with.
    pub content_type: Option<String>,
    /// Its body.
    pub body: Bytes,
}

impl Archived {
    /// What a record holds: the body of an answer, or the whole block of a page that a browser rendered. None where its encoding
    /// cannot be undone, or it is longer than `limit` bytes without it.
    pub fn of(record: &Record, limit: u64) -> Option<Self> {
        match record.http() {
            Some((head, body)) if record.is_http() => Self::answer(head, body, limit),
            _ => {
                let body = record.payload().filter(|body| body.len() as u64 <= limit)?;
                let content_type = record.header("Content-Type").map(str::to_owned);
                Some(Self { content_type, body: Bytes::copy_from_slice(body) })
            }
        }
    }

    fn answer(head: &[u8], body: &[u8], limit: u64) -> Option<Self> {
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
        Some(Self { content_type: kind.map(str::to_owned), body })
    }

    /// The same as text.
    pub fn text(&self) -> String {
        decode(&self.body, self.content_type.as_deref()).text
    }
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
        let text = |head: &[u8], body: &[u8], limit| Archived::answer(head, body, limit).map(|found| found.text());
        assert_eq!(text(head, &body, 100).as_deref(), Some("云雀"));
        assert_eq!(text(head, &body, 2), None);
        assert_eq!(text(head, b"no gzip", 100), None);
        assert_eq!(text(b"", "云雀".as_bytes(), 100).as_deref(), Some("云雀"));
    }

    #[test]
    fn a_rendered_page_is_the_whole_of_its_record() {
        let headers = [("WARC-Type", "conversion"), ("Content-Type", "text/html; charset=utf-8")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let record = Record { headers, block: "<p>云\r\n\r\n雀</p>".into() };
        assert_eq!(Archived::of(&record, 100).unwrap().text(), "<p>云\r\n\r\n雀</p>");
        assert_eq!(Archived::of(&record, 3), None);
    }
}
