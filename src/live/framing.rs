//! How a source packs its messages: as they are, compressed, or in the public packets of Bilibili's rooms.
//!
//! A packet is 16 bytes of header, big-endian (whole length u32, header length u16, version u16, operation u32, sequence
//! u32), and a body: version 0 JSON, 1 a number, 2 packets under zlib, 3 packets under brotli. Operation 5 is a message,
//! 3 answers a heartbeat, 8 a greeting. What is wanted is told by the packets themselves: nothing is decoded twice as deep
//! as [`MAX_DEPTH`], nor to more than [`MAX_DECODED_BYTES`].

use std::io::Read;

use serde::{Deserialize, Serialize};

/// Longest decoded content of one frame, in bytes, over all its layers.
pub const MAX_DECODED_BYTES: usize = 4 * 1024 * 1024;
/// Packets inside packets.
pub const MAX_DEPTH: usize = 3;
/// Most messages of one frame.
pub const MAX_MESSAGES: usize = 10_000;
/// Length of a packet's header.
const HEADER: usize = 16;
/// Operation of a packet that carries a message.
const MESSAGE: u32 = 5;

/// How messages are packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// As they are.
    #[default]
    None,
    /// Each under gzip.
    Gzip,
    /// Bilibili's packets.
    Bilibili,
}

/// Why a frame is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// More than the limit.
    #[error("a frame decodes to more than {MAX_DECODED_BYTES} bytes")]
    TooLarge,
    /// Packets inside packets inside packets.
    #[error("packets stand more than {MAX_DEPTH} deep inside one another")]
    TooDeep,
    /// Bytes that are not what they should be.
    #[error("a frame is broken: {0}")]
    Broken(String),
}

impl Framing {
    /// The messages of `frame`, in order.
    ///
    /// # Errors
    /// When the frame is broken or over a limit; messages before that place are lost with it.
    pub fn messages(self, frame: &[u8]) -> Result<Vec<Vec<u8>>, FramingError> {
        match self {
            Self::None => Ok(vec![frame.to_vec()]),
            Self::Gzip => {
                let mut left = MAX_DECODED_BYTES;
                Ok(vec![bounded(flate2::read::GzDecoder::new(frame), &mut left)?])
            }
            Self::Bilibili => {
                let mut messages = Vec::new();
                let mut left = MAX_DECODED_BYTES;
                packets(frame, 0, &mut left, &mut messages)?;
                Ok(messages)
            }
        }
    }

    /// `text` as a frame to be sent, of the kind that opens (7) or keeps open (2) where the packing tells kinds apart.
    #[must_use]
    pub fn pack(self, text: &str, opens: bool) -> Vec<u8> {
        match self {
            Self::None | Self::Gzip => text.as_bytes().to_vec(),
            Self::Bilibili => packet(1, if opens { 7 } else { 2 }, text.as_bytes()),
        }
    }
}

/// One packet of Bilibili's rooms.
#[must_use]
pub fn packet(version: u16, operation: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&(HEADER as u16).to_be_bytes());
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&operation.to_be_bytes());
    bytes.extend_from_slice(&1_u32.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn packets(mut bytes: &[u8], depth: usize, left: &mut usize, messages: &mut Vec<Vec<u8>>) -> Result<(), FramingError> {
    if depth > MAX_DEPTH {
        return Err(FramingError::TooDeep);
    }
    while !bytes.is_empty() {
        let (body, version, operation, rest) =
            first(bytes).ok_or_else(|| FramingError::Broken("a packet's length is not that of its bytes".into()))?;
        bytes = rest;
        if operation != MESSAGE {
            continue;
        }
        match version {
            0 | 1 => {
                if messages.len() < MAX_MESSAGES {
                    messages.push(body.to_vec());
                }
            }
            2 => packets(&bounded(flate2::read::ZlibDecoder::new(body), left)?, depth + 1, left, messages)?,
            3 => {
                packets(&bounded(brotli_decompressor::Decompressor::new(body, 4096), left)?, depth + 1, left, messages)?
            }
            other => return Err(FramingError::Broken(format!("packets of version {other} are not known"))),
        }
    }
    Ok(())
}

/// The first packet's body, version and operation, and what follows it.
fn first(bytes: &[u8]) -> Option<(&[u8], u16, u32, &[u8])> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let half = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let length = usize::try_from(number(0)?).ok()?;
    let header = usize::from(half(4)?);
    if header < HEADER || length < header || length > bytes.len() {
        return None;
    }
    Some((bytes.get(header..length)?, half(6)?, number(8)?, bytes.get(length..)?))
}

