//! The archive: every listing the store knows, packed for reading fast, with an index of what stands in it.
//!
//! Main type: [`Archive`]. It is derived: built from the store, followed by its journal, and built anew whenever it is missing,
//! damaged, of another program's fold or of another store. Listings lie in segments of 32,768 ([`segment`]); each has, for every
//! two characters that follow each other in folded text, the listings they stand in, so that a rule is shown only those that
//! have its words. What rules are and what they find belongs to other rooms.

mod build;
mod candidates;
mod error;
mod folder;
mod keeper;
mod pairs;
mod prices;
mod refresh;
mod scan;
mod segment;
#[cfg(test)]
mod tests;
mod verdicts;

pub use error::ArchiveError;
pub use folder::{Archive, Manifest};
pub use keeper::Keeper;
pub use prices::{PriceFinder, Prices};
pub use refresh::refresh;
pub use scan::{Covered, Reaches, Scan};
pub use verdicts::Verdicts;

/// The archive's folder in the data folder.
pub const ARCHIVE: &str = "archive";
