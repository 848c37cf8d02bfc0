//! Listings that are handed in rather than fetched: files of CSV, XLSX or JSON lines, and feeds that are pushed.
//!
//! [`read`] makes rows of a file, each a listing or what is wrong with it; [`Feeds`] says who may push. What becomes of a
//! listing is the monitor's business. Each says where it came from ([`Origin`]).

mod columns;
mod feeds;
mod folder;
mod rows;
mod settings;
mod sheet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::model::Listing;

pub use columns::{Columns, FIELDS};
pub use feeds::{Feed, Feeds, FeedsError, MAX_FEEDS};
pub use folder::{DONE, FAILED, Folder, Waiting};
pub use rows::{
    Cells, IntakeError, MAX_FILE_BYTES, MAX_LINE_BYTES, MAX_ROWS, Options, Row, RowError, cells, json_lines, read,
};
pub use settings::Settings;

/// The field in which a listing says where it came from.
pub const PROVENANCE: &str = "provenance";

/// Where handed in listings came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `file`, `folder` or `feed`.
    pub kind: &'static str,
    /// The file's name, or the feed's.
    pub name: String,
    /// SHA-256 of all that was handed in with it, 64 lower-case hex digits.
    pub sha256: String,
}

impl Origin {
    /// The origin of what stands in `bytes`.
    #[must_use]
    pub fn new(kind: &'static str, name: &str, bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let name = name.chars().filter(|c| !c.is_control()).take(200).collect();
        Self { kind, name, sha256 }
    }

    /// Writes into `listing` that it came from here, from the row or line `row`.
    pub fn stamp(&self, listing: &mut Listing, row: u64) {
        let Self { kind, name, sha256 } = self;
        listing.other.insert(PROVENANCE.into(), json!({"kind": kind, "name": name, "sha256": sha256, "row": row}));
    }
}

/// Whether two listings say the same of their product, wherever they came from and whenever.
#[must_use]
pub fn same_facts(left: &Listing, right: &Listing) -> bool {
    let facts = |listing: &Listing| {
        let mut facts = Listing { captured_at: None, ..listing.clone() };
        facts.other.remove(PROVENANCE);
        facts
    };
    facts(left) == facts(right)
}

/// Where a listing says that it came from, if it was handed in.
#[must_use]
pub fn provenance(listing: &Listing) -> Option<&Value> {
    listing.other.get(PROVENANCE)
}
