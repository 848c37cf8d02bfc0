//! From a rule's outcome on a surface to the places where it found something, and from these to findings with their reasons.
//!
//! A match that an exception covers is such a place too, set aside with the exception's reason.

use std::ops::Range;

use jiff::civil::Date;

use crate::{
    model::{Channel, Finding, FindingKind, Step},
    text::{FoldedSurface, undone},
};

use super::{
    deep::{Deep, Seen},
    evaluate::{Match, Outcome, channels},
    file::Bilingual,
    limits::MAX_MATCHES,
    plan::Plans,
    rule::{Exception, Fit, Rule},
    statutes::{Article, Verified},
};

/// How much of the doubt is left when a word was hidden: nobody hides an innocent word.
const DOUBT_AFTER_DISGUISE: f64 = 0.6;
/// What a sector rule is worth where the sector is unknown.
const UNKNOWN_SECTOR: f64 = 0.8;

/// What one rule found on one surface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub rule: &'a Rule,
    pub surface: &'a FoldedSurface<'a>,
    pub plans: &'a Plans,
    /// What is only meant here.
    pub deep: (&'a Deep, &'a [Seen]),
    pub fit: Fit,
    pub day: Date,
}

/// A place where a rule found something: data, not yet words.
#[derive(Debug)]
pub(super) struct Spot {
    /// The rule's number.
    pub rule: u32,
    /// The surface's.
    pub surface: u32,
    pub clause: u32,
    pub one: Match,
    pub aside: Aside,
}

/// What sets a place aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    No,
    /// The rule's exception with this number.
    Exception(u32),
    /// The rule with this number, which counts instead.
    YieldsTo(u32),
}

impl Spot {
    /// Adds what `outcome` comes to, for the rule and on the surface with these numbers: what stands, then what is set aside.
    pub fn add((number, surface): (u32, usize), rule: &Rule, outcome: Outcome, spots: &mut Vec<Self>) {
        let reports = |clause: usize| rule.clauses.get(clause).is_some_and(|clause| clause.report);
        let spot = |(one, (clause, aside)): (Match, (usize, Aside))| Self {
            rule: number,
            surface: surface as u32,
            clause: clause as u32,
            one,
            aside,
        };
        let first = spots.len();
        if outcome.holds {
            let aside = outcome.set_aside.map_or(Aside::No, |index| Aside::Exception(index as u32));
            let standing = outcome.matches.into_iter().enumerate().filter(|(clause, _)| reports(*clause));
            let standing =
                standing.flat_map(|(clause, found)| found.into_iter().map(move |one| (one, (clause, aside))));
            spots.extend(longest(standing.collect()).into_iter().map(spot));
        }
        if outcome.would_hold {
            let excepted = outcome.excepted.into_iter().filter(|(clause, _, _)| reports(*clause));
            let excepted = excepted.map(|(clause, one, index)| (one, (clause, Aside::Exception(index as u32))));
            for covered in longest(excepted.collect()) {
                let standing = spots.get(first..).unwrap_or_default();
                // What is set aside does not overlap itself.
                if !standing.iter().any(|other| overlap(&other.one.units, &covered.0.units)) {
                    spots.push(spot(covered));
                }
            }
        }
    }
}

