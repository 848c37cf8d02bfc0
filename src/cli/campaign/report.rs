//! `markwarden campaign report`: what came of a campaign.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::AtomicBool,
};

use anyhow::Result;
use clap::ValueEnum;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Context, Done, Place, list::now, named, read};
use crate::{
    app::COVERAGE,
    archive::Scan,
    campaign::Campaign,
    cli::{
        asking::{self, Question},
        context::visible,
        notes::Notes,
        rules::{open_archive, told},
    },
    crawl::Coverage,
    model::{Hit, HitState, Timestamp},
    rules::{Judged, RuleSet},
    store::{Filter, Store, each_hit},
};

/// Sellers that are named.
const SELLERS: usize = 50;
/// What becomes of an address whose listing is no longer there.
const GONE: [&str; 2] = ["status_404", "status_410"];

/// Arguments of `campaign report`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A hit counts when a finding in it carries the campaign's id. A server that has the data folder open is asked. Of confirmed\n\
    hits it is told how many of their listings a crawl has asked for again since, and how many of these were no longer there."
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

#[derive(Debug, Serialize)]
struct Report<'a> {
    campaign: &'a str,
    title: &'a str,
    state: &'a str,
    from: String,
    to: String,
    /// Listings in its scope whose newest state was captured on its days.
    listings: u64,
    /// Share that is right, and its 95 % interval.
    precision: Option<(f64, f64, f64)>,
    #[serde(flatten)]
    gathered: Gathered,
}

/// What the store has of a campaign.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Gathered {
    hits: u64,
    open: u64,
    judged: Judged,
    rules: BTreeMap<String, Count>,
    sellers: usize,
    /// Those with most hits first.
    most: Vec<Seller>,
    /// What crawls saw of confirmed hits afterwards; none where nothing was crawled.
    checked: Option<Checked>,
}

/// What became of the listings of confirmed hits since they were confirmed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Checked {
    /// Asked for again.
    again: u64,
    /// Of these, no longer there.
    gone: u64,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Count {
    hits: u64,
    #[serde(flatten)]
    judged: Judged,
}

#[derive(Debug, Serialize, Deserialize)]
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
    let gathered = gathered(campaign, &set, &args.place, context)?;
    let report = Report {
        campaign: &campaign.id,
        title: &campaign.title.zh,
        state: now(campaign, today),
        from: campaign.from.to_string(),
        to: campaign.to.to_string(),
        listings,
        precision: gathered.judged.precision(),
        gathered,
    };
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
    let scan = Scan { needles: None, reaches: None, stop: &stop, progress: &|listings| bar.inc(listings), threads: 0 };
    let (counts, _) = archive.scan(
        scan,
        || 0_u64,
        |count, listing| {
            let inside = listing.captured_on().is_some_and(|day| campaign.from <= day && day <= campaign.to);
            *count += u64::from(inside && campaign.reaches(set, listing));
        },
    )?;
    bar.finish_and_clear();
    Ok(counts.into_iter().sum())
}

/// What the store has of the campaign: the server is asked where it has that open.
fn gathered(campaign: &Campaign, set: &RuleSet, place: &Place, context: &Context) -> Result<Gathered> {
    let rules = campaign.rules.iter().chain(&campaign.also);
    let families: BTreeSet<&str> = rules.filter_map(|rule| Some(set.rule(rule)?.family.as_str())).collect();
    let families: Vec<String> = families.into_iter().map(str::to_owned).collect();
    let notes = Notes::open(&context.settings()?, place.data.clone())?;
    let Some(store) = notes.store() else {
        return asking::ask(notes.data(), Question::Campaign { campaign: campaign.id.clone(), families });
    };
    let folder = notes.data().join(COVERAGE);
    let coverage = if folder.is_dir() { Some(Coverage::open(&folder)?) } else { None };
    notes.wait(gather(&**store, &campaign.id, &families, coverage.as_ref()))
}

