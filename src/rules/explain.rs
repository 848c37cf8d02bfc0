//! Says why a rule hits a listing and why it does not: the clause that failed, the exception that held.

use jiff::civil::Date;

use crate::{
    model::Listing,
    text::{FoldedSurface, fold_surfaces},
};

use super::{
    evaluate::Match,
    rule::{Fit, Rule},
    set::{RuleSet, Work},
};

impl RuleSet {
    /// What `rule` makes of `listing` on `day`, in lines for a person.
    pub fn explain(&self, rule: &Rule, listing: &Listing, day: Date) -> Vec<String> {
        let sectors = self.sectors_of(listing);
        let mut lines = Vec::new();
        if rule.sectors.fit(&sectors) == Fit::No {
            lines.push(format!("the listing's sector ({sectors}) is not one the rule looks at"));
        }
        let surfaces = fold_surfaces(listing);
        let unread: Vec<&str> = surfaces
            .iter()
            .filter(|surface| !rule.reads(surface.surface.kind, None))
            .map(|surface| surface.surface.path.as_str())
            .collect();
        if !unread.is_empty() {
            lines.push(format!("not read by this rule: {}", unread.join(", ")));
        }
        let before = lines.len();
        self.each(listing, &surfaces, day, |other| other.id == rule.id, |work| lines.extend(of_surface(&work)));
        if lines.len() == before {
            lines.push("no word of the rule stands on a surface it reads".to_owned());
        }
        lines
    }
}

fn of_surface(work: &Work<'_>) -> Vec<String> {
    let Work { rule, surface, fit, outcome } = work;
    let path = &surface.surface.path;
    let mut lines = Vec::new();
    for (clause, found) in rule.clauses.iter().zip(&outcome.matches) {
        let texts: Vec<String> = found.iter().map(|one| quoted(surface, one)).collect();
        let texts = if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") };
        lines.push(format!("{path}: {} → {texts}", clause.name));
    }
    for (_, one, exception) in &outcome.excepted {
        let name = rule.exceptions.get(*exception).map_or("", |exception| exception.name.as_str());
        lines.push(format!("{path}: {} set aside by {name}", quoted(surface, one)));
    }
    if let Some(exception) = outcome.set_aside.and_then(|index| rule.exceptions.get(index)) {
        lines.push(format!("{path}: everything set aside by {}", exception.name));
    }
    if *fit == Fit::Unknown {
        lines.push(format!("{path}: the sector is unknown, so the score is lower"));
    }
    let verdict = if outcome.holds { "holds" } else { "does not hold" };
    lines.push(format!("{path}: the condition {verdict}"));
    lines
}

fn quoted(surface: &FoldedSurface<'_>, one: &Match) -> String {
    let span = surface.folded.span(one.units.clone());
    format!("“{}”", surface.surface.text.get(span.bytes).unwrap_or(""))
}
