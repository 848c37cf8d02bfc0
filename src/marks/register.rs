//! One generation of marks with its index.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::index::Index;
use crate::{
    model::Mark,
    text::{Folded, Gap},
};

/// Watched marks and where their words begin: built aside, swapped whole.
#[derive(Debug, Default)]
pub struct Register {
    marks: Vec<Mark>,
    index: Index,
    /// By number of the folded spelling: the marks that are spelled so.
    postings: Vec<Vec<Spelling>>,
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
}

impl Register {
    /// Indexes `marks`; those whose spelling folds to nothing or is too long are kept but never found.
    pub fn new(marks: Vec<Mark>) -> Self {
        let mut register = Self { marks, ..Self::default() };
        let mut hasher = Sha256::new();
        for (number, mark) in register.marks.iter().enumerate() {
            hasher.update(serde_json::to_vec(mark).unwrap_or_default());
            hasher.update(b"\n");
            let spellings = std::iter::once((&mark.text, false)).chain(mark.aliases.iter().map(|alias| (alias, true)));
            for (text, alias) in spellings {
                let folded = Folded::new(text);
                let Some(posting) = register.index.add(folded.text()) else { continue };
                let posting = posting as usize;
                if register.postings.len() <= posting {
                    register.postings.resize_with(posting + 1, Vec::new);
                }
                let breaks = (1..folded.len()).filter(|&unit| !folded.gap_before(unit).is_empty()).collect();
                if let Some(list) = register.postings.get_mut(posting)
                    && !list.iter().any(|known| known.mark == number)
                {
                    list.push(Spelling { mark: number, text: text.clone(), alias, breaks });
                }
            }
        }
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

    /// First 64 bits of SHA-256 over the marks, in hex: what a finding was made with.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Every spelling in `folded`, overlapping ones too.
    pub fn find<'a>(&'a self, folded: &Folded) -> Vec<Occurrence<'a>> {
        let chars: Vec<char> = folded.text().chars().collect();
        let mut found = Vec::new();
        self.index.scan(&chars, |units, number| {
            for spelling in self.postings.get(number as usize).into_iter().flatten() {
                if let Some(mark) = self.marks.get(spelling.mark) {
                    found.push(Occurrence { mark, spelling, units: units.clone() });
                }
            }
        });
        found
    }
}

impl Occurrence<'_> {
    /// What was dropped inside, beside the gaps the spelling has of its own.
    pub fn foreign_gaps(&self, folded: &Folded) -> Gap {
        (1..self.units.len())
            .filter(|at| !self.spelling.breaks.contains(at))
            .fold(Gap::default(), |all, at| all.and(folded.gap_before(self.units.start + at)))
    }
}
