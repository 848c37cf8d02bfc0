//! `markwarden campaign report`: what came of a campaign.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::AtomicBool,
};

use anyhow::{Result, bail};
use clap::ValueEnum;
use jiff::{civil::Date, tz::TimeZone};
use serde::Serialize;

use super::{Context, Done, Place, list::now, named, read};
use crate::{
    archive::Scan,
    campaign::Campaign,
    cli::{
        context::visible,
        notes::Notes,
        rules::{open_archive, told},
    },
    model::{Hit, HitState},
    rules::{Judged, RuleSet},
    store::{Filter, SledStore, each_hit},
};

/// Sellers that are named.
const SELLERS: usize = 50;

/// Arguments of `campaign report`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A hit counts when a finding in it carries the campaign's id. The server must not be running on the same data folder."
)]
pub struct Args {
    /// The campaign.
    #[arg(value_name = "ID")]
    id: String,
    /// How the report is printed; `json` also with --format json.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    form: Form,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For reading.
    Text,
    /// One JSON value.
    Json,
    /// A line for each rule and seller.
    Csv,
}

#[derive(Debug, Default, Serialize)]
struct Report<'a> {
    campaign: &'a str,
    title: &'a str,
    state: &'a str,
    from: String,
    to: String,
    /// Listings in its scope whose newest state was captured on its days.
    listings: u64,
    hits: u64,
    open: u64,
    judged: Judged,
    /// Share that is right, and its 95 % interval.
    precision: Option<(f64, f64, f64)>,
    rules: BTreeMap<String, Count>,
    sellers: usize,
    /// Those with most hits first.
    most: Vec<Seller>,
    /// Listings that were taken down; not known before notices are sent and verified.
    takedowns: Option<u64>,
}

#[derive(Debug, Default, Clone, Serialize)]
struct Count {
    hits: u64,
    #[serde(flatten)]
    judged: Judged,
}

#[derive(Debug, Serialize)]
struct Seller {
    seller: String,
    hits: u64,
    #[serde(flatten)]
    judged: Judged,
}

/// Runs the command.
///
/// # Errors
/// When there is no such campaign, or the store cannot be read.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    let Some(campaigns) = read(&args.place.rules, context)? else { return Ok(Done::Findings) };
    let campaign = named(&campaigns, &args.id)?;
    let set = match RuleSet::read_folder(&args.place.rules) {
        Ok(set) => set,
        Err(problems) => return super::show_mistakes(&problems, context).map(|()| Done::Findings),
    };
    let listings = looked_at(campaign, &set, &args.place, context)?;
    let notes = Notes::open(&context.settings()?, args.place.data.clone())?;
    let Some(store) = notes.store() else { bail!("the server has {} open: stop it first", notes.data().display()) };
    let hits = notes.wait(hits(store, campaign, &set))?;
    let mut report = Report {
        campaign: &campaign.id,
        title: &campaign.title.zh,
        state: now(campaign, today),
        from: campaign.from.to_string(),
        to: campaign.to.to_string(),
        listings,
        ..Report::default()
    };
    count(&hits, campaign, &mut report);
    match args.form {
        _ if context.json() => context.data(&serde_json::to_string(&report)?)?,
        Form::Json => context.data(&serde_json::to_string(&report)?)?,
        Form::Csv => csv(&report, context)?,
        Form::Text => text(&report, context)?,
    }
    Ok(Done::Fine)
}

/// Listings of the archive that the campaign looked at.
fn looked_at(campaign: &Campaign, set: &RuleSet, place: &Place, context: &Context) -> Result<u64> {
    let archive = open_archive(place.data.clone(), &AtomicBool::new(false), context)?;
    let stop = AtomicBool::new(false);
    let bar = context.progress(archive.manifest().listings, "listings");
    let scan = Scan { needles: None, stop: &stop, progress: &|listings| bar.inc(listings), threads: 0 };
    let (counts, _) = archive.scan(
        scan,
        || 0_u64,
        |count, listing| {
            let day = listing.captured_at.map(|at| at.to_zoned(TimeZone::UTC).date());
            let inside = day.is_some_and(|day| campaign.from <= day && day <= campaign.to);
            *count += u64::from(inside && campaign.reaches(set, listing));
        },
    )?;
    bar.finish_and_clear();
    Ok(counts.into_iter().sum())
}

