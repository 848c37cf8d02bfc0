//! One WARC/1.1 record: made as a gzip member of its own, and read again under limits.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write as _},
    net::IpAddr,
};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::EvidenceError;
use crate::model::Timestamp;

/// Headers of a record that are read, in bytes.
const MAX_HEADER_BYTES: u64 = 64 * 1024;
/// Largest block that is read.
pub(super) const MAX_BLOCK_BYTES: u64 = 1 << 30;
/// Longest head of an HTTP message inside a block.
pub(super) const MAX_HTTP_HEAD_BYTES: usize = 1 << 20;
/// Pages compress to within a few percent of the best at half its cost.
const LEVEL: Compression = Compression::new(4);

/// A request and its answer, as they are to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Http<'a> {
    /// What was asked for.
    pub url: &'a str,
    /// The request's head, with the empty line.
    pub request_head: &'a [u8],
    /// The answer's head, with the empty line.
    pub response_head: &'a [u8],
    /// The answer's body as it came over the wire.
    pub body: &'a [u8],
    /// Who answered.
    pub remote: Option<IpAddr>,
    /// The protocol it came by where that was not HTTP/1: `h2`.
    pub protocol: Option<&'a str>,
    /// When the request was made.
    pub at: Timestamp,
}

/// A record ready to be appended.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) member: Vec<u8>,
    pub(super) payload_sha256: String,
}

/// The record that opens a file.
pub(super) fn warcinfo(file: &str, software: &str, at: Timestamp) -> Result<Made, EvidenceError> {
    let block = format!(
        "software: {software}\r\nformat: WARC File Format 1.1\r\n\
         conformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\n\
         robots: obey\r\nnote: header names are in lower case, as the protocol treats them; bodies are kept as \
         received without their chunking, x-orig-transfer-encoding tells where there was one\r\n"
    );
    let headers = format!("WARC-Filename: {file}\r\nContent-Type: application/warc-fields\r\n");
    made("warcinfo", at, &headers, &[block.as_bytes()], None)
}

/// The `response` record of an exchange.
pub(super) fn response(http: &Http<'_>) -> Result<Made, EvidenceError> {
    let mut headers = http_headers(http, "response");
    let payload = hex(&Sha256::digest(http.body));
    let _ = write!(headers, "WARC-Payload-Digest: sha256:{payload}\r\n");
    made("response", http.at, &headers, &[http.response_head, http.body], Some(payload))
}

/// The `request` record that belongs to the response `id`.
pub(super) fn request(http: &Http<'_>, id: &str) -> Result<Made, EvidenceError> {
    let mut headers = http_headers(http, "request");
    let _ = write!(headers, "WARC-Concurrent-To: <{id}>\r\n");
    made("request", http.at, &headers, &[http.request_head], None)
}

/// A `resource` record: its block is what came, and nothing else.
pub(super) fn resource(url: &str, content_type: &str, body: &[u8], at: Timestamp) -> Result<Made, EvidenceError> {
    let payload = hex(&Sha256::digest(body));
    let headers = format!(
        "WARC-Target-URI: {}\r\nContent-Type: {content_type}\r\nWARC-Payload-Digest: sha256:{payload}\r\n",
        one_line(url)
    );
    made("resource", at, &headers, &[body], Some(payload))
}

/// A `conversion` record: what a program made of the answer that the record `of` holds.
pub(super) fn conversion(
    (url, of): (&str, &str),
    content_type: &str,
    body: &[u8],
    at: Timestamp,
) -> Result<Made, EvidenceError> {
    let payload = hex(&Sha256::digest(body));
    let headers = format!(
        "WARC-Target-URI: {}\r\nWARC-Refers-To: <{}>\r\nContent-Type: {content_type}\r\nWARC-Payload-Digest: sha256:{payload}\r\n",
        one_line(url),
        one_line(of)
    );
    made("conversion", at, &headers, &[body], Some(payload))
}

fn http_headers(http: &Http<'_>, kind: &str) -> String {
    let mut headers =
        format!("WARC-Target-URI: {}\r\nContent-Type: application/http; msgtype={kind}\r\n", one_line(http.url));
    if let Some(remote) = http.remote {
        let _ = write!(headers, "WARC-IP-Address: {remote}\r\n");
    }
    if let Some(protocol) = http.protocol {
        let _ = write!(headers, "WARC-Protocol: {protocol}\r\n");
    }
    headers
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn made(
    kind: &str,
    at: Timestamp,
    headers: &str,
    block: &[&[u8]],
    payload: Option<String>,
) -> Result<Made, EvidenceError> {
    let id = new_id()?;
    let mut digest = Sha256::new();
    block.iter().for_each(|part| digest.update(part));
    let length: usize = block.iter().map(|part| part.len()).sum();
    let head = format!(
        "WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <{id}>\r\nWARC-Date: {at}\r\n{headers}\
         WARC-Block-Digest: sha256:{}\r\nContent-Length: {length}\r\n\r\n",
        hex(&digest.finalize())
    );
    let mut encoder = GzEncoder::new(Vec::with_capacity(length / 3 + 512), LEVEL);
    let mut parts =
        std::iter::once(head.as_bytes()).chain(block.iter().copied()).chain(std::iter::once(&b"\r\n\r\n"[..]));
    let written = parts.try_for_each(|part| encoder.write_all(part));
    let member = written.and_then(|()| encoder.finish()).map_err(|error| EvidenceError::NoRecord(error.to_string()))?;
    Ok(Made { id, member, payload_sha256: payload.unwrap_or_default() })
}

/// A random UUID (version 4) as a URN.
fn new_id() -> Result<String, EvidenceError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| EvidenceError::Random(error.to_string()))?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex(&bytes);
    let (a, rest) = text.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    Ok(format!("urn:uuid:{a}-{b}-{c}-{d}-{e}"))
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// One stored record, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its WARC headers in order.
    pub headers: Vec<(String, String)>,
    /// Its block: for a response, the HTTP head and the body as it came over the wire.
    pub block: Vec<u8>,
}

