//! `markwarden check`: match listings from a file or stdin; no store is needed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result, bail};
use jiff::{civil::Date, tz::TimeZone};

use super::{Context, Done};
use crate::{
    app,
    marks::Register,
    matcher::{Matcher, Settings},
    model::{Finding, Findings, Listing, Mark},
};

/// Longest line of a listings file, in bytes.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
/// Lines matched together by one thread.
const CHUNK: usize = 256;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Listings are JSON lines; only \"title\" is required:\n  \
    {\"id\":\"1\",\"title\":\"正品 云·雀 跑鞋\",\"price\":{\"amount\":\"199.00\",\"currency\":\"CNY\"}}\n\
    Marks are CSV with a header; only \"text\" is required:\n  \
    id,holder,text,nice_classes,aliases,authorised_sellers\n\n\
    One line of findings is printed for each listing, in the order of the listings.\n\
    Exit code 1 means that something was found.\n\n\
    Examples:\n  \
    markwarden check --marks marks.csv listings.jsonl\n  \
    cat listings.jsonl | markwarden check --no-rules --marks marks.csv --format json")]
pub struct Args {
    /// Marks to watch for (CSV); may be given more than once.
    #[arg(long, value_name = "FILE")]
    marks: Vec<PathBuf>,
    /// Rules to run instead of the built-in ones.
    #[arg(long, value_name = "DIR", conflicts_with = "no_rules")]
    rules: Option<PathBuf>,
    /// Run no rules.
    #[arg(long)]
    no_rules: bool,
    /// The data folder whose registry is asked too (see `marks registry build`).
    #[arg(long, value_name = "DIR")]
    registry: Option<PathBuf>,
    /// The day whose law applies to listings without `captured_at`; today when absent.
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// Print what was set aside too, with the reason.
    #[arg(long)]
    suppressed: bool,
    /// Print how each finding was reached.
    #[arg(long)]
    explain: bool,
    /// Threads; all cores when 0.
    #[arg(long, default_value_t = 0, value_name = "N")]
    threads: usize,
    /// Listings (JSON lines); stdin when absent or `-`.
    file: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or a line is no listing; what came before it has been printed.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    if args.marks.is_empty() && args.registry.is_none() && args.no_rules {
        bail!("there is nothing to check for: give --marks FILE or --registry DIR, or leave out --no-rules");
    }
    let matcher = matcher(&args, context)?;
    let from_stdin = is_stdin(args.file.as_deref());
    let today = args.on.unwrap_or_else(|| crate::model::Timestamp::now().to_zoned(TimeZone::UTC).date());
    let mut input = Lines::open(args.file.as_deref())?;
    let threads =
        if args.threads == 0 { thread::available_parallelism().map_or(1, usize::from) } else { args.threads.min(256) };
    let bar = context.progress(0, "listings matched");
    let mut found = false;
    loop {
        let (lines, failure) = input.read(CHUNK * threads);
        let results = match_lines(&matcher, &lines, today, threads);
        let mut out = io::stdout().lock();
        for (result, line) in results.into_iter().zip(&lines) {
            let (listing, findings) = result.map_err(|error| input.mistake(line, &error))?;
            found |= !findings.findings.is_empty();
            print(&mut out, &args, context, &listing, findings)?;
        }
        bar.inc(lines.len() as u64);
        if let Some(error) = failure {
            return Err(error);
        }
        if lines.is_empty() {
            break;
        }
        if from_stdin {
            out.flush()?;
        }
    }
    bar.finish_and_clear();
    Ok(if found { Done::Findings } else { Done::Fine })
}

fn matcher(args: &Args, context: &Context) -> Result<Matcher> {
    let mut all: Vec<Mark> = Vec::new();
    for path in &args.marks {
        all.extend(super::marks::read(path, context)?);
    }
    let rules = match (&args.rules, args.no_rules) {
        (_, true) => None,
        (Some(folder), false) => Some(Arc::new(app::rules(folder)?)),
        (None, false) => Some(Arc::new(app::rules_or_builtin(&context.settings()?.rules)?)),
    };
    let matcher = Matcher::new(Arc::new(Register::new(all)), rules, Settings::default());
    Ok(match &args.registry {
        Some(data) => matcher.with_registry(super::registry::read(data)?),
        None => matcher,
    })
}

struct Line {
    number: u64,
    text: Vec<u8>,
}

struct Lines {
    name: String,
    reader: BufReader<Box<dyn Read>>,
    number: u64,
}

fn is_stdin(path: Option<&Path>) -> bool {
    path.is_none_or(|path| path.as_os_str() == "-")
}

