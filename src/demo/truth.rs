//! What is true of the fictional marketplace: for each listing what should be found, how it is written, and why.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::model::{Channel, FindingKind};

/// `fixtures/market/truth.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// What the fields mean, for people.
    pub notes: BTreeMap<String, String>,
    /// Path prefixes that robots.txt forbids, by site.
    pub disallowed: BTreeMap<String, Vec<String>>,
    /// Every listing of the market, by its full id.
    pub listings: BTreeMap<String, ExpectedListing>,
}

/// What should be found on one listing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedListing {
    /// Where it stands: the site's id.
    pub site: String,
    /// Its address there.
    pub path: String,
    /// What should be found, at most one entry a holder or rule family; empty when it is clean.
    pub expect: Vec<Expectation>,
    /// Why, in Chinese.
    pub why: String,
    /// Rule families that are arguable: a finding counts neither way.
    #[serde(default)]
    pub tolerated: Vec<String>,
    /// Whether robots.txt forbids it: then any finding is wrong.
    #[serde(default)]
    pub disallowed: bool,
}

/// One thing that should be found.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Mark or rule.
    pub kind: FindingKind,
    /// The mark's or rule's id.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The holder, or the rule family.
    pub family: String,
    /// How it is written.
    pub channel: Writing,
    /// The surface it stands on.
    pub surface: String,
    /// What a combined writing is made of.
    #[serde(default)]
    pub parts: Vec<Writing>,
}

impl Expectation {
    /// Whether the program says that it undoes this way of writing.
    pub fn claimed(&self) -> bool {
        match self.channel {
            Writing::Combined => self.parts.iter().all(|part| part.claimed(self.kind)),
            one => one.claimed(self.kind),
        }
    }
}

/// How a word is written: plainly, or in a disguise of the marketplace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Writing {
    /// As it is registered, or as the rule has it.
    Plain,
    /// With spaces, dots or other separators inside.
    Separator,
    /// With characters inside that cannot be seen.
    Invisible,
    /// With emoji inside.
    Emoji,
    /// In full-width or other compatibility forms.
    Width,
    /// In traditional characters.
    Traditional,
    /// With letters of another script that look the same.
    Confusable,
    /// With digits for letters.
    Leet,
    /// With one letter too many, too few, wrong, or swapped.
    Edit,
    /// Spelled in pinyin, whole or in one syllable.
    Pinyin,
    /// With a character of the same sound.
    Homophone,
    /// With a character of the same looks.
    LookAlike,
    /// With a character split into its parts.
    Split,
    /// With digits or signs that are read aloud.
    Digit,
    /// Backwards, or its words in another order.
    Order,
    /// In several of these at once.
    Combined,
}

impl Writing {
    /// Whether the program says that it undoes this way of writing: all for marks, for rules what the fold undoes.
    pub fn claimed(self, kind: FindingKind) -> bool {
        kind == FindingKind::Mark
            || matches!(
                self,
                Self::Plain
                    | Self::Separator
                    | Self::Invisible
                    | Self::Emoji
                    | Self::Width
                    | Self::Traditional
                    | Self::Confusable
            )
    }

    /// The writing a finding says it has undone.
    pub fn of(channels: &[Channel]) -> Self {
        let mut writings = channels.iter().map(|channel| match channel {
            Channel::Width => Self::Width,
            Channel::Traditional => Self::Traditional,
            Channel::Invisible => Self::Invisible,
            Channel::Separator => Self::Separator,
            Channel::Emoji => Self::Emoji,
            Channel::Confusable => Self::Confusable,
            Channel::Leet => Self::Leet,
            Channel::Edit => Self::Edit,
            Channel::Pinyin => Self::Pinyin,
            Channel::Homophone => Self::Homophone,
            Channel::LookAlike => Self::LookAlike,
            Channel::Split => Self::Split,
            Channel::Digit => Self::Digit,
            Channel::Reversed | Channel::Vertical | Channel::Reordered => Self::Order,
        });
        match (writings.next(), writings.next()) {
            (None, _) => Self::Plain,
            (Some(one), None) => one,
            (Some(_), Some(_)) => Self::Combined,
        }
    }
}

impl fmt::Display for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
