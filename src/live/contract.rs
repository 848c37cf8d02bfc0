//! What a source's JSON messages mean: the source contract, as JSON pointers into a message.
//!
//! ARCHITECTURE.md documents the contract. A message says what it is (`kind`), when it was (`at`), and what was said or shown.
//! What is none of these, such as a gift, is dropped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::event::What;
use crate::{
    crawl::parse_price,
    model::{Amount, Goods, Money, ShelfState, Timestamp},
};

/// Most messages inside one.
pub const MAX_MESSAGES: usize = 10_000;

/// When a message says that something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Milliseconds since 1970.
    Unix(i64),
    /// The same, by the media's own clock, which is believed however far it is from the arrival.
    Media(i64),
    /// Milliseconds from the start of the room.
    Room(u64),
    /// It does not say: when it arrived.
    Arrival,
}

/// What a message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub when: When,
    /// What.
    pub what: What,
}

/// Where things stand in a message: JSON pointers (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// An array of messages inside; the whole is one message when empty.
    pub messages: String,
    /// What the message is.
    pub kind: String,
    /// What its words for that mean: `caption`, `comment` or `shelf`; words that are not here mean themselves.
    pub kinds: BTreeMap<String, String>,
    /// When it was: RFC 3339, or seconds or milliseconds since 1970.
    pub at: String,
    /// When it was, in milliseconds from the start of the room; counts before `at`.
    pub at_ms: String,
    /// What was said.
    pub text: String,
    /// Who said it.
    pub speaker: String,
    /// Which viewer wrote it.
    pub viewer: String,
    /// The goods' number.
    pub goods_id: String,
    /// Their title on the shelf.
    pub goods_title: String,
    /// Their price.
    pub goods_price: String,
    /// Where their listing stands.
    pub goods_url: String,
    /// What became of them: `pinned`, `listed` or `gone`.
    pub goods_state: String,
    /// Whether prices are integers in hundredths (分).
    pub fen: bool,
    /// The currency of prices that name none (ISO 4217).
    pub currency: String,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            messages: String::new(),
            kind: "/kind".into(),
            kinds: BTreeMap::from([("danmaku".into(), "comment".into())]),
            at: "/at".into(),
            at_ms: "/at_ms".into(),
            text: "/text".into(),
            speaker: "/speaker".into(),
            viewer: "/viewer".into(),
            goods_id: "/goods/id".into(),
            goods_title: "/goods/title".into(),
            goods_price: "/goods/price".into(),
            goods_url: "/goods/url".into(),
            goods_state: "/goods/state".into(),
            fen: false,
            currency: "CNY".into(),
        }
    }
}

impl Fields {
    /// The fields of a viewer's comment in the public packets of Bilibili's rooms.
    #[must_use]
    pub fn bilibili() -> Self {
        Self {
            kind: "/cmd".into(),
            kinds: BTreeMap::from([("DANMU_MSG".into(), "comment".into())]),
            at: "/info/0/4".into(),
            text: "/info/1".into(),
            viewer: "/info/2/0".into(),
            ..Self::default()
        }
    }

    /// What `message` tells, in order; nothing when it is no JSON or none of it is wanted.
    #[must_use]
    pub fn read(&self, message: &[u8], room: &str) -> Vec<Told> {
        let Ok(value) = serde_json::from_slice::<Value>(message) else { return Vec::new() };
        let one = std::slice::from_ref(&value);
        let messages = match value.pointer(&self.messages) {
            Some(Value::Array(inside)) => inside.as_slice(),
            _ if self.messages.is_empty() => one,
            _ => return Vec::new(),
        };
        messages.iter().take(MAX_MESSAGES).filter_map(|message| self.told(message, room)).collect()
    }

    /// What messages tell that [`Protobuf`](super::Protobuf) read: they have the contract's own fields already, so that only
    /// what their words mean, hundredths and the currency are taken from here.
    #[must_use]
    pub fn read_protobuf(&self, messages: &[Value], room: &str) -> Vec<Told> {
        let fields =
            Self { kinds: self.kinds.clone(), fen: self.fen, currency: self.currency.clone(), ..Self::default() };
        messages.iter().take(MAX_MESSAGES).filter_map(|message| fields.told(message, room)).collect()
    }

    fn told(&self, message: &Value, room: &str) -> Option<Told> {
        let said = text(message, &self.kind).unwrap_or_default();
        let kind = self.kinds.get(&said).unwrap_or(&said);
        let words = || text(message, &self.text).filter(|words| !words.trim().is_empty());
        let what = match kind.as_str() {
            "caption" => What::Caption { speaker: text(message, &self.speaker), text: words()? },
            "comment" => {
                // A listing's own form of a comment has its writer as speaker.
                let viewer = text(message, &self.viewer).or_else(|| text(message, &self.speaker));
                What::Comment { viewer: viewer.map(|viewer| pseudonym(room, &viewer)), text: words()? }
            }
            "shelf" => What::Shelf(self.goods(message)?),
            _ => return None,
        };
        Some(Told { when: self.when(message), what })
    }

