//! Messages in the wire format of Protocol Buffers, read without their schema: the settings say which numbers of fields lead to
//! a text, a viewer, a time.
//!
//! Main type: [`Protobuf`]. ARCHITECTURE.md documents the contract. What is read becomes the JSON of the source contract, so that
//! what it means is decided in one place (`contract`). Groups, which are long deprecated, are not read; a message is never
//! looked at deeper than a path leads, and what is unpacked is charged to the limits of `framing`.

use std::{fmt, io::Read};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::framing::MAX_DECODED_BYTES;

/// Most numbers of a path.
pub const MAX_PATH: usize = 8;
/// Most messages of one frame.
const MAX_MESSAGES: usize = 10_000;
/// The greatest number a field may have.
const MAX_FIELD: u32 = (1 << 29) - 1;

/// Numbers of fields that lead into a message: `2.3` is field 3 of the message in field 2. Empty, it is the message itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldPath(Vec<u32>);

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no path of fields: numbers such as 2.3, at most {MAX_PATH}, each from 1 to {MAX_FIELD}")]
pub struct FieldPathError(String);

impl TryFrom<String> for FieldPath {
    type Error = FieldPathError;

    fn try_from(text: String) -> Result<Self, FieldPathError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let numbers: Option<Vec<u32>> = text
            .split('.')
            .take(MAX_PATH + 1)
            .map(|number| number.parse().ok().filter(|number| (1..=MAX_FIELD).contains(number)))
            .collect();
        let shown = || FieldPathError(text.chars().take(80).collect());
        numbers.filter(|numbers| numbers.len() <= MAX_PATH).map(Self).ok_or_else(shown)
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, number) in self.0.iter().enumerate() {
            write!(f, "{}{number}", if place > 0 { "." } else { "" })?;
        }
        Ok(())
    }
}

/// Where things stand in frames of Protocol Buffers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Protobuf {
    /// In the frame: the bytes in which the messages stand.
    pub payload: FieldPath,
    /// Whether those bytes are under gzip.
    pub gzip: bool,
    /// In the payload: the messages, however many there are.
    pub messages: FieldPath,
    /// In a message: what it is. Without it every message is a comment.
    pub kind: FieldPath,
    /// In a message: where all that follows stands.
    pub body: FieldPath,
    /// What was said.
    pub text: FieldPath,
    /// Who said it.
    pub speaker: FieldPath,
    /// Which viewer wrote it.
    pub viewer: FieldPath,
    /// When it was: seconds or milliseconds since 1970, or RFC 3339.
    pub at: FieldPath,
    /// When it was, in milliseconds from the start of the room; counts before `at`.
    pub at_ms: FieldPath,
    /// The goods' number.
    pub goods_id: FieldPath,
    /// Their title on the shelf.
    pub goods_title: FieldPath,
    /// Their price.
    pub goods_price: FieldPath,
    /// Where their listing stands.
    pub goods_url: FieldPath,
    /// What became of them: `pinned`, `listed` or `gone`.
    pub goods_state: FieldPath,
}

