//! What a reviewer does, from a terminal: each act is asked of a running server, which holds who asks to the same rules as
//! a page does.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, bail};
use reqwest::Url;
use serde_json::{Value, json};

use super::{
    Context, Done, State,
    remote::{Server, print},
    visible,
};

/// How often a decision on many is looked at while it is carried out.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is done with hits.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Act {
    /// Be lent the next hits; those that are held already come first.
    Claim {
        #[command(flatten)]
        to: To,
        /// At most this many, 1 to 200.
        #[arg(long, default_value_t = 1)]
        max: usize,
        #[command(flatten)]
        which: Which,
    },
    /// Show one hit, whole.
    Show {
        #[command(flatten)]
        to: To,
        /// Its number.
        hit: u64,
    },
    /// Decide hits: claimed first where they are not held.
    #[command(
        after_help = "VERDICT is confirm, dismiss, approve or return, a colon and a reason, such as confirm:counterfeit,\n\
        dismiss:common-word, approve:second-agrees. Exit code 1 when one of the hits could not be decided."
    )]
    Decide {
        #[command(flatten)]
        to: To,
        /// Verdict and reason, such as `dismiss:common-word`.
        #[arg(value_name = "VERDICT")]
        verdict: String,
        /// The hits.
        #[arg(required = true)]
        hits: Vec<u64>,
        /// In your own words.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Pass hits on to somebody else.
    Escalate {
        #[command(flatten)]
        to: To,
        /// The hits.
        #[arg(required = true)]
        hits: Vec<u64>,
        /// `needs-senior` or `needs-authority`.
        #[arg(long, default_value = "needs-senior")]
        reason: String,
        /// In your own words.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Put hits back, not to come again to you.
    Skip {
        #[command(flatten)]
        to: To,
        /// The hits.
        #[arg(required = true)]
        hits: Vec<u64>,
    },
    /// Give hits back.
    Release {
        #[command(flatten)]
        to: To,
        /// The hits.
        #[arg(required = true)]
        hits: Vec<u64>,
    },
    /// Take the newest decision on hits back, or a whole act.
    Undo {
        #[command(flatten)]
        to: To,
        /// The hits; with --act only these of it.
        #[arg(required_unless_present = "act")]
        hits: Vec<u64>,
        /// An act that many were decided in.
        #[arg(long, value_name = "NAME")]
        act: Option<String>,
    },
    /// Show or leave notes on the seller of a hit.
    Note {
        #[command(flatten)]
        to: To,
        /// The hit.
        hit: u64,
        /// The note; without one those that there are.
        text: Option<String>,
    },
    /// Freeze what a filter means and show what it is; nothing is decided.
    Freeze {
        #[command(flatten)]
        to: To,
        /// Hits in this state.
        #[arg(long, value_enum, default_value_t = State::Open)]
        state: State,
        #[command(flatten)]
        which: Which,
    },
    /// Make one decision on a frozen list, and wait until it is carried out.
    Settle {
        #[command(flatten)]
        to: To,
        /// The list's name, as `freeze` told it.
        name: String,
        /// Verdict and reason, such as `dismiss:common-word`.
        #[arg(value_name = "VERDICT")]
        verdict: String,
        /// How many hits it has; must be said above 500.
        #[arg(long, value_name = "N")]
        count: Option<usize>,
        /// In your own words.
        #[arg(long, default_value = "")]
        note: String,
    },
}

/// Which server, and with whose token.
#[derive(Debug, clap::Args)]
pub(super) struct To {
    /// The running server, such as http://127.0.0.1:8420. The token is read from the variable MARKWARDEN_TOKEN.
    #[arg(long, value_name = "URL", env = "MARKWARDEN_SERVER")]
    server: Url,
    /// Read the token from this file instead.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Which hits.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Only this holder or rule family.
    #[arg(long, default_value = "")]
    family: String,
    /// Only this platform.
    #[arg(long, default_value = "")]
    platform: String,
    /// At least this bad: low, medium, high or critical.
    #[arg(long, default_value = "")]
    severity: String,
    /// Only what contains these words.
    #[arg(long, default_value = "")]
    text: String,
}

/// Asks the server for what `act` says.
///
/// # Errors
/// When the server does not answer, or refuses what is not about one of several hits.
pub(super) fn run(act: Act, context: &Context) -> Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(carry_out(act, context))
}

