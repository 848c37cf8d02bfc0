//! Settings of alerts, the `[alerts]` table of `config.toml`.

use serde::{Deserialize, Serialize};

use crate::crawl::Secret;

/// How alerts reach people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address of the desk in links, such as `https://desk.example`; without it messages carry numbers only.
    pub desk: String,
    /// Hosts of webhooks that may be at private addresses, or be asked without https.
    pub private_hosts: Vec<String>,
    /// The mail relay; without one nobody is told by mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<Relay>,
}

/// A mail relay, and what mail says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// Its host.
    pub host: String,
    /// Its port.
    #[serde(default = "submission")]
    pub port: u16,
    /// How the connection is kept from others.
    #[serde(default)]
    pub encryption: Encryption,
    /// The name it knows us by, if it asks for one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The password for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Who mail comes from.
    pub from: String,
    /// Domains that mail may go to, besides that of `from`.
    #[serde(default)]
    pub domains: Vec<String>,
}

fn submission() -> u16 {
    587
}

/// How a connection to a mail relay is kept from others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// From the beginning.
    Tls,
    /// After a greeting; a relay that does not offer it is left.
    #[default]
    Starttls,
    /// Not at all: only for a relay on this machine.
    None,
}

impl Relay {
    /// Whether mail may go to `address`: to people of our own domains.
    pub fn admits(&self, address: &str) -> bool {
        let domain = |address: &str| {
            address.rsplit_once('@').map(|(_, domain)| domain.trim_end_matches('>').to_ascii_lowercase())
        };
        let Some(wanted) = domain(address) else { return false };
        domain(&self.from).is_some_and(|own| own == wanted)
            || self.domains.iter().any(|known| known.eq_ignore_ascii_case(&wanted))
    }
}
