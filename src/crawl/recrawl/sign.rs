//! What a host's own word is worth that a listing has changed: the `lastmod` of a sitemap, or the time beside an item of a list.
//!
//! Pure. Some hosts keep it well, some write today's date on every page, some never touch it. So it counts as much as it
//! proved to on that host: each visit of a listing that is named with a time says whether the time had moved since the visit
//! before, and whether the facts had. Of both shares (how often changes, and how often visits without one, were announced) a
//! Beta posterior is kept whose prior has them equal, so that nothing is believed before it was seen; their ratio is the odds
//! by which a sign makes a change likelier, or its absence less likely (a noisy signal as in Busa-Fekete et al. 2025).

use serde::{Deserialize, Serialize};

/// Visits that the prior is worth, on either side.
const DOUBT: f64 = 8.0;
/// With every visit, what was seen before counts so much less: a host may change its habits.
const FADING: f64 = 1.0 / 1000.0;
/// Beyond so many expected changes an exponential says no more.
const MOST_CHANGES: f64 = 500.0;

/// What a host's signs of change came to, older visits counted for less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signs {
    /// Visits that found other facts, as a sign had said.
    pub said_changed: f64,
    /// Visits that found the same facts, though a sign had said otherwise.
    pub said_same: f64,
    /// Visits that found other facts without a sign.
    pub silent_changed: f64,
    /// Visits that found the same facts, and there was no sign.
    pub silent_same: f64,
}

impl Signs {
    /// Takes in a visit: whether there was a sign before it, and whether the facts were others.
    pub fn visit(&mut self, said: bool, changed: bool) {
        for part in [&mut self.said_changed, &mut self.said_same, &mut self.silent_changed, &mut self.silent_same] {
            *part *= 1.0 - FADING;
        }
        *match (said, changed) {
            (true, true) => &mut self.said_changed,
            (true, false) => &mut self.said_same,
            (false, true) => &mut self.silent_changed,
            (false, false) => &mut self.silent_same,
        } += 1.0;
    }

    /// Visits that were taken in, older ones counted for less.
    pub fn visits(&self) -> f64 {
        self.said_changed + self.said_same + self.silent_changed + self.silent_same
    }

    /// By what factor the odds that a listing has changed grow where there is a sign (`said`), or shrink where there is none.
    /// 1 where nothing was seen of the host, or where its signs tell nothing.
    pub fn odds(&self, said: bool) -> f64 {
        let usual = (self.said_changed + self.said_same + 1.0) / (self.visits() + 2.0);
        let share = |said: f64, silent: f64| (said + DOUBT * usual) / (said + silent + DOUBT);
        let changed = share(self.said_changed, self.silent_changed);
        let same = share(self.said_same, self.silent_same);
        if said { changed / same } else { (1.0 - changed) / (1.0 - same) }
    }

    /// Days after a visit at which a listing is due that changes `rate` times a day and would be after `interval` days without
    /// a sign or its absence.
    pub fn wait(&self, said: bool, interval: f64, rate: f64) -> f64 {
        moved(interval, rate, self.odds(said))
    }
}

/// Days after a visit at which a listing is as likely to have changed, by a sign or its absence, as it would be after
/// `interval` days without knowing of either. `rate` is in changes a day, `odds` as of [`Signs::odds`].
///
/// After `t` days the odds of a change are `e^(rate t) - 1`; they are multiplied, and the equation is solved for `t`.
pub(super) fn moved(interval: f64, rate: f64, odds: f64) -> f64 {
    let expected = rate * interval;
    if !(expected > 0.0 && expected < MOST_CHANGES && odds > 0.0 && odds.is_finite()) {
        return interval;
    }
    (expected.exp_m1() / odds).ln_1p() / rate
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(visits: impl IntoIterator<Item = (bool, bool)>) -> Signs {
        let mut signs = Signs::default();
        visits.into_iter().for_each(|(said, changed)| signs.visit(said, changed));
        signs
    }

    #[test]
    fn a_sign_counts_as_much_as_it_proved_to() {
        assert_eq!((Signs::default().odds(true), Signs::default().odds(false)), (1.0, 1.0));
        let honest = after((0..200).map(|n| (n % 5 == 0, n % 5 == 0)));
        assert!(honest.odds(true) > 10.0 && honest.odds(false) < 0.3, "{} {}", honest.odds(true), honest.odds(false));
        // Today's date on every page, and a host that never says anything: neither tells a thing.
        let always = after((0..200).map(|n| (true, n % 5 == 0)));
        let never = after((0..200).map(|n| (false, n % 5 == 0)));
        for idle in [always.odds(true), never.odds(false)] {
            assert!((idle - 1.0).abs() < 0.05, "{idle}");
        }
        // Two visits prove little.
        let young = after([(true, true), (false, false)]);
        assert!(young.odds(true) < 1.4, "{}", young.odds(true));
    }

    #[test]
    fn a_host_that_no_longer_tells_the_truth_is_believed_less_and_less() {
        let mut signs = after((0..200).map(|n| (n % 2 == 0, n % 2 == 0)));
        let before = signs.odds(true);
        (0..1000).for_each(|n| signs.visit(true, n % 4 == 0));
        assert!(before > 8.0 && signs.odds(true) < 2.0, "{before} {}", signs.odds(true));
    }

    proptest! {
        #[test]
        fn a_sign_brings_a_visit_forward_and_silence_puts_it_off(
            interval in 1e-2_f64..60.0, rate in 1e-4_f64..1e3, odds in 1e-3_f64..1e3,
        ) {
            let moved = moved(interval, rate, odds);
            prop_assert!(moved.is_finite() && moved >= 0.0, "{moved}");
            if odds >= 1.0 { prop_assert!(moved <= interval * 1.000_001) } else { prop_assert!(moved >= interval * 0.999_999) }
            prop_assert!((super::moved(interval, rate, 1.0) - interval).abs() <= interval * 1e-6);
        }

        #[test]
        fn odds_stay_finite(visits in prop::collection::vec((any::<bool>(), any::<bool>()), 0..300)) {
            let signs = after(visits);
            for odds in [signs.odds(true), signs.odds(false)] {
                prop_assert!(odds.is_finite() && odds > 0.0, "{odds}");
            }
        }
    }
}
