//! A compiled rule: what `evaluate` runs and what the commands show.
//!
//! Main type: [`Rule`]. It is made by `compile` and never changes afterwards.

use std::{ops::Range, sync::Arc};

use jiff::civil::Date;
use regex::Regex;

use crate::model::{Channel, Handling, Listing, Severity, SurfaceKind};

use super::{
    category::SectorSet,
    deep,
    expression::Expression,
    file::{Bilingual, Edges, Expectation, GateFile, Order, RegexText, RuleKind, Status, Stop},
    guard::{self, Guard},
    life::Quality,
    number::Number,
    statutes::{self, Article},
    words::Words,
};

/// One rule, ready to run.
#[derive(Debug, Clone)]
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
    /// What a reviewer should look at; empty for a gate, which has its question.
    pub guidance: Bilingual,
    /// The tests inside its file.
    pub tests: Vec<Test>,
    /// Path of its file.
    pub path: String,
    /// What a gate asks; only a gate has one.
    pub gate: Option<Gate>,
    /// What reviewers must find it to be.
    pub quality: Quality,
    /// How its hits are to be reviewed.
    pub handling: Handling,
    pub(super) cites: Vec<Cite>,
    pub(super) sectors: SectorGate,
    pub(super) fields: Vec<SurfaceKind>,
    pub(super) skip_attributes: Vec<String>,
    pub(super) yields_to: Vec<Yield>,
    pub(super) channels: Vec<Channel>,
    pub(super) condition: Expression<usize>,
    pub(super) clauses: Vec<Clause>,
    pub(super) exceptions: Vec<Exception>,
}

impl Rule {
    /// The articles it rests on that are in force on `day`, as they are cited.
    pub fn citation(&self, day: Date) -> String {
        statutes::citation(self.articles(day))
    }

    /// The articles it rests on that are in force on `day`.
    pub fn articles(&self, day: Date) -> impl Iterator<Item = &Article> {
        self.cites.iter().filter_map(move |cite| cite.on(day))
    }

    /// The topics and articles it cites, as its file names them.
    pub fn cites(&self) -> impl Iterator<Item = &str> {
        self.cites.iter().map(|cite| cite.name.as_str())
    }

    /// Whether it cites `article`, by its topic or by its id.
    pub fn rests_on(&self, article: &Article) -> bool {
        self.cites.iter().flat_map(|cite| &cite.articles).any(|cited| cited.id == article.id)
    }

    /// Names of its exceptions, in file order.
    pub fn exception_names(&self) -> impl Iterator<Item = &str> {
        self.exceptions.iter().map(|exception| exception.name.as_str())
    }

    /// Whether a finding of this rule gives way to one of `other` at the same place: what is queued never to what is not.
    pub(super) fn gives_way_to(&self, other: &Self) -> bool {
        let counts = other.status == Status::Active || other.status == self.status;
        counts && self.yields_to.iter().any(|one| one.to == other.id)
    }

    /// Whether it asks what goods of a mark usually cost.
    pub fn asks_usual_price(&self) -> bool {
        let asks = |clause: &Clause| matches!(&clause.look, Look::When(guard) if guard::asks_usual_price(guard));
        self.clauses.iter().any(asks)
    }

    /// Whether its words are looked for deeper than the fold undoes.
    pub(super) fn looks_deep(&self) -> bool {
        self.channels.iter().any(|channel| deep::CHANNELS.contains(channel))
    }

    pub(super) fn reads(&self, kind: SurfaceKind, folded_attribute: Option<&str>) -> bool {
        self.fields.contains(&kind)
            && folded_attribute.is_none_or(|name| !self.skip_attributes.iter().any(|skipped| skipped == name))
    }
}

/// A sentence that a rule must hit or must miss.
#[derive(Debug, Clone)]
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
    /// What goods of the mark usually cost, in yuan, where that matters.
    pub usual_price: Option<f64>,
    /// Line in the rule's file, from 1.
    pub line: usize,
    /// Where its expectation stands in the file.
    pub(super) place: Range<usize>,
}

/// What a rule cites: a topic with the articles that had or have its place, or one article.
#[derive(Debug, Clone)]
pub(super) struct Cite {
    pub name: String,
    /// The earliest first.
    pub articles: Vec<Arc<Article>>,
    pub place: Range<usize>,
}

impl Cite {
    pub fn on(&self, day: Date) -> Option<&Article> {
        self.articles.iter().find(|article| article.in_force(day)).map(AsRef::as_ref)
    }
}

/// A rule that wins over another where both find something at one place.
#[derive(Debug, Clone)]
pub(super) struct Yield {
    pub to: String,
    pub place: Range<usize>,
}

/// What a gate asks the reviewer, and what would answer it.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The question; never an accusation.
    pub question: Bilingual,
    /// What would answer it: a number, a certificate, a label.
    pub answer: Bilingual,
}

impl From<&GateFile> for Gate {
    fn from(file: &GateFile) -> Self {
        Self { question: file.question.as_ref().clone(), answer: file.answer.as_ref().clone() }
    }
}

/// Which sectors a rule looks at: `*`, named ones, and never those after a `!`.
#[derive(Debug, Clone, Default)]
pub(super) struct SectorGate {
    pub all: bool,
    pub only: Vec<Sector>,
    pub never: Vec<Sector>,
}

/// A sector by its name, and its number among those of the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sector {
    pub name: String,
    pub number: usize,
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
        if self.never.iter().any(|sector| sectors.has_number(sector.number)) {
            Fit::No
        } else if self.all {
            Fit::Yes
        } else if sectors.is_unknown() {
            Fit::Unknown
        } else if self.only.iter().any(|sector| sectors.has_number(sector.number)) {
            Fit::Yes
        } else {
            Fit::No
        }
    }
}

/// A named part of a rule's condition.
#[derive(Debug, Clone)]
pub(super) struct Clause {
    pub name: String,
    pub look: Look,
    /// What it looks for: words, a regex's atoms, or those of a near's sides.
    pub words: Sides,
    /// The only kinds of surface it looks at, where some are named.
    pub fields: Vec<SurfaceKind>,
    pub edges: Edges,
    pub cover: bool,
    pub min_count: usize,
    pub anywhere: bool,
    /// False where words count only that are meant, not those that stand there.
    pub written: bool,
    /// Whether its matches become findings.
    pub report: bool,
}

impl Clause {
    /// Whether it looks at surfaces of `kind`, when its rule reads them.
    pub fn reads(&self, kind: SurfaceKind) -> bool {
        self.fields.is_empty() || self.fields.contains(&kind)
    }
}

/// The words of a clause, by side; only a near has a second one.
pub(super) type Sides = [Vec<Arc<Words>>; 2];

/// How a clause looks; its words stand beside.
#[derive(Debug, Clone)]
pub(super) enum Look {
    Words,
    Regex {
        regex: Regex,
        on: RegexText,
    },
    Near(Near),
    /// A number beside a word of the first side.
    Number(Number),
    When(Guard),
}

/// Two sides that must stand close; a side without a clause has words of its own.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone)]
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