/// Why a frame is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// Bytes that are no message.
    #[error("a frame is no message of Protocol Buffers: {0}")]
    Broken(&'static str),
    /// More than the limit.
    #[error("a payload decodes to more than {MAX_DECODED_BYTES} bytes")]
    TooLarge,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Protobuf {
    /// The messages of `frame`, in order, in the form of the source contract.
    ///
    /// # Errors
    /// When the frame, its payload or a message in it is broken or over a limit.
    pub fn read(&self, frame: &[u8]) -> Result<Vec<Value>, ProtobufError> {
        let mut read = Vec::new();
        for payload in bytes_at(frame, &self.payload)? {
            let unpacked = if self.gzip { Some(unpacked(payload)?) } else { None };
            let payload = unpacked.as_deref().unwrap_or(payload);
            for message in bytes_at(payload, &self.messages)? {
                if read.len() >= MAX_MESSAGES {
                    return Ok(read);
                }
                read.extend(self.message(message)?);
            }
        }
        Ok(read)
    }

    /// One message; nothing where its body is not there.
    fn message(&self, message: &[u8]) -> Result<Option<Value>, ProtobufError> {
        let mut told = Map::new();
        let kind = if self.kind.0.is_empty() { Some(json!("comment")) } else { value_at(message, &self.kind)? };
        told.extend(kind.map(|kind| ("kind".to_owned(), kind)));
        // Of a message inside that came several times the last one counts, as for any field that stands once.
        let Some(body) = bytes_at(message, &self.body)?.pop() else { return Ok(None) };
        let fields = [
            ("text", &self.text),
            ("speaker", &self.speaker),
            ("viewer", &self.viewer),
            ("at", &self.at),
            ("at_ms", &self.at_ms),
        ];
        for (name, path) in fields {
            told.extend(wanted(body, path)?.map(|value| (name.to_owned(), value)));
        }
        let goods = [
            ("id", &self.goods_id),
            ("title", &self.goods_title),
            ("price", &self.goods_price),
            ("url", &self.goods_url),
            ("state", &self.goods_state),
        ];
        let mut shelf = Map::new();
        for (name, path) in goods {
            shelf.extend(wanted(body, path)?.map(|value| (name.to_owned(), value)));
        }
        if !shelf.is_empty() {
            told.insert("goods".to_owned(), Value::Object(shelf));
        }
        Ok(Some(Value::Object(told)))
    }
}

/// What stands at `path`, where one is named.
fn wanted(message: &[u8], path: &FieldPath) -> Result<Option<Value>, ProtobufError> {
    if path.0.is_empty() { Ok(None) } else { value_at(message, path) }
}

/// What stands at `path`, the last of several: a number, or bytes that are text.
fn value_at(message: &[u8], path: &FieldPath) -> Result<Option<Value>, ProtobufError> {
    let Some((last, inside)) = path.0.split_last() else { return Ok(None) };
    let mut message = message;
    for number in inside {
        match held(message, *number)?.pop() {
            Some(Held::Bytes(bytes)) => message = bytes,
            Some(Held::Number(_)) | None => return Ok(None),
        }
    }
    Ok(match held(message, *last)?.pop() {
        Some(Held::Number(number)) => Some(number.into()),
        Some(Held::Bytes(bytes)) => std::str::from_utf8(bytes).ok().map(Value::from),
        None => None,
    })
}

/// All bytes that stand at `path`; the message itself where it is empty.
fn bytes_at<'a>(message: &'a [u8], path: &FieldPath) -> Result<Vec<&'a [u8]>, ProtobufError> {
    let mut found = vec![message];
    for number in &path.0 {
        let mut next = Vec::new();
        for message in found {
            let inside = held(message, *number)?.into_iter().filter_map(|held| match held {
                Held::Bytes(bytes) => Some(bytes),
                Held::Number(_) => None,
            });
            next.extend(inside.take(MAX_MESSAGES.saturating_sub(next.len())));
        }
        found = next;
    }
    Ok(found)
}

/// What the field `wanted` of a message holds, each time it stands there.
fn held(mut message: &[u8], wanted: u32) -> Result<Vec<Held<'_>>, ProtobufError> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..=MAX_FIELD).contains(number));
        let number = number.ok_or(ProtobufError::Broken("a field has no number"))?;
        let held = match tag & 7 {
            0 => Held::Number(varint(&mut message)?),
            1 => Held::Number(u64::from_le_bytes(fixed(&mut message)?)),
            2 => {
                let length = usize::try_from(varint(&mut message)?).unwrap_or(usize::MAX);
                let (bytes, rest) = message
                    .split_at_checked(length)
                    .ok_or(ProtobufError::Broken("a field is longer than what is left"))?;
                message = rest;
                Held::Bytes(bytes)
            }
            5 => Held::Number(u32::from_le_bytes(fixed(&mut message)?).into()),
            _ => return Err(ProtobufError::Broken("a field is of no known type")),
        };
        if number == wanted {
            found.push(held);
        }
    }
    Ok(found)
}

fn fixed<const N: usize>(message: &mut &[u8]) -> Result<[u8; N], ProtobufError> {
    let (bytes, rest) = message.split_first_chunk().ok_or(ProtobufError::Broken("a number breaks off"))?;
    *message = rest;
    Ok(*bytes)
}

/// Seven bits a byte, the lowest first; ten bytes at most.
fn varint(message: &mut &[u8]) -> Result<u64, ProtobufError> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = message.split_first().ok_or(ProtobufError::Broken("a number breaks off"))?;
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(ProtobufError::Broken("a number is longer than ten bytes"))
}

