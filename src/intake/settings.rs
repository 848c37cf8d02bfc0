//! Settings of listings that are handed in, the `[import]` table of `config.toml`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Options;

/// How listings are handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder that `serve` watches for files; none when empty.
    pub folder: PathBuf,
    /// The marketplace of listings in it that name none.
    pub platform: String,
    /// The currency of prices in it that name none (ISO 4217).
    pub currency: String,
    /// Requests that one feed may make in a minute.
    pub feed_requests_per_minute: u32,
    /// Listings that one feed may push in a minute.
    pub feed_listings_per_minute: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            folder: PathBuf::new(),
            platform: String::new(),
            currency: String::new(),
            feed_requests_per_minute: 60,
            feed_listings_per_minute: 20_000,
        }
    }
}

impl Settings {
    /// How files of the watched folder are read.
    #[must_use]
    pub fn options(&self) -> Options {
        let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Options { platform: said(&self.platform), currency: said(&self.currency), ..Options::default() }
    }
}
