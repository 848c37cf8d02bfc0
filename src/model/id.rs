//! Identities as types, so that a mark's id is never handed over where a listing's is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest identity accepted from outside, in bytes.
const MAX_ID_BYTES: usize = 512;

/// Why a text is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing but white space.
    #[error("an id must not be empty")]
    Empty,
    /// Longer than 512 bytes.
    #[error("an id may have at most {MAX_ID_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// Control characters would break logs and tables.
    #[error("an id must not contain control characters")]
    Control,
}

fn checked(text: &str) -> Result<String, IdError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Control);
    }
    Ok(text.to_owned())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and keeps `text`, trimmed.
            ///
            /// # Errors
            /// When it is empty, longer than 512 bytes, or holds control characters.
            pub fn new(text: &str) -> Result<Self, IdError> {
                checked(text).map(Self)
            }

            /// The identity as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// Names one listing: `platform:item` where known, else its canonical URL.
    ListingId
}
text_id! {
    /// Names one mark in the register.
    MarkId
}
text_id! {
    /// Names one rule; also the name of its file without `.toml`.
    RuleId
}
text_id! {
    /// The name a person signs in with.
    AccountName
}
text_id! {
    /// Names one capture: the WARC record id, `urn:uuid:…`.
    CaptureId
}

/// Names one hit: a number given out by the store, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HitId(pub u64);

impl fmt::Display for HitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
