//! The fictional marketplace: three shops and a live room on loopback ports, the marks of invented holders, and the truth about
//! every listing, so that the whole path can be shown and measured without touching anything outside the machine.
//!
//! [`Market`] serves; [`score`] compares findings with [`Truth`]; [`pace_report`] reads the shops' own access log.
//! Crawling, matching and the desk are other rooms' work: nothing here looks into them.

mod data;
mod log;
mod market;
mod pace;
mod page;
mod room;
mod score;
mod shop;
mod truth;

pub use data::Style;
pub use log::Request;
pub use market::{Market, MarketError};
pub use pace::{SitePace, pace_report};
pub use room::{LiveRoom, RoomExpectation, RoomScore, RoomTruth, room_score};
pub use score::{FalseAlarm, Measure, Miss, Score, score};
pub use truth::{Expectation, ExpectedListing, Truth, Writing};
