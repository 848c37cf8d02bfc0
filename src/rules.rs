//! Rules: files written by law people that look for wording or missing proof, with their tests inside.
//!
//! Main type: [`RuleSet`], compiled once and then pure: a listing's folded surfaces in, findings out.
//! Marks, scores across findings and queues are left to the rooms below; a reviewer decides.

mod atoms;
mod backtest;
mod category;
mod changed;
mod codes;
mod compile;
mod deep;
mod draft;
mod evaluate;
mod explain;
mod expression;
mod file;
mod finding;
mod fix;
mod folder;
mod format;
mod guard;
mod keys;
mod life;
mod limits;
mod lint;
mod lists;
mod nearest;
mod needles;
mod number;
#[cfg(test)]
mod plain;
mod plan;
mod reading;
mod rows;
mod rule;
mod sarif;
mod schema;
mod sectors;
mod sentence;
mod set;
mod statutes;
mod survey;
mod trial;
mod words;

pub use backtest::{Backtest, Comparison, Judged, RuleChange, RuleReport, RuleSample, Side, wilson};
pub use changed::Changed;
pub use codes::{CODES, Code};
pub use draft::Draft;
pub use explain::Explanation;
pub use file::{Bilingual, Expectation, RuleKind, Status};
pub use fix::{Fixed, fix};
pub use folder::{LOCK_FILE, RuleSource};
pub use format::format;
pub use guard::Given;
pub use life::{Edition, Floor, Quality, relock, with_status};
pub use limits::{MAX_FILES, MAX_LIST_BYTES, MAX_RULE_BYTES};
pub use lint::lock;
pub use needles::Needles;
pub use reading::{Sighting, Sightings};
pub use rule::{Gate, Rule, Test};
pub use sarif::sarif;
pub use schema::{schema, statute_schema};
pub use set::RuleSet;
pub use statutes::{Article, Penalty, Statute, Statutes, Verified};
pub use survey::{Remark, Remarkable, Survey};
pub use trial::Trial;
