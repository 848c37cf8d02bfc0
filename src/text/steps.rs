//! Undoing a disguise step by step, for a person to follow.

use std::ops::Range;

use super::{Folded, table};
use crate::model::{Channel, Step};

impl Folded {
    /// How the original text of `units` became what was compared, one step a disguise.
    ///
    /// `original` must be the text this fold was made of.
    pub fn steps(&self, original: &str, units: Range<usize>) -> Vec<Step> {
        let channels = self.channels(units.clone());
        let mut now = original.get(self.span(units).bytes).unwrap_or("").to_owned();
        let mut steps = Vec::with_capacity(channels.len());
        for channel in channels {
            let after: String = now.chars().map(|c| undo(c, channel)).collect();
            if after != now {
                steps.push(step(channel, &now, &after));
                now = after;
            }
        }
        steps
    }
}

/// `c` without `channel`; what the channel does not touch stays.
fn undo(c: char, channel: Channel) -> String {
    const SEPARATORS: u8 = 1 | 2 | 4;
    let flag = match channel {
        Channel::Width => table::WIDTH,
        Channel::Confusable => table::CONFUSABLE,
        Channel::Traditional => table::TRADITIONAL,
        _ => 0,
    };
    let dropped = match channel {
        Channel::Invisible => 8,
        Channel::Emoji => 16,
        Channel::Separator => SEPARATORS,
        _ => 0,
    };
    match table::entry(c) {
        table::Entry::Gap(kind) if kind & dropped != 0 => String::new(),
        table::Entry::Unit(folded, flags) if flags & flag != 0 => folded.to_string(),
        table::Entry::Many(folded, flags) if flags & flag != 0 => folded.to_owned(),
        _ => c.to_string(),
    }
}

fn step(channel: Channel, before: &str, after: &str) -> Step {
    let mut step = undone(channel, before, after, "");
    if channel == Channel::Invisible {
        let names = invisible_names(before);
        step.en.push_str(&format!(": {names}"));
        step.zh.push_str(&format!("：{names}"));
    }
    step
}

/// The step that undoes one disguise; `detail` says which characters, where that helps.
pub fn undone(channel: Channel, before: &str, after: &str, detail: &str) -> Step {
    let (zh, en) = match channel {
        Channel::Invisible => ("去掉看不见的字符", "removed characters that show nothing"),
        Channel::Emoji => ("去掉夹在中间的表情符号", "removed emoji inside the word"),
        Channel::Separator => ("去掉夹在中间的间隔", "removed separators inside the word"),
        Channel::Width => ("全角、花体等写法还原为普通字符", "turned full-width and stylised forms into plain ones"),
        Channel::Confusable => {
            ("外文形似字母还原为拉丁字母", "turned look-alike letters of other scripts into Latin ones")
        }
        Channel::Traditional => {
            ("繁体、异体字还原为简体", "turned traditional and variant characters into simplified ones")
        }
        Channel::Leet => ("数字、符号还原为形似的字母", "turned digits and signs into the letters they look like"),
        Channel::Edit => ("与商标相差一个字母", "one letter away from the mark"),
        Channel::Pinyin => ("拼音还原为汉字", "read Latin letters as the sound of characters"),
        Channel::Homophone => ("谐音字还原", "read a character as one of the same sound"),
        Channel::LookAlike => ("形近字还原", "read a character as one that looks alike"),
        Channel::Split => ("拆开的字合为一字", "joined the parts of a split character"),
        Channel::Digit => ("数字、符号按读音还原为汉字", "read digits and signs aloud"),
        Channel::Reversed => ("从后往前读", "read from the end to the beginning"),
        Channel::Vertical => ("竖着读", "read the lines downwards"),
        Channel::Reordered => ("按商标的次序读", "read its words in the order of the mark"),
    };
    let (mut zh, mut en) = (zh.to_owned(), en.to_owned());
    if !detail.is_empty() {
        en.push_str(&format!(": {detail}"));
        zh.push_str(&format!("：{detail}"));
    }
    Step {
        code: format!("fold.{channel}"),
        before: before.into(),
        after: after.into(),
        factor: 1.0,
        score: None,
        zh,
        en,
    }
}

/// Code points of what cannot be seen, as `U+200B`, each once.
fn invisible_names(text: &str) -> String {
    let mut names: Vec<String> = Vec::new();
    for c in text.chars() {
        if matches!(table::entry(c), table::Entry::Gap(kind) if kind & 8 != 0) {
            let name = format!("U+{:04X}", c as u32);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_undoes_one_disguise_and_the_last_shows_the_word() {
        let original = "雲\u{200b}·雀";
        let folded = Folded::new(original);
        let steps = folded.steps(original, 0..folded.len());
        let codes: Vec<&str> = steps.iter().map(|step| step.code.as_str()).collect();
        assert_eq!(codes, ["fold.invisible", "fold.separator", "fold.traditional"]);
        assert_eq!(steps.last().unwrap().after, "云雀");
        assert!(steps[0].en.contains("U+200B"));
        for pair in steps.windows(2) {
            assert_eq!(pair[0].after, pair[1].before);
        }
    }
}
