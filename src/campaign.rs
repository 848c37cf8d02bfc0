//! Campaigns (专项行动): rules that run between two days, in some sectors, regions and on some platforms.
//!
//! Main types: [`Campaign`], one file of `campaigns/` in the rule folder, and [`Campaigns`], which settles what rules found: a
//! campaign's own rules find nothing outside it, and what is found inside carries its id. Pure but for reading the folder; who
//! starts and ends one, and what comes of it, belongs to rooms below.

mod file;
mod scope;

use std::path::Path;

pub use file::{Campaign, Stage, with_stage};

use crate::{
    model::{Diagnostic, Finding, FindingKind, Listing},
    rules::{RuleSet, RuleSource},
};
use jiff::civil::Date;

/// The folder of campaigns in the rule folder.
pub const CAMPAIGNS: &str = "campaigns";
/// Campaigns in one folder.
pub const MAX_CAMPAIGNS: usize = 1_000;

/// The campaigns of a rule folder, by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Campaigns(Vec<Campaign>);

impl Campaigns {
    /// Reads the campaigns beside the rules in `folder`; none where there is no folder of them.
    ///
    /// # Errors
    /// Every mistake in the files, and what cannot be read.
    pub fn read_folder(folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        let folder = folder.join(CAMPAIGNS);
        if !folder.is_dir() {
            return Ok(Self::default());
        }
        Self::parse(&RuleSource::read_campaigns(&folder)?)
    }

    /// Reads campaigns from texts.
    ///
    /// # Errors
    /// Every mistake, with file, line and column.
    pub fn parse(sources: &[RuleSource]) -> Result<Self, Vec<Diagnostic>> {
        if sources.len() > MAX_CAMPAIGNS {
            let message = format!("{} campaigns, more than {MAX_CAMPAIGNS}", sources.len());
            let help = "move those that have long ended elsewhere";
            return Err(vec![Diagnostic::error(CAMPAIGNS, "", 0..0, "campaign.too-many", message, help)]);
        }
        let (mut campaigns, mut problems) = (Vec::new(), Vec::new());
        for source in sources {
            match Campaign::parse(source) {
                Ok(campaign) => campaigns.push(campaign),
                Err(mistakes) => problems.extend(mistakes),
            }
        }
        campaigns.sort_by(|a, b| a.id.cmp(&b.id));
        if problems.is_empty() { Ok(Self(campaigns)) } else { Err(problems) }
    }

    /// All of them.
    pub fn all(&self) -> &[Campaign] {
        &self.0
    }

    /// The campaign named `id`.
    pub fn get(&self, id: &str) -> Option<&Campaign> {
        self.0.iter().find(|campaign| campaign.id == id)
    }

    /// Rules and sectors that campaigns name and `set` does not have.
    pub fn strangers(&self, set: &RuleSet) -> Vec<String> {
        let named = self
            .0
            .iter()
            .filter(|campaign| campaign.stage != Stage::Ended)
            .flat_map(|campaign| campaign.rules.iter().chain(&campaign.also).map(move |rule| (campaign, rule)));
        let rules = named
            .filter(|(_, rule)| set.rule(rule).is_none())
            .map(|(campaign, rule)| format!("{}: there is no rule `{rule:.80}`", campaign.path));
        let sectors = self.0.iter().flat_map(|campaign| {
            let strange = campaign.sectors.iter().filter(move |sector| !set.knows_sector(sector));
            strange.map(move |sector| format!("{}: there is no sector `{sector:.80}`", campaign.path))
        });
        rules.chain(sectors).collect()
    }

