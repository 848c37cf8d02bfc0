//! Settings of the evidence, the `[evidence]` table of `config.toml`.

use serde::{Deserialize, Serialize};

/// How evidence is proven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where a time stamp authority (RFC 3161) answers; checkpoints carry no stamp when empty.
    pub timestamp_url: String,
}
