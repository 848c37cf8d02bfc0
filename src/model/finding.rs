//! A finding: what was found, where, why, and how sure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Moment;

/// What made a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A registered mark.
    Mark,
    /// A rule about wording or missing proof.
    Rule,
}

/// How bad it is if true.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a decision.
    #[default]
    Medium,
    /// Likely harm to a holder or buyer.
    High,
    /// Health, safety or crime.
    Critical,
}

/// A way of writing that hides a word, undone before it was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Full-width and other compatibility forms (Ａ, ①, 𝐀).
    Width,
    /// Traditional or variant characters (雲 for 云).
    Traditional,
    /// Invisible characters inside the word.
    Invisible,
    /// Spaces, dots or other separators inside the word.
    Separator,
    /// Emoji inside the word.
    Emoji,
    /// Letters of another script that look the same (Cyrillic а).
    Confusable,
    /// Digits or signs for letters (n1ke).
    Leet,
    /// One letter too many, too few, wrong or swapped (nkie).
    Edit,
    /// Syllables in Latin letters (nai克).
    Pinyin,
    /// Another character with the same sound (奈克).
    Homophone,
    /// Another character that looks alike (耍克).
    LookAlike,
    /// A character written as its parts (女马 for 妈).
    Split,
    /// Digits or signs that are read aloud (3只松鼠).
    Digit,
    /// Written backwards.
    Reversed,
    /// Written in a column, to be read downwards.
    Vertical,
    /// Its words in another order, or with others between.
    Reordered,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Width,
        Self::Traditional,
        Self::Invisible,
        Self::Separator,
        Self::Emoji,
        Self::Confusable,
        Self::Leet,
        Self::Edit,
        Self::Pinyin,
        Self::Homophone,
        Self::LookAlike,
        Self::Split,
        Self::Digit,
        Self::Reversed,
        Self::Vertical,
        Self::Reordered,
    ];

    /// The way of writing that `name` names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.to_string() == name)
    }

    /// Whether using it inside a word is a sign of hiding, not of typography.
    pub fn is_disguise(self) -> bool {
        !matches!(self, Self::Width | Self::Traditional)
    }

    /// Whether another word stands there, and only may be meant as this one: two words sound alike by chance too.
    pub fn is_guess(self) -> bool {
        matches!(
            self,
            Self::Edit
                | Self::Pinyin
                | Self::Homophone
                | Self::LookAlike
                | Self::Split
                | Self::Digit
                | Self::Reversed
                | Self::Vertical
                | Self::Reordered
        )
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Width => "width",
            Self::Traditional => "traditional",
            Self::Invisible => "invisible",
            Self::Separator => "separator",
            Self::Emoji => "emoji",
            Self::Confusable => "confusable",
            Self::Leet => "leet",
            Self::Edit => "edit",
            Self::Pinyin => "pinyin",
            Self::Homophone => "homophone",
            Self::LookAlike => "look_alike",
            Self::Split => "split",
            Self::Digit => "digit",
            Self::Reversed => "reversed",
            Self::Vertical => "vertical",
            Self::Reordered => "reordered",
        })
    }
}

/// One step of the reasoning: a sentence for a person, its cause for a machine.
///
/// `code` is stable and names a sentence of the locale files; `zh` and `en` are that sentence
/// already filled in, so that files and exports need no locale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Stable name of the step, such as `fold.traditional` or `context.nominative`.
    pub code: String,
    /// What the step changed: the text before, where it changes text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// The text after.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// What the step does to the score: up to 1 it multiplies the chance of a violation, above 1 it divides
    /// the chance of none.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub factor: f64,
    /// The score after the step, where the step changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The step in Chinese.
    pub zh: String,
    /// The step in English.
    pub en: String,
}

fn one() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(factor: &f64) -> bool {
    (factor - 1.0).abs() < f64::EPSILON
}

/// A stretch of a surface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Path of the surface.
    pub surface: String,
    /// First scalar value.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// The original text there.
    pub text: String,
}

/// One place in a listing that a mark or a rule points at.
///
/// `start` and `end` count Unicode scalar values in that surface's original text, so that
/// `text` is what a reader sees there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Mark or rule.
    pub kind: FindingKind,
    /// The mark's or the rule's id.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The rule's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The campaign it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// The holder, or the rule's family: what a hit gathers.
    pub family: String,
    /// Path of the surface, such as `title` or `attributes.品牌`.
    pub surface: String,
    /// First scalar value.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// The original text there.
    pub text: String,
    /// Where the word goes on, when it was said over several captions or sent in several messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continues: Vec<Span>,
    /// In a live room: when it was said or shown, and what was pinned then at which price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment: Option<Moment>,
    /// The mark's or rule's own word that was recognised.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub word: String,
    /// Disguises that were undone.
    pub channels: Vec<Channel>,
    /// Probability-like strength, 0 to 1.
    pub score: f64,
    /// How bad it is if true.
    pub severity: Severity,
    /// The law it rests on, in force on the day.
    pub citation: String,
    /// How it was reached, in order.
    pub explanation: Vec<Step>,
    /// Set where context says not to bother a reviewer; never silently dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<String>,
    /// How its rule wants it to be reviewed.
    #[serde(default, skip_serializing_if = "Handling::is_usual")]
    pub handling: Handling,
}

/// How a rule wants its findings to be reviewed, where the desk's settings are not enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Handling {
    /// Minutes within which a hit is to be decided; it never gives more time than the desk does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sla_minutes: Option<u32>,
    /// Whether a second person must agree before a confirmed hit counts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub second_approval: bool,
}

impl Handling {
    /// Whether it asks for nothing beyond the desk's settings.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// What all of `findings` ask for together: the shortest time, and a second person where one of them wants it.
    pub fn of(findings: &[Finding]) -> Self {
        let all = findings.iter().map(|finding| finding.handling);
        all.fold(Self::default(), |all, one| Self {
            sla_minutes: all.sla_minutes.into_iter().chain(one.sla_minutes).min(),
            second_approval: all.second_approval || one.second_approval,
        })
    }
}

/// A listing's findings: one line of a findings file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// The listing's id.
    pub id: String,
    /// What stands, strongest first.
    pub findings: Vec<Finding>,
    /// What was found and set aside, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<Finding>,
    /// The whole listing's risk, 0 to 1.
    pub risk: f64,
}
