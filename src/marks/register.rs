//! One generation of marks with its index.

use std::{collections::HashMap, ops::Range};

use sha2::{Digest, Sha256};

use super::{
    index::{Index, IndexBuilder},
    phrases::Phrases,
};
use crate::{
    disguise::{Alignment, Change, Everyday, Latin, Least, Watch, is_han},
    model::{Channel, Mark, Money},
    text::{Folded, FoldedSurface, Gap, Span, looks},
};

/// Shortest spelling that is looked for backwards, in characters: shorter ones are other words too often.
const MIN_REVERSED_HAN: usize = 3;
const MIN_REVERSED_LATIN: usize = 5;

/// Bits of one of a hundred thousand marks standing at a given place in disguise: 17 for which, 12 for where.
pub(crate) const DISGUISED_BITS: f32 = 29.0;
/// What is less likely meant than this is no candidate: everyday words that sound like a mark stand everywhere. Of two
/// characters only marks of the goods' class are looked for, which raises what remains.
const LEAST: Least = Least { two: 0.005, more: 0.1 };

/// Watched marks and where their words begin: built aside, swapped whole.
#[derive(Debug, Default)]
pub struct Register {
    marks: Vec<Mark>,
    index: Index,
    /// By number of the folded spelling: the marks that are spelled so.
    postings: Vec<Vec<Spelling>>,
    watch: Watch,
    latin: Latin,
    phrases: Phrases,
    /// What goods usually cost, of those marks that say so.
    usual_prices: HashMap<String, Money>,
    hash: String,
}

/// One way a mark is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// Which mark.
    mark: usize,
    /// The registered text or alias, as written.
    pub text: String,
    /// Whether it is an alias.
    pub alias: bool,
    /// Units before which the spelling itself has a gap (`NORTH FACE`: 5).
    pub breaks: Vec<usize>,
    /// What was done to the registered spelling to get to this one, when it is not found as it stands.
    pub via: Option<Channel>,
}

/// A spelling found in a text.
#[derive(Debug, Clone)]
pub struct Occurrence<'a> {
    /// Whose.
    pub mark: &'a Mark,
    /// Which way of writing.
    pub spelling: &'a Spelling,
    /// Where, in units.
    pub units: Range<usize>,
    /// Where in the original; signs that stand for something are in no unit.
    pub span: Span,
    /// How it is written there, when it is not the spelling itself.
    pub alignment: Option<Alignment>,
}

impl Register {
    /// Indexes `marks`; those whose spelling folds to nothing or is too long are kept but never found.
    pub fn new(marks: Vec<Mark>) -> Self {
        let mut register = Self { marks, ..Self::default() };
        let mut index = IndexBuilder::default();
        let mut hasher = Sha256::new();
        for (number, mark) in register.marks.iter().enumerate() {
            hasher.update(serde_json::to_vec(mark).unwrap_or_default());
            hasher.update(b"\n");
            let spellings = std::iter::once((&mark.text, false)).chain(mark.aliases.iter().map(|alias| (alias, true)));
            for (text, alias) in spellings {
                register.phrases.add(&mut index, Spelling::new(number, text, alias, &Folded::new(text), None));
                for (written, via) in ways_of(text) {
                    let folded = Folded::new(&written);
                    let Some(posting) = index.add(folded.text()) else { continue };
                    let posting = posting as usize;
                    register.postings.resize_with(register.postings.len().max(posting + 1), Vec::new);
                    if let Some(list) = register.postings.get_mut(posting)
                        && !list.iter().any(|known| known.mark == number)
                    {
                        list.push(Spelling::new(number, text, alias, &folded, via));
                    }
                }
            }
        }
        let priced =
            register.marks.iter().filter_map(|mark| Some((mark.id.as_str().to_owned(), mark.usual_price.clone()?)));
        register.usual_prices = priced.collect();
        register.watch_for_disguises(&index);
        register.index = index.finish();
        register.hash = hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        register
    }

    /// How many marks there are.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The marks, in the order they were given.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// What goods of the mark named `id` usually cost, where the register says.
    pub fn usual_price(&self, id: &str) -> Option<&Money> {
        self.usual_prices.get(id)
    }