async fn carry_out(act: Act, context: &Context) -> Result<Done> {
    match act {
        Act::Claim { to, max, which } => {
            let Which { family, platform, severity, text } = which;
            let wanted =
                json!({ "max": max, "family": family, "platform": platform, "severity": severity, "text": text });
            let lent = to.open()?.post("/api/v1/hits/claim", &wanted).await?;
            for lease in lent.as_array().into_iter().flatten() {
                shown(context, lease.get("hit").unwrap_or(&Value::Null), lease)?;
            }
            context.say(&format!("{} hits are lent to you", lent.as_array().map_or(0, Vec::len)));
            Ok(Done::Fine)
        }
        Act::Show { to, hit } => {
            let whole = to.open()?.get(&format!("/api/v1/hits/{hit}")).await?;
            show(context, &whole)
        }
        Act::Decide { to, verdict, hits, note } => {
            let (verdict, reason) = parted(&verdict)?;
            let server = to.open()?;
            each(&hits, context, async |hit| decide(&server, hit, (verdict, reason, &note)).await).await
        }
        Act::Escalate { to, hits, reason, note } => {
            let server = to.open()?;
            each(&hits, context, async |hit| decide(&server, hit, ("escalate", &reason, &note)).await).await
        }
        Act::Skip { to, hits } => {
            let server = to.open()?;
            each(&hits, context, async |hit| give_back(&server, hit, "skip").await).await
        }
        Act::Release { to, hits } => {
            let server = to.open()?;
            each(&hits, context, async |hit| give_back(&server, hit, "release").await).await
        }
        Act::Undo { to, hits, act: None } => {
            let server = to.open()?;
            let undo = async |hit: u64| {
                server.post(&format!("/api/v1/hits/{hit}/undo"), &json!({})).await?;
                anyhow::Ok(format!("{hit:>6}  taken back"))
            };
            each(&hits, context, undo).await
        }
        Act::Undo { to, hits, act: Some(act) } => {
            let only = if hits.is_empty() { json!({}) } else { json!({ "only": hits }) };
            let done = to.open()?.post(&format!("/api/v1/acts/{}/undo", part(&act)?), &only).await?;
            told(
                context,
                &done,
                &format!("{} taken back, {} left as they are", number(&done, "done"), number(&done, "left")),
            )
        }
        Act::Note { to, hit, text: Some(text) } => {
            to.open()?.post(&format!("/api/v1/hits/{hit}/notes"), &json!({ "text": text })).await?;
            context.say("noted");
            Ok(Done::Fine)
        }
        Act::Note { to, hit, text: None } => {
            let notes = to.open()?.get(&format!("/api/v1/hits/{hit}/notes")).await?;
            for note in notes.as_array().into_iter().flatten() {
                told(context, note, &format!("{}  {}  {}", text(note, "at"), text(note, "by"), text(note, "text")))?;
            }
            Ok(Done::Fine)
        }
        Act::Freeze { to, state, which } => freeze(&to.open()?, state, which, context).await,
        Act::Settle { to, name, verdict, count, note } => {
            let (verdict, reason) = parted(&verdict)?;
            let wanted = json!({ "verdict": verdict, "reason": reason, "note": note, "count": count });
            settle(&to.open()?, part(&name)?, &wanted, context).await
        }
    }
}

impl To {
    fn open(self) -> Result<Server> {
        Server::new(self.server, self.token_file)
    }
}

/// `verdict:reason`.
fn parted(sent: &str) -> Result<(&str, &str)> {
    match sent.split_once(':') {
        Some(("confirm" | "dismiss" | "approve" | "return", "")) | None => {
            bail!("`{}` names no reason: write one such as dismiss:common-word", visible(sent))
        }
        Some(parts) => Ok(parts),
    }
}

/// A name that stands in an address.
fn part(name: &str) -> Result<&str> {
    anyhow::ensure!(
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "`{}` is no name of a list or an act",
        visible(name)
    );
    Ok(name)
}

/// Does the same with each hit; what is refused is told, and the others are done.
async fn each(hits: &[u64], context: &Context, act: impl AsyncFn(u64) -> Result<String>) -> Result<Done> {
    let mut refused = false;
    for &hit in hits {
        match act(hit).await {
            Ok(words) => told(context, &json!({ "hit": hit, "done": true }), &words).map(drop)?,
            Err(error) => {
                refused = true;
                let why = format!("{error:#}");
                told(
                    context,
                    &json!({ "hit": hit, "done": false, "why": why }),
                    &format!("{hit:>6}  {}", visible(&why)),
                )?;
            }
        }
    }
    Ok(if refused { Done::Findings } else { Done::Fine })
}

/// A lease on the hit, the own one where there is one already.
async fn fence(server: &Server, hit: u64) -> Result<u64> {
    let lease = server.post(&format!("/api/v1/hits/{hit}/claim"), &json!({})).await?;
    Ok(number(&lease, "fence"))
}