impl Record {
    /// Opens one gzip member.
    ///
    /// # Errors
    /// When it is no whole record, or its block is longer than `limit`.
    pub fn read(member: &[u8], limit: u64) -> Result<Self, EvidenceError> {
        let mut reader = BufReader::new(GzDecoder::new(member));
        let head = Head::read(&mut reader)?;
        if head.length > limit {
            return Err(no_record(format!("its block has {} bytes, the limit is {limit}", head.length)));
        }
        let mut block = Vec::new();
        reader.take(head.length).read_to_end(&mut block).map_err(EvidenceError::inside)?;
        if block.len() as u64 != head.length {
            return Err(no_record(format!("{} of {} bytes are there", block.len(), head.length)));
        }
        Ok(Self { headers: head.headers, block })
    }

    /// The value of a WARC header.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// What was fetched: the body of an answer, the whole block of a resource.
    pub fn payload(&self) -> Option<&[u8]> {
        match self.header("WARC-Type") {
            Some("resource" | "conversion") => Some(&self.block),
            _ => self.http().map(|(_, body)| body),
        }
    }

    /// Whether its block is an HTTP message.
    pub fn is_http(&self) -> bool {
        self.header("Content-Type").is_some_and(|kind| kind.starts_with("application/http"))
    }

    /// The HTTP head and body inside the block.
    pub fn http(&self) -> Option<(&[u8], &[u8])> {
        let at = memchr::memmem::find(&self.block, b"\r\n\r\n")? + 4;
        Some(self.block.split_at(at))
    }
}

/// The head of a record.
pub(super) struct Head {
    pub(super) headers: Vec<(String, String)>,
    pub(super) length: u64,
}

impl Head {
    /// Reads up to the empty line.
    pub(super) fn read(reader: &mut impl BufRead) -> Result<Self, EvidenceError> {
        let mut bounded = reader.take(MAX_HEADER_BYTES);
        let mut line = || -> Result<String, EvidenceError> {
            let mut bytes = Vec::new();
            bounded.read_until(b'\n', &mut bytes).map_err(EvidenceError::inside)?;
            match bytes.strip_suffix(b"\r\n") {
                Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
                None => Err(no_record("its headers end too early or are too long".into())),
            }
        };
        let version = line()?;
        if !matches!(version.as_str(), "WARC/1.1" | "WARC/1.0") {
            let shown: String = version.chars().take(20).collect();
            return Err(no_record(format!("it begins with `{shown}`")));
        }
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| no_record("a header without a colon".into()))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        let length = find(&headers, "Content-Length").and_then(|text| text.parse().ok());
        let length = length.ok_or_else(|| no_record("it has no Content-Length".into()))?;
        Ok(Self { headers, length })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

pub(super) fn no_record(what: String) -> EvidenceError {
    EvidenceError::NoRecord(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http() -> Http<'static> {
        Http {
            url: "http://shop.example/p/1",
            request_head: b"GET /p/1 HTTP/1.1\r\nhost: shop.example\r\n\r\n",
            response_head: b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n",
            body: b"<h1>x</h1>",
            remote: Some([1, 1, 1, 1].into()),
            protocol: None,
            at: "2026-11-23T08:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let made = response(&http()).unwrap();
        let record = Record::read(&made.member, 1000).unwrap();
        assert_eq!(record.header("warc-type"), Some("response"));
        assert_eq!(record.header("WARC-Record-ID"), Some(format!("<{}>", made.id).as_str()));
        let (head, body) = record.http().unwrap();
        assert_eq!((head, body), (http().response_head, http().body));
    }

    #[test]
    fn a_block_over_the_limit_and_a_cut_member_are_refused() {
        let made = response(&http()).unwrap();
        assert!(Record::read(&made.member, 10).is_err());
        for length in 0..made.member.len() - 12 {
            assert!(Record::read(&made.member[..length], 1000).is_err(), "{length}");
        }
    }

    #[test]
    fn headers_over_the_limit_are_refused() {
        let long = format!("WARC/1.1\r\nX: {}\r\n\r\n", "a".repeat(MAX_HEADER_BYTES as usize));
        assert!(Head::read(&mut long.as_bytes()).is_err());
    }

    #[test]
    fn ids_are_random_uuids() {
        let (a, b) = (new_id().unwrap(), new_id().unwrap());
        assert!(a != b && a.len() == 45 && a.as_bytes()[23] == b'4', "{a}");
    }
}
