//! Longest and best wins among findings that overlap; the others say what covered them.

use crate::model::Finding;

/// Marks every finding that a longer or stronger one overlaps as suppressed. All stand in one surface.
///
/// What is written as it is comes before what only may be meant. Marks of different holders with the very same words all
/// stand: each holder's case is its own.
pub(super) fn longest_wins(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let sooner = (guessed(a), length(b)).cmp(&(guessed(b), length(a)));
        sooner.then(as_it_is(b).cmp(&as_it_is(a))).then(b.score.total_cmp(&a.score))
    });
    for index in 1..findings.len() {
        let (winners, rest) = findings.split_at_mut(index);
        let Some(loser) = rest.first_mut() else { return };
        let covered = winners.iter().find(|winner| {
            let overlap = winner.start < loser.end && loser.start < winner.end;
            let same = (winner.start, winner.end) == (loser.start, loser.end);
            let inside = winner.start <= loser.start && loser.end <= winner.end;
            winner.suppressed.is_none()
                && match (guessed(winner), guessed(loser)) {
                    (false, true) => inside,
                    _ => overlap && (!same || winner.family == loser.family || as_it_is(winner) && !as_it_is(loser)),
                }
        });
        if let Some(winner) = covered {
            loser.suppressed = Some(format!("covered by `{}`", winner.word));
        }
    }
}

/// Whether another word stands there, and the mark may be meant by it.
fn guessed(finding: &Finding) -> bool {
    finding.channels.iter().any(|channel| channel.is_guess())
}

/// Whether nobody hid anything: it is written as registered, or in another form of the same characters.
fn as_it_is(finding: &Finding) -> bool {
    !finding.channels.iter().any(|channel| channel.is_disguise())
}

fn length(finding: &Finding) -> usize {
    finding.end - finding.start
}
