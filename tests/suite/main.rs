//! Every test that sees the program from outside, in one binary: it links once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod bundle_mutations;
mod cli;
mod crawl_guards;
mod crawl_kill;
mod crawl_run;
mod desk;
mod desk_account;
mod desk_browser;
mod desk_shop;
mod facts;
mod floors;
mod ledger;
mod market;
mod market_facts;
mod matcher;
mod moto;
mod real_pages;
mod robots;
mod rules;
mod serve;
mod shop;
mod store_backup;
mod store_bodies;
mod store_care;
mod store_crowd;
mod store_kill;
mod store_model;
mod store_seal;
mod store_shop;
mod store_transfer;
mod store_trim;
mod store_vault;
mod store_vault_s3;
mod store_writers;
mod warc;