impl<'a> Place<'a> {
    /// What was found at `spot`; `named` gives the name of the rule with a number.
    pub fn finding<'b>(self, spot: &Spot, named: impl Fn(u32) -> &'b str) -> Finding {
        let (clause, one) = (spot.clause as usize, &spot.one);
        match spot.aside {
            Aside::No => self.worded(clause, one, None),
            Aside::Exception(index) => self.worded(clause, one, self.rule.exceptions.get(index as usize)),
            Aside::YieldsTo(winner) => {
                let mut finding = self.worded(clause, one, None);
                set_aside(&mut finding, named(winner));
                finding
            }
        }
    }

    fn worded(self, clause: usize, one: &Match, exception: Option<&Exception>) -> Finding {
        let rule = self.rule;
        let original = self.surface.surface.text;
        let span = self.surface.folded.span(one.units.clone());
        let text = original.get(span.bytes).unwrap_or("").to_owned();
        let meant: Vec<&Seen> = self.meant(one).collect();
        let mut channels = channels(self.surface, one);
        channels.extend(meant.iter().flat_map(|seen| &seen.alignment.changes).map(|change| change.channel));
        channels.sort_unstable();
        channels.dedup();
        // A regex is made to reach over spaces; only inside a word are they a disguise.
        let spaced = one.words.is_empty();
        let hidden =
            channels.iter().any(|&channel| channel.is_disguise() && !(spaced && channel == Channel::Separator));
        let mut explanation = Vec::new();
        for part in &one.parts {
            explanation.extend(self.surface.folded.steps(original, part.clone()));
        }
        let changes = meant.iter().flat_map(|seen| &seen.alignment.changes);
        explanation.extend(changes.map(|change| undone(change.channel, &change.before, &change.after, &change.detail)));
        let word = self.word(one);
        let mut score = f64::from(rule.score) / 100.0;
        explanation.push(scored(self.clause_step(clause, &text, &word), score));
        for seen in &meant {
            score *= seen.chance;
            explanation.push(scored(meant_step(seen.chance), score));
        }
        // That a word is meant is a guess; that it is hidden says nothing more.
        if hidden && meant.is_empty() {
            score = 1.0 - (1.0 - score) * DOUBT_AFTER_DISGUISE;
            explanation.push(scored(disguise_step(), score));
        }
        if self.fit == Fit::Unknown {
            score *= UNKNOWN_SECTOR;
            explanation.push(scored(sector_step(), score));
        }
        explanation.extend(self.exception_steps(exception));
        explanation.push(self.guidance_step());
        explanation.extend(self.law_step());
        Finding {
            kind: FindingKind::Rule,
            reference: rule.id.clone(),
            family: rule.family.clone(),
            surface: self.surface.surface.path.clone(),
            start: span.chars.start,
            end: span.chars.end,
            text,
            version: Some(rule.version),
            campaign: None,
            continues: Vec::new(),
            moment: None,
            word,
            channels,
            score,
            severity: rule.severity,
            citation: rule.citation(self.day),
            explanation,
            suppressed: exception
                .map(|exception| format!("{}: {} / {}", exception.name, exception.why.zh, exception.why.en)),
            handling: rule.handling,
        }
    }

    /// The words of a match that do not stand there.
    fn meant<'b>(self, one: &'b Match) -> impl Iterator<Item = &'a Seen> + use<'a, 'b> {
        let (deep, seen) = self.deep;
        one.parts.iter().zip(&one.words).filter_map(move |(units, word)| deep.at(seen, *word, units))
    }

    /// The rule's own words, or what the regex saw.
    fn word(self, one: &Match) -> String {
        if one.words.is_empty() {
            return one.units.clone().filter_map(|unit| self.surface.folded.char_at(unit)).collect();
        }
        let words: Vec<&str> = one.words.iter().map(|&word| self.plans.written(word)).collect();
        words.join(" … ")
    }

    fn clause_step(self, clause: usize, text: &str, word: &str) -> Step {
        let name = self.rule.clauses.get(clause).map_or("", |clause| clause.name.as_str());
        let title = &self.rule.title;
        step(
            "rule.clause",
            (text, word),
            format!("规则“{}”的条款 {name} 命中：{word}", title.zh),
            format!("clause {name} of the rule “{}” matches: {word}", title.en),
        )
    }

    fn exception_steps(self, applied: Option<&Exception>) -> Option<Step> {
        if let Some(exception) = applied {
            let mut step = step(
                "rule.exception",
                ("", ""),
                format!("例外 {} 适用：{}", exception.name, exception.why.zh),
                format!("the exception {} applies: {}", exception.name, exception.why.en),
            );
            step.factor = 0.0;
            return Some(step);
        }
        let count = self.rule.exception_names().count();
        (count > 0).then(|| {
            step(
                "rule.exceptions-considered",
                ("", ""),
                format!("已核对 {count} 项例外，均不适用"),
                format!("{count} exceptions were considered, none applies"),
            )
        })
    }

    /// What the reviewer should look at; a gate's question with what would answer it.
    fn guidance_step(self) -> Step {
        let Bilingual { zh, en } = &self.rule.guidance;
        let Some(gate) = &self.rule.gate else { return step("rule.guidance", ("", ""), zh.clone(), en.clone()) };
        step(
            "rule.question",
            ("", ""),
            format!("{}可由此回答：{}", gate.question.zh, gate.answer.zh),
            format!("{} What would answer it: {}", gate.question.en, gate.answer.en),
        )
    }

    /// Says which of the articles were not read, so that nobody relies on them unread.
    fn law_step(self) -> Option<Step> {
        let unread: Vec<&Article> =
            self.rule.articles(self.day).filter(|article| article.verified != Verified::Text).collect();
        let places: Vec<String> = unread.iter().map(|article| article.citation()).collect();
        (!unread.is_empty()).then(|| {
            let places = places.join("；");
            step(
                "rule.law-unread",
                ("", ""),
                format!("引用前须核对原文：{places}"),
                format!("read the text before you cite: {places}"),
            )
        })
    }
}

