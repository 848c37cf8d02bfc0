//! A text as units with their places.

use std::ops::Range;

use super::{Gap, table};
use crate::model::Channel;

/// A text as comparable units, each with its place in the original.
///
/// Units are folded characters: lower case, half width, simplified, without accents, Latin where they
/// look Latin. Positions in the original are kept as bytes and as Unicode scalar values; texts longer
/// than 4 GiB are cut there.
#[derive(Debug, Clone, Default)]
pub struct Folded {
    text: String,
    units: Vec<Unit>,
    tail: Gap,
}

#[derive(Debug, Clone, Copy)]
struct Unit {
    /// Where it starts in `text`.
    byte: u32,
    /// Where its character starts in the original, in bytes.
    start: u32,
    /// The same in scalar values.
    start_char: u32,
    /// Bytes of its character.
    width: u8,
    /// What was changed.
    flags: u8,
    /// What stood before it.
    gap: Gap,
}

/// A place in the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// In bytes.
    pub bytes: Range<usize>,
    /// In Unicode scalar values.
    pub chars: Range<usize>,
}

impl Folded {
    /// Folds `original`.
    pub fn new(original: &str) -> Self {
        let mut folded = Self {
            text: String::with_capacity(original.len()),
            units: Vec::with_capacity(original.len() / 2),
            tail: Gap::default(),
        };
        let mut gap = Gap::default();
        for (start_char, (start, c)) in original.char_indices().enumerate() {
            let (Ok(start), Ok(start_char)) = (u32::try_from(start), u32::try_from(start_char)) else { break };
            let mut unit = Unit { byte: 0, start, start_char, width: c.len_utf8() as u8, flags: 0, gap };
            match table::entry(c) {
                table::Entry::Gap(kind) => {
                    gap = gap.and(Gap(kind));
                    continue;
                }
                table::Entry::Unit(one, flags) => {
                    unit.flags = flags;
                    folded.push(one, unit);
                }
                table::Entry::Many(many, flags) => {
                    unit.flags = flags;
                    for one in many.chars() {
                        folded.push(one, unit);
                        unit.gap = Gap::default();
                    }
                }
            }
            gap = Gap::default();
        }
        folded.tail = gap;
        folded
    }

    fn push(&mut self, c: char, unit: Unit) {
        let byte = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.units.push(Unit { byte, ..unit });
        self.text.push(c);
    }

    /// The units, joined: no separators at all.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many units there are: the characters of [`text`](Self::text).
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// Whether there is no unit.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// The unit that starts at `byte` of [`text`](Self::text); `len()` at its end.
    pub fn unit_at(&self, byte: usize) -> Option<usize> {
        if byte == self.text.len() {
            return Some(self.units.len());
        }
        self.units.binary_search_by_key(&byte, |unit| unit.byte as usize).ok()
    }

    /// A match in [`text`](Self::text), in units.
    pub fn units(&self, bytes: Range<usize>) -> Option<Range<usize>> {
        Some(self.unit_at(bytes.start)?..self.unit_at(bytes.end)?)
    }

    /// The folded character at `unit`.
    pub fn char_at(&self, unit: usize) -> Option<char> {
        let unit = self.units.get(unit)?;
        self.text.get(unit.byte as usize..)?.chars().next()
    }

    /// Where `units` stand in the original; empty at its start when there are none.
    pub fn span(&self, units: Range<usize>) -> Span {
        let ends =
            units.end.checked_sub(1).and_then(|last| Some((self.units.get(units.start)?, self.units.get(last)?)));
        match ends {
            Some((first, last)) => Span {
                bytes: first.start as usize..last.start as usize + last.width as usize,
                chars: first.start_char as usize..last.start_char as usize + 1,
            },
            None => Span { bytes: 0..0, chars: 0..0 },
        }
    }

    /// What was dropped before `unit`; after the last unit when `unit` is `len()`.
    pub fn gap_before(&self, unit: usize) -> Gap {
        self.units.get(unit).map_or(self.tail, |unit| unit.gap)
    }

    /// What was dropped strictly inside `units`.
    pub fn inner_gaps(&self, units: Range<usize>) -> Gap {
        self.inner(units).iter().fold(Gap::default(), |all, unit| all.and(unit.gap))
    }

