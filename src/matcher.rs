//! Runs marks and rules over a listing's surfaces: values in, findings out.
//!
//! [`Matcher`] is one pair of register and rule set; it is built aside and swapped whole. Candidates
//! from the index are cheap; each is verified exactly ([`verify`]), scored with reasons, and held
//! against the others it overlaps. What is set aside is kept with its reason, never dropped. Who sees
//! a finding, and what is done, belongs to the rooms below.

mod apart;
mod calibration;
mod context;
mod moment;
mod nice;
mod overlap;
mod preview;
mod registered;
mod room;
mod said;
mod score;
mod sellers;
mod surprise;
mod variants;
mod verify;

use std::{
    ops::Range,
    sync::{Arc, LazyLock},
};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    campaign::Campaigns,
    marks::{Occurrence, Register, registry::View},
    model::{Finding, FindingKind, Findings, Listing, SellerLists},
    rules::{Article, Given, RuleSet, Status},
    text::{Assembled, FoldedSurface, assembled},
};

pub use preview::{Preview, Previewer, Sample};
pub use room::{Heard, RoomMatcher};
pub use variants::variants;

/// Findings weaker than this are set aside with their reason.
pub const QUEUE_FROM: f64 = 0.35;

/// How findings are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Findings with a score below this are set aside, not queued: 0 to 1.
    pub queue_from: f64,
    /// Whether the registry in the data folder is asked too, when one was built.
    pub registry: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { queue_from: QUEUE_FROM, registry: true }
    }
}

/// A register and a rule set, ready to run.
#[derive(Debug, Clone)]
pub struct Matcher {
    register: Arc<Register>,
    rules: Option<Arc<RuleSet>>,
    campaigns: Arc<Campaigns>,
    registry: Option<Arc<View>>,
    sellers: Arc<SellerLists>,
    settings: Settings,
    /// What the infringement of a mark has rested on and will.
    infringement: Vec<Arc<Article>>,
    /// Hashes of register and rules.
    made_with: String,
    version: String,
}

/// The topic of the statutes that a mark's finding rests on.
const INFRINGEMENT: &str = "trademark-law.infringement";

/// Statutes, where no rules are in use.
static BARE: LazyLock<RuleSet> = LazyLock::new(RuleSet::empty);