    fn when(&self, message: &Value) -> When {
        if let Some(at_ms) = message.pointer(&self.at_ms).and_then(Value::as_u64) {
            return When::Room(at_ms);
        }
        match message.pointer(&self.at) {
            Some(Value::Number(number)) => {
                // Seconds of this century have ten digits, milliseconds thirteen.
                let number = number.as_f64().unwrap_or(0.0);
                match number {
                    1e8..1e11 => When::Unix((number * 1000.0) as i64),
                    1e11..1e14 => When::Unix(number as i64),
                    _ => When::Arrival,
                }
            }
            Some(Value::String(text)) => {
                text.parse::<Timestamp>().map_or(When::Arrival, |at| When::Unix(at.as_millisecond()))
            }
            _ => When::Arrival,
        }
    }

    fn goods(&self, message: &Value) -> Option<Goods> {
        let id = text(message, &self.goods_id).unwrap_or_default();
        let title = text(message, &self.goods_title).or_else(|| text(message, &self.text)).unwrap_or_default();
        if id.is_empty() && title.is_empty() {
            return None;
        }
        let state = match text(message, &self.goods_state).as_deref() {
            Some("listed") => ShelfState::Listed,
            Some("gone") => ShelfState::Gone,
            _ => ShelfState::Pinned,
        };
        let price = message.pointer(&self.goods_price).and_then(|price| self.price(price));
        Some(Goods { id, title, url: text(message, &self.goods_url), price, page_price: None, state })
    }

    fn price(&self, price: &Value) -> Option<Money> {
        if let (true, Some(hundredths)) = (self.fen, price.as_u64()) {
            return Some(Money { amount: Amount::from_hundredths(hundredths), currency: self.currency.clone() });
        }
        match price {
            Value::Object(_) => serde_json::from_value(price.clone()).ok(),
            Value::Number(number) => {
                Some(Money { amount: number.to_string().parse().ok()?, currency: self.currency.clone() })
            }
            Value::String(text) => {
                let price = parse_price(text, Some(&self.currency))?;
                Some(Money { amount: price.amount, currency: price.currency.unwrap_or_default() })
            }
            _ => None,
        }
    }
}

/// A text or a number as text.
fn text(message: &Value, pointer: &str) -> Option<String> {
    match message.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A viewer's name of ours: the same for all messages of one viewer in one room, and telling nothing else.
fn pseudonym(room: &str, viewer: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update((room.len() as u64).to_le_bytes());
    hasher.update(room);
    hasher.update(viewer);
    let digits: String = hasher.finalize().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("viewer-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &Fields, message: &str) -> Vec<Told> {
        fields.read(message.as_bytes(), "room")
    }

    #[test]
    fn our_own_messages_are_captions_comments_and_goods() {
        let fields = Fields::default();
        let told =
            read(&fields, r#"{"kind":"caption","at":"2026-11-23T08:00:01.5Z","text":"这款云雀","speaker":"主播"}"#);
        let text = "这款云雀".to_owned();
        let when = When::Unix(1_795_420_801_500);
        assert_eq!(told, [Told { when, what: What::Caption { speaker: Some("主播".into()), text } }]);
        let told =
            read(&fields, r#"{"kind":"shelf","at_ms":1500,"goods":{"id":7,"title":"云雀 跑鞋","price":"￥199"}}"#);
        let What::Shelf(goods) = &told[0].what else { panic!() };
        assert_eq!((goods.id.as_str(), told[0].when), ("7", When::Room(1500)));
        assert_eq!(goods.price.as_ref().map(|price| price.amount.to_string()).as_deref(), Some("199"));
        assert!(read(&fields, r#"{"kind":"gift","text":"火箭"}"#).is_empty());
        assert!(read(&fields, r#"{"kind":"caption","text":" "}"#).is_empty());
        assert!(read(&fields, "no json").is_empty());
    }

    #[test]
    fn a_viewers_name_does_not_come_in_and_still_tells_viewers_apart() {
        let fields = Fields::bilibili();
        let of = |viewer: u64| {
            let message =
                format!(r#"{{"cmd":"DANMU_MSG","info":[[0,1,25,0,1795420801500],"加微信",[{viewer},"某某"]]}}"#);
            let told = read(&fields, &message).remove(0);
            assert_eq!(told.when, When::Unix(1_795_420_801_500));
            let What::Comment { viewer: Some(name), .. } = told.what else { panic!() };
            name
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(!of(12345).contains("12345"));
    }

    #[test]
    fn messages_inside_a_message_are_read_up_to_a_limit() {
        let fields = Fields { messages: "/data".into(), ..Fields::default() };
        let many = vec![r#"{"kind":"comment","text":"好"}"#; MAX_MESSAGES + 1].join(",");
        assert_eq!(read(&fields, &format!(r#"{{"data":[{many}]}}"#)).len(), MAX_MESSAGES);
        assert!(read(&fields, r#"{"kind":"comment","text":"好"}"#).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_message_is_read_without_a_panic(message in "\\PC{0,60}|\\{\"kind\":\"(shelf|comment|caption)\",\"(at|at_ms|text)\":(-?[0-9]{0,20}|\"\\PC{0,9}\"),\"goods\":\\{\"id\":[0-9]{1,3},\"price\":(\"\\PC{0,8}\"|-?[0-9.]{1,12})\\}\\}") {
            for told in read(&Fields::default(), &message) {
                if let What::Caption { text, .. } | What::Comment { text, .. } = told.what {
                    proptest::prop_assert!(!text.trim().is_empty());
                }
            }
        }
    }
}