/// Counts the hits of `families` that have a finding of `campaign`, and what crawls saw of them since.
///
/// # Errors
/// When the store or the coverage cannot be read.
pub async fn gather(
    store: &dyn Store,
    campaign: &str,
    families: &[String],
    coverage: Option<&Coverage>,
) -> Result<Gathered> {
    let mut gathered = Gathered { checked: coverage.map(|_| Checked::default()), ..Gathered::default() };
    let mut sellers: BTreeMap<String, Count> = BTreeMap::new();
    let mut confirmed: Vec<(String, Timestamp)> = Vec::new();
    for family in families {
        for state in HitState::ALL {
            let filter = Filter { state: Some(state), family: Some(family.clone()), ..Filter::default() };
            each_hit(store, &filter, |hit| {
                if gathered.count(&hit, campaign, &mut sellers)
                    && hit.state == HitState::Confirmed
                    && let (Some(url), Some(decision)) = (&hit.what.listing.url, hit.decisions.last())
                {
                    confirmed.push((url.clone(), decision.at));
                }
            })
            .await?;
        }
    }
    if let (Some(coverage), Some(checked)) = (coverage, &mut gathered.checked) {
        for (url, at) in confirmed {
            let Ok(url) = Url::parse(&url) else { continue };
            // Whoever looked last knows best.
            let newest = coverage.of(&url)?.into_iter().map(|(_, known)| known.last).max_by_key(|last| last.at);
            let Some(last) = newest.filter(|last| last.at > at) else { continue };
            checked.again += 1;
            checked.gone += u64::from(GONE.contains(&last.kind.as_str()));
        }
    }
    gathered.sellers = sellers.len();
    let mut most: Vec<Seller> =
        sellers.into_iter().map(|(seller, Count { hits, judged })| Seller { seller, hits, judged }).collect();
    most.sort_by_key(|seller| std::cmp::Reverse((seller.hits, seller.judged.confirmed)));
    most.truncate(SELLERS);
    gathered.most = most;
    Ok(gathered)
}

impl Gathered {
    /// Counts `hit` where a finding of it is the campaign's; says whether one is.
    fn count(&mut self, hit: &Hit, campaign: &str, sellers: &mut BTreeMap<String, Count>) -> bool {
        let findings = hit.what.findings.iter().filter(|finding| finding.campaign.as_deref() == Some(campaign));
        let rules: BTreeSet<&str> = findings.map(|finding| finding.reference.as_str()).collect();
        if rules.is_empty() {
            return false;
        }
        let verdict = match hit.state {
            HitState::Open | HitState::Proposed | HitState::Escalated => None,
            HitState::Confirmed => Some(true),
            HitState::Dismissed => Some(false),
        };
        self.hits += 1;
        self.open += u64::from(verdict.is_none());
        self.judged.add(verdict);
        for rule in rules {
            let count = self.rules.entry(rule.to_owned()).or_default();
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
        true
    }
}

fn text(report: &Report<'_>, context: &Context) -> Result<()> {
    let gathered = &report.gathered;
    let judged = told(gathered.judged).unwrap_or_else(|| "none decided / 尚无决定".to_owned());
    let checked = gathered.checked.map_or_else(
        || "未知 not known".to_owned(),
        |Checked { again, gone }| format!("{again} 再访 asked for again, {gone} 已不在 gone"),
    );
    context.data(&format!(
        "{}  {}  {} … {}  {}\n\
         商品 listings looked at   {}\n命中 hits                 {} ({} open)\n决定 decided              {judged}\n\
         卖家 sellers              {}\n确认后 once confirmed     {checked}",
        report.campaign,
        visible(report.title),
        report.from,
        report.to,
        report.state,
        report.listings,
        gathered.hits,
        gathered.open,
        gathered.sellers
    ))?;
    for (rule, count) in &gathered.rules {
        let judged = told(count.judged).unwrap_or_else(|| "none decided".to_owned());
        context.data(&format!("  {rule:28} {:>6} hits; {judged}", count.hits))?;
    }
    for seller in gathered.most.iter().take(10) {
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
    let gathered = &report.gathered;
    line("all", "", report.listings.to_string(), gathered.hits, gathered.open.to_string(), gathered.judged)?;
    for (rule, count) in &gathered.rules {
        line("rule", rule, String::new(), count.hits, String::new(), count.judged)?;
    }
    for seller in &gathered.most {
        line("seller", &seller.seller, String::new(), seller.hits, String::new(), seller.judged)?;
    }
    let text = String::from_utf8(out.into_inner()?)?;
    context.data(text.trim_end())
}
