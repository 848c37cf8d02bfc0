//! Findings become hits: one for each holder or rule family of a listing.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Learnt;
use crate::model::{Finding, Findings, Listing, ListingId, NewHit, Severity, Timestamp};

/// One hit for each family among `findings`, strongest finding first; its place in the queue is what `learnt` makes of it.
pub fn hits(
    id: &ListingId,
    listing: &Listing,
    findings: &Findings,
    (matched_with, learnt): (&str, &Learnt),
    now: Timestamp,
) -> Vec<NewHit> {
    let mut families: BTreeMap<&str, Vec<Finding>> = BTreeMap::new();
    for finding in &findings.findings {
        families.entry(&finding.family).or_default().push(told(finding, learnt));
    }
    families
        .into_iter()
        .map(|(family, findings)| NewHit {
            dedupe: dedupe_key(id, family, &findings),
            listing: listing.clone(),
            family: family.to_owned(),
            priority: priority(&findings, learnt),
            severity: findings.iter().map(|finding| finding.severity).max().unwrap_or_default(),
            findings,
            capture: None,
            evidence: None,
            matched_with: format!("{matched_with} learnt:{}", learnt.seq()),
            found_at: now,
        })
        .collect()
}

/// The same listing, family and words are the same hit, whenever and by whichever version they are found.
pub fn dedupe_key(id: &ListingId, family: &str, findings: &[Finding]) -> String {
    let mut parts: Vec<String> =
        findings.iter().map(|finding| [&*finding.reference, &finding.surface, &finding.text].join("\u{1f}")).collect();
    parts.sort();
    parts.dedup();
    let mut hasher = Sha256::new();
    for part in [id.as_str(), family].into_iter().chain(parts.iter().map(String::as_str)) {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The finding, with what decisions say of it.
fn told(finding: &Finding, learnt: &Learnt) -> Finding {
    let mut finding = finding.clone();
    finding.explanation.extend(learnt.step(&finding));
    finding
}

/// 0 to 255: how bad times how sure; more findings move it up a little.
pub fn priority(findings: &[Finding], learnt: &Learnt) -> u8 {
    let weight = |severity| match severity {
        Severity::Low => 0.25,
        Severity::Medium => 0.5,
        Severity::High => 0.8,
        Severity::Critical => 1.0,
    };
    let worst = findings.iter().map(|finding| learnt.chance(finding) * weight(finding.severity)).fold(0.0, f64::max);
    let more = 0.02 * findings.len().saturating_sub(1).min(5) as f64;
    ((worst + more).clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
pub(in crate::monitor) mod tests {
    use super::*;
    use crate::model::{FindingKind, Handling};

    pub fn finding(family: &str, surface: &str, score: f64) -> Finding {
        Finding {
            kind: FindingKind::Mark,
            reference: "m".into(),
            family: family.into(),
            surface: surface.into(),
            start: 0,
            end: 1,
            text: "云".into(),
            version: None,
            campaign: None,
            continues: Vec::new(),
            moment: None,
            word: "云".into(),
            channels: Vec::new(),
            score,
            severity: Severity::High,
            citation: String::new(),
            explanation: Vec::new(),
            suppressed: None,
            handling: Handling::default(),
        }
    }

    #[test]
    fn a_listing_makes_one_hit_for_each_family_and_the_same_one_again() {
        let findings = Findings {
            findings: vec![finding("a", "title", 0.9), finding("b", "title", 0.8), finding("a", "description", 0.5)],
            ..Findings::default()
        };
        let id = ListingId::new("x:1").unwrap();
        let at = "2026-11-23T00:00:00Z".parse().unwrap();
        let first = hits(&id, &Listing::default(), &findings, ("v1", &Learnt::default()), at);
        assert_eq!(first.len(), 2);
        assert_eq!(first[0].findings.len(), 2);
        let later = hits(
            &id,
            &Listing::default(),
            &findings,
            ("v2", &Learnt::default()),
            "2026-11-24T00:00:00Z".parse().unwrap(),
        );
        assert_eq!(first[0].dedupe, later[0].dedupe);
        assert_ne!(first[0].dedupe, first[1].dedupe);
        assert!(first[0].priority > first[1].priority);
    }
}
