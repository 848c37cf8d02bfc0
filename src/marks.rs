//! The register of watched marks: bringing them in, and finding their words in folded text.
//!
//! [`Register`] is one generation of marks with its index; it is built aside and swapped whole. What a
//! found word is worth belongs to the matcher. Two tiers are planned on this index: the registry (exact
//! on folded text, tens of millions) and the watch (all disguises, up to 100,000); today both are one.

mod import;
mod index;
mod register;

pub use import::{MAX_CELL_BYTES, MAX_FILE_BYTES, MAX_MARKS, import_csv};
pub use index::MAX_UNITS;
pub use register::{Occurrence, Register, Spelling};
