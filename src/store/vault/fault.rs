//! What a place said when something failed, in words that say how to mend it.

use std::error::Error as _;

use object_store::Error;

use crate::store::port::StoreError;

/// Longest part of an answer that is repeated.
const MAX_SHOWN_CHARS: usize = 300;

/// Names what was being done, and what stands in its way.
pub(super) fn told(doing: &str, error: &Error) -> StoreError {
    let what = causes(error).chars().take(MAX_SHOWN_CHARS).collect();
    StoreError::Vault { doing: doing.to_owned(), what, mend: "Mend it, then start again".into() }
}

/// An error with its causes, each once.
fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
