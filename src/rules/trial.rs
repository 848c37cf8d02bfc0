//! Runs the tests that rule files carry.
//!
//! Main type: [`Trial`], one test's result.

use jiff::civil::Date;
use serde::Serialize;

use crate::{
    model::{Diagnostic, Finding, Fix},
    parts::in_parts,
    text::fold_surfaces,
};

use super::{
    file::{Bilingual, Expectation},
    guard::Given,
    rule::{Rule, Test},
    set::RuleSet,
};

/// From how many rules on their tests are shared out among threads.
const MANY: usize = 100;

/// One test of one rule, run.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// The rule.
    pub rule: String,
    /// The rule's file.
    pub path: String,
    /// Line of the test in it.
    pub line: usize,
    /// The test's name, or its text where it has none.
    pub name: String,
    /// What was expected.
    pub expect: Expectation,
    /// The texts that were found.
    pub found: Vec<String>,
    /// Whether it went as expected.
    pub passed: bool,
    /// Why it came out as it did; only where it did not pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<Bilingual>,
}

impl Trial {
    /// Whether it must be mended: a `todo` never fails.
    pub fn failed(&self) -> bool {
        !self.passed && matches!(self.expect, Expectation::Hit | Expectation::Miss)
    }
}

impl RuleSet {
    /// Runs every test of every rule, whatever its status, as on `day` where a test names none.
    pub fn trials(&self, day: Date) -> Vec<Trial> {
        in_parts(self.rules().len(), MANY, |part| {
            let rules = self.rules().get(part).unwrap_or_default();
            rules.iter().flat_map(|rule| self.trials_of(rule, day)).collect()
        })
    }

    /// Runs every test of one rule.
    pub fn trials_of(&self, rule: &Rule, day: Date) -> Vec<Trial> {
        rule.tests.iter().map(|test| self.trial(rule, test, day)).collect()
    }

    /// Tests of what is not reached yet that now pass: they can be held to it.
    pub fn todos(&self, day: Date) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for rule in self.rules() {
            let Some(source) = self.source(&rule.path) else { continue };
            for test in &rule.tests {
                let reached = match test.expect {
                    Expectation::TodoHit => "hit",
                    Expectation::TodoMiss => "miss",
                    Expectation::Hit | Expectation::Miss => continue,
                };
                if !self.trial(rule, test, day).passed {
                    continue;
                }
                let message = format!("this test passes now, and may expect a {reached}");
                let help = "what is reached should not be lost again";
                let place = test.place.clone();
                let problem =
                    Diagnostic::error(&source.path, &source.text, place.clone(), "rule.todo-passes", message, help);
                problems.push(problem.as_warning().with_fix(Fix::replace(place, format!("\"{reached}\""))));
            }
        }
        problems
    }

    fn trial(&self, rule: &Rule, test: &Test, day: Date) -> Trial {
        let given = Given { day: test.on.unwrap_or(day), usual_price: test.usual_price };
        let surfaces = fold_surfaces(&test.listing);
        let findings = self.findings_of(&test.listing, &surfaces, given, |other| other.id == rule.id);
        let standing: Vec<&Finding> = findings.iter().filter(|finding| finding.suppressed.is_none()).collect();
        let found: Vec<String> = standing.iter().map(|finding| finding.text.clone()).collect();
        let hit = matches!(test.expect, Expectation::Hit | Expectation::TodoHit);
        let spans = test.spans.as_ref().is_none_or(|spans| spans.iter().all(|span| found.contains(span)));
        let passed = if hit { !found.is_empty() && spans } else { found.is_empty() };
        let why = if passed { Vec::new() } else { self.explain(rule, &test.listing, given).lines };
        let text = surfaces.first().map_or("", |surface| surface.surface.text);
        let name = if test.name.is_empty() { text.to_owned() } else { test.name.clone() };
        Trial {
            rule: rule.id.clone(),
            path: rule.path.clone(),
            line: test.line,
            name,
            expect: test.expect,
            found,
            passed,
            why,
        }
    }
}
