//! What each kind of rule must say: a gate asks and names its answer, a context has something beside the wording.

use std::ops::Range;

use crate::{
    model::{Diagnostic, Fix},
    rules::{
        RuleSource,
        expression::{Expression, Token},
        file::{Bilingual, RuleFile, RuleKind},
    },
};

/// Words by which a question would accuse, and how they are meant.
const ACCUSING: [&str; 12] =
    ["违法", "违规", "侵权", "假冒", "假货", "伪造", "欺诈", "illegal", "unlawful", "infring", "counterfeit", "fraud"];

/// Mistakes between a rule's kind and what it has.
pub(super) fn all(file: &RuleFile, source: &RuleSource) -> Vec<Diagnostic> {
    let lint = Lint { file, source };
    match *file.kind.as_ref() {
        RuleKind::ProductGate => lint.gate(),
        kind => lint.others(kind),
    }
}

struct Lint<'a> {
    file: &'a RuleFile,
    source: &'a RuleSource,
}

impl Lint<'_> {
    fn at(&self, span: Range<usize>, code: &'static str, message: impl Into<String>, help: &str) -> Diagnostic {
        Diagnostic::error(&self.source.path, &self.source.text, span, code, message, help)
    }

    fn gate(&self) -> Vec<Diagnostic> {
        let Some(gate) = &self.file.gate else {
            let message = "a gate says what it asks the reviewer and what would answer it";
            let help = "add [gate] with question and answer (zh, en) and answered_by = [\"clause\"]";
            return vec![self.at(self.file.kind.span(), "rule.gate", message, help)];
        };
        let mut problems = Vec::new();
        let (question, answer) = (&gate.as_ref().question, &gate.as_ref().answer);
        let Bilingual { zh, en } = question.as_ref();
        if !zh.contains('？') || !en.contains('?') {
            let help = "a gate never accuses: ask what the reviewer should look for, in zh (？) and en (?)";
            problems.push(self.at(question.span(), "rule.gate-question", "what a gate says is a question", help));
        }
        let lower = en.to_lowercase();
        if let Some(word) = ACCUSING.iter().find(|word| zh.contains(**word) || lower.contains(**word)) {
            let message = format!("the question says `{word}` before anyone has looked");
            let help = "ask for the proof, not for the offence";
            problems.push(self.at(question.span(), "rule.gate-question", message, help));
        }
        if answer.as_ref().zh.trim().is_empty() || answer.as_ref().en.trim().is_empty() {
            let help = "name the number, certificate or label that settles it, in zh and en";
            problems.push(self.at(answer.span(), "rule.gate-answer", "nothing would answer the question", help));
        }
        problems.extend(self.answers());
        problems
    }

    /// Each clause that looks for an answer is asked with `not`; one at least is.
    fn answers(&self) -> Vec<Diagnostic> {
        let Some(gate) = &self.file.gate else { return Vec::new() };
        let written = &gate.as_ref().answered_by;
        let mut wrong = Vec::new();
        if written.is_empty() {
            let help = "name the clauses that look for the proof; the condition asks each with `not`";
            wrong.push(self.at(gate.span(), "rule.gate-answer", "no clause looks for the answer", help));
        }
        let negated = self.negated();
        for name in written.iter().filter(|name| !negated.contains(name.as_ref())) {
            let message = format!("the condition does not ask `not {}`", name.as_ref());
            let help = "a gate stands open while its proof is missing: ask for the clause with `not`";
            wrong.push(self.at(name.span(), "rule.gate-answer", message, help));
        }
        wrong
    }

    /// Clauses that the condition asks with `not` before them.
    fn negated(&self) -> Vec<String> {
        let read = Expression::parse(self.file.matching.as_ref().condition.as_ref(), |tokens| match tokens.next() {
            Some(Token::Word(name)) => Ok(name),
            _ => Err(tokens.unexpected("the name of a clause")),
        });
        let mut negated = Vec::new();
        if let Ok(condition) = read {
            condition.leaves(true, &mut |name: &String, stands| {
                if !stands {
                    negated.push(name.clone());
                }
            });
        }
        negated
    }

    fn others(&self, kind: RuleKind) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        if let Some(gate) = &self.file.gate {
            let message = "only a gate asks for a proof";
            let help = "write kind = \"product_gate\", or remove [gate]";
            problems.push(self.at(gate.span(), "rule.gate", message, help));
        }
        let guidance = self.file.review.as_ref().guidance.as_ref();
        if guidance.is_none_or(|text| text.as_ref().zh.trim().is_empty() || text.as_ref().en.trim().is_empty()) {
            let place = guidance.map_or(self.file.review.span(), toml::Spanned::span);
            let message = "the reviewer is not told what to look at";
            problems.push(self.at(place, "rule.guidance", message, "add guidance with zh and en to [review]"));
        }
        if kind == RuleKind::Context && !self.has_context() {
            let message = "the rule asks for wording alone, with nothing beside it";
            let problem = self.at(self.file.kind.span(), "rule.kind", message, "that is a phrase");
            problems.push(problem.as_warning().with_fix(Fix::replace(self.file.kind.span(), "\"phrase\"")));
        }
        problems
    }

    /// Whether who says it, where or with what beside it is asked at all.
    fn has_context(&self) -> bool {
        let beside = self.file.clause.values().any(|clause| {
            let clause = clause.as_ref();
            clause.when.is_some() || clause.near.is_some() || clause.anywhere || clause.min_count.is_some()
        });
        let asked = self.file.clause.values().filter(|clause| !clause.as_ref().cover).count();
        let everywhere = self.file.sectors.iter().all(|sector| sector.as_ref() == "*");
        beside || asked > 1 || !everywhere || self.file.matching.as_ref().fields.len() == 1
    }
}