/// Hits with a finding of the campaign, of the families its rules are of.
async fn hits(store: &SledStore, campaign: &Campaign, set: &RuleSet) -> Result<Vec<Hit>> {
    let rules = campaign.rules.iter().chain(&campaign.also);
    let families: BTreeSet<&str> = rules.filter_map(|rule| Some(set.rule(rule)?.family.as_str())).collect();
    let mut found = Vec::new();
    for family in families {
        for state in HitState::ALL {
            let filter = Filter { state: Some(state), family: Some(family.to_owned()), ..Filter::default() };
            let is_of =
                |hit: &Hit| hit.what.findings.iter().any(|finding| finding.campaign.as_ref() == Some(&campaign.id));
            each_hit(store, &filter, |hit| found.extend(Some(hit).filter(is_of))).await?;
        }
    }
    Ok(found)
}

fn count(hits: &[Hit], campaign: &Campaign, report: &mut Report<'_>) {
    let mut sellers: BTreeMap<String, Count> = BTreeMap::new();
    for hit in hits {
        let verdict = match hit.state {
            HitState::Open | HitState::Proposed | HitState::Escalated => None,
            HitState::Confirmed => Some(true),
            HitState::Dismissed => Some(false),
        };
        report.hits += 1;
        report.open += u64::from(verdict.is_none());
        report.judged.add(verdict);
        let findings = hit.what.findings.iter().filter(|finding| finding.campaign.as_ref() == Some(&campaign.id));
        let rules: BTreeSet<&str> = findings.map(|finding| finding.reference.as_str()).collect();
        for rule in rules {
            let count = report.rules.entry(rule.to_owned()).or_default();
            count.hits += 1;
            count.judged.add(verdict);
        }
        let listing = &hit.what.listing;
        let seller = listing.seller.as_ref().and_then(|seller| seller.id.as_deref().or(seller.name.as_deref()));
        if let Some(seller) = seller {
            let platform = listing.platform.as_deref().unwrap_or("");
            let count = sellers.entry(format!("{platform}/{seller}")).or_default();
            count.hits += 1;
            count.judged.add(verdict);
        }
    }
    report.precision = report.judged.precision();
    report.sellers = sellers.len();
    let mut most: Vec<Seller> =
        sellers.into_iter().map(|(seller, Count { hits, judged })| Seller { seller, hits, judged }).collect();
    most.sort_by_key(|seller| std::cmp::Reverse((seller.hits, seller.judged.confirmed)));
    most.truncate(SELLERS);
    report.most = most;
}

fn text(report: &Report<'_>, context: &Context) -> Result<()> {
    let judged = told(report.judged).unwrap_or_else(|| "none decided / 尚无决定".to_owned());
    context.data(&format!(
        "{}  {}  {} … {}  {}\n\
         商品 listings looked at   {}\n命中 hits                 {} ({} open)\n决定 decided              {judged}\n\
         卖家 sellers              {}\n下架 takedowns            {}",
        report.campaign,
        visible(report.title),
        report.from,
        report.to,
        report.state,
        report.listings,
        report.hits,
        report.open,
        report.sellers,
        report.takedowns.map_or_else(|| "未知 not known".to_owned(), |taken| taken.to_string())
    ))?;
    for (rule, count) in &report.rules {
        let judged = told(count.judged).unwrap_or_else(|| "none decided".to_owned());
        context.data(&format!("  {rule:28} {:>6} hits; {judged}", count.hits))?;
    }
    for seller in report.most.iter().take(10) {
        context.data(&format!(
            "  {:28} {:>6} hits, {} confirmed",
            visible(&seller.seller),
            seller.hits,
            seller.judged.confirmed
        ))?;
    }
    Ok(())
}

/// A line for the whole, for each rule and for each seller.
fn csv(report: &Report<'_>, context: &Context) -> Result<()> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "campaign",
        "what",
        "name",
        "listings",
        "hits",
        "open",
        "confirmed",
        "dismissed",
        "precision",
        "low",
        "high",
    ])?;
    let mut line = |what: &str, name: &str, listings: String, hits: u64, open: String, judged: Judged| {
        let (share, low, high) = judged.precision().map_or_else(Default::default, |(share, low, high)| {
            (format!("{share:.4}"), format!("{low:.4}"), format!("{high:.4}"))
        });
        let (hits, confirmed, dismissed) =
            (hits.to_string(), judged.confirmed.to_string(), judged.dismissed.to_string());
        let row = [report.campaign, what, name, &listings, &hits, &open, &confirmed, &dismissed, &share, &low, &high];
        // A cell that a spreadsheet would run as a formula is a text.
        out.write_record(
            row.map(|cell| if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell.to_owned() }),
        )
    };
    line("all", "", report.listings.to_string(), report.hits, report.open.to_string(), report.judged)?;
    for (rule, count) in &report.rules {
        line("rule", rule, String::new(), count.hits, String::new(), count.judged)?;
    }
    for seller in &report.most {
        line("seller", &seller.seller, String::new(), seller.hits, String::new(), seller.judged)?;
    }
    let text = String::from_utf8(out.into_inner()?)?;
    context.data(text.trim_end())
}
