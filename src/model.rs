//! The nouns every room shares. No input or output happens here: values, their identities, and the
//! forms they take in files others rely on.
//!
//! Reading, deciding and writing belong to the rooms below; this one only says what a thing is.

mod account;
mod capture;
mod clock;
mod diagnostic;
mod difference;
mod finding;
mod fingerprint;
mod hit;
mod id;
mod listed;
mod listing;
mod live;
mod mark;
mod money;
mod remark;
mod seller;

pub use account::{Account, Permission, Role, Roles, Scope};
pub use capture::Capture;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use diagnostic::{Diagnostic, Fix};
pub use difference::Difference;
pub use finding::{Channel, Finding, FindingKind, Findings, Handling, Severity, Span, Step};
pub use fingerprint::Fingerprint;
pub use hit::{Decision, Hit, HitState, NewHit, Reason, Verdict};
pub use id::{AccountName, CaptureId, HitId, IdError, ListingId, MarkId, RuleId};
pub use listed::{Document, DocumentKind, DocumentState, ListedSeller, SellerList, SellerLists};
pub use listing::{Image, Listing, Review, Surface, SurfaceKind, TimelineEntry};
pub use live::{Goods, Moment, ShelfState};
pub use mark::{Mark, MarkStatus};
pub use money::{Amount, AmountError, Money};
pub use remark::{Check, MAX_REMARK_BYTES, MAX_REMARK_KEY_BYTES, Missed, Remark, Saying, Stratum};
pub use seller::{Seller, SellerKind};
