//! Canaries: known listings that a run asks for first, and what must be read of them.

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::Profile;
use crate::crawl::Expected;

/// Most canaries of a profile: each is asked for in every run.
pub const MAX_CANARIES: usize = 20;

/// A known listing whose facts must be read on each run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// Its address.
    pub url: String,
    /// Facts it must have, as a listing writes them; what is not named may be anything.
    #[serde(default)]
    pub facts: Map<String, Value>,
    /// Facts that must stand, whatever their value.
    #[serde(default)]
    pub has: Vec<String>,
    /// Facts that must not stand.
    #[serde(default)]
    pub absent: Vec<String>,
}

impl Canary {
    /// What must be read of it; nothing where the profile was not checked.
    pub fn expected(&self) -> Expected {
        Expected::new(&self.facts, &self.has, &self.absent).unwrap_or_default()
    }
}

impl Profile {
    /// What is wrong with the canaries: the text that is wrong, and why.
    pub(super) fn canary_mistake(&self) -> Option<(String, String)> {
        if let Some(canary) = self.canaries.get(MAX_CANARIES) {
            return Some((canary.url.clone(), format!("more than {MAX_CANARIES} canaries would be asked in each run")));
        }
        for (place, canary) in self.canaries.iter().enumerate() {
            let url = Url::parse(&canary.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            let Some(url) = url else {
                return Some((canary.url.clone(), format!("`{}` is no http address", canary.url)));
            };
            if !self.listing.patterns.iter().any(|pattern| pattern.matches(&url)) {
                let why = format!("the canary {} is no listing by `match` of [listing]", canary.url);
                return Some((canary.url.clone(), why));
            }
            if self.canaries.iter().take(place).any(|known| known.url == canary.url) {
                return Some((canary.url.clone(), format!("{} is a canary twice", canary.url)));
            }
            match Expected::new(&canary.facts, &canary.has, &canary.absent) {
                Ok(expected) if expected.is_empty() => {
                    return Some((canary.url.clone(), "nothing is expected of this canary".into()));
                }
                Ok(_) => {}
                Err(mistake) => return Some(mistake),
            }
        }
        None
    }
}