impl Lines {
    /// A file, or stdin when there is none or it is `-`.
    fn open(path: Option<&Path>) -> Result<Self> {
        let (name, reader): (String, Box<dyn Read>) = match path {
            Some(path) if !is_stdin(Some(path)) => {
                let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
                (path.display().to_string(), Box::new(file))
            }
            _ => ("stdin".into(), Box::new(io::stdin())),
        };
        Ok(Self { name, reader: BufReader::with_capacity(1 << 20, reader), number: 0 })
    }

    /// Up to `n` lines that are not blank; fewer at the end, or before a failure.
    fn read(&mut self, n: usize) -> (Vec<Line>, Option<anyhow::Error>) {
        let mut lines = Vec::with_capacity(n);
        while lines.len() < n {
            let mut text = Vec::new();
            let limit = MAX_LINE_BYTES as u64 + 1;
            match self.reader.by_ref().take(limit).read_until(b'\n', &mut text) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    return (lines, Some(anyhow::Error::new(error).context(format!("cannot read {}", self.name))));
                }
            }
            self.number += 1;
            if text.len() > MAX_LINE_BYTES {
                let words = format!("{}:{}: the line has more than {MAX_LINE_BYTES} bytes", self.name, self.number);
                return (lines, Some(anyhow::anyhow!(words)));
            }
            if !text.trim_ascii().is_empty() {
                lines.push(Line { number: self.number, text });
            }
        }
        (lines, None)
    }

    fn mistake(&self, line: &Line, error: &serde_json::Error) -> anyhow::Error {
        anyhow::anyhow!(
            "{}:{}:{}: this is no listing: {error}. Each line is one JSON object with at least a \"title\"",
            self.name,
            line.number,
            error.column()
        )
    }
}

/// Shows every listing of a file of JSON lines, `-` being stdin.
///
/// # Errors
/// When the file cannot be read or a line is no listing.
pub(super) fn each_listing(path: &Path, show: &mut dyn FnMut(&Listing) -> ControlFlow<()>) -> Result<()> {
    let mut input = Lines::open(Some(path))?;
    loop {
        let (lines, failure) = input.read(CHUNK);
        for line in &lines {
            let listing = read_listing(line).map_err(|error| input.mistake(line, &error))?;
            if show(&listing).is_break() {
                return Ok(());
            }
        }
        match failure {
            Some(error) => return Err(error),
            None if lines.is_empty() => return Ok(()),
            None => {}
        }
    }
}

fn read_listing(line: &Line) -> Result<Listing, serde_json::Error> {
    serde_json::from_slice(line.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line.text))
}

type Matched = Result<(Listing, Findings), serde_json::Error>;

fn match_lines(matcher: &Matcher, lines: &[Line], today: Date, threads: usize) -> Vec<Matched> {
    let match_one = |line: &Line| -> Matched {
        let listing = read_listing(line)?;
        let on = listing.captured_at.map_or(today, |at| at.to_zoned(TimeZone::UTC).date());
        let findings = matcher.check(&listing, on);
        Ok((listing, findings))
    };
    if threads < 2 || lines.len() < 2 * threads {
        return lines.iter().map(match_one).collect();
    }
    let share = lines.len().div_ceil(threads);
    thread::scope(|scope| {
        let workers: Vec<_> = lines
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(match_one).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    })
}

fn print(
    out: &mut impl Write,
    args: &Args,
    context: &Context,
    listing: &Listing,
    mut findings: Findings,
) -> Result<()> {
    if !args.suppressed {
        findings.suppressed.clear();
    }
    if context.json() || !args.explain {
        serde_json::to_writer(&mut *out, &findings)?;
        out.write_all(b"\n")?;
        return Ok(());
    }
    writeln!(
        out,
        "{}  {}  risk {:.2}",
        super::context::visible(&listing.id),
        super::context::visible(&listing.title),
        findings.risk
    )?;
    for finding in &findings.findings {
        explain(out, finding)?;
    }
    for finding in &findings.suppressed {
        writeln!(out, "  set aside: {}", finding.suppressed.as_deref().unwrap_or(""))?;
        explain(out, finding)?;
    }
    Ok(())
}

fn explain(out: &mut impl Write, finding: &Finding) -> Result<()> {
    let visible = super::context::visible;
    writeln!(
        out,
        "  {:.2} {} {}..{} “{}”  {} ({})  {}",
        finding.score,
        visible(&finding.surface),
        finding.start,
        finding.end,
        visible(&finding.text),
        finding.reference,
        finding.family,
        finding.citation
    )?;
    for step in &finding.explanation {
        let change = if step.before.is_empty() || step.after.is_empty() {
            String::new()
        } else {
            format!(" [{} → {}]", visible(&step.before), visible(&step.after))
        };
        let score = step.score.map_or_else(|| "    ".to_owned(), |score| format!("{score:.2}"));
        writeln!(out, "       {score} {}{change}", step.en)?;
    }
    Ok(())
}
