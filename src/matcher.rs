//! Runs marks and rules over a listing's surfaces: values in, findings out.
//!
//! [`Matcher`] is one pair of register and rule set; it is built aside and swapped whole. Candidates
//! from the index are cheap; each is verified exactly ([`verify`]), scored with reasons, and held
//! against the others it overlaps. What is set aside is kept with its reason, never dropped. Who sees
//! a finding, and what is done, belongs to the rooms below.

mod apart;
mod calibration;
mod context;
mod nice;
mod overlap;
mod preview;
mod score;
mod surprise;
mod verify;

use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    marks::Register,
    model::{Finding, Findings, Listing},
    rules::RuleSet,
    text::{Assembled, FoldedSurface, assembled},
};

pub use preview::{Preview, Previewer, Sample};

/// Findings weaker than this are set aside with their reason.
pub const QUEUE_FROM: f64 = 0.35;

/// How findings are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Findings with a score below this are set aside, not queued: 0 to 1.
    pub queue_from: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { queue_from: QUEUE_FROM }
    }
}

/// A register and a rule set, ready to run.
#[derive(Debug, Clone)]
pub struct Matcher {
    register: Arc<Register>,
    rules: Option<Arc<RuleSet>>,
    settings: Settings,
    version: String,
}

impl Matcher {
    /// Joins a register and, unless none is wanted, a rule set.
    pub fn new(register: Arc<Register>, rules: Option<Arc<RuleSet>>, settings: Settings) -> Self {
        let set = rules.as_ref().map_or("none", |rules| rules.hash());
        let version = format!("marks:{} rules:{}", register.hash(), set.get(..16).unwrap_or(set));
        Self { register, rules, settings, version }
    }

    /// What findings are made with: hashes of the register and the rule set.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Matches `listing` under the law of `on`, the day its facts were captured.
    pub fn check(&self, listing: &Listing, on: Date) -> Findings {
        let plain = listing.surfaces();
        let assembled = assembled(listing, &plain);
        let surfaces: Vec<FoldedSurface<'_>> =
            plain.iter().cloned().chain(assembled.iter().map(Assembled::surface)).map(FoldedSurface::new).collect();
        let mut all = self.mark_findings(listing, &surfaces, on);
        if let Some(rules) = &self.rules {
            all.extend(rules.findings(listing, &surfaces, on));
        }
        if !assembled.is_empty() {
            all = all.into_iter().filter_map(|finding| apart::bring_back(finding, &assembled, &plain)).collect();
        }
        for finding in &mut all {
            if finding.suppressed.is_none() && finding.score < self.settings.queue_from {
                finding.suppressed = Some(score::weakest_step(finding));
            }
        }
        let (mut suppressed, mut findings): (Vec<Finding>, Vec<Finding>) =
            all.into_iter().partition(|finding| finding.suppressed.is_some());
        findings.sort_by(|a, b| b.score.total_cmp(&a.score));
        suppressed.sort_by(|a, b| b.score.total_cmp(&a.score));
        let risk = 1.0 - findings.iter().map(|finding| 1.0 - finding.score).product::<f64>();
        Findings { id: listing.id.clone(), findings, suppressed, risk: score::rounded(risk) }
    }

    fn mark_findings(&self, listing: &Listing, surfaces: &[FoldedSurface<'_>], on: Date) -> Vec<Finding> {
        let classes = nice::classes(listing, surfaces);
        let mut findings = Vec::new();
        for surface in surfaces {
            let occurrences = self.register.find(surface.surface.text, &surface.folded, &classes.of);
            if occurrences.is_empty() {
                continue;
            }
            let surroundings = &context::Surroundings::of(&surface.folded);
            let cuts = &surprise::cuts(&surface.folded);
            let scene = score::Scene { surface, surroundings, cuts, listing, classes: &classes, on };
            let mut found: Vec<Finding> = occurrences
                .into_iter()
                .filter(|occurrence| occurrence.mark.in_force(on))
                .filter_map(|occurrence| {
                    let fit = verify::verify(&occurrence, surface)?;
                    Some(score::finding(&occurrence, &fit, &scene))
                })
                .collect();
            overlap::longest_wins(&mut found);
            findings.extend(found);
        }
        findings
    }
}
