//! Whether a crawl kept the pace and the paths it was told, proved by the shops' own log.

use serde::Serialize;

use crate::crawl::Profile;

use super::{Request, Truth, data};

/// How much earlier than asked a request may seem to arrive: the log measures arrival, the crawler departure, and a
/// late departure shortens the gap after it.
const ARRIVAL_JITTER_MS: f64 = 15.0;

/// How one site was treated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SitePace {
    /// The site's id.
    pub site: String,
    /// Requests it received.
    pub requests: usize,
    /// Shortest time between the arrival of two requests; none with fewer than two.
    pub smallest_gap_ms: Option<f64>,
    /// Median of these times.
    pub median_gap_ms: Option<f64>,
    /// What the profile or robots.txt asks for, whichever is longer.
    pub required_ms: f64,
    /// Gaps shorter than required by more than arrival jitter explains.
    pub short_gaps: usize,
    /// Requests for paths that robots.txt forbids.
    pub disallowed: Vec<String>,
    /// Whether the pace was kept and nothing forbidden was asked for.
    pub kept: bool,
}

/// How each profile's site was treated, by its own `log`.
pub fn pace_report(log: &[Request], profiles: &[Profile], truth: &Truth) -> Vec<SitePace> {
    profiles.iter().map(|profile| site_pace(log, profile, truth)).collect()
}

fn site_pace(log: &[Request], profile: &Profile, truth: &Truth) -> SitePace {
    let requests: Vec<&Request> = log.iter().filter(|request| request.site == profile.id).collect();
    let required_ms = (profile.pace.delay.as_secs_f64() * 1000.0).max(crawl_delay_ms(&profile.id));
    let mut gaps = gaps_ms(&requests);
    gaps.sort_by(f64::total_cmp);
    let short_gaps = gaps.iter().filter(|gap| **gap + ARRIVAL_JITTER_MS < required_ms).count();
    let forbidden = truth.disallowed.get(&profile.id).map_or(&[][..], Vec::as_slice);
    let disallowed: Vec<String> = requests
        .iter()
        .filter(|request| forbidden.iter().any(|prefix| request.path.starts_with(prefix.as_str())))
        .map(|request| request.path.clone())
        .collect();
    SitePace {
        site: profile.id.clone(),
        requests: requests.len(),
        smallest_gap_ms: gaps.first().copied(),
        median_gap_ms: gaps.get(gaps.len() / 2).copied(),
        required_ms,
        short_gaps,
        kept: short_gaps == 0 && disallowed.is_empty(),
        disallowed,
    }
}

/// Times between arrivals, which the log holds in order.
fn gaps_ms(requests: &[&Request]) -> Vec<f64> {
    requests
        .iter()
        .zip(requests.iter().skip(1))
        .map(|(earlier, later)| later.at_us.saturating_sub(earlier.at_us) as f64 / 1000.0)
        .collect()
}

/// What the site's robots.txt asks of everybody; 0 when it does not.
fn crawl_delay_ms(site: &str) -> f64 {
    data::text(&format!("robots/{site}.txt"))
        .ok()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("Crawl-delay:")?.trim().parse::<f64>().ok()))
        .map_or(0.0, |seconds| seconds * 1000.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn request(path: &str, at_ms: u64) -> Request {
        Request { site: "jianpu", path: path.into(), at_us: at_ms * 1000, user_agent: String::new(), status: 200 }
    }

    fn profile() -> Profile {
        let text = data::text("sites/jianpu.toml").unwrap().replace("{jianpu}", "http://127.0.0.1:1");
        Profile::parse("jianpu.toml", &text).unwrap()
    }

    fn truth() -> Truth {
        let disallowed = BTreeMap::from([("jianpu".to_owned(), vec!["/cart".to_owned()])]);
        Truth { notes: BTreeMap::new(), disallowed, listings: BTreeMap::new() }
    }

    #[test]
    fn a_crawl_delay_longer_than_the_profiles_delay_is_required() {
        let report = pace_report(&[request("/g/1", 0), request("/g/2", 50)], &[profile()], &truth());
        assert_eq!(report[0].required_ms, 100.0);
        assert_eq!(report[0].short_gaps, 1);
        assert!(!report[0].kept);
    }

    #[test]
    fn a_kept_pace_is_reported_as_kept() {
        let log = [request("/g/1", 0), request("/g/2", 101), request("/g/3", 205)];
        let report = pace_report(&log, &[profile()], &truth());
        assert_eq!(report[0].smallest_gap_ms, Some(101.0));
        assert!(report[0].kept);
    }

    #[test]
    fn one_request_on_a_forbidden_path_is_enough() {
        let report = pace_report(&[request("/cart?x=1", 0)], &[profile()], &truth());
        assert_eq!(report[0].disallowed, ["/cart?x=1"]);
        assert!(!report[0].kept);
        assert_eq!(report[0].smallest_gap_ms, None);
    }
}