    /// First 64 bits of SHA-256 over the marks, in hex: what a finding was made with.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    fn watch_for_disguises(&mut self, index: &IndexBuilder) {
        let plain: Vec<(String, u32, u64)> = self
            .postings
            .iter()
            .zip(0..)
            .filter_map(|(spellings, number)| {
                let own: Vec<&Spelling> = spellings.iter().filter(|spelling| spelling.via.is_none()).collect();
                let classes = own
                    .iter()
                    .filter_map(|spelling| self.marks.get(spelling.mark))
                    .fold(0, |all, mark| all | class_bits(&mark.nice_classes));
                (!own.is_empty()).then(|| (index.spelling(number), number, classes))
            })
            .collect();
        self.watch = Watch::new(plain.iter().map(|(text, number, classes)| (text.as_str(), *number, *classes)));
        self.latin = Latin::new(plain.iter().map(|(text, number, _)| (text.as_str(), *number)));
    }

    /// Every spelling on `surface`, as it stands and in disguise, overlapping ones too.
    ///
    /// Of two characters one of which is replaced nothing is found, but for marks of the Nice `classes`.
    pub fn find<'a>(&'a self, surface: &FoldedSurface<'_>, classes: &[u8]) -> Vec<Occurrence<'a>> {
        let folded = &surface.folded;
        let mut found = Vec::new();
        if self.is_empty() {
            return found;
        }
        let chars: Vec<char> = folded.text().chars().collect();
        let mut words = Vec::new();
        self.index.scan(&chars, |units, number| {
            let span = folded.span(units.clone());
            self.occur(number, &units, &span, None, &mut found);
            self.phrases.gather(number, &units, &mut words);
        });
        for (spelling, units, alignment) in self.phrases.find(folded, words) {
            if let Some(mark) = self.marks.get(spelling.mark) {
                let span = folded.span(units.clone());
                found.push(Occurrence { mark, spelling, units, span, alignment: Some(alignment) });
            }
        }
        let lattice = surface.lattice();
        let mut disguised: Vec<(u32, Range<usize>, Alignment)> = Vec::new();
        let mut keep = |number: u32, tokens: Range<usize>, alignment: Alignment| {
            let same = disguised.iter_mut().find(|(known, at, _)| *known == number && *at == tokens);
            match same {
                Some((_, _, known)) if alignment.bits < known.bits => *known = alignment,
                Some(_) => {}
                None => disguised.push((number, tokens, alignment)),
            }
        };
        // Latin marks alone do not need the text cut into words.
        if !self.watch.is_empty() {
            let everyday = Everyday::new(surface, DISGUISED_BITS, LEAST);
            self.watch.scan(lattice, &everyday, class_bits(classes), |pattern, tokens, alignment| {
                keep(pattern.number, tokens, alignment);
            });
        }
        self.latin.scan(lattice, &mut keep);
        for (number, tokens, alignment) in disguised {
            let (units, span) = (lattice.units(tokens.clone()), lattice.span(tokens));
            self.occur(number, &units, &span, Some(&alignment), &mut found);
        }
        found
    }

    fn occur<'a>(
        &'a self,
        number: u32,
        units: &Range<usize>,
        span: &Span,
        alignment: Option<&Alignment>,
        found: &mut Vec<Occurrence<'a>>,
    ) {
        for spelling in self.postings.get(number as usize).into_iter().flatten() {
            if alignment.is_some() && spelling.via.is_some() {
                continue;
            }
            if let Some(mark) = self.marks.get(spelling.mark) {
                let alignment = alignment.cloned().or_else(|| spelling.alignment(units));
                found.push(Occurrence { mark, spelling, units: units.clone(), span: span.clone(), alignment });
            }
        }
    }
}

/// A bit for each Nice class.
fn class_bits(classes: &[u8]) -> u64 {
    classes.iter().filter(|class| **class < 64).fold(0, |bits, class| bits | 1 << class)
}

