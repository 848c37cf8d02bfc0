//! What must not be lost: listings, hits, decisions, marks, captures, and the journal of every change.
//!
//! [`Store`] is the port; it speaks the product's own operations. [`MemoryStore`] is the model that
//! says what they mean, [`SledStore`] keeps them on one machine, [`ContentStore`] keeps bodies.
//! What a listing means, and who may decide, belongs to other rooms.

mod backup;
mod content;
mod disk;
mod doctor;
mod event;
mod folder;
mod journal;
mod memory;
mod port;
mod record;
mod settings;
#[cfg(test)]
mod simulator;
mod sled;
mod snapshot;
mod transfer;
mod trim;
mod vault;

pub use self::sled::SledStore;
pub use backup::{BackupReport, Manifest, ManifestFile, Progress, backup, restore};
pub use content::{ContentStore, Hold, MAX_BODY_BYTES, MIN_RETAIN_DAYS, ScrubReport, SweepReport};
pub use doctor::{Ailment, Gravity, RETIRED, doctor, rebuild_index};
pub use memory::MemoryStore;
pub use port::{
    Act, Batch, Change, ClaimSpec, Counts, Cursor, Due, Filter, HitReceipt, HitRow, HostLease, Lease, LeaseRef,
    MAX_AT_ONCE, MarksDelta, Order, Outcome, Page, Receipt, RemarksDelta, Seen, Settled, Store, StoreError,
    StoredListing, Write, each_hit,
};
pub use record::JournalRecord;
pub use settings::Settings;
pub use transfer::{TransferReport, export, import};
pub use trim::{Kept, KeptInFolder, TrimReport, bring_back, trim};
pub use vault::{Access, BackupId, Flaw, KeptInVault, Place, PlaceError, Target, Vault, VaultReport};
