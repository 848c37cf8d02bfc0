//! `markwarden robots`: may this agent fetch these addresses under a robots.txt, and which line says so.

use std::{io::Read, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Context, Done};
use crate::crawl::{MAX_ROBOTS_BYTES, Robots, Ruling};

/// Arguments of `robots`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Prints one line an address: `allow` or `deny`, the address, and the deciding line.\n\
    Exit codes: 0 all allowed · 1 one or more denied · 2 usage or I/O.\n\n\
    Example:\n  curl -s https://shop.example/robots.txt | markwarden robots --agent markwarden --file - https://shop.example/p/1")]
pub struct Args {
    /// Whom it is asked for: a product token, or a whole User-Agent.
    #[arg(long, value_name = "AGENT")]
    agent: String,
    /// The robots.txt; `-` reads it from stdin.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// The addresses.
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the file cannot be read, or an address is none.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let rules = Robots::parse(&read(&args.file)?).rules_for(&args.agent);
    for url in &args.urls {
        if !url.contains("://") {
            bail!("`{url}` is no address: write http://host/path or https://host/path");
        }
    }
    let mut done = Done::Fine;
    for url in &args.urls {
        let ruling = rules.check(url);
        if !ruling.allowed {
            done = Done::Findings;
        }
        context.data(&line(url, &ruling, context.json()))?;
    }
    Ok(done)
}

fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than is read, so that the cut is the parser's.
    let limit = MAX_ROBOTS_BYTES as u64 + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).context("cannot read robots.txt from stdin")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        file.take(limit).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(bytes)
}

fn line(url: &str, ruling: &Ruling, json: bool) -> String {
    let word = if ruling.allowed { "allow" } else { "deny" };
    if json {
        let rule = ruling.line.as_ref().map(|(number, text)| serde_json::json!({ "line": number, "text": text }));
        return serde_json::json!({ "url": url, "allowed": ruling.allowed, "rule": rule }).to_string();
    }
    format!("{word}\t{url}\t{}", ruling.reason())
}