/// A registered text as it stands, backwards, and with its words in digits.
fn ways_of(text: &str) -> Vec<(String, Option<Channel>)> {
    let mut ways = vec![(text.to_owned(), None)];
    let folded = crate::text::fold(text);
    let shortest = if folded.chars().any(|c| is_han(c as u32)) { MIN_REVERSED_HAN } else { MIN_REVERSED_LATIN };
    let reversed: String = folded.chars().rev().collect();
    if folded.chars().count() >= shortest && reversed != folded {
        ways.push((reversed, Some(Channel::Reversed)));
    }
    for (digits, word) in looks::spoken_words().iter().filter(|(_, word)| folded.contains(word)) {
        ways.push((folded.replace(word, digits), Some(Channel::Digit)));
    }
    ways
}

impl Spelling {
    /// A spelling of a registry, folded: it has no gaps of its own.
    pub(crate) fn as_registered(folded: &str) -> Self {
        Self { mark: 0, text: folded.to_owned(), alias: false, breaks: Vec::new(), via: None }
    }

    fn new(mark: usize, text: &str, alias: bool, folded: &Folded, via: Option<Channel>) -> Self {
        let breaks = (1..folded.len()).filter(|&unit| !folded.gap_before(unit).is_empty()).collect();
        Self { mark, text: text.to_owned(), alias, breaks, via }
    }

    /// What was done to the registered text, as an alignment.
    fn alignment(&self, units: &Range<usize>) -> Option<Alignment> {
        const BITS: f32 = 5.0;
        let channel = self.via?;
        let after = crate::text::fold(&self.text);
        let before = match channel {
            Channel::Reversed => after.chars().rev().collect(),
            _ => String::new(),
        };
        let pieces = units.clone().map(|unit| unit..unit + 1).collect();
        Some(Alignment { changes: vec![Change { channel, before, after, detail: String::new() }], bits: BITS, pieces })
    }
}

impl Occurrence<'_> {
    /// Whether the words of the spelling stand in another order or apart: the pieces of the alignment are its words.
    pub fn is_reordered(&self) -> bool {
        let mut changes = self.alignment.iter().flat_map(|alignment| &alignment.changes);
        changes.any(|change| change.channel == Channel::Reordered)
    }

    /// What was dropped inside, beside the gaps the spelling has of its own.
    pub fn foreign_gaps(&self, folded: &Folded) -> Gap {
        if self.is_reordered() {
            return Gap::default();
        }
        let Some(alignment) = &self.alignment else {
            return (1..self.units.len())
                .filter(|at| !self.spelling.breaks.contains(at))
                .fold(Gap::default(), |all, at| all.and(folded.gap_before(self.units.start + at)));
        };
        let mut gaps = Gap::default();
        for (at, (before, piece)) in (1..).zip(alignment.pieces.iter().zip(alignment.pieces.iter().skip(1))) {
            if !self.spelling.breaks.contains(&at) && !before.is_empty() && !piece.is_empty() {
                gaps = gaps.and(folded.gap_before(piece.start));
            }
        }
        alignment.pieces.iter().fold(gaps, |all, piece| all.and(folded.inner_gaps(piece.clone())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{marks::import_csv, model::Listing, text::fold_surfaces};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn what_is_found_lies_on_whole_characters(
            text in "\\PC{0,30}|[耐克奈3三只松鼠公女马妈好a-z1!$♥·\u{200b}\u{1f525} ]{0,30}|(n1ke|vorlnue|face ?north|nai.?克|耍克|女.?马){1,4}",
        ) {
            let marks = "text,nice_classes\n耐克,25\n三只松鼠,29\n好妈妈,3\nvorlune,25\nNORTH FACE,25\nnike,25\n";
            let register = Register::new(import_csv("marks.csv", marks).unwrap());
            let listing = Listing { title: text.clone(), ..Listing::default() };
            let surfaces = fold_surfaces(&listing);
            prop_assert_eq!(surfaces.len(), usize::from(!text.is_empty()));
            let found = surfaces.iter().flat_map(|surface| register.find(surface, &[25]).into_iter().map(move |one| (surface, one)));
            for (FoldedSurface { folded, .. }, occurrence) in found {
                let there = text.get(occurrence.span.bytes.clone());
                prop_assert!(there.is_some_and(|there| there.chars().count() == occurrence.span.chars.len()));
                let before = text.get(..occurrence.span.bytes.start).map(|before| before.chars().count());
                prop_assert_eq!(before, Some(occurrence.span.chars.start));
                prop_assert!(occurrence.units.end <= folded.len());
            }
        }
    }
}
