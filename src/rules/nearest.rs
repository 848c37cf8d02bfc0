//! What a person probably meant: the known name nearest to the one that was written.

/// How alike two names must be, of 1, before one is offered for the other.
const ALIKE: f64 = 0.75;

/// The name among `known` that is nearest to `written`, if any is near.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(written, name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_another_word_none() {
        let known = ["advertising-law.absolute-terms", "advertising-law.false"];
        assert_eq!(nearest("advertising-law.absolut-terms", known), Some("advertising-law.absolute-terms"));
        assert_eq!(nearest("traffic-law.speed", known), None);
    }
}
