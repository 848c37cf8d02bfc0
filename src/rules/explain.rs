//! Says why a rule hits a listing and why it does not: the clause that failed, the exception that covered, the
//! surface that is not read, the sector that does not fit.
//!
//! Main type: [`Explanation`], in both languages of the desk.

use std::fmt::Display;

use jiff::civil::Date;
use serde::Serialize;

use crate::{
    model::Listing,
    text::{FoldedSurface, fold_surfaces},
};

use super::{
    evaluate::{self, Facts, Hit, Match},
    expression::Expression,
    file::{Bilingual, Order, Status},
    guard::{self, Given},
    reading::Work,
    rule::{Clause, Fit, Look, Near, Rule, Sector},
    set::RuleSet,
};

/// What a rule makes of a listing, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Whether something stands that the rule would show.
    pub hits: bool,
    /// What was looked at and what came of it, in order.
    pub lines: Vec<Bilingual>,
}

impl RuleSet {
    /// What `rule` makes of `listing` on `day`, for a person.
    pub fn explain(&self, rule: &Rule, listing: &Listing, on: impl Into<Given>) -> Explanation {
        let given = on.into();
        let sectors = self.sectors_of(listing);
        let mut lines = Vec::new();
        if rule.sectors.fit(&sectors) == Fit::No {
            let names = |sectors: &[Sector], join: &str| {
                sectors.iter().map(|sector| sector.name.as_str()).collect::<Vec<_>>().join(join)
            };
            lines.push(line(
                format!(
                    "商品行业（{sectors}）不在本规则范围内：只看 {}，不看 {}",
                    names(&rule.sectors.only, "、"),
                    names(&rule.sectors.never, "、")
                ),
                format!(
                    "the listing's sector ({sectors}) is not one the rule looks at: only [{}], never [{}]",
                    names(&rule.sectors.only, ", "),
                    names(&rule.sectors.never, ", ")
                ),
            ));
        }
        let surfaces = fold_surfaces(listing);
        lines.extend(unread(rule, &surfaces));
        let (mut hits, mut seen) = (false, false);
        self.each(listing, &surfaces, given, rule, |work| {
            seen = true;
            hits |= work.outcome.holds && work.outcome.set_aside.is_none() && reported(&work);
            lines.extend(of_surface(&work));
        });
        if !seen && rule.sectors.fit(&sectors) != Fit::No {
            lines.push(line("本规则所看之处没有它的任何字词", "no word of the rule stands on a surface it reads"));
        }
        if hits && !rule.yields_to.is_empty() {
            let found = self.findings_of(listing, &surfaces, given, |other| other.id == rule.id);
            hits = found.iter().any(|finding| finding.suppressed.is_none());
            lines.extend(found.iter().flat_map(|finding| {
                let steps = finding.explanation.iter().filter(|step| step.code == "rule.yields");
                steps.map(|step| {
                    let (path, text) = (&finding.surface, &finding.text);
                    line(format!("{path}：“{text}” {}", step.zh), format!("{path}: “{text}” {}", step.en))
                })
            }));
        }
        lines.extend(law(rule, given.day, hits));
        Explanation { hits, lines }
    }
}

fn line(zh: impl Into<String>, en: impl Into<String>) -> Bilingual {
    Bilingual { zh: zh.into(), en: en.into() }
}

fn reported(work: &Work<'_>) -> bool {
    work.rule.clauses.iter().zip(&work.outcome.matches).any(|(clause, found)| clause.report && !found.is_empty())
}

