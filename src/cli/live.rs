//! `markwarden live`: listen to a live room, or go through a recording of one.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};
use jiff::{civil::Date, tz::TimeZone};
use tokio::sync::watch;

use super::{Context, Done, context::visible, crawl::monitor_with, serve};
use crate::{
    app::{self, App},
    live::{self, Fields, Framing, Room, Source, SourceKind},
    marks::Register,
    matcher::{Heard, Matcher, RoomMatcher, Settings},
    model::{Finding, Listing},
    monitor::room_listing,
};

/// Arguments of `live`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Listen to a room; what is found is queued as it is heard.
    #[command(
        after_help = "ROOM is a room of config.toml ([[live.room]]), a TOML file with one room, or an address:\n  \
        https://…/room.m3u8     HLS with subtitles\n  \
        wss://…                 messages over a WebSocket\n  \
        https://…               server-sent events, or with --kind ndjson or poll\n\
        Each finding is printed with its second, the pinned goods and their price of that second.\n\
        It ends with the room, or with Ctrl-C.\n\n\
        Examples:\n  \
        markwarden live watch https://cdn.example/room/master.m3u8 --marks marks.csv\n  \
        markwarden live watch xinghe-1\n\n\
        Exit codes: 0 nothing found · 1 something found · 2 usage or I/O."
    )]
    Watch(WatchArgs),
    /// Match a recording of a room; no store is needed.
    #[command(
        after_help = "FILE has lines of JSON in the source contract, or is WebVTT, SRT, or an HLS playlist beside its segments:\n  \
        {\"kind\":\"shelf\",\"at_ms\":0,\"goods\":{\"id\":\"7\",\"title\":\"跑鞋\",\"price\":\"￥199\"}}\n  \
        {\"kind\":\"caption\",\"at_ms\":61000,\"text\":\"今天只要九十九块\"}\n  \
        {\"kind\":\"comment\",\"at_ms\":62000,\"viewer\":\"u1\",\"text\":\"多少钱\"}\n\n\
        Examples:\n  \
        markwarden live replay room.jsonl --marks marks.csv --explain\n  \
        markwarden live replay captions.vtt --format json\n\n\
        Exit codes: 0 nothing found · 1 something found · 2 usage or I/O."
    )]
    Replay(ReplayArgs),
}

#[derive(Debug, clap::Args)]
struct WatchArgs {
    /// A configured room, a TOML file, or an address.
    #[arg(value_name = "ROOM")]
    room: String,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR", conflicts_with = "dry_run")]
    data: Option<PathBuf>,
    /// Listen and match, but keep nothing; the register's marks are not read, `--marks` names some.
    #[arg(long)]
    dry_run: bool,
    /// More marks to watch for (CSV); they come into the register unless it is a dry run.
    #[arg(long, value_name = "FILE")]
    marks: Option<PathBuf>,
    /// How an address speaks, where that is not seen from it.
    #[arg(long, value_parser = ["hls", "websocket", "sse", "ndjson", "poll"])]
    kind: Option<String>,
    /// How messages are packed.
    #[arg(long, value_parser = ["none", "gzip", "bilibili"])]
    framing: Option<String>,
    /// Allow addresses of this machine.
    #[arg(long)]
    allow_loopback: bool,
    /// Read from the oldest segment that is still there.
    #[arg(long)]
    from_start: bool,
    /// Print how each finding was reached.
    #[arg(long)]
    explain: bool,
}

#[derive(Debug, clap::Args)]
struct ReplayArgs {
    /// The recording.
    file: PathBuf,
    /// Marks to watch for (CSV).
    #[arg(long, value_name = "FILE")]
    marks: Option<PathBuf>,
    /// Rules to run instead of the settings' or built-in ones.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// The day whose law applies; today when absent.
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// The category of what the room sells.
    #[arg(long, value_name = "TEXT")]
    category: Option<String>,
    /// Print what was set aside too, with the reason.
    #[arg(long)]
    suppressed: bool,
    /// Print how each finding was reached.
    #[arg(long)]
    explain: bool,
}

