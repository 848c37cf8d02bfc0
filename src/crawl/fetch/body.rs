//! Undoes Content-Encoding, never to more than the limit.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
};

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// Encodings one on top of another that are undone.
const MAX_LAYERS: usize = 3;
/// Largest window a zstd frame may ask for, as a power of two (RFC 8878 advises 8 MiB).
const ZSTD_WINDOW_LOG: u32 = 23;

/// A body that unpacks to more than this, and to more than [`MAX_RATIO`] times itself, is a bomb: it is not unpacked further.
const BOMB_FLOOR: usize = 1024 * 1024;
/// Pages shrink to a fifth or a tenth, seldom to a fiftieth.
const MAX_RATIO: usize = 200;
/// Bytes unpacked at a time.
const STEP: usize = 16 * 1024;
/// What a body grows by, in bytes.
const PIECE: usize = 256 * 1024;

/// Why a body stays as it is.
#[derive(Debug)]
pub(super) enum BodyError {
    TooLarge,
    Broken(String),
}

/// The body of an answer without its encodings; the same bytes where it has none.
pub(super) fn decoded(raw: &Bytes, headers: &HeaderMap, limit: u64) -> Result<Bytes, BodyError> {
    if !headers.contains_key(CONTENT_ENCODING) || raw.is_empty() {
        return Ok(raw.clone());
    }
    let values = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?"));
    let names: Vec<String> =
        values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    if names.len() > MAX_LAYERS {
        return Err(BodyError::Broken(format!("{} encodings one on top of another", names.len())));
    }
    names.iter().rev().try_fold(raw.clone(), |body, name| undone(&body, name, limit))
}

/// The same for an answer that was archived; none where its encodings cannot be undone within `limit`.
pub(in crate::crawl) fn without_encoding(raw: &Bytes, headers: &HeaderMap, limit: u64) -> Option<Bytes> {
    decoded(raw, headers, limit).ok()
}

fn undone(body: &Bytes, name: &str, limit: u64) -> Result<Bytes, BodyError> {
    let taken = Cell::new(0);
    let from = || Counted { rest: body, taken: &taken };
    let broken = |error: io::Error| BodyError::Broken(format!("{name}: {error}"));
    match name {
        "" | "identity" => Ok(body.clone()),
        "gzip" | "x-gzip" => bounded(flate2::bufread::MultiGzDecoder::new(from()), (body, &taken), limit, name),
        "deflate" => bounded(flate2::bufread::ZlibDecoder::new(from()), (body, &taken), limit, name),
        "br" => bounded(brotli_decompressor::Decompressor::new(from(), 4096), (body, &taken), limit, name),
        "zstd" => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(from()).map_err(broken)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
            bounded(decoder, (body, &taken), limit, name)
        }
        _ => Err(BodyError::Broken(format!("unknown Content-Encoding `{name}`"))),
    }
}

/// What is packed, and how much of it was taken.
struct Counted<'a> {
    rest: &'a [u8],
    taken: &'a Cell<usize>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(buffer)?;
        self.taken.set(self.taken.get() + read);
        Ok(read)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest)
    }

    fn consume(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
        self.taken.set(self.taken.get() + count);
    }
}

fn bounded(
    mut decoder: impl Read,
    (body, taken): (&Bytes, &Cell<usize>),
    limit: u64,
    name: &str,
) -> Result<Bytes, BodyError> {
    let likely = body.len().saturating_mul(4).min(usize::try_from(limit).unwrap_or(usize::MAX));
    let (mut out, mut length) = (Vec::with_capacity(likely), 0);
    // What came before `out` was full: a bomb shall not be held twice while its place grows.
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let mut step = vec![0_u8; STEP];
    loop {
        let read = decoder.read(&mut step).map_err(|error| BodyError::Broken(format!("{name}: {error}")))?;
        if read == 0 {
            pieces.push(out);
            return Ok(if let [whole] = &mut pieces[..] { std::mem::take(whole) } else { pieces.concat() }.into());
        }
        if out.capacity() - out.len() < read {
            pieces.push(std::mem::replace(&mut out, Vec::with_capacity(PIECE)));
        }
        out.extend_from_slice(step.get(..read).unwrap_or_default());
        length += read;
        if length as u64 > limit {
            return Err(BodyError::TooLarge);
        }
        if length > BOMB_FLOOR && length / MAX_RATIO > taken.get() {
            return Err(BodyError::Broken(format!("{name}: it unpacks to more than {MAX_RATIO} times itself")));
        }
    }
}

/// The content of a gzip file that was served as a file (a sitemap); none when it is broken or too large.
pub(in crate::crawl) fn gunzipped(body: &Bytes, limit: u64) -> Option<Bytes> {
    undone(body, "gzip", limit).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(body: Vec<u8>, encoding: &'static str, limit: u64) -> Result<Bytes, BodyError> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, encoding.parse().unwrap())]);
        decoded(&body.into(), &headers, limit)
    }

    #[test]
    fn encodings_are_undone_in_reverse_order() {
        let zstd = |bytes: &[u8]| zstd::stream::encode_all(bytes, 3).unwrap();
        assert_eq!(decode(gzip(b"abc"), "GZIP", 10).unwrap(), "abc");
        assert_eq!(decode(zstd(b"abc"), "zstd", 10).unwrap(), "abc");
        assert_eq!(decode(gzip(&zstd(b"abc")), "zstd, gzip", 100).unwrap(), "abc");
        // A brotli stream of one uncompressed block.
        assert_eq!(decode(vec![0x0b, 0x01, 0x80, b'a', b'b', b'c', 0x03], "br", 10).unwrap(), "abc");
    }

    #[test]
    fn a_bomb_is_cut_off_at_the_limit() {
        let zeros = vec![0; 4 << 20];
        for (body, encoding) in [
            (gzip(&zeros), "gzip"),
            (zstd::stream::encode_all(&*zeros, 3).unwrap(), "zstd"),
            (gzip(&gzip(&zeros)), "gzip, gzip"),
        ] {
            assert!(matches!(decode(body, encoding, 1 << 20), Err(BodyError::TooLarge)), "{encoding}");
        }
    }

    #[test]
    fn broken_and_unknown_encodings_are_named() {
        let mut cut = gzip(&[7; 500]);
        cut.truncate(15);
        for (body, encoding) in [
            (cut, "gzip"),
            (b"no".to_vec(), "br"),
            (b"no".to_vec(), "zstd"),
            (b"x".to_vec(), "compress"),
            (b"x".to_vec(), "gzip,gzip,gzip,gzip"),
        ] {
            assert!(matches!(decode(body, encoding, 1000), Err(BodyError::Broken(_))), "{encoding}");
        }
    }
}
