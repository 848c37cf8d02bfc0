//! The command line: one file a command. Data goes to stdout, words to stderr.
//!
//! Exit codes: 0 done, 1 findings or refusals where a command checks something, 2 usage or I/O.

mod account;
mod asking;
mod backup;
mod bodies;
mod campaign;
mod check;
mod completions;
mod context;
mod crawl;
mod demo;
mod doctor;
mod evidence;
mod extract;
mod feed;
mod listings;
mod live;
mod marks;
mod notes;
mod queue;
mod registry;
mod restore;
mod robots;
mod rules;
mod serve;
mod transfer;
mod trim;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

pub use context::{Context, Done, Format};

/// Watches e-commerce listings for trademark infringement, false advertising and counterfeit
/// signals, and queues what it finds for human review.
#[derive(Debug, Parser)]
#[command(
    name = "markwarden",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done · 1 findings or refusals, where a command checks something · 2 usage or I/O.\n\
                  Start with `markwarden demo`: a fictional marketplace on this machine, crawled, matched and ready to review."
)]
struct Arguments {
    /// The settings file; `config.toml` beside you when it exists, else the defaults.
    #[arg(long, global = true, value_name = "FILE", env = "MARKWARDEN_CONFIG")]
    config: Option<PathBuf>,
    /// How data is printed on stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// More words on stderr; twice for every request.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at work on a fictional marketplace; nothing outside this machine is touched.
    Demo(demo::Args),
    /// Run the desk and the scheduled crawls until stopped.
    Serve(serve::Args),
    /// Crawl one or more profiles now.
    Crawl(crawl::Args),
    /// Listen to a live room, or match a recording of one.
    Live(live::Args),
    /// Match listings from a file or stdin; needs no store.
    Check(check::Args),
    /// Read the product facts of a saved page.
    Extract(extract::Args),
    /// Bring listings in from files.
    Listings(listings::Args),
    /// Manage who may push listings to the server.
    Feed(feed::Args),
    /// Say whether an agent may fetch addresses under a robots.txt, and why.
    Robots(robots::Args),
    /// Check and test rule files.
    Rules(rules::Args),
    /// Run rules between two days, in some sectors, regions and on some platforms.
    Campaign(campaign::Args),
    /// Bring marks into the register, list them, and search all registered words.
    Marks(marks::Args),
    /// Show the review queue.
    Queue(queue::Args),
    /// Verify evidence: WARC files and the journal.
    Evidence(evidence::Args),
    /// Copy the store to a folder.
    Backup(backup::Args),
    /// Bring a backup into an empty folder.
    Restore(restore::Args),
    /// Write the whole store as lines of JSON.
    Export(transfer::ExportArgs),
    /// Make a store of an export, in an empty folder.
    Import(transfer::ImportArgs),
    /// Let old segments of the journal leave for a backup that has them, or bring them back.
    Trim(trim::Args),
    /// Check, hold and let go of bodies in the content store.
    Bodies(bodies::Args),
    /// Say what is wrong with the store and what to do.
    Doctor(doctor::Args),
    /// Manage who may sign in to the desk.
    Account(account::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
}

/// Runs the program with the process's arguments.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let sarif = matches!(&arguments.command, Command::Rules(args) if args.takes_sarif());
    if arguments.format == Format::Sarif && !sarif {
        let message = "only `rules check` speaks SARIF; use --format json";
        Arguments::command().error(clap::error::ErrorKind::InvalidValue, message).exit();
    }
    let context = Context::new(arguments.config, arguments.format, arguments.verbose);
    let result = match arguments.command {
        Command::Demo(args) => demo::run(args, &context),
        Command::Serve(args) => serve::run(args, &context),
        Command::Crawl(args) => crawl::run(args, &context),
        Command::Live(args) => live::run(args, &context),
        Command::Check(args) => check::run(args, &context),
        Command::Listings(args) => listings::run(args, &context),
        Command::Feed(args) => feed::run(args, &context),
        Command::Extract(args) => extract::run(args, &context),
        Command::Robots(args) => robots::run(args, &context),
        Command::Rules(args) => rules::run(args, &context),
        Command::Campaign(args) => campaign::run(args, &context),
        Command::Marks(args) => marks::run(args, &context),
        Command::Queue(args) => queue::run(args, &context),
        Command::Evidence(args) => evidence::run(args, &context),
        Command::Backup(args) => backup::run(args, &context),
        Command::Restore(args) => restore::run(args, &context),
        Command::Export(args) => transfer::run_export(args, &context),
        Command::Import(args) => transfer::run_import(args, &context),
        Command::Trim(args) => trim::run(args, &context),
        Command::Bodies(args) => bodies::run(args, &context),
        Command::Doctor(args) => doctor::run(args, &context),
        Command::Account(args) => account::run(args, &context),
        Command::Completions(args) => completions::run(args, &context),
    };
    context.finish(result)
}
