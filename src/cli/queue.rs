//! `markwarden queue`: the review queue in a terminal.

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
#[command(after_help = "The server must not be running on the same data folder; its desk shows the same queue.")]
pub struct Args {
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
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
/// When the store cannot be opened.
pub fn run(args: Args, context: &Context) -> Result<Done> {
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
