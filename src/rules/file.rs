//! The form of a rule file, as people write it, with places kept for diagnostics.
//!
//! Main type: [`RuleFile`]. What a value means, and whether the parts fit, `compile` says.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use toml::{Spanned, value::Datetime};

use crate::model::{Severity, SurfaceKind};

/// A text in both languages of the desk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// What sort of claim a rule makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// The wording itself.
    Phrase,
    /// A product term stands there and the proof it requires does not: a question, never an accusation.
    ProductGate,
    /// Who says it, where, with what beside it.
    Context,
}

/// Where a rule stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being written: matches nothing but its own tests.
    Draft,
    /// Counted, never queued.
    Shadow,
    /// Makes findings.
    Active,
    /// Kept for the record.
    Retired,
}

/// A fold step a rule lets its words match through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FoldStep {
    Nfkc,
    Case,
    T2s,
    Sep,
    Emoji,
    Glyph,
    Sound,
    Shape,
    Split,
    Pinyin,
    Digit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    pub format: Spanned<u32>,
    pub id: Spanned<String>,
    pub version: Spanned<u32>,
    pub family: Spanned<String>,
    pub kind: Spanned<RuleKind>,
    pub status: Status,
    pub severity: Severity,
    pub score: Spanned<u32>,
    pub title: Bilingual,
    pub owner: String,
    pub sectors: Vec<Spanned<String>>,
    #[serde(default, rename = "locales")]
    pub _locales: Vec<String>,
    pub basis: Spanned<BasisFile>,
    #[serde(rename = "match")]
    pub matching: Spanned<MatchFile>,
    #[serde(default)]
    pub clause: BTreeMap<Spanned<String>, Spanned<ClauseFile>>,
    #[serde(default)]
    pub except: Vec<Spanned<ExceptFile>>,
    #[serde(default)]
    pub gate: Option<Spanned<GateFile>>,
    pub review: Spanned<ReviewFile>,
    #[serde(default)]
    pub quality: Option<QualityFile>,
    #[serde(default)]
    pub test: Vec<Spanned<TestFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasisFile {
    /// Topics of statutes, or ids of single articles.
    #[serde(default)]
    pub cites: Vec<Spanned<String>>,
    pub note: Bilingual,
}

/// What a gate asks, and what would answer it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GateFile {
    pub question: Spanned<Bilingual>,
    pub answer: Spanned<Bilingual>,
    /// Clauses that look for the answer; the condition asks each with `not`.
    pub answered_by: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MatchFile {
    pub fields: Vec<SurfaceKind>,
    pub fold: Vec<FoldStep>,
    pub condition: Spanned<String>,
    /// Attributes that are labels the law requires, not advertising; `@name` is a list.
    #[serde(default)]
    pub skip_attributes: Vec<Spanned<String>>,
    /// Rules whose finding at the same place counts instead.
    #[serde(default)]
    pub yields_to: Vec<Spanned<String>>,
}

/// How a clause or an exception looks at a surface: exactly one of `words`, `words_from`, `regex`,
/// `near`, `number`, `when`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClauseFile {
    #[serde(default)]
    pub words: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub words_from: Option<Spanned<String>>,
    #[serde(default)]
    pub regex: Option<Spanned<String>>,
    /// One of these words must stand on the surface before the regex is asked.
    #[serde(default)]
    pub atoms: Vec<Spanned<String>>,
    #[serde(default)]
    pub on: RegexText,
    #[serde(default)]
    pub near: Option<NearFile>,
    #[serde(default)]
    pub number: Option<NumberFile>,
    #[serde(default)]
    pub when: Option<Spanned<String>>,
    #[serde(default)]
    pub edges: Edges,
    /// Kinds of surface it looks at; all that the rule reads where none is named.
    #[serde(default)]
    pub fields: Option<Spanned<Vec<SurfaceKind>>>,
    #[serde(default)]
    pub cover: bool,
    #[serde(default)]
    pub min_count: Option<Spanned<usize>>,
    /// True when it matches on any surface of the listing, buyers' and viewers' words left out.
    #[serde(default)]
    pub anywhere: bool,
    /// False for words that count only where they are meant, not where they stand.
    #[serde(default = "yes")]
    pub written: bool,
    /// False for a clause that is only the setting, not the violation.
    #[serde(default = "yes")]
    pub report: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExceptFile {
    pub name: Spanned<String>,
    pub why: Bilingual,
    #[serde(default)]
    pub until: Option<Spanned<Datetime>>,
    #[serde(default)]
    pub words: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub words_from: Option<Spanned<String>>,
    #[serde(default)]
    pub regex: Option<Spanned<String>>,
    #[serde(default)]
    pub atoms: Vec<Spanned<String>>,
    #[serde(default)]
    pub on: RegexText,
    #[serde(default)]
    pub near: Option<NearFile>,
    #[serde(default)]
    pub number: Option<NumberFile>,
    #[serde(default)]
    pub when: Option<Spanned<String>>,
}