/// Runs the command.
///
/// # Errors
/// When a room, file or setting cannot be used, or the room cannot be heard.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    match args.what {
        What::Watch(args) => watch_room(args, context),
        What::Replay(args) => replay(args, context),
    }
}

fn watch_room(args: WatchArgs, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let mut room = room_of(&args, &settings.live)?;
    room.allow_loopback |= args.allow_loopback;
    let rules = app::rules_or_builtin(&settings.rules)?;
    let app = if args.dry_run { App::temporary(settings)? } else { App::open(settings, args.data)? };
    let monitor = monitor_with(&app, rules, args.marks.as_deref(), context)?;
    let (stop, stopped) = watch::channel(false);
    app.halting()?;
    let services = app.listener(stopped, !args.dry_run)?;
    let printed: Arc<Mutex<Vec<String>>> = Arc::default();
    let (lines, json, explain) = (Arc::clone(&printed), context.json(), args.explain);
    let show = move |heard: &Heard| {
        for line in told(heard, json, explain) {
            // Printed by the one who owns stdout.
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    };
    let mut watched = monitor.watch(&room, Some(Box::new(show)))?;
    context.say(&format!("listening to {}; Ctrl-C ends it", visible(&room.id)));
    let flush = || -> Result<bool> {
        let lines = std::mem::take(&mut *printed.lock().unwrap_or_else(PoisonError::into_inner));
        for line in &lines {
            context.data(line)?;
        }
        Ok(!lines.is_empty())
    };
    let (report, mut found) = app.wait(async {
        let interrupt = tokio::spawn(async move {
            serve::stop_signal().await;
            stop.send_replace(true);
        });
        let mut found = false;
        let mut listening = std::pin::pin!(live::watch(&room, &services, &mut watched));
        let report = loop {
            tokio::select! {
                report = &mut listening => break report,
                () = tokio::time::sleep(std::time::Duration::from_millis(100)) => found |= flush()?,
            }
        };
        interrupt.abort();
        anyhow::Ok((report?, found))
    })?;
    found |= flush()?;
    for failure in &report.failures {
        context.say(&format!("  a source ended: {}", visible(failure)));
    }
    context.say(&format!(
        "{} captions, {} comments, {} changes of the shelf; {} new hits",
        report.captions,
        report.comments,
        report.shelf,
        watched.new_hits()
    ));
    Ok(if found { Done::Findings } else { Done::Fine })
}

/// The room that is meant: configured, in a file, or at an address.
fn room_of(args: &WatchArgs, settings: &live::Settings) -> Result<Room> {
    if let Some(room) = settings.rooms.iter().find(|room| room.id == args.room) {
        return Ok(room.clone());
    }
    if args.room.contains("://") {
        return of_address(args);
    }
    let path = Path::new(&args.room);
    if !path.is_file() {
        let known: Vec<&str> = settings.rooms.iter().map(|room| room.id.as_str()).collect();
        bail!("there is no room, file or address `{}`; the settings name: {}", args.room, known.join(", "));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).map_err(|error| {
        let help = "a room has id, platform and at least one [[source]] with kind and url";
        anyhow::Error::new(Box::new(crate::model::Diagnostic::toml(&args.room, &text, &error, "live.room", help)))
    })
}

fn of_address(args: &WatchArgs) -> Result<Room> {
    let url = url::Url::parse(&args.room).with_context(|| format!("the address {}", args.room))?;
    let kind = match (args.kind.as_deref(), url.scheme()) {
        (Some("hls"), _) => SourceKind::Hls,
        (Some("websocket"), _) | (None, "ws" | "wss") => SourceKind::Websocket,
        (Some("sse"), _) => SourceKind::Sse,
        (Some("ndjson"), _) => SourceKind::Ndjson,
        (Some("poll"), _) => SourceKind::Poll,
        _ if url.path().ends_with(".m3u8") => SourceKind::Hls,
        _ => SourceKind::Sse,
    };
    let framing = match args.framing.as_deref() {
        Some("gzip") => Framing::Gzip,
        Some("bilibili") => Framing::Bilibili,
        _ => Framing::None,
    };
    let fields = if framing == Framing::Bilibili { Fields::bilibili() } else { Fields::default() };
    let source = Source {
        kind,
        url: url.to_string(),
        framing,
        fields,
        from_start: args.from_start,
        every_seconds: 30,
        ..Source::default()
    };
    let host = url.host_str().unwrap_or("live").to_owned();
    Ok(Room {
        id: url.path().trim_matches('/').replace('/', "-"),
        platform: host,
        page: url.to_string(),
        robots: true,
        delay_ms: 250,
        sources: vec![source],
        ..Room::default()
    })
}

fn replay(args: ReplayArgs, context: &Context) -> Result<Done> {
    let events = live::read_recording(&args.file, &Fields::default())?;
    let marks = args.marks.as_deref().map(|path| super::marks::read(path, context)).transpose()?.unwrap_or_default();
    let rules = match &args.rules {
        Some(folder) => app::rules(folder)?,
        None => app::rules_or_builtin(&context.settings()?.rules)?,
    };
    let matcher = Matcher::new(Arc::new(Register::new(marks)), Some(Arc::new(rules)), Settings::default());
    let now = crate::model::Timestamp::now();
    let on = args.on.unwrap_or_else(|| now.to_zoned(TimeZone::UTC).date());
    let id = args.file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let room =
        Room { id, platform: "recording".into(), category: args.category.into_iter().collect(), ..Room::default() };
    let mut room = RoomMatcher::new(Listing { title: String::new(), ..room_listing(&room, now) });
    let mut found = false;
    let total = events.len();
    for event in events {
        let mut heard = room.hear(&matcher, event.into_entry(), on);
        found |= !heard.findings.is_empty();
        if args.suppressed {
            heard.findings.append(&mut heard.suppressed);
        }
        for line in told(&heard, context.json(), args.explain) {
            context.data(&line)?;
        }
    }
    context.say(&format!("{total} events"));
    Ok(if found { Done::Findings } else { Done::Fine })
}

/// Lines that tell what was found.
fn told(heard: &Heard, json: bool, explain: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in &heard.findings {
        if json {
            lines.extend(serde_json::to_string(finding));
            continue;
        }
        lines.push(told_one(finding));
        if explain {
            lines.extend(finding.explanation.iter().map(|step| {
                let change = if step.before.is_empty() || step.after.is_empty() {
                    String::new()
                } else {
                    format!(" [{} → {}]", visible(&step.before), visible(&step.after))
                };
                let score = step.score.map_or_else(|| "    ".to_owned(), |score| format!("{score:.2}"));
                format!("       {score} {}{change}", visible(&step.en))
            }));
        }
    }
    lines
}

/// `00:01:03  0.82  云|雀  m1 (云雀体育)  跑鞋 ¥199.00  the law`.
fn told_one(finding: &Finding) -> String {
    let moment = finding.moment.clone().unwrap_or_default();
    let goods = moment.goods.as_ref().map_or_else(
        || "nothing pinned".to_owned(),
        |goods| {
            let price =
                goods.price.as_ref().map_or_else(String::new, |price| format!(" {} {}", price.currency, price.amount));
            format!("{}{price}", visible(&goods.title))
        },
    );
    let pieces = std::iter::once(&finding.text).chain(finding.continues.iter().map(|span| &span.text));
    let text: Vec<String> = pieces.map(|piece| visible(piece)).collect();
    let aside = if finding.suppressed.is_some() { "  (set aside)" } else { "" };
    format!(
        "{}  {:.2}  “{}”  {} ({})  [{goods}]  {}{aside}",
        moment.clock(),
        finding.score,
        text.join("|"),
        finding.reference,
        visible(&finding.family),
        finding.citation
    )
}
