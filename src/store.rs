//! What must not be lost: listings, hits, decisions, marks, captures, and the journal of every change.
//!
//! [`Store`] is the port; it speaks the product's own operations. [`MemoryStore`] is the model that
//! says what they mean. What a listing means, and who may decide, belongs to other rooms.

mod memory;
mod port;

pub use memory::MemoryStore;
pub use port::{
    Batch, Change, ClaimSpec, Counts, Cursor, Due, Filter, HitReceipt, HitRow, HostLease, Lease, LeaseRef, MarksDelta,
    Order, Outcome, Page, Receipt, Store, StoreError, StoredListing, Write,
};
