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
        Channel::Invisible | Channel::Emoji | Channel::Separator => 0,
    };
    let dropped = match channel {
        Channel::Invisible => 8,
        Channel::Emoji => 16,
        Channel::Separator => SEPARATORS,
        Channel::Width | Channel::Confusable | Channel::Traditional => 0,
    };
    match table::entry(c) {
        table::Entry::Gap(kind) if kind & dropped != 0 => String::new(),
        table::Entry::Unit(folded, flags) if flags & flag != 0 => folded.to_string(),
        table::Entry::Many(folded, flags) if flags & flag != 0 => folded.to_owned(),
        _ => c.to_string(),
    }
}

fn step(channel: Channel, before: &str, after: &str) -> Step {
    let (code, zh, en) = match channel {
        Channel::Invisible => ("fold.invisible", "去掉看不见的字符", "removed characters that show nothing"),
        Channel::Emoji => ("fold.emoji", "去掉夹在中间的表情符号", "removed emoji inside the word"),
        Channel::Separator => ("fold.separator", "去掉夹在中间的间隔", "removed separators inside the word"),
        Channel::Width => {
            ("fold.width", "全角、花体等写法还原为普通字符", "turned full-width and stylised forms into plain ones")
        }
        Channel::Confusable => (
            "fold.confusable",
            "外文形似字母还原为拉丁字母",
            "turned look-alike letters of other scripts into Latin ones",
        ),
        Channel::Traditional => (
            "fold.traditional",
            "繁体、异体字还原为简体",
            "turned traditional and variant characters into simplified ones",
        ),
    };
    let mut en = en.to_owned();
    let mut zh = zh.to_owned();
    if channel == Channel::Invisible {
        let names = invisible_names(before);
        en.push_str(&format!(": {names}"));
        zh.push_str(&format!("：{names}"));
    }
    Step { code: code.into(), before: before.into(), after: after.into(), factor: 1.0, score: None, zh, en }
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
