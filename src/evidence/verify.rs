//! Checks a WARC file: every member whole, every length and digest right.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::GzDecoder;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    EvidenceError,
    record::{Head, MAX_BLOCK_BYTES, MAX_HTTP_HEAD_BYTES, hex, no_record},
};

/// Problems that are listed one by one; the rest is counted.
const MAX_PROBLEMS: usize = 100;

/// What verifying a WARC file found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WarcReport {
    /// The file.
    pub path: String,
    /// Records that are whole.
    pub records: u64,
    /// Digests that were computed again and are right.
    pub digests: u64,
    /// Bytes of the file that belong to whole records.
    pub bytes: u64,
    /// What does not verify, the first hundred.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problem_count: u64,
    /// Whether the file ends in the middle of a record, as a crash leaves it.
    pub torn: bool,
}

impl WarcReport {
    /// Whether everything verifies.
    pub fn sound(&self) -> bool {
        self.problem_count == 0
    }

    fn problem(&mut self, offset: u64, record: Option<&str>, what: String) {
        self.problem_count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { offset, record: record.map(str::to_owned), what });
        }
    }
}

/// One thing that does not verify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where the record's gzip member starts.
    pub offset: u64,
    /// The record's id where it could be read.
    pub record: Option<String>,
    /// What is wrong.
    pub what: String,
}

/// Checks every record of the WARC file at `path`.
///
/// # Errors
/// When the file cannot be opened; what is wrong inside it stands in the report.
pub fn verify_warc(path: &Path) -> Result<WarcReport, EvidenceError> {
    let file = File::open(path).map_err(EvidenceError::io("opening", path))?;
    let mut reader = Counting { inner: BufReader::with_capacity(64 * 1024, file), count: 0 };
    let mut report = WarcReport { path: path.display().to_string(), ..WarcReport::default() };
    loop {
        let offset = reader.count;
        match reader.fill_buf() {
            Ok([]) => break,
            Ok(_) => {}
            Err(source) => return Err(EvidenceError::Io { doing: "reading", path: report.path, source }),
        }
        // A broken member leaves no way to find where the next one starts.
        if let Err(error) = member(&mut reader, offset, &mut report) {
            report.torn = matches!(error, EvidenceError::Torn(_));
            report.problem(offset, None, format!("{error}; the rest of the file was not read"));
            break;
        }
        report.bytes = reader.count;
    }
    if report.records == 0 && report.sound() {
        report.torn = true;
        report.problem(0, None, "the file holds no record".into());
    }
    Ok(report)
}

/// Checks one gzip member that holds one record.
fn member(reader: &mut impl BufRead, offset: u64, report: &mut WarcReport) -> Result<(), EvidenceError> {
    let mut decoder = BufReader::new(GzDecoder::new(reader));
    let head = Head::read(&mut decoder)?;
    if head.length > MAX_BLOCK_BYTES {
        return Err(no_record(format!("a block of {} bytes is over the limit of {MAX_BLOCK_BYTES}", head.length)));
    }
    let is_http = head.header("Content-Type").is_some_and(|kind| kind.starts_with("application/http"));
    let sums = digests(&mut decoder, head.length, is_http)?;
    // Reading to the end also has the member's own checksum compared.
    let mut end = Vec::new();
    decoder.take(5).read_to_end(&mut end).map_err(EvidenceError::inside)?;
    if end != b"\r\n\r\n" {
        return Err(no_record("its length is not what Content-Length says".into()));
    }
    let id = head.header("WARC-Record-ID").map(|id| id.trim_matches(['<', '>']).to_owned());
    if id.is_none() {
        report.problem(offset, None, "the record has no WARC-Record-ID".into());
    }
    for (name, sum) in [("WARC-Block-Digest", Some(sums.block)), ("WARC-Payload-Digest", sums.payload)] {
        let Some(stated) = head.header(name) else { continue };
        match compared(stated, sum.as_deref()) {
            Ok(()) => report.digests += 1,
            Err(what) => report.problem(offset, id.as_deref(), format!("{name}: {what}")),
        }
    }
    report.records += 1;
    Ok(())
}

struct Sums {
    block: Vec<u8>,
    payload: Option<Vec<u8>>,
}

/// Hashes a block, and what follows the HTTP head inside it.
fn digests(reader: &mut impl Read, length: u64, is_http: bool) -> Result<Sums, EvidenceError> {
    let (mut block, mut payload) = (Sha256::new(), Sha256::new());
    let mut head: Option<Vec<u8>> = is_http.then(Vec::new);
    let mut left = length;
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let room = buffer.get_mut(..want).unwrap_or_default();
        let read = reader.read(room).map_err(EvidenceError::inside)?;
        let part = room.get(..read).unwrap_or_default();
        if part.is_empty() {
            return Err(no_record(format!("{left} of {length} bytes are missing")));
        }
        left -= part.len() as u64;
        block.update(part);
        let Some(so_far) = &mut head else {
            payload.update(part);
            continue;
        };
        so_far.extend_from_slice(part);
        if let Some(at) = memchr::memmem::find(so_far, b"\r\n\r\n") {
            payload.update(so_far.get(at + 4..).unwrap_or_default());
            head = None;
        } else if so_far.len() > MAX_HTTP_HEAD_BYTES {
            return Err(no_record("the HTTP head inside it has no end".into()));
        }
    }
    let payload = head.is_none().then(|| payload.finalize().to_vec());
    Ok(Sums { block: block.finalize().to_vec(), payload })
}

/// Compares a stated digest (hexadecimal or base32) with the computed one.
fn compared(stated: &str, sum: Option<&[u8]>) -> Result<(), String> {
    let Some(sum) = sum else { return Err("there is no payload to compare it with".into()) };
    let Some(value) = stated.strip_prefix("sha256:").or_else(|| stated.strip_prefix("sha-256:")) else {
        return Err(format!("`{stated}` is no SHA-256, which is all this program computes"));
    };
    let right = if value.len() == 64 { value.eq_ignore_ascii_case(&hex(sum)) } else { value == base32(sum) };
    if right { Ok(()) } else { Err(format!("{value} is stated, {} is computed", hex(sum))) }
}

/// RFC 4648 base32 with padding.
fn base32(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for chunk in bytes.chunks(5) {
        let mut bits = [0_u8; 8];
        bits[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(bits);
        let used = (chunk.len() * 8).div_ceil(5);
        for digit in 0..8 {
            let index = (bits >> (35 - 5 * digit)) & 31;
            text.push(if digit < used { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    text
}

/// Counts what was consumed, so that each member's offset is known.
struct Counting<R> {
    inner: R,
    count: u64,
}

impl<R: BufRead> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counting<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count += amount as u64;
        self.inner.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_compared_in_both_spellings() {
        let sum = Sha256::digest(b"abc");
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI======");
        assert_eq!(base32(b""), "");
        assert!(compared(&format!("sha256:{}", hex(&sum)), Some(&sum)).is_ok());
        assert!(compared(&format!("sha256:{}", base32(&sum)), Some(&sum)).is_ok());
        assert!(compared(&format!("sha256:{}", hex(&[0; 32])), Some(&sum)).is_err());
        assert!(compared("sha1:AAAA", Some(&sum)).is_err());
        assert!(compared("sha256:é", None).is_err());
    }
}