/// Which rules are asked.
type RuleFindings = fn(&RuleSet, &Listing, &[FoldedSurface<'_>], Given) -> Vec<Finding>;

/// The chance that any of them is right.
fn risk(findings: &[Finding]) -> f64 {
    score::rounded(1.0 - findings.iter().map(|finding| 1.0 - finding.score).product::<f64>())
}

impl Matcher {
    /// Joins a register and, unless none is wanted, a rule set.
    pub fn new(register: Arc<Register>, rules: Option<Arc<RuleSet>>, settings: Settings) -> Self {
        let set = rules.as_ref().map_or("none", |rules| rules.hash());
        let version = format!("marks:{} rules:{}", register.hash(), set.get(..16).unwrap_or(set));
        let (campaigns, registry, sellers) = (Arc::default(), None, Arc::default());
        let statutes = rules.as_deref().unwrap_or(&BARE).statutes();
        let infringement = statutes.cited(INFRINGEMENT);
        Self {
            register,
            rules,
            campaigns,
            registry,
            sellers,
            settings,
            infringement,
            version: version.clone(),
            made_with: version,
        }
    }

    /// Asks a registry too: all registered words of a jurisdiction, most of which nobody watches for.
    #[must_use]
    pub fn with_registry(mut self, registry: Arc<View>) -> Self {
        self.registry = Some(registry);
        self.named()
    }

    /// Asks these lists of sellers too: who may, and who is known for not.
    #[must_use]
    pub fn with_sellers(mut self, sellers: Arc<SellerLists>) -> Self {
        self.sellers = sellers;
        self.named()
    }

    /// Says in its version what it is made of.
    fn named(mut self) -> Self {
        self.version.clone_from(&self.made_with);
        if let Some(registry) = &self.registry {
            let (base, changes) = (registry.base().generation(), registry.delta().len());
            self.version.push_str(&format!(" registry:{base}+{changes}"));
        }
        if !self.sellers.is_empty() {
            let hash = Sha256::digest(serde_json::to_vec(&*self.sellers).unwrap_or_default());
            let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            self.version.push_str(&format!(" sellers:{hash}"));
        }
        self
    }

    /// The same with other rules.
    #[must_use]
    pub fn with_rules(&self, rules: Option<Arc<RuleSet>>) -> Self {
        self.rebuilt(Arc::clone(&self.register), rules)
    }

    /// The same with other campaigns.
    #[must_use]
    pub fn with_campaigns(mut self, campaigns: Arc<Campaigns>) -> Self {
        self.campaigns = campaigns;
        self
    }

    /// The campaigns in use.
    pub fn campaigns(&self) -> &Arc<Campaigns> {
        &self.campaigns
    }

    /// The same with another register.
    #[must_use]
    pub fn with_register(&self, register: Arc<Register>) -> Self {
        self.rebuilt(register, self.rules.clone())
    }

    fn rebuilt(&self, register: Arc<Register>, rules: Option<Arc<RuleSet>>) -> Self {
        let other = Self::new(register, rules, self.settings)
            .with_campaigns(Arc::clone(&self.campaigns))
            .with_sellers(Arc::clone(&self.sellers));
        match &self.registry {
            Some(registry) => other.with_registry(Arc::clone(registry)),
            None => other,
        }
    }

    /// The rules in use.
    pub fn rules(&self) -> Option<&Arc<RuleSet>> {
        self.rules.as_ref()
    }

    /// The lists of sellers in use.
    pub fn sellers(&self) -> &Arc<SellerLists> {
        &self.sellers
    }

    /// Findings weaker than this are set aside.
    fn queue_from(&self) -> f64 {
        self.settings.queue_from
    }

    /// What findings are made with: hashes of the register and the rule set.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Matches `listing` under the law of `on`, the day its facts were captured.
    pub fn check(&self, listing: &Listing, on: Date) -> Findings {
        self.run(listing, on, |rules, listing, surfaces, given| rules.findings(listing, surfaces, given))
    }

    /// The same, and what rules in shadow find: to be counted, never queued.
    pub fn check_with_shadow(&self, listing: &Listing, on: Date) -> (Findings, Vec<Finding>) {
        let mut findings =
            self.run(listing, on, |rules, listing, surfaces, given| rules.all_findings(listing, surfaces, given));
        let in_shadow = |finding: &Finding| {
            let rule = self.rules.as_ref().and_then(|rules| rules.rule(&finding.reference));
            finding.kind == FindingKind::Rule && rule.is_some_and(|rule| rule.status == Status::Shadow)
        };
        let mut shadow: Vec<Finding> = findings.findings.extract_if(.., |finding| in_shadow(finding)).collect();
        shadow.extend(findings.suppressed.extract_if(.., |finding| in_shadow(finding)));
        findings.risk = risk(&findings.findings);
        (findings, shadow)
    }

    fn run(&self, listing: &Listing, on: Date, of_rules: RuleFindings) -> Findings {
        let plain = listing.surfaces();
        let assembled = assembled(listing, &plain);
        let surfaces: Vec<FoldedSurface<'_>> =
            plain.iter().cloned().chain(assembled.iter().map(Assembled::surface)).map(FoldedSurface::new).collect();
        let mut all = self.mark_findings(listing, &surfaces, on);
        if let Some(rules) = &self.rules {
            let mut found =
                of_rules(rules, listing, &surfaces, Given { day: on, usual_price: self.usual_price(listing, &all) });
            self.campaigns.settle(rules, listing, on, &mut found);
            all.extend(found);
        }
        if !assembled.is_empty() {
            let mut alone = apart::Alone::of(&all, &assembled);
            all = all
                .into_iter()
                .filter_map(|finding| apart::bring_back(finding, &assembled, &plain, &mut alone))
                .collect();
        }
        moment::note(listing, &mut all);
        for finding in &mut all {
            if finding.suppressed.is_none() && finding.score < self.settings.queue_from {
                finding.suppressed = Some(score::weakest_step(finding));
            }
        }
        let (mut suppressed, mut findings): (Vec<Finding>, Vec<Finding>) =
            all.into_iter().partition(|finding| finding.suppressed.is_some());
        findings.sort_by(|a, b| b.score.total_cmp(&a.score));
        suppressed.sort_by(|a, b| b.score.total_cmp(&a.score));
        let risk = risk(&findings);
        Findings { id: listing.id.clone(), findings, suppressed, risk }
    }

    /// What goods of the surest mark that is found in `listing` and has a price usually cost, in the listing's currency.
    fn usual_price(&self, listing: &Listing, found: &[Finding]) -> Option<f64> {
        let price = listing.price.as_ref()?;
        let standing = found.iter().filter(|finding| finding.suppressed.is_none());
        let priced =
            standing.filter_map(|finding| Some((finding.score, self.register.usual_price(&finding.reference)?)));
        let same = priced.filter(|(_, usual)| usual.currency == price.currency);
        same.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, usual)| usual.amount.as_f64())
    }

    fn mark_findings(&self, listing: &Listing, surfaces: &[FoldedSurface<'_>], on: Date) -> Vec<Finding> {
        let classes = nice::classes(listing, surfaces);
        let article = self.infringement.iter().find(|article| article.in_force(on));
        let citation = &article.map(|article| article.citation()).unwrap_or_default();
        let mut findings = Vec::new();
        for surface in surfaces {
            let occurrences = self.register.find(surface, &classes.of);
            let registered = self.registry.as_ref().map(|registry| registry.find(&surface.folded)).unwrap_or_default();
            if occurrences.is_empty() && registered.is_empty() {
                continue;
            }
            let surroundings = &context::Surroundings::of(&surface.folded);
            let cuts = surface.cuts();
            let taken = |units: &Range<usize>| occurrences.iter().any(|occurrence| occurrence.units == *units);
            let registered = registered::words(registered, (&surface.folded, cuts), (&classes.of, on), taken);
            let scene = score::Scene {
                surface,
                surroundings,
                cuts,
                listing,
                classes: &classes,
                citation,
                watched: true,
                sellers: (&self.sellers, on),
            };
            let mut found: Vec<Finding> = occurrences
                .into_iter()
                .filter(|occurrence| occurrence.mark.in_force(on) && surprise::stands(occurrence, cuts))
                .filter_map(|occurrence| {
                    let fit = verify::verify(&occurrence, surface)?;
                    Some(score::finding(&occurrence, &fit, &scene))
                })
                .collect();
            let scene = score::Scene { watched: false, ..scene };
            found.extend(registered.iter().filter_map(|word| {
                let span = surface.folded.span(word.units.clone());
                let (mark, spelling, units) = (&word.mark, &word.spelling, word.units.clone());
                let occurrence = Occurrence { mark, spelling, units, span, alignment: None };
                let finding = score::finding(&occurrence, &verify::verify(&occurrence, surface)?, &scene);
                (finding.score >= self.settings.queue_from).then_some(finding)
            }));
            overlap::longest_wins(&mut found);
            findings.extend(found);
        }
        findings
    }
}
