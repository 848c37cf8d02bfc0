//! What happens in a live room, with its place on the room's timeline.

use crate::model::{Goods, TimelineEntry};

/// Longest text of one event, in characters; what follows is cut off.
pub const MAX_TEXT_CHARS: usize = 2000;
/// Longest name of a speaker or viewer, and longest title of goods, in characters.
const MAX_NAME_CHARS: usize = 200;

/// One moment of a live room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds from the start of the room.
    pub at_ms: u64,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Something was said, as its caption has it.
    Caption {
        /// Who said it, where the caption tells.
        speaker: Option<String>,
        /// The words.
        text: String,
    },
    /// A viewer wrote something (danmaku).
    Comment {
        /// Which viewer: a name given by us, which tells messages of one viewer from another's and nothing else.
        viewer: Option<String>,
        /// The words.
        text: String,
    },
    /// The shelf changed.
    Shelf(Goods),
}

impl Event {
    /// The event in the form that listings keep; texts over their limit are cut.
    pub fn into_entry(self) -> TimelineEntry {
        let at_ms = self.at_ms;
        let name = |name: Option<String>| name.map(|name| cut(name, MAX_NAME_CHARS)).filter(|name| !name.is_empty());
        match self.what {
            What::Caption { speaker, text } => TimelineEntry {
                at_ms,
                speaker: name(speaker),
                text: cut(text, MAX_TEXT_CHARS),
                kind: "caption".into(),
                goods: None,
            },
            What::Comment { viewer, text } => TimelineEntry {
                at_ms,
                speaker: name(viewer),
                text: cut(text, MAX_TEXT_CHARS),
                kind: "danmaku".into(),
                goods: None,
            },
            What::Shelf(mut goods) => {
                goods.title = cut(goods.title, MAX_NAME_CHARS);
                TimelineEntry {
                    at_ms,
                    speaker: None,
                    text: goods.title.clone(),
                    kind: "shelf".into(),
                    goods: Some(goods),
                }
            }
        }
    }
}

/// At most the first `characters` of `text`.
fn cut(mut text: String, characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_text_is_cut_at_a_character() {
        let what = What::Comment { viewer: None, text: "字".repeat(MAX_TEXT_CHARS + 1) };
        let entry = Event { at_ms: 7, what }.into_entry();
        assert_eq!((entry.text.chars().count(), entry.kind.as_str(), entry.at_ms), (MAX_TEXT_CHARS, "danmaku", 7));
    }
}
