//! Where a page of a list begins: opaque, and good only for the list that gave it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::super::WebError;

/// Most rows of a page, and how many when none are asked for.
const MAX_ROWS: usize = 200;
const ROWS: usize = 50;

/// `place` in the list that `list` names.
pub(super) fn seal(list: &str, place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}{place}", mark(list)))
}

/// The place that `cursor` names in `list`.
pub(super) fn open(list: &str, cursor: &str) -> Result<String, WebError> {
    let wrong = || WebError::Field("cursor");
    if cursor.len() > 2048 {
        return Err(wrong());
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?).map_err(|_| wrong())?;
    text.strip_prefix(&mark(list)).map(str::to_owned).ok_or_else(wrong)
}

fn mark(list: &str) -> String {
    super::super::tokens::hex(&Sha256::digest(list.as_bytes())).chars().take(16).collect()
}

/// How many rows are asked for.
pub(super) fn rows(limit: &str) -> Result<usize, WebError> {
    match limit {
        "" => Ok(ROWS),
        number => number.parse().ok().filter(|rows| (1..=MAX_ROWS).contains(rows)).ok_or(WebError::Field("limit")),
    }
}

/// The `Link` header's value for the next page of `path`, asked for with the pairs `query`.
pub(super) fn link(path: &str, query: &[(&str, &str)], cursor: &str) -> String {
    let mut next = url::form_urlencoded::Serializer::new(String::new());
    let kept = query.iter().filter(|(name, value)| *name != "cursor" && !value.is_empty());
    next.extend_pairs(kept).append_pair("cursor", cursor);
    format!("<{path}?{}>; rel=\"next\"", next.finish())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_opens_in_its_own_list_only(list in ".{0,40}", other in ".{0,40}", place in ".{0,40}") {
            let cursor = seal(&list, &place);
            prop_assert_eq!(open(&list, &cursor).unwrap(), place);
            prop_assert_eq!(open(&other, &cursor).is_ok(), list == other);
        }

        #[test]
        fn any_text_is_opened_or_refused(cursor in "\\PC{0,80}") {
            let _ = open("hits", &cursor);
        }
    }

    #[test]
    fn limits_have_bounds() {
        assert_eq!(rows("").unwrap(), ROWS);
        assert_eq!(rows("200").unwrap(), MAX_ROWS);
        for limit in ["0", "201", "x", "-1"] {
            assert!(rows(limit).is_err(), "{limit}");
        }
        assert!(open("hits", &"A".repeat(2049)).is_err());
    }
}
