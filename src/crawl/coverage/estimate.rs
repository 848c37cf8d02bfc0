//! How many listings nobody has seen.

use super::{Coverage, CoverageError};

/// How many listings there are, from two runs that each saw a part.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// Listings had in the earlier run, in the later one, and in both.
    pub earlier: u64,
    /// See `earlier`.
    pub later: u64,
    /// See `earlier`.
    pub both: u64,
    /// How many there are in all.
    pub all: f64,
    /// Its standard error.
    pub error: f64,
}

/// Estimates how many listings a profile's site has, from its last two runs that came to their end.
///
/// Chapman's estimator of capture and recapture (Chapman 1951; its variance by Seber 1970). It assumes that no listing came
/// or went between the runs, and that being seen in one says nothing about being seen in the other. Runs that walk the same
/// lists see the same listings, so what no list names is not counted: the estimate is a lower bound.
///
/// None when there are no two such runs.
///
/// # Errors
/// When coverage cannot be read.
pub fn estimate(coverage: &Coverage, profile: &str) -> Result<Option<Estimate>, CoverageError> {
    let whole = |run: &super::Ended| !run.report.interrupted && run.report.listings + run.report.unchanged > 0;
    let runs: Vec<u64> = coverage.runs(profile)?.into_iter().filter(whole).map(|run| run.run).collect();
    let [.., earlier, later] = *runs else { return Ok(None) };
    let (mut n, mut m, mut both) = (0_u64, 0_u64, 0_u64);
    for known in coverage.addresses(profile) {
        let known = known?;
        if known.facts.is_none() {
            continue;
        }
        let (was, is) = (known.was_had_in(earlier), known.was_had_in(later));
        n += u64::from(was);
        m += u64::from(is);
        both += u64::from(was && is);
    }
    Ok(Some(chapman(n, m, both)))
}

fn chapman(earlier: u64, later: u64, both: u64) -> Estimate {
    let (n, m, k) = (earlier as f64, later as f64, both as f64);
    let all = (n + 1.0) * (m + 1.0) / (k + 1.0) - 1.0;
    let variance = (n + 1.0) * (m + 1.0) * (n - k) * (m - k) / ((k + 1.0).powi(2) * (k + 2.0));
    Estimate { earlier, later, both, all, error: variance.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_that_saw_the_same_saw_all_and_two_that_met_rarely_saw_little() {
        let same = chapman(100, 100, 100);
        assert_eq!((same.all, same.error), (100.0, 0.0));
        let little = chapman(200, 300, 50);
        assert!((little.all - 1185.3).abs() < 0.1 && (110.0..130.0).contains(&little.error), "{little:?}");
    }
}