async fn decide(server: &Server, hit: u64, (verdict, reason, note): (&str, &str, &str)) -> Result<String> {
    let fence = fence(server, hit).await?;
    let wanted = json!({ "verdict": verdict, "reason": reason, "note": note, "fence": fence });
    let refused = server.post(&format!("/api/v1/hits/{hit}/decide"), &wanted).await.err();
    if let Some(error) = refused {
        // It was claimed only to be decided.
        drop(server.post(&format!("/api/v1/hits/{hit}/release"), &json!({ "fence": fence })).await);
        return Err(error);
    }
    Ok(format!("{hit:>6}  {} {}", visible(verdict), visible(reason)))
}

async fn give_back(server: &Server, hit: u64, how: &str) -> Result<String> {
    let fence = fence(server, hit).await?;
    server.post(&format!("/api/v1/hits/{hit}/{how}"), &json!({ "fence": fence })).await?;
    Ok(format!("{hit:>6}  {how}"))
}

async fn freeze(server: &Server, state: State, which: Which, context: &Context) -> Result<Done> {
    let state = match state {
        State::Open => "open",
        State::Proposed => "proposed",
        State::Escalated => "escalated",
        _ => bail!("only hits that wait are decided: --state open, proposed or escalated"),
    };
    let Which { family, platform, severity, text: words } = which;
    let wanted = json!({ "state": state, "family": family, "platform": platform, "severity": severity, "text": words });
    let list = server.post("/api/v1/bulk", &wanted).await?;
    if context.json() {
        context.data(&list.to_string())?;
        return Ok(Done::Fine);
    }
    let name = text(&list, "name");
    context.say(&format!(
        "{} hits are frozen as {name}; at random, then those least like the rest:",
        number(&list, "total")
    ));
    for part in ["sample", "outliers"] {
        for hit in list.get(part).and_then(Value::as_array).into_iter().flatten() {
            print(context, hit)?;
        }
        context.say("");
    }
    context.say(&format!("markwarden queue settle {name} VERDICT --count {} decides them", number(&list, "total")));
    Ok(Done::Fine)
}

async fn settle(server: &Server, name: &str, wanted: &Value, context: &Context) -> Result<Done> {
    let mut list = server.post(&format!("/api/v1/bulk/{name}/decide"), wanted).await?;
    let handled = |list: &Value| number(list, "done") + number(list, "left");
    while handled(&list) < number(&list, "total") {
        tokio::time::sleep(LOOK_EVERY).await;
        list = server.get(&format!("/api/v1/bulk/{name}")).await?;
    }
    let (done, left) = (number(&list, "done"), number(&list, "left"));
    told(context, &list, &format!("{done} decided, {left} left as they are"))?;
    context.say(&format!("markwarden queue undo --act {name} takes all of it back"));
    Ok(if left > 0 { Done::Findings } else { Done::Fine })
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn text(value: &Value, name: &str) -> String {
    visible(value.get(name).and_then(Value::as_str).unwrap_or_default())
}

/// Words on a terminal, the value for programs.
fn told(context: &Context, value: &Value, words: &str) -> Result<Done> {
    context.data(&if context.json() { value.to_string() } else { words.to_owned() })?;
    Ok(Done::Fine)
}

/// A hit as a line, or the whole value around it.
fn shown(context: &Context, hit: &Value, whole: &Value) -> Result<()> {
    if context.json() { context.data(&whole.to_string()) } else { print(context, &line(hit)) }
}

/// A whole hit as lists give it.
fn line(hit: &Value) -> Value {
    let mut line = hit.clone();
    let findings = hit.get("findings").and_then(Value::as_array).into_iter().flatten();
    let found: Vec<Value> = findings.filter_map(|finding| finding.get("text").cloned()).collect();
    let title = hit.get("listing").and_then(|listing| listing.get("title")).cloned().unwrap_or_default();
    if let Some(line) = line.as_object_mut() {
        line.insert("title".into(), title);
        line.insert("found".into(), found.into());
    }
    line
}

/// A whole hit: what was found, why, and what was decided.
fn show(context: &Context, hit: &Value) -> Result<Done> {
    if context.json() {
        return told(context, hit, "");
    }
    print(context, &line(hit))?;
    let list = |name: &str| hit.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    for finding in list("findings") {
        let score = finding.get("score").and_then(Value::as_f64).unwrap_or(0.0);
        let (words, surface, reference) = (text(&finding, "text"), text(&finding, "surface"), text(&finding, "ref"));
        context.data(&format!(
            "        {score:.2}  “{words}” in {surface}  {reference}  {}",
            text(&finding, "citation")
        ))?;
    }
    for made in list("decisions") {
        let (verdict, reason) = (text(&made, "verdict"), text(&made, "reason"));
        context.data(&format!(
            "        {}  {}  {verdict} {reason}  {}",
            text(&made, "at"),
            text(&made, "by"),
            text(&made, "note")
        ))?;
    }
    Ok(Done::Fine)
}
