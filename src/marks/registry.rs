//! The registry tier: every registered word of a jurisdiction, tens of millions, found as it stands once folded.
//!
//! A [`Base`] is one file that is mapped into memory and never changes; [`Registry`] is a folder with a base and the changes
//! since, open for changing, and [`Reader`] the same folder, read while another process may change it. [`View`] is what either
//! says at one moment: its [`find`](View::find) gives every registered spelling in a text. [`Builder`] makes a base from
//! spellings in any order, in bounded memory; [`Rows`] reads them from a file. What a found word is worth, and whether a
//! reviewer ever sees it, belongs to the matcher; disguises beyond the fold belong to the watch.

mod base;
mod build;
mod delta;
mod error;
mod filter;
mod folder;
mod gather;
mod hash;
mod layout;
mod log;
mod map;
mod reader;
mod registration;
mod rows;
mod scan;
mod view;

#[cfg(test)]
mod mutations;
#[cfg(test)]
mod tests;

pub use base::{Base, Registrations, Sizes};
pub use build::{Builder, GATHER_BYTES};
pub use delta::{Change, Delta, MAX_CHANGES, MAX_DELTA_BYTES, MAX_SPELLINGS};
pub use error::RegistryError;
pub use folder::Registry;
pub use log::{MAX_LOG_BYTES, MAX_RECORD_BYTES};
pub use reader::Reader;
pub use registration::{MAX_HOLDER_BYTES, MAX_JURISDICTION_BYTES, MAX_NUMBER_BYTES, NiceClasses, Registration};
pub use rows::{MAX_ROW_BYTES, Row, RowError, Rows};
pub use view::{Occurrence, View};