/// What `decoder` gives, charged to what is `left`.
fn bounded(decoder: impl Read, left: &mut usize) -> Result<Vec<u8>, FramingError> {
    let mut out = Vec::new();
    let limit = u64::try_from(*left).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut out).map_err(|error| FramingError::Broken(error.to_string()))?;
    *left = left.checked_sub(out.len()).ok_or(FramingError::TooLarge)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packets_are_opened_layer_by_layer() {
        let inside = [packet(0, MESSAGE, b"one"), packet(1, 3, &[0, 0, 0, 9]), packet(0, MESSAGE, b"two")].concat();
        let frame = [packet(2, MESSAGE, &zlib(&inside)), packet(0, MESSAGE, b"three"), packet(0, 8, b"{}")].concat();
        assert_eq!(Framing::Bilibili.messages(&frame).unwrap(), [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
        // A packet under brotli: an uncompressed meta-block (RFC 7932 §9.2) of one packet's bytes.
        let plain = packet(0, MESSAGE, b"four");
        let length = plain.len() as u32 - 1;
        let head = (length << 4) | (1 << 20);
        let brotli = [&[(head & 0xff) as u8, (head >> 8) as u8, (head >> 16) as u8][..], &plain, &[0x03]].concat();
        let frame = packet(3, MESSAGE, &brotli);
        assert_eq!(Framing::Bilibili.messages(&frame), Ok(vec![b"four".to_vec()]));
    }

    #[test]
    fn a_bomb_and_a_well_without_bottom_are_refused() {
        let bomb = zlib(&vec![0; MAX_DECODED_BYTES + 1]);
        assert!(bomb.len() < 20_000);
        assert_eq!(Framing::Bilibili.messages(&packet(2, MESSAGE, &bomb)), Err(FramingError::TooLarge));
        let mut nested = packet(0, MESSAGE, b"x");
        for _ in 0..=MAX_DEPTH {
            nested = packet(2, MESSAGE, &zlib(&nested));
        }
        assert_eq!(Framing::Bilibili.messages(&nested), Err(FramingError::TooDeep));
        // Many layers share one allowance.
        let half = zlib(&vec![0; MAX_DECODED_BYTES / 2 + 1]);
        let two = [packet(2, 5, &half), packet(2, 5, &half)].concat();
        assert!(Framing::Bilibili.messages(&two).is_err());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![0; MAX_DECODED_BYTES + 1]).unwrap();
        assert_eq!(Framing::Gzip.messages(&gzip.finish().unwrap()), Err(FramingError::TooLarge));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for (at, byte) in [(3, 200), (3, 3), (5, 4), (7, 9)] {
            let mut frame = packet(0, MESSAGE, b"{}");
            frame[at] = byte;
            assert!(Framing::Bilibili.messages(&frame).is_err(), "{at}");
        }
        assert!(Framing::Bilibili.messages(&[0; 7]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic_and_what_is_packed_comes_back(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), version in 0_u16..5,
        ) {
            for framing in [Framing::None, Framing::Gzip, Framing::Bilibili] {
                drop(framing.messages(&bytes));
                drop(framing.messages(&packet(version, MESSAGE, &bytes)));
            }
            let packed = Framing::Bilibili.messages(&packet(2, MESSAGE, &zlib(&packet(0, MESSAGE, &bytes))));
            proptest::prop_assert_eq!(packed, Ok(vec![bytes]));
        }
    }
}
