//! One request and its answer, kept so that a record of both can be written.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Version, header::HOST};
use reqwest::{StatusCode, header::HeaderMap};
use url::Url;

use crate::model::Timestamp;

/// One request and its answer.
#[derive(Debug)]
pub struct Exchange {
    /// What was asked for.
    pub url: Url,
    /// The answer's status.
    pub status: StatusCode,
    /// The protocol both sides spoke.
    pub version: Version,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The request's headers; `Host` follows from the address.
    pub sent: Arc<HeaderMap>,
    /// The body it was asked with, by POST.
    pub posted: Option<Bytes>,
    /// Whether secrets were told: what the answer sets as cookies is theirs, and is not recorded.
    pub secret: bool,
    /// The body as it came over the wire (only the transfer's chunking undone).
    pub raw: Bytes,
    /// The body without its Content-Encoding.
    pub body: Bytes,
    /// Who answered.
    pub remote: Option<SocketAddr>,
    /// When the request began.
    pub started: Timestamp,
    /// When the answer had arrived.
    pub finished: Timestamp,
}

impl Exchange {
    /// A header of the answer, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The request in the form of HTTP/1.1: its head, and its body where it has one.
    pub fn request(&self) -> Vec<u8> {
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let method = if self.posted.is_some() { "POST" } else { "GET" };
        let mut head = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
        for (name, value) in &*self.sent {
            header_line(&mut head, name.as_str(), value.as_bytes());
        }
        header_line(&mut head, HOST.as_str(), host_of(&self.url).as_bytes());
        if let Some(body) = &self.posted {
            header_line(&mut head, "content-length", body.len().to_string().as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(self.posted.as_deref().unwrap_or_default());
        head
    }

    /// The answer's head in the form of HTTP/1.1.
    ///
    /// The body is kept without its chunking, so `Transfer-Encoding` stands there under another name.
    pub fn response_head(&self) -> Vec<u8> {
        let version = if self.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let reason = self.status.canonical_reason().unwrap_or_default();
        let mut head = format!("{version} {} {reason}\r\n", self.status.as_u16()).into_bytes();
        for (name, value) in &self.headers {
            let name = if name == http::header::TRANSFER_ENCODING { "x-orig-transfer-encoding" } else { name.as_str() };
            let withheld = self.secret && name == http::header::SET_COOKIE.as_str();
            header_line(&mut head, name, if withheld { b"withheld" } else { value.as_bytes() });
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn header_line(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// A URL's host, with its port where that is not the scheme's own.
pub fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
