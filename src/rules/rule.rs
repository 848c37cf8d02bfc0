//! A compiled rule: what `evaluate` runs and what the commands show.
//!
//! Main type: [`Rule`]. It is made by `compile` and never changes afterwards.

use std::ops::Range;

use jiff::civil::Date;
use regex::Regex;

use crate::model::{Channel, Listing, Severity, SurfaceKind};

use super::{
    category::SectorSet,
    expression::Expression,
    file::{Bilingual, Edges, Expectation, Order, RegexText, RuleKind, Status, Stop},
    guard::Guard,
};

/// One rule, ready to run.
#[derive(Debug)]
pub struct Rule {
    /// Its name, and that of its file without `.toml`.
    pub id: String,
    /// Raised with every change of its logic.
    pub version: u32,
    /// The family a listing's findings are gathered by.
    pub family: String,
    /// What sort of claim it makes.
    pub kind: RuleKind,
    /// Where it stands in its life.
    pub status: Status,
    /// How bad it is if true.
    pub severity: Severity,
    /// 0 to 100: how sure a plain match is.
    pub score: u32,
    /// What people call it.
    pub title: Bilingual,
    /// Who answers for it.
    pub owner: String,
    /// What it rests on, in own words.
    pub note: Bilingual,
    /// The reason code a reviewer is offered.
    pub reason: String,
    /// What a reviewer should look at; a gate's question.
    pub guidance: Bilingual,
    /// The tests inside its file.
    pub tests: Vec<Test>,
    /// Path of its file.
    pub path: String,
    pub(super) laws: Vec<Law>,
    pub(super) sectors: SectorGate,
    pub(super) fields: Vec<SurfaceKind>,
    pub(super) skip_attributes: Vec<String>,
    pub(super) channels: Vec<Channel>,
    pub(super) condition: Expression<usize>,
    pub(super) clauses: Vec<Clause>,
    pub(super) exceptions: Vec<Exception>,
}

impl Rule {
    /// The law it rests on, as in force on `day`.
    pub fn citation(&self, day: Date) -> String {
        let laws: Vec<&str> = self.laws.iter().filter(|law| law.in_force(day)).map(|law| law.text.as_str()).collect();
        laws.join("；")
    }

    /// Names of its exceptions, in file order.
    pub fn exception_names(&self) -> impl Iterator<Item = &str> {
        self.exceptions.iter().map(|exception| exception.name.as_str())
    }

    pub(super) fn reads(&self, kind: SurfaceKind, folded_attribute: Option<&str>) -> bool {
        self.fields.contains(&kind)
            && folded_attribute.is_none_or(|name| !self.skip_attributes.iter().any(|skipped| skipped == name))
    }
}

/// A sentence that a rule must hit or must miss.
#[derive(Debug)]
pub struct Test {
    /// What it shows; may be empty.
    pub name: String,
    /// The listing.
    pub listing: Listing,
    /// Hit or miss.
    pub expect: Expectation,
    /// The texts that must be found, where given.
    pub spans: Option<Vec<String>>,
    /// The day it plays on, where that matters.
    pub on: Option<Date>,
    /// Line in the rule's file, from 1.
    pub line: usize,
}

/// An article a rule rests on.
#[derive(Debug)]
pub(super) struct Law {
    pub text: String,
    pub valid_from: Option<Date>,
    pub valid_to: Option<Date>,
    pub place: Range<usize>,
}

impl Law {
    pub fn in_force(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|first| first <= day) && self.valid_to.is_none_or(|last| day <= last)
    }
}

/// Which sectors a rule looks at: `*`, named ones, and never those after a `!`.
#[derive(Debug, Default)]
pub(super) struct SectorGate {
    pub all: bool,
    pub only: Vec<String>,
    pub never: Vec<String>,
}

/// How a rule's sectors fit a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    Unknown,
    No,
}

impl SectorGate {
    pub fn fit(&self, sectors: &SectorSet) -> Fit {
        if self.never.iter().any(|sector| sectors.has(sector)) {
            Fit::No
        } else if self.all {
            Fit::Yes
        } else if sectors.is_unknown() {
            Fit::Unknown
        } else if self.only.iter().any(|sector| sectors.has(sector)) {
            Fit::Yes
        } else {
            Fit::No
        }
    }
}

/// A named part of a rule's condition.
#[derive(Debug)]
pub(super) struct Clause {
    pub name: String,
    pub look: Look,
    pub edges: Edges,
    pub cover: bool,
    pub min_count: usize,
    pub anywhere: bool,
    /// Whether its matches become findings.
    pub report: bool,
}

/// How a clause looks. The words of `Words`, of `Near`'s sides and a regex's atoms are in the automaton.
#[derive(Debug)]
pub(super) enum Look {
    Words,
    Regex { regex: Regex, on: RegexText },
    Near(Near),
    When(Guard),
}

/// Two sides that must stand close; a side without a clause has its words in the automaton.
#[derive(Debug)]
pub(super) struct Near {
    pub a: Option<usize>,
    pub b: Option<usize>,
    pub within: usize,
    pub order: Order,
    pub stop: Stop,
}

impl Near {
    pub fn refers(&self) -> bool {
        self.a.is_some() || self.b.is_some()
    }
}

/// A named reason why a match does not stand.
#[derive(Debug)]
pub(super) struct Exception {
    pub name: String,
    pub why: Bilingual,
    pub until: Option<Date>,
    /// The covering clause that looks for it; a `When` clause covers the whole listing.
    pub clause: usize,
    pub place: Range<usize>,
}

impl Exception {
    pub fn applies(&self, day: Date) -> bool {
        self.until.is_none_or(|last| day <= last)
    }
}
