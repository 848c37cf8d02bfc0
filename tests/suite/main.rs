//! Every test that sees the program from outside, in one binary: it links once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod cli;
mod floors;
mod matcher;

mod market;
mod real_pages;
mod robots;
mod store_kill;
mod store_model;
mod store_shop;
mod warc;

mod desk;
mod desk_shop;