    /// Takes away what a campaign's own rules found outside it, and names the campaign on what was found inside.
    pub fn settle(&self, set: &RuleSet, listing: &Listing, on: Date, findings: &mut Vec<Finding>) {
        let running = |rules: fn(&Campaign) -> &Vec<String>, rule: &String| {
            let mut named = self.0.iter().filter(|campaign| rules(campaign).contains(rule));
            let inside = named.find(|campaign| campaign.runs_on(on) && campaign.reaches(set, listing));
            inside.map(|campaign| campaign.id.clone())
        };
        findings.retain_mut(|finding| {
            if self.0.is_empty() || finding.kind != FindingKind::Rule {
                return true;
            }
            let rule = &finding.reference;
            finding.campaign =
                running(|campaign| &campaign.rules, rule).or_else(|| running(|campaign| &campaign.also, rule));
            finding.campaign.is_some() || !self.0.iter().any(|campaign| campaign.rules.contains(rule))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fold_surfaces;

    const RULE: &str = include_str!("../fixtures/rules/test.word.toml");

    fn campaign(text: &str) -> Campaigns {
        Campaigns::parse(&[RuleSource { path: "campaigns/c1.toml".into(), text: text.into() }]).unwrap()
    }

    const TEXT: &str = "format = 1\nid = \"c1\"\ntitle = { zh = \"专项\", en = \"one\" }\nowner = \"x\"\nstatus = \"on\"\nfrom = 2026-12-01\nto = 2026-12-31\n";

    /// The campaign on what the rule finds in a listing on a day; none when nothing is found.
    fn found(campaigns: &Campaigns, listing: &str, on: &str) -> Option<Option<String>> {
        let set = RuleSet::parse(vec![RuleSource { path: "rules/test.word.toml".into(), text: RULE.into() }]).unwrap();
        let listing: Listing = serde_json::from_str(listing).unwrap();
        let on = on.parse().unwrap();
        let mut findings = set.findings(&listing, &fold_surfaces(&listing), on);
        campaigns.settle(&set, &listing, on, &mut findings);
        findings.pop().map(|finding| finding.campaign)
    }

    #[test]
    fn a_campaigns_own_rules_run_only_inside_its_days_and_scope() {
        let own = campaign(&format!(
            "{TEXT}rules = [\"test.word\"]\nsectors = [\"home\"]\nplatforms = [\"p\"]\nregions = [\"湖北\"]\n"
        ));
        let here = r#"{"title":"琉璃塔","platform":"p","category":"家居","attributes":{"发货地":"湖北武汉"}}"#;
        assert_eq!(found(&own, here, "2026-12-01"), Some(Some("c1".into())));
        assert_eq!(found(&own, here, "2026-12-31"), Some(Some("c1".into())));
        for day in ["2026-11-30", "2027-01-01"] {
            assert_eq!(found(&own, here, day), None, "{day}");
        }
        assert_eq!(found(&own, &here.replace("\"p\"", "\"q\""), "2026-12-05"), None, "another platform");
        assert_eq!(found(&own, &here.replace("家居", "食品"), "2026-12-05"), None, "another sector");
        assert_eq!(found(&own, &here.replace("湖北武汉", "广东"), "2026-12-05"), None, "another region");
        let unknown = r#"{"title":"琉璃塔","platform":"p"}"#;
        assert_eq!(found(&own, unknown, "2026-12-05"), Some(Some("c1".into())), "what is not known excludes nothing");
        for stage in ["draft", "ended"] {
            let off = campaign(&format!("{TEXT}rules = [\"test.word\"]\n").replace("\"on\"", &format!("\"{stage}\"")));
            assert_eq!(found(&off, here, "2026-12-05"), None, "{stage}");
        }
    }

    #[test]
    fn a_standing_rule_goes_on_outside_and_carries_the_id_inside() {
        let also = campaign(&format!("{TEXT}also = [\"test.word\"]\n"));
        assert_eq!(found(&also, r#"{"title":"琉璃塔"}"#, "2026-12-05"), Some(Some("c1".into())));
        assert_eq!(found(&also, r#"{"title":"琉璃塔"}"#, "2027-02-05"), Some(None));
        assert_eq!(found(&Campaigns::default(), r#"{"title":"琉璃塔"}"#, "2027-02-05"), Some(None));
    }

    #[test]
    fn a_wrong_campaign_says_where_and_why() {
        let wrong = |text: &str| {
            Campaigns::parse(&[RuleSource { path: "campaigns/c1.toml".into(), text: text.into() }])
                .unwrap_err()
                .remove(0)
        };
        let fine = format!("{TEXT}rules = [\"test.word\"]\n");
        assert_eq!(wrong(&fine.replace("2026-12-31", "2026-11-30")).code, "campaign.days");
        assert_eq!(wrong(&fine.replace("\"c1\"", "\"c2\"")).code, "campaign.file-name");
        assert_eq!(wrong(TEXT).code, "campaign.rules");
        assert_eq!(wrong(&fine.replace("owner", "ownr")).code, "campaign.syntax");
        let strange = campaign(&format!("{TEXT}rules = [\"no.such\"]\nsectors = [\"nowhere\"]\n"));
        let told = strange.strangers(&RuleSet::empty());
        assert!(told.len() == 2 && told[0].contains("no.such") && told[1].contains("nowhere"), "{told:?}");
    }
}
