//! Time stamps by an authority, RFC 3161: the request, the exchange over HTTP, and what an answer says.
//!
//! The authority's own signature is checked by `openssl ts -verify` with its certificate: whom to trust is the
//! reader's decision. [`Stamp::read`] checks that the answer is a grant, and for exactly these bytes.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use sha2::{Digest, Sha256};

use super::der::{INTEGER, OCTETS, Reader, SEQUENCE, TAGGED_0, TIME, element};
use crate::evidence::EvidenceError;

/// Longest answer of an authority that is read.
pub(super) const MAX_STAMP_BYTES: usize = 256 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);
/// AlgorithmIdentifier of SHA-256: 2.16.840.1.101.3.4.2.1, NULL.
const SHA256: [u8; 15] = [0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];

/// What an authority's answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When, in the authority's words: `20261123080000Z`.
    pub at: String,
    nonce: Option<Vec<u8>>,
}

impl Stamp {
    /// Reads an answer in DER.
    ///
    /// # Errors
    /// When it is no granted stamp, or not on `stamped`.
    pub fn read(answer: &[u8], stamped: &[u8]) -> Result<Self, EvidenceError> {
        let wrong = |what: &str| EvidenceError::Stamp(what.to_owned());
        let mut response =
            Reader(answer).inside(SEQUENCE).ok_or_else(|| wrong("the answer is no time stamp response"))?;
        let status = response.inside(SEQUENCE).and_then(|mut status| status.take(INTEGER));
        if !matches!(status, Some([0 | 1])) {
            return Err(wrong("the authority refused to stamp"));
        }
        let info = token(response).ok_or_else(|| wrong("the answer holds no time stamp"))?;
        let (hash, stamp) = statement(info).ok_or_else(|| wrong("the time stamp cannot be read"))?;
        if *hash == *Sha256::digest(stamped) { Ok(stamp) } else { Err(wrong("the time stamp is on something else")) }
    }
}

/// TimeStampResp → ContentInfo → SignedData → encapContentInfo → TSTInfo.
fn token(mut response: Reader<'_>) -> Option<Reader<'_>> {
    let mut content = response.inside(SEQUENCE)?;
    content.next()?;
    let mut signed = content.inside(TAGGED_0)?.inside(SEQUENCE)?;
    signed.take(INTEGER)?;
    signed.next()?;
    let mut wrapped = signed.inside(SEQUENCE)?;
    wrapped.next()?;
    wrapped.inside(TAGGED_0)?.inside(OCTETS)?.inside(SEQUENCE)
}

/// TSTInfo: the hash that was stamped, and when.
fn statement(mut info: Reader<'_>) -> Option<(&[u8], Stamp)> {
    info.take(INTEGER)?;
    info.next()?;
    let mut imprint = info.inside(SEQUENCE)?;
    imprint.take(SEQUENCE)?;
    let hash = imprint.take(OCTETS)?;
    info.take(INTEGER)?;
    let at = String::from_utf8(info.take(TIME)?.to_vec()).ok()?;
    let mut nonce = None;
    while let Some((tag, content)) = info.next() {
        if tag == INTEGER {
            nonce = Some(content.to_vec());
        }
    }
    Some((hash, Stamp { at, nonce }))
}

/// The request: a stamp on `bytes`, with the authority's certificate in it.
fn request(bytes: &[u8], nonce: &[u8]) -> Vec<u8> {
    let imprint = element(SEQUENCE, &[&SHA256, &element(OCTETS, &[&Sha256::digest(bytes)])]);
    element(SEQUENCE, &[&[INTEGER, 1, 1], &imprint, &element(INTEGER, &[nonce]), &[0x01, 1, 0xff]])
}

/// Asks the authority at `url` for a stamp on `bytes`; returns its answer as it came, and what it says.
pub(super) async fn ask(url: &str, bytes: &[u8]) -> Result<(Vec<u8>, Stamp), EvidenceError> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| EvidenceError::Random(error.to_string()))?;
    // A positive INTEGER in its shortest form.
    nonce[0] = nonce[0] & 0x3f | 0x40;
    let answer = exchange(url, request(bytes, &nonce)).await?;
    let stamp = Stamp::read(&answer, bytes)?;
    if stamp.nonce.as_deref() != Some(&nonce[..]) {
        return Err(EvidenceError::Stamp("the time stamp answers another request".into()));
    }
    Ok((answer, stamp))
}

async fn exchange(url: &str, request: Vec<u8>) -> Result<Vec<u8>, EvidenceError> {
    let failed = |error: reqwest::Error| EvidenceError::Stamp(format!("{}: {}", url, chain(&error)));
    // Fails only when another part of the program has installed one, which serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()
        .map_err(failed)?;
    let sent = client.post(url).header(CONTENT_TYPE, "application/timestamp-query").body(request).send();
    let mut response = sent.await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(EvidenceError::Stamp(format!("{url} answered {}", response.status())));
    }
    let mut answer = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        answer.extend_from_slice(&part);
        if answer.len() > MAX_STAMP_BYTES {
            return Err(EvidenceError::Stamp(format!("{url} answered more than {MAX_STAMP_BYTES} bytes")));
        }
    }
    Ok(answer)
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