/// The surfaces that hold a text and that the rule does not read.
fn unread(rule: &Rule, surfaces: &[FoldedSurface<'_>]) -> Option<Bilingual> {
    let unread: Vec<&str> = surfaces
        .iter()
        .filter(|surface| {
            let attribute = surface.surface.path.strip_prefix("attributes.").map(crate::text::fold);
            !rule.reads(surface.surface.kind, attribute.as_deref())
        })
        .map(|surface| surface.surface.path.as_str())
        .collect();
    (!unread.is_empty()).then(|| {
        line(format!("本规则不看：{}", unread.join("、")), format!("not read by this rule: {}", unread.join(", ")))
    })
}

fn of_surface(work: &Work<'_>) -> Vec<Bilingual> {
    let Work { rule, surface, fit, outcome, .. } = work;
    let path = &surface.surface.path;
    let mut lines = Vec::new();
    for (index, clause) in rule.clauses.iter().enumerate() {
        let found = outcome.matches.get(index).map(Vec::as_slice).unwrap_or_default();
        if clause.name.starts_with("except ") && found.is_empty() {
            continue;
        }
        let answer = if found.is_empty() { silence(work, index, clause) } else { quotes(surface, found) };
        lines.push(line(
            format!("{path}：{} → {}", clause.name, answer.zh),
            format!("{path}: {} → {}", clause.name, answer.en),
        ));
    }
    for (_, one, exception) in &outcome.excepted {
        let Some(exception) = rule.exceptions.get(*exception) else { continue };
        let quoted = quoted(surface, one);
        lines.push(line(
            format!("{path}：{quoted} 由例外 {} 排除：{}", exception.name, exception.why.zh),
            format!("{path}: {quoted} set aside by {}: {}", exception.name, exception.why.en),
        ));
    }
    if let Some(exception) = outcome.set_aside.and_then(|index| rule.exceptions.get(index)) {
        lines.push(line(
            format!("{path}：全部由例外 {} 排除：{}", exception.name, exception.why.zh),
            format!("{path}: everything set aside by {}: {}", exception.name, exception.why.en),
        ));
    }
    if *fit == Fit::Unknown {
        lines.push(line(
            format!("{path}：行业不明，分数降低"),
            format!("{path}: the sector is unknown, so the score is lower"),
        ));
    }
    lines.push(verdict(work));
    lines
}

fn quotes(surface: &FoldedSurface<'_>, found: &[Match]) -> Bilingual {
    let texts: Vec<String> = found.iter().map(|one| quoted(surface, one)).collect();
    line(texts.join("、"), texts.join(", "))
}

fn quoted(surface: &FoldedSurface<'_>, one: &Match) -> String {
    let span = surface.folded.span(one.units.clone());
    format!("“{}”", surface.surface.text.get(span.bytes).unwrap_or(""))
}

/// Why a clause has no match on a surface, or what it says where it looks at no text.
fn silence(work: &Work<'_>, index: usize, clause: &Clause) -> Bilingual {
    let answers = evaluate::answer(work.rule, &work.outcome.matches, work.facts, index);
    if let Look::When(guard) = &clause.look {
        let Facts { listing, sectors, given, .. } = work.facts;
        let facts = guard::facts(guard, listing, sectors, given);
        let (zh, en) = if facts.is_empty() {
            (String::new(), String::new())
        } else {
            (format!("（{}）", facts.join("，")), format!(" ({})", facts.join(", ")))
        };
        return if answers {
            line(format!("是{zh}"), format!("yes{en}"))
        } else {
            line(format!("否{zh}"), format!("no{en}"))
        };
    }
    if !clause.reads(work.surface.surface.kind) {
        return line("无（此条款不看这里）", "nothing (the clause does not look here)");
    }
    if clause.anywhere && answers {
        return line("商品的另一处有", "stands elsewhere in the listing");
    }
    let excepted = work.outcome.excepted.iter().any(|(other, _, _)| *other == index);
    if excepted {
        return line("无（均被例外排除）", "nothing (all set aside)");
    }
    let hits: Vec<&Hit> = work.hits.iter().filter(|hit| hit.clause == index).collect();
    let reasons: Vec<Bilingual> = hits.iter().filter_map(|hit| refused(work, clause, hit)).take(3).collect();
    let why = match &clause.look {
        _ if !reasons.is_empty() => joined(&reasons),
        Look::Near(near) => apart(work, near, &hits),
        Look::Number(_) if !hits.is_empty() => {
            line("字词在，但近旁没有符合的数字", "its words stand here, no number that fits is beside them")
        }
        Look::Regex { .. } if !hits.is_empty() => {
            line("字词在，但正则不符", "its words stand here, the regex does not confirm")
        }
        _ => return line("无", "nothing"),
    };
    line(format!("无（{}）", why.zh), format!("nothing ({})", why.en))
}

fn joined(reasons: &[Bilingual]) -> Bilingual {
    let zh: Vec<&str> = reasons.iter().map(|reason| reason.zh.as_str()).collect();
    let en: Vec<&str> = reasons.iter().map(|reason| reason.en.as_str()).collect();
    line(zh.join("；"), en.join("; "))
}

/// Why a word that stands there is not taken for the clause's.
fn refused(work: &Work<'_>, clause: &Clause, hit: &Hit) -> Option<Bilingual> {
    let Work { rule, surface, .. } = work;
    let text = format!("“{}”", surface.surface.text.get(surface.folded.span(hit.units.clone()).bytes).unwrap_or(""));
    let all: Vec<&Hit> = work.hits.iter().collect();
    let cover = rule.clauses.iter().enumerate().find(|(index, other)| {
        let exception = rule.exceptions.iter().any(|exception| exception.clause == *index);
        let over = |one: &Match| one.units.start <= hit.units.start && hit.units.end <= one.units.end;
        other.cover && !exception && !clause.cover && evaluate::direct(rule, *index, surface, &all).iter().any(over)
    });
    if let Some((_, cover)) = cover {
        return Some(line(format!("{text} 属于 {}", cover.name), format!("{text} is part of {}", cover.name)));
    }
    if matches!(clause.look, Look::Regex { .. }) {
        return None;
    }
    if clause.edges != super::file::Edges::None && !evaluate::has_edges(surface, &hit.units) {
        return Some(line(format!("{text} 是更长字母词的一部分"), format!("{text} is part of a longer Latin word")));
    }
    if !evaluate::joins(surface, &hit.units) {
        return Some(line(format!("{text} 中间被标点或空格断开"), format!("{text} is parted by punctuation or space")));
    }
    if !evaluate::lets_through(rule, surface, &hit.units) {
        let help = "has a disguise that the rule's fold does not undo";
        return Some(line(format!("{text} 的伪装不在本规则 fold 之内"), format!("{text} {help}")));
    }
    None
}

/// Which side of a near is missing, or that both stand too far apart.
fn apart(work: &Work<'_>, near: &Near, hits: &[&Hit]) -> Bilingual {
    let stands = |reference: Option<usize>, side: u8| match reference {
        Some(other) => work.outcome.matches.get(other).is_some_and(|found| !found.is_empty()),
        None => hits.iter().any(|hit| hit.side == side),
    };
    let order = if near.order == Order::AThenB { ("，且 a 在前", ", a before b") } else { ("", "") };
    match (stands(near.a, 0), stands(near.b, 1)) {
        (false, false) => line("a、b 两侧都没有", "neither side stands here"),
        (false, true) => line("缺 a 侧", "side a is missing"),
        (true, false) => line("缺 b 侧", "side b is missing"),
        (true, true) => line(
            format!("两侧都在，但不在 {} 字以内、同一句段{}", near.within, order.0),
            format!("both sides stand, but not within {} characters of one passage{}", near.within, order.1),
        ),
    }
}

/// Whether the condition holds, and by which clauses.
fn verdict(work: &Work<'_>) -> Bilingual {
    let Work { rule, surface, outcome, .. } = work;
    let path = &surface.surface.path;
    let answer = |index: usize| evaluate::answer(rule, &outcome.matches, work.facts, index);
    let mut causes: Vec<(usize, bool)> = Vec::new();
    decided_by(&rule.condition, &answer, &mut causes);
    causes.dedup();
    let names = |yes: &dyn Display, no: &dyn Display, join: &str| {
        let name = |index: usize| rule.clauses.get(index).map_or("", |clause| clause.name.as_str());
        let parts: Vec<String> = causes
            .iter()
            .map(|(index, answers)| {
                let said: &dyn Display = if *answers { yes } else { no };
                format!("{} {said}", name(*index))
            })
            .collect();
        parts.join(join)
    };
    let (zh, en) = (names(&"成立", &"不成立", "，"), names(&"holds", &"fails", ", "));
    if outcome.holds {
        line(format!("{path}：条件成立（{zh}）"), format!("{path}: the condition holds ({en})"))
    } else {
        line(format!("{path}：条件不成立（{zh}）"), format!("{path}: the condition does not hold ({en})"))
    }
}

/// The leaves that make an expression what it is, and what each answers.
fn decided_by(expression: &Expression<usize>, answer: &dyn Fn(usize) -> bool, causes: &mut Vec<(usize, bool)>) {
    let holds = |part: &Expression<usize>| part.holds(&mut |index| answer(*index));
    match expression {
        Expression::Leaf(index) => causes.push((*index, answer(*index))),
        Expression::Not(inner) => decided_by(inner, answer, causes),
        Expression::All(parts) | Expression::Any(parts) => {
            let whole = holds(expression);
            // Where all must hold and do, or any might and none does, every part has its share.
            let shared = matches!(expression, Expression::All(_)) == whole;
            for part in parts.iter().filter(|part| shared || holds(part) == whole) {
                decided_by(part, answer, causes);
            }
        }
    }
}

/// What a hit would rest on, and why it might not be queued.
fn law(rule: &Rule, day: Date, hits: bool) -> Vec<Bilingual> {
    let mut lines = Vec::new();
    if !hits {
        return lines;
    }
    for article in rule.articles(day) {
        let caution = article.verified.caution().map(|caution| format!(" ({})", caution.en)).unwrap_or_default();
        let place = article.citation();
        lines.push(line(
            format!("依据：{place}：{}", article.summary.zh),
            format!("rests on: {place}, {}: {}{caution}", article.statute.name.en, article.summary.en),
        ));
    }
    let status = match rule.status {
        Status::Active => return lines,
        Status::Draft => ("草稿", "a draft: it finds nothing outside its own tests"),
        Status::Shadow => ("影子规则，只计数，不进队列", "in shadow: counted, never queued"),
        Status::Retired => ("已停用", "retired: it finds nothing"),
    };
    lines.push(line(format!("本规则为{}", status.0), format!("the rule is {}", status.1)));
    lines
}
