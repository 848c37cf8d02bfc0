//! From a score to a chance: how often findings of words that stand as registered were right where people had labelled them.
//!
//! Fitted by pool-adjacent-violators (Ayer et al. 1955) on every other one of 1,557 real shop titles and held against the
//! rest; `cargo bench --bench titles` prints both. Below the first knot, where context speaks against a finding, the labels
//! (is the brand named here?) do not say what the score says (is it used without right?), and the score stays as it is.

use super::score::{plain_step, rounded};
use crate::model::Step;

/// Scores, and the chances they stand for; straight lines between them.
const KNOTS: [(f64, f64); 6] = [(0.35, 0.35), (0.55, 0.88), (0.62, 0.94), (0.75, 0.965), (0.9, 0.97), (1.0, 0.99)];

/// The chance that `score` stands for.
pub(super) fn chance(score: f64) -> f64 {
    let next = KNOTS.iter().position(|(knot, _)| score < *knot).unwrap_or(KNOTS.len() - 1);
    let Some(((from, low), (to, high))) = next.checked_sub(1).and_then(|at| Some((KNOTS.get(at)?, KNOTS.get(next)?)))
    else {
        return score;
    };
    low + (high - low) * ((score - from) / (to - from)).clamp(0.0, 1.0)
}

/// The step that turns `score` into a chance, where they differ.
pub(super) fn step(score: f64) -> Option<Step> {
    let chance = chance(score);
    if chance - score < 0.005 {
        return None;
    }
    let mut step = plain_step("score.calibrated", (1.0 - score) / (1.0 - chance), "", "");
    let percent = rounded(chance) * 100.0;
    step.zh = format!("在人工标注过的真实标题里，这样的发现有 {percent:.0}% 属实");
    step.en = format!("of such findings in real titles that people had labelled, {percent:.0} % were right");
    Some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_score_is_never_a_lower_chance() {
        let chances: Vec<f64> = (0..=100).map(|percent| chance(f64::from(percent) / 100.0)).collect();
        assert!(chances.windows(2).all(|pair| pair[0] <= pair[1]), "{chances:?}");
        assert!(chances.iter().all(|chance| (0.0..1.0).contains(chance)));
        assert!((chance(0.2) - 0.2).abs() < 1e-9 && (chance(0.35) - 0.35).abs() < 1e-9);
    }

    #[test]
    fn the_step_says_what_it_does() {
        let step = step(0.62).unwrap();
        assert!((1.0 - (1.0 - 0.62) / step.factor - 0.94).abs() < 1e-9 && step.en.contains("94 %"), "{step:?}");
        assert!(super::step(0.1).is_none());
    }
}