/// Sets `finding` aside for that of the rule `winner` at the same place.
fn set_aside(finding: &mut Finding, winner: &str) {
    let (zh, en) =
        (format!("让位于规则 {winner} 在同一处的命中"), format!("gives way to what {winner} finds at the same place"));
    finding.suppressed = Some(format!("yields-to: {zh} / {en}"));
    let mut given_way = step("rule.yields", ("", winner), zh, en);
    given_way.factor = 0.0;
    finding.explanation.push(given_way);
}

fn step(code: &str, (before, after): (&str, &str), zh: String, en: String) -> Step {
    Step { code: code.to_owned(), before: before.to_owned(), after: after.to_owned(), factor: 1.0, score: None, zh, en }
}

/// `step` with the score after it.
fn scored(mut step: Step, score: f64) -> Step {
    step.score = Some((score * 1000.0).round() / 1000.0);
    step
}

fn disguise_step() -> Step {
    let mut step = step(
        "rule.disguise",
        ("", ""),
        "字词经过伪装：正常行文不会这样写".to_owned(),
        "the word was hidden: nobody writes an innocent word this way".to_owned(),
    );
    step.factor = 1.0 / DOUBT_AFTER_DISGUISE;
    step
}

fn meant_step(chance: f64) -> Step {
    let mut step = step(
        "rule.meant",
        ("", ""),
        "该处并未写出规则的字词，只是可能指它".to_owned(),
        "the rule's word does not stand there, it may be meant".to_owned(),
    );
    step.factor = (chance * 1000.0).round() / 1000.0;
    step
}

fn sector_step() -> Step {
    let mut step = step(
        "rule.sector-unknown",
        ("", ""),
        "商品类目不明，而本规则只针对特定行业".to_owned(),
        "the sector is unknown, and the rule is for certain sectors".to_owned(),
    );
    step.factor = UNKNOWN_SECTOR;
    step
}

/// The longest of overlapping matches, in reading order.
fn longest<T>(mut matches: Vec<(Match, T)>) -> Vec<(Match, T)> {
    if matches.len() > 1 {
        matches.sort_by_key(|(one, _)| (usize::MAX - one.units.len(), one.units.start));
        matches.truncate(MAX_MATCHES);
        let mut kept: Vec<(Match, T)> = Vec::with_capacity(matches.len());
        for (one, what) in matches {
            if !kept.iter().any(|(other, _)| overlap(&other.units, &one.units)) {
                kept.push((one, what));
            }
        }
        kept.sort_by_key(|(one, _)| one.units.start);
        return kept;
    }
    matches
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}