/// Two sides that must stand close to each other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NearFile {
    pub a: SideFile,
    pub b: SideFile,
    pub within: Spanned<usize>,
    #[serde(default)]
    pub order: Order,
    #[serde(default)]
    pub stop: Stop,
}

/// A number with a unit beside a word.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberFile {
    /// Words, or `"@list"`.
    pub of: Vec<Spanned<String>>,
    pub unit: Spanned<String>,
    #[serde(default)]
    pub at_least: Option<f64>,
    #[serde(default)]
    pub at_most: Option<f64>,
    pub within: Spanned<usize>,
    #[serde(default)]
    pub order: Order,
}

/// A side of `near`: words, or the name of another clause.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum SideFile {
    Clause(String),
    Words(Vec<String>),
}

/// Which text a regex reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RegexText {
    /// The folded units, joined: no separators, so disguises do not matter.
    #[default]
    Folded,
    /// What the page says, with its punctuation.
    Original,
}

/// Which side of `near` comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Order {
    #[default]
    #[serde(rename = "any")]
    Any,
    #[serde(rename = "a-b")]
    AThenB,
}

/// What a `near` does not reach across.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stop {
    /// The end of a sentence.
    #[default]
    Sentence,
    /// A comma or anything stronger.
    Clause,
    /// A space or anything stronger.
    Phrase,
}

/// Which words need a border on both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Edges {
    /// Words that begin or end with a Latin letter or a digit, on that side.
    #[default]
    Latin,
    /// None.
    None,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewFile {
    pub reason: String,
    /// What to look at; a gate has its question instead.
    #[serde(default)]
    pub guidance: Option<Spanned<Bilingual>>,
    /// Within how long its hits are to be decided, such as `48h` or `2d`.
    #[serde(default)]
    pub sla: Option<Spanned<String>>,
    /// Whether a second person must agree before a confirmed hit counts.
    #[serde(default)]
    pub second_approval: bool,
}

/// What a rule must reach; `monitor` holds it to that.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QualityFile {
    #[serde(default)]
    pub min_precision: Option<f64>,
    #[serde(default)]
    pub max_hits_per_day: Option<u64>,
    #[serde(default)]
    pub min_decisions: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestFile {
    #[serde(default)]
    pub name: String,
    pub listing: Spanned<toml::Table>,
    pub expect: Spanned<Expectation>,
    #[serde(default)]
    pub spans: Option<Vec<String>>,
    #[serde(default)]
    pub on: Option<Spanned<Datetime>>,
    /// What goods of the mark found in it usually cost.
    #[serde(default)]
    pub usual_price: Option<f64>,
}

/// What a test of a rule expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// At least one finding.
    Hit,
    /// None that stands.
    Miss,
    /// A hit that is not reached yet: reported, never a failure.
    TodoHit,
    /// A miss that is not reached yet: reported, never a failure.
    TodoMiss,
}

/// The day of a date as TOML writes it; `None` where there is no such day.
pub(super) fn day(written: &Datetime) -> Option<Date> {
    let date = written.date?;
    Date::new(i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?).ok()
}

fn yes() -> bool {
    true
}
