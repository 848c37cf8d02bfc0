//! `markwarden queue`: the review queue in a terminal.

mod acts;
mod remote;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

use super::{Context, Done, context::visible};
use crate::{
    app::App,
    model::HitState,
    store::{Cursor, Filter, HitRow},
};

/// Rows asked of the store at once.
const PAGE: usize = 200;

/// Arguments of `queue`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Without --server, no server may run on the same data folder.\n\nExamples:\n  markwarden queue --limit 10\n  \
                  MARKWARDEN_TOKEN=mw_… markwarden queue --server http://127.0.0.1:8420\n  \
                  markwarden queue decide dismiss:common-word 12 17 --server http://127.0.0.1:8420"
)]
pub struct Args {
    /// What to do with hits of a running server; without one hits are shown.
    #[command(subcommand)]
    act: Option<acts::Act>,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    remote: remote::Remote,
    /// Hits in this state.
    #[arg(long, value_enum, default_value_t = State::Open)]
    state: State,
    /// Only this holder or rule family.
    #[arg(long)]
    family: Option<String>,
    /// Only listings whose title, seller or matched words contain this.
    #[arg(long)]
    text: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Open,
    Confirmed,
    Dismissed,
    Proposed,
    Escalated,
    All,
}

/// Runs the command.
///
/// # Errors
/// When the store cannot be opened, or the server does not answer or refuses.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    if let Some(act) = args.act {
        return acts::run(act, context);
    }
    if args.remote.server.is_some() {
        let state = match args.state {
            State::Open => "open",
            State::Confirmed => "confirmed",
            State::Dismissed => "dismissed",
            State::Proposed => "proposed",
            State::Escalated => "escalated",
            State::All => "",
        };
        let (family, text) = (args.family.unwrap_or_default(), args.text.unwrap_or_default());
        let query = [("state", state), ("family", family.as_str()), ("text", text.as_str())];
        return remote::run(args.remote, &query, args.limit, context);
    }
    let app = App::open(context.settings()?, args.data)?;
    let state = match args.state {
        State::Open => Some(HitState::Open),
        State::Confirmed => Some(HitState::Confirmed),
        State::Dismissed => Some(HitState::Dismissed),
        State::Proposed => Some(HitState::Proposed),
        State::Escalated => Some(HitState::Escalated),
        State::All => None,
    };
    let filter = Filter { state, family: args.family, text: args.text, ..Filter::default() };
    let mut cursor: Option<Cursor> = None;
    let mut left = args.limit;
    while left > 0 {
        let page = app.wait(app.store().page(&filter, cursor, left.min(PAGE)))?;
        left -= page.rows.len();
        for row in &page.rows {
            print(context, row)?;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let counts = app.wait(app.store().counts())?;
    context.say(&format!("{} open, {} confirmed, {} dismissed", counts.open, counts.confirmed, counts.dismissed));
    Ok(Done::Fine)
}

fn print(context: &Context, row: &HitRow) -> Result<()> {
    if context.json() {
        let mut value = serde_json::to_value(&row.hit)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("held_by".into(), serde_json::to_value(&row.held_by)?);
        }
        return context.data(&value.to_string());
    }
    let what = &row.hit.what;
    let words: Vec<String> = what.findings.iter().take(3).map(|finding| visible(&finding.text)).collect();
    context.data(&format!(
        "{:>6}  {:>3}  {:<8}  {}  {}  {}",
        row.hit.id,
        what.priority,
        format!("{:?}", what.severity).to_lowercase(),
        visible(&what.family),
        words.join(" / "),
        visible(&what.listing.title)
    ))
}
