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

/// Four words: a long listing has a thousand.
#[derive(Debug, Clone, Copy, Default)]
struct Unit {
    /// Where it starts in `text`.
    byte: u32,
    /// Where its character starts in the original, in bytes.
    start: u32,
    /// The same in scalar values.
    start_char: u32,
    /// From the low end: its folded character 21 bits, the bytes of the original one 3, what was changed 3, the gap before
    /// it 5.
    packed: u32,
}

const CHAR_BITS: u32 = 21;
const WIDTH_SHIFT: u32 = CHAR_BITS;
const FLAGS_SHIFT: u32 = WIDTH_SHIFT + 3;
const GAP_SHIFT: u32 = FLAGS_SHIFT + 3;

/// How far a text was read.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    byte: usize,
    char: usize,
}

impl Unit {
    /// What stands `at` a place of the original, after `gap`: `c`, which is not folded yet.
    fn new(c: char, at: Place, gap: Gap) -> Self {
        let packed = (c.len_utf8() as u32) << WIDTH_SHIFT | u32::from(gap.0) << GAP_SHIFT;
        Self { byte: 0, start: at.byte as u32, start_char: at.char as u32, packed }
    }

    /// The same place with the folded character `one`.
    fn with(self, one: char, flags: u8) -> Self {
        Self { packed: self.packed | one as u32 | u32::from(flags) << FLAGS_SHIFT, ..self }
    }

    fn without_gap(self) -> Self {
        Self { packed: self.packed & ((1 << GAP_SHIFT) - 1), ..self }
    }

    /// The number of its folded character.
    fn code(self) -> u32 {
        self.packed & ((1 << CHAR_BITS) - 1)
    }

    fn width(self) -> usize {
        (self.packed >> WIDTH_SHIFT & 7) as usize
    }

    fn flags(self) -> u8 {
        (self.packed >> FLAGS_SHIFT & 7) as u8
    }

    fn gap(self) -> Gap {
        Gap((self.packed >> GAP_SHIFT) as u8)
    }
}

/// A unit, and where its character stands in the original.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    /// The number of the folded character.
    pub code: u32,
    /// Where the original one begins, in bytes and in scalar values, and its bytes.
    pub byte: u32,
    pub char: u32,
    pub width: u8,
    /// What was dropped before it.
    pub gap: Gap,
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
        let original = original.get(..original.floor_char_boundary(u32::MAX as usize)).unwrap_or(original);
        // A place for each character is made first: growing one by one would cost half of the time.
        let units = vec![Unit::default(); original.chars().count()];
        let mut folded = Self { text: String::with_capacity(original.len()), units, tail: Gap::default() };
        let (mut filled, mut gap) = (0, Gap::default());
        let mut at = Place::default();
        while let Some(rest) = original.get(at.byte..).filter(|rest| !rest.is_empty()) {
            let free = folded.units.get_mut(filled..).unwrap_or_default();
            let run = plain_run(rest, at, folded.text.len(), free);
            if run.char > 0 {
                folded.text.push_str(rest.get(..run.byte).unwrap_or_default());
                if let Some(first) = free.first_mut() {
                    first.packed |= u32::from(gap.0) << GAP_SHIFT;
                }
                gap = Gap::default();
                filled += run.char;
                at = Place { byte: at.byte + run.byte, char: at.char + run.char };
            }
            let Some(c) = rest.get(run.byte..).and_then(|rest| rest.chars().next()) else { break };
            let unit = Unit::new(c, at, gap);
            at = Place { byte: at.byte + c.len_utf8(), char: at.char + 1 };
            let before = filled;
            match table::entry(c) {
                table::Entry::Gap(kind) => gap = gap.and(Gap(kind)),
                table::Entry::Unit(one, flags) => filled = folded.put(filled, unit.with(one, flags), one),
                table::Entry::Many(many, flags) => {
                    let more = many.chars().count().saturating_sub(1);
                    folded.units.resize(folded.units.len() + more, Unit::default());
                    let mut unit = unit;
                    for one in many.chars() {
                        filled = folded.put(filled, unit.with(one, flags), one);
                        unit = unit.without_gap();
                    }
                }
            }
            if filled > before {
                gap = Gap::default();
            }
        }
        folded.units.truncate(filled);
        folded.tail = gap;
        folded
    }

    /// Puts `unit`, whose folded character is `one`, in the place `filled`; gives the next place.
    fn put(&mut self, filled: usize, unit: Unit, one: char) -> usize {
        if let Some(place) = self.units.get_mut(filled) {
            *place = Unit { byte: self.text.len() as u32, ..unit };
        }
        self.text.push(one);
        filled + 1
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
        self.units.get(unit).and_then(|unit| char::from_u32(unit.code()))
    }

    /// The numbers of the folded characters, a unit each.
    pub fn codes(&self) -> impl ExactSizeIterator<Item = u32> {
        self.units.iter().map(|unit| unit.code())
    }

    /// The bytes of [`text`](Self::text) that are `units`; none when they reach beyond the end.
    pub fn bytes(&self, units: Range<usize>) -> &[u8] {
        let at = |unit: usize| match self.units.get(unit) {
            Some(unit) => Some(unit.byte as usize),
            None => (unit == self.units.len()).then_some(self.text.len()),
        };
        let range = at(units.start).and_then(|start| Some(start..at(units.end)?));
        range.and_then(|range| self.text.as_bytes().get(range)).unwrap_or_default()
    }

    /// Every unit with its place, in order.
    pub(super) fn each(&self) -> impl ExactSizeIterator<Item = Placed> {
        self.units.iter().map(|unit| Placed {
            code: unit.code(),
            byte: unit.start,
            char: unit.start_char,
            width: unit.width() as u8,
            gap: unit.gap(),
        })
    }

    /// Where `units` stand in the original; empty at its start when there are none.
    pub fn span(&self, units: Range<usize>) -> Span {
        let ends =
            units.end.checked_sub(1).and_then(|last| Some((self.units.get(units.start)?, self.units.get(last)?)));
        match ends {
            Some((first, last)) => Span {
                bytes: first.start as usize..last.start as usize + last.width(),
                chars: first.start_char as usize..last.start_char as usize + 1,
            },
            None => Span { bytes: 0..0, chars: 0..0 },
        }
    }

    /// Whether the fold drops a character that a reader sees: a space, a sign, a picture.
    pub(super) fn is_seen(c: char) -> bool {
        matches!(table::entry(c), table::Entry::Gap(kind) if Gap(kind).has(Gap::SEEN))
    }

    /// Whether the fold keeps a character.
    pub(super) fn is_unit(c: char) -> bool {
        !matches!(table::entry(c), table::Entry::Gap(_))
    }

    /// What was dropped before `unit`; after the last unit when `unit` is `len()`.
    pub fn gap_before(&self, unit: usize) -> Gap {
        self.units.get(unit).map_or(self.tail, |unit| unit.gap())
    }

    /// What was dropped strictly inside `units`.
    pub fn inner_gaps(&self, units: Range<usize>) -> Gap {
        self.inner(units).iter().fold(Gap::default(), |all, unit| all.and(unit.gap()))
    }

    /// Whether every border inside `units` has a gap of `kind`, as in `云·雀·记`.
    pub fn evenly_spaced(&self, units: Range<usize>, kind: Gap) -> bool {
        let inner = self.inner(units);
        !inner.is_empty() && inner.iter().all(|unit| unit.gap().has(kind))
    }

    fn inner(&self, units: Range<usize>) -> &[Unit] {
        self.units.get(units.start + 1..units.end).unwrap_or(&[])
    }

    /// The disguises undone inside `units`.
    pub fn channels(&self, units: Range<usize>) -> Vec<Channel> {
        let flags = self.units.get(units.clone()).unwrap_or(&[]).iter().fold(0, |all, unit| all | unit.flags());
        let gaps = self.inner_gaps(units);
        [
            (gaps.has(Gap::INVISIBLE), Channel::Invisible),
            (gaps.has(Gap::EMOJI), Channel::Emoji),
            (gaps.has(Gap::SIGN), Channel::Separator),
            (flags & table::WIDTH != 0, Channel::Width),
            (flags & table::CONFUSABLE != 0, Channel::Confusable),
            (flags & table::TRADITIONAL != 0, Channel::Traditional),
        ]
        .into_iter()
        .filter_map(|(found, channel)| found.then_some(channel))
        .collect()
    }
}

