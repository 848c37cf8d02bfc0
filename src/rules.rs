//! Rules: files written by law people that look for wording or missing proof, with their tests inside.
//!
//! Main type: [`RuleSet`], compiled once and then pure: a listing's folded surfaces in, findings out.
//! Marks, scores across findings and queues are left to the rooms below; a reviewer decides.

mod atoms;
mod category;
mod compile;
mod evaluate;
mod explain;
mod expression;
mod file;
mod finding;
mod folder;
mod guard;
mod limits;
mod lint;
mod rule;
mod sentence;
mod set;
mod trial;

pub use file::{Bilingual, Expectation, RuleKind, Status};
pub use folder::RuleSource;
pub use limits::{MAX_FILES, MAX_LIST_BYTES, MAX_RULE_BYTES};
pub use rule::{Rule, Test};
pub use set::RuleSet;
pub use trial::Trial;
