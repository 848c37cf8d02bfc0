//! The register of watched marks: bringing them in, and finding their words in folded text.
//!
//! [`Register`] is one generation of marks with its index; it is built aside and swapped whole. What a
//! found word is worth belongs to the matcher. Spellings are found as they stand by the index, and otherwise by what
//! [`disguise`](crate::disguise) watches for.
//!
//! [`registry`] is the other tier: all registered words of a jurisdiction, tens of millions, exact on folded text, in a file.

mod columns;
mod import;
mod import_xml;
mod index;
mod phrases;
mod register;
pub mod registry;
mod table;

pub use columns::{Columns, fact_named};
pub use import::{COLUMNS, MAX_CELL_BYTES, MAX_FILE_BYTES, MAX_MARKS, import_csv};
pub use import_xml::import_xml;
pub use index::MAX_UNITS;
pub(crate) use register::DISGUISED_BITS;
pub use register::{Occurrence, Register, Spelling};
pub use table::{Table, TableRow, WrongRow, import_rows, name_by_office};