fn unpacked(payload: &[u8]) -> Result<Vec<u8>, ProtobufError> {
    let mut plain = Vec::new();
    let limit = u64::try_from(MAX_DECODED_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let read = flate2::read::GzDecoder::new(payload).take(limit).read_to_end(&mut plain);
    read.map_err(|_| ProtobufError::Broken("its payload is not under gzip"))?;
    if plain.len() > MAX_DECODED_BYTES { Err(ProtobufError::TooLarge) } else { Ok(plain) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn number(field: u32, value: u64) -> Vec<u8> {
        [varint_of(u64::from(field) << 3), varint_of(value)].concat()
    }

    fn bytes(field: u32, value: &[u8]) -> Vec<u8> {
        [varint_of(u64::from(field) << 3 | 2), varint_of(value.len() as u64), value.to_vec()].concat()
    }

    fn varint_of(mut value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    }

    fn path(text: &str) -> FieldPath {
        FieldPath::try_from(text.to_owned()).unwrap()
    }

    /// A chat's message: its kind in field 1, its body in field 2; there the text in 3, the viewer's number in 2.1.
    fn chat(kind: &str, viewer: u64, text: &str) -> Vec<u8> {
        let body = [bytes(2, &number(1, viewer)), bytes(3, text.as_bytes()), number(15, 1_795_420_801_500)].concat();
        [bytes(1, kind.as_bytes()), bytes(2, &body)].concat()
    }

    fn contract() -> Protobuf {
        Protobuf {
            payload: path("8"),
            gzip: true,
            messages: path("1"),
            kind: path("1"),
            body: path("2"),
            text: path("3"),
            viewer: path("2.1"),
            at: path("15"),
            ..Protobuf::default()
        }
    }

    fn frame(messages: &[Vec<u8>]) -> Vec<u8> {
        let inside: Vec<u8> = messages.iter().flat_map(|message| bytes(1, message)).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&inside).unwrap();
        [number(1, 7), bytes(8, &gzip.finish().unwrap())].concat()
    }

    #[test]
    fn texts_viewers_and_times_are_read_by_their_numbers() {
        let read = contract().read(&frame(&[chat("Chat", 41, "正品云雀"), chat("Gift", 42, "火箭")])).unwrap();
        assert_eq!(
            read,
            [
                json!({"kind": "Chat", "text": "正品云雀", "viewer": 41, "at": 1_795_420_801_500_u64}),
                json!({"kind": "Gift", "text": "火箭", "viewer": 42, "at": 1_795_420_801_500_u64}),
            ]
        );
        let plain = Protobuf { text: path("3"), ..Protobuf::default() };
        assert_eq!(plain.read(&bytes(3, "好".as_bytes())).unwrap(), [json!({"kind": "comment", "text": "好"})]);
        // Of a field that stands twice the last counts; other types are passed over.
        let twice =
            [bytes(3, b"a"), vec![0x21, 1, 2, 3, 4, 5, 6, 7, 8], vec![0x2d, 1, 0, 0, 0], bytes(3, b"b")].concat();
        assert_eq!(plain.read(&twice).unwrap(), [json!({"kind": "comment", "text": "b"})]);
        let fixed = Protobuf { at_ms: path("5"), text: path("3"), ..Protobuf::default() };
        assert_eq!(fixed.read(&twice).unwrap()[0]["at_ms"], 1);
    }

    #[test]
    fn what_is_broken_or_over_a_limit_is_refused() {
        let contract = contract();
        let whole = frame(&[chat("Chat", 1, "好")]);
        assert!(matches!(contract.read(&whole[..whole.len() - 1]), Err(ProtobufError::Broken(_))));
        assert!(matches!(contract.read(&bytes(8, b"no gzip")), Err(ProtobufError::Broken(_))));
        assert!(matches!(contract.read(&[0x0b, 0x0c]), Err(ProtobufError::Broken(_))), "a group");
        assert!(matches!(contract.read(&[0xff; 11]), Err(ProtobufError::Broken(_))), "an endless number");
        assert!(matches!(contract.read(&[0x00, 0x00]), Err(ProtobufError::Broken(_))), "field 0");
        let bomb = frame(&[vec![0; MAX_DECODED_BYTES]]);
        assert_eq!(contract.read(&bomb), Err(ProtobufError::TooLarge));
        let many: Vec<Vec<u8>> = (0..=MAX_MESSAGES).map(|_| chat("Chat", 1, "好")).collect();
        assert_eq!(contract.read(&frame(&many)).unwrap().len(), MAX_MESSAGES);
    }

    #[test]
    fn a_path_is_numbers_of_fields() {
        assert_eq!(path("2.13").to_string(), "2.13");
        assert_eq!(path("1.2.3.4.5.6.7.8").0.len(), MAX_PATH);
        for wrong in ["0", "a", "1.", "1..2", "536870912", "1.2.3.4.5.6.7.8.9", "-1"] {
            assert!(FieldPath::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        let read: Protobuf = toml::from_str("payload = \"8\"\ntext = \"2.3\"").unwrap();
        assert_eq!((read.payload, read.text), (path("8"), path("2.3")));
        assert!(toml::from_str::<Protobuf>("text = \"x\"").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(frame in prop::collection::vec(any::<u8>(), 0..200)) {
            for contract in [contract(), Protobuf { gzip: false, ..contract() }, Protobuf::default()] {
                if let Ok(messages) = contract.read(&frame) {
                    prop_assert!(messages.len() <= MAX_MESSAGES);
                }
            }
        }

        #[test]
        fn what_is_written_is_read(kind in "[A-Z]{1,4}", viewer in 0_u64..u64::MAX, text in "\\PC{0,20}") {
            let read = contract().read(&frame(&[chat(&kind, viewer, &text)])).unwrap();
            prop_assert_eq!(read[0]["text"].as_str(), Some(text.as_str()));
            prop_assert_eq!(read[0]["viewer"].as_u64(), Some(viewer));
            prop_assert_eq!(read[0]["kind"].as_str(), Some(kind.as_str()));
        }
    }
}
