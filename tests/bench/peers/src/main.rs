//! The store beside redb and SQLite: the same listings, hits, reviewers and pages, in the same run, with the same cache.
//!
//! `bench` runs every step of every engine in a process of its own and prints a table with ratios; it asserts nothing about
//! speed. What each engine keeps is in its own file: a record, a dedupe key, the queue in two orders with facets, leases
//! with fences, counters. The store keeps the journal of every change besides, which the peers have no word for.

mod engine;
mod goods;
mod own;
mod redb_peer;
mod report;
mod sqlite_peer;
mod step;

use std::path::PathBuf;

use clap::Parser;

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
enum Arguments {
    /// Runs everything and prints the table.
    Bench(Bench),
    /// Runs one step; `bench` does that.
    Step(step::Step),
}

#[derive(Debug, clap::Args)]
struct Bench {
    /// Listings, and hits.
    #[arg(long, default_value_t = 1_000_000)]
    n: u64,
    /// How long enqueues, reviews and pages run, each.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Where the data lie, on the disk that counts.
    #[arg(long, default_value = "target/bench", overrides_with = "dir")]
    dir: PathBuf,
    /// Hits carry the whole listing, as the monitor queues them.
    #[arg(long)]
    whole: bool,
    /// Only these.
    #[arg(long, value_delimiter = ',')]
    engines: Vec<engine::Kind>,
}

fn main() {
    match Arguments::parse() {
        Arguments::Bench(bench) => report::run(&bench),
        Arguments::Step(step) => step::run(&step),
    }
}