    /// Whether every border inside `units` has a gap of `kind`, as in `云·雀·记`.
    pub fn evenly_spaced(&self, units: Range<usize>, kind: Gap) -> bool {
        let inner = self.inner(units);
        !inner.is_empty() && inner.iter().all(|unit| unit.gap.has(kind))
    }

    fn inner(&self, units: Range<usize>) -> &[Unit] {
        self.units.get(units.start + 1..units.end).unwrap_or(&[])
    }

    /// The disguises undone inside `units`.
    pub fn channels(&self, units: Range<usize>) -> Vec<Channel> {
        let flags = self.units.get(units.clone()).unwrap_or(&[]).iter().fold(0, |all, unit| all | unit.flags);
        let gaps = self.inner_gaps(units);
        [
            (gaps.has(Gap::INVISIBLE), Channel::Invisible),
            (gaps.has(Gap::EMOJI), Channel::Emoji),
            (gaps.has(Gap::SPACE.and(Gap::LIGHT).and(Gap::STRONG)), Channel::Separator),
            (flags & table::WIDTH != 0, Channel::Width),
            (flags & table::CONFUSABLE != 0, Channel::Confusable),
            (flags & table::TRADITIONAL != 0, Channel::Traditional),
        ]
        .into_iter()
        .filter_map(|(found, channel)| found.then_some(channel))
        .collect()
    }
}

/// `text` folded and joined: how marks and words are kept.
pub fn fold(text: &str) -> String {
    Folded::new(text).text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn disguises_fold_to_the_plain_word() {
        for (disguised, plain) in [
            ("ＶＯＲＬＵＮＥ", "vorlune"),
            ("𝐕𝐨𝐫𝐥𝐮𝐧𝐞", "vorlune"),
            ("VОRLUNЕ", "vorlune"),
            ("Vörlüné", "vorlune"),
            ("V\u{200b}o\u{2060}r·l-u n\u{e0020}e", "vorlune"),
            ("v̶o̶r̶l̶u̶n̶e̶", "vorlune"),
            ("ⓥⓞⓡⓛⓤⓝⓔ", "vorlune"),
            ("🅥🅾rlune", "vorlune"),
            ("雲雀", "云雀"),
            ("國🔥家・級", "国家级"),
            ("ΝΙΚΕ", "nike"),
            ("нike", "hike"),
            ("①②③", "123"),
        ] {
            assert_eq!(fold(disguised), plain, "{disguised}");
        }
    }

    #[test]
    fn ordinary_text_keeps_its_letters() {
        assert_eq!(fold("国家级 非遗"), "国家级非遗");
        assert_eq!(fold("ひらがな カタカナ 한국어 ไทย"), "ひらがなカタカナ한국어ไทย");
    }

    #[test]
    fn a_match_is_found_again_in_the_original() {
        let original = "正品 雲\u{200b}雀🔥 跑鞋";
        let folded = Folded::new(original);
        let at = folded.text().find("云雀").unwrap();
        let units = folded.units(at..at + "云雀".len()).unwrap();
        let span = folded.span(units.clone());
        assert_eq!(&original[span.bytes.clone()], "雲\u{200b}雀");
        assert_eq!(span.chars, 3..6);
        assert_eq!(folded.channels(units.clone()), [Channel::Invisible, Channel::Traditional]);
        assert!(folded.gap_before(units.start).has(Gap::SPACE));
        assert!(folded.gap_before(units.end).has(Gap::EMOJI));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn every_unit_maps_back_to_whole_characters(original in "\\PC{0,40}|[a-zа-я国家級雲\u{200b}\u{1f525}·① ﬁ]{0,30}") {
            let folded = Folded::new(&original);
            prop_assert_eq!(folded.len(), folded.text().chars().count());
            for unit in 0..folded.len() {
                let span = folded.span(unit..unit + 1);
                let part = original.get(span.bytes.clone());
                prop_assert!(part.is_some_and(|part| part.chars().count() == 1));
                prop_assert_eq!(original.chars().nth(span.chars.start), part.and_then(|part| part.chars().next()));
            }
        }

        #[test]
        fn folding_again_changes_nothing(original in "\\PC{0,40}") {
            let once = fold(&original);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
