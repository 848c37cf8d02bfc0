//! Settings of the crawl, the `[crawl]` table of `config.toml`.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::BrowserSettings;

/// How this installation crawls, whatever the profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Folder of site profiles, one TOML file a site.
    pub sites: PathBuf,
    /// The product token: what robots.txt files may call us, and the first word of our User-Agent.
    pub product: String,
    /// Where a site's owner reaches us: an address on the web or a mail address. Needed to crawl anything but this machine.
    pub contact: String,
    /// Requests on the way at the same time, over all hosts.
    pub connections: usize,
    /// Longest wait one `Retry-After` may ask of a running crawl, in seconds; a host that asks for more is left for a later run.
    pub max_retry_after_seconds: u64,
    /// Addresses of hosts that are not looked up by name; still refused where they are private.
    pub addresses: BTreeMap<String, IpAddr>,
    /// Whether every fetched page is written to a WARC file.
    pub warc: bool,
    /// Size at which a WARC file is full, in bytes.
    pub warc_max_bytes: u64,
    /// Addresses with what became of them that a run's report lists one by one; the rest is counted.
    pub max_fates: usize,
    /// The browser that pages are rendered with.
    pub browser: BrowserSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sites: "sites".into(),
            product: "Markwarden".into(),
            contact: String::new(),
            connections: 256,
            max_retry_after_seconds: 300,
            addresses: BTreeMap::new(),
            warc: true,
            warc_max_bytes: 256 * 1024 * 1024,
            max_fates: 2000,
            browser: BrowserSettings::default(),
        }
    }
}

impl Settings {
    /// The User-Agent: product, version, and the contact where there is one.
    pub fn user_agent(&self) -> String {
        let product = format!("{}/{}", self.product, env!("CARGO_PKG_VERSION"));
        if self.contact.is_empty() { product } else { format!("{product} (+{})", self.contact) }
    }

    pub(super) fn max_retry_after(&self) -> Duration {
        Duration::from_secs(self.max_retry_after_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_names_product_version_and_contact() {
        let settings = Settings { contact: "https://desk.example/crawl".into(), ..Settings::default() };
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(settings.user_agent(), format!("Markwarden/{version} (+https://desk.example/crawl)"));
        assert!(toml::from_str::<Settings>("contakt = \"x\"").is_err());
    }
}
