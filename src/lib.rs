//! Markwarden (标卫) watches e-commerce listings for infringement of registered trademarks, false
//! advertising and counterfeit signals, and queues what it finds for human review.
//!
//! The rooms, from the ground up; each may use those above it in this list, never those below.
//! `ARCHITECTURE.md` draws the house; `tests/suite/floors.rs` keeps it so.

pub mod alert;
pub mod app;
pub mod archive;
pub mod campaign;
pub mod cli;
pub mod config;
pub mod crawl;
pub mod demo;
pub mod disguise;
pub mod evidence;
mod files;
pub mod intake;
pub mod live;
pub mod marks;
pub mod matcher;
pub mod model;
pub mod monitor;
mod parts;
pub mod review;
pub mod rules;
pub mod store;
pub mod text;
pub mod web;