/// Fills units from the beginning of `rest` as long as its characters are units as they stand.
///
/// On its own, so that the few things it needs stay in registers: nine of ten characters pass here.
#[inline(never)]
fn plain_run(rest: &str, at: Place, text_bytes: usize, units: &mut [Unit]) -> Place {
    let mut chars = rest.chars();
    let mut filled = 0;
    for place in units {
        let byte = rest.len() - chars.as_str().len();
        match chars.next() {
            Some(c) if table::is_plain(c) => {
                *place = Unit {
                    byte: (text_bytes + byte) as u32,
                    start: (at.byte + byte) as u32,
                    start_char: (at.char + filled) as u32,
                    packed: c as u32 | (c.len_utf8() as u32) << WIDTH_SHIFT,
                };
                filled += 1;
            }
            _ => return Place { byte, char: filled },
        }
    }
    Place { byte: rest.len() - chars.as_str().len(), char: filled }
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

    #[test]
    fn every_character_folds_as_the_table_says() {
        for code in 0..=0x10_FFFF {
            let Some(c) = char::from_u32(code) else { continue };
            let expected = match table::entry(c) {
                table::Entry::Gap(_) => String::new(),
                table::Entry::Unit(one, _) => one.to_string(),
                table::Entry::Many(many, _) => many.to_owned(),
            };
            assert_eq!(fold(&c.to_string()), expected, "{code:X}");
        }
    }

    #[test]
    fn characters_that_become_several_leave_room_for_the_rest() {
        let original = "·ﬁ㎏国ﷺA·";
        let folded = Folded::new(original);
        assert!(folded.text().starts_with("fikg国"));
        assert!(folded.text().ends_with('a'));
        assert_eq!(folded.len(), folded.text().chars().count());
        assert!(folded.gap_before(0).has(Gap::LIGHT) && folded.gap_before(1).is_empty());
        assert!(folded.gap_before(folded.len()).has(Gap::LIGHT));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn every_unit_maps_back_to_whole_characters(original in "\\PC{0,40}|[a-zа-я国家級雲\u{200b}\u{1f525}·① ﬁ]{0,30}") {
            let folded = Folded::new(&original);
            prop_assert_eq!(folded.len(), folded.text().chars().count());
            for (unit, (one, code)) in folded.text().chars().zip(folded.codes()).enumerate() {
                prop_assert_eq!(one as u32, code);
                prop_assert_eq!(folded.char_at(unit), Some(one));
                let bytes = one.to_string().into_bytes();
                prop_assert_eq!(folded.bytes(unit..unit + 1), bytes);
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
