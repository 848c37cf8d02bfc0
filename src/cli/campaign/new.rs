//! `markwarden campaign new`: from a few words to a tested rule, a trial on the archive, and a campaign.

use std::{
    fs,
    io::{self, BufRead, IsTerminal},
    time::Instant,
};

use anyhow::{Result, bail};
use jiff::civil::Date;

use super::{Context, Done, Place, path, start::go_live};
use crate::{
    archive::Verdicts,
    campaign::{CAMPAIGNS, Campaign, Stage},
    cli::{
        context::visible,
        notes::{Notes, person},
        rules::{Look, Source, Wanted, look, replace, shown, told},
    },
    model::Listing,
    monitor::backtest_note,
    rules::{Backtest, Bilingual, Draft, Given, RuleReport, RuleSet, RuleSource},
    text::FoldedSurface,
};

/// Topics of the law that are offered.
const OFFERED: usize = 5;
/// Seconds that a reviewer needs for a hit.
const SECONDS_A_HIT: f64 = 30.0;

/// Arguments of `campaign new`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Writes the draft of a rule with sentences made from the words, runs them, tries the rule on the archive, notes the\n\
    trial, and shows what it would find. Only then, and only when a person says so, is it live: asked on a terminal, or told by\n\
    --yes --by NAME, which is noted. Otherwise everything stays a draft: `markwarden campaign start ID --by NAME`."
)]
pub struct Args {
    /// What people call it, in Chinese.
    title: String,
    /// Words its rule looks for.
    #[arg(long, value_delimiter = ',', required = true)]
    words: Vec<String>,
    /// Its first day.
    #[arg(long)]
    from: Date,
    /// Its last day.
    #[arg(long)]
    to: Date,
    /// Sectors it is about; all without one.
    #[arg(long = "sector", value_delimiter = ',')]
    sectors: Vec<String>,
    /// Platforms it is about; all without one.
    #[arg(long = "platform", value_delimiter = ',')]
    platforms: Vec<String>,
    /// Regions it is about, as listings name them, such as 湖北; all without one.
    #[arg(long = "region", value_delimiter = ',')]
    regions: Vec<String>,
    /// Standing rules whose findings are counted in; may be given again.
    #[arg(long, value_name = "RULE")]
    also: Vec<String>,
    /// Topics of the statutes the rule rests on; without one the nearest to the words, which is said.
    #[arg(long, value_delimiter = ',')]
    cites: Vec<String>,
    /// Its name in files; `c` and its first day when absent.
    #[arg(long)]
    id: Option<String>,
    /// What people call it, in English; the id when absent.
    #[arg(long, default_value = "")]
    title_en: String,
    /// Who answers for it.
    #[arg(long, default_value = "")]
    owner: String,
    /// A further title it must hit; may be given again.
    #[arg(long = "hit", value_name = "TITLE")]
    hits: Vec<String>,
    /// A further title it must miss; may be given again.
    #[arg(long = "miss", value_name = "TITLE")]
    misses: Vec<String>,
    /// Set it live without asking; --by says who decided.
    #[arg(long, requires = "by")]
    yes: bool,
    /// Who decides that it goes live.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
///
/// # Errors
/// When a file is there already or cannot be written, no law can be named, or the archive cannot be read.
pub fn run(args: Args, today: Date, context: &Context) -> Result<Done> {
    let begun = Instant::now();
    let by = args.by.as_deref().map(person).transpose()?;
    let id = args.id.clone().unwrap_or_else(|| format!("c{}", args.from.to_string().replace('-', "")));
    let rule = format!("campaign.{id}");
    let (rule_file, campaign_file) = (args.place.rules.join(format!("{rule}.toml")), path(&args.place.rules, &id));
    for file in [&rule_file, &campaign_file] {
        if file.exists() {
            bail!("{} is there already; give the campaign another name with --id", file.display());
        }
    }
    let draft = draft(&args, &id, &rule, context)?;
    let source = RuleSource { path: rule_file.display().to_string(), text: draft };
    let campaign = campaign(&args, &id, rule.clone());
    // The campaign is read back, so that what is written is what will be read.
    let campaign_source = RuleSource { path: campaign_file.display().to_string(), text: campaign.write() };
    let campaign = match Campaign::parse(&campaign_source) {
        Ok(campaign) => campaign,
        Err(problems) => return super::show_mistakes(&problems, context).map(|()| Done::Findings),
    };
    let set = match with_lists(&args, &source) {
        Ok(set) => set,
        Err(problems) => return super::show_mistakes(&problems, context).map(|()| Done::Findings),
    };
    if let Some(sector) = args.sectors.iter().find(|sector| !set.knows_sector(sector)) {
        bail!("there is no sector `{sector}`: lists/sectors.toml names them");
    }
    let trials = set.trials(today);
    let failed: Vec<_> = trials.iter().filter(|trial| trial.failed()).collect();
    fs::create_dir_all(args.place.rules.join(CAMPAIGNS))?;
    replace(&source.path, &source.text)?;
    replace(&campaign_source.path, &campaign_source.text)?;
    context.say(&format!("wrote {} and {}", source.path, campaign_source.path));
    if !failed.is_empty() {
        for trial in &failed {
            context.say(&format!("{}:{} does not hold: {}", trial.path, trial.line, trial.name));
        }
        context
            .say(&format!("mend the sentences, then `markwarden rules backtest {rule} --record` and `campaign start`"));
        return Ok(Done::Findings);
    }
    context.say(&format!(
        "all {} sentences hold; they were made from the words, so put real ones beside them",
        trials.len()
    ));

    let needles = set.needles(|_| true);
    let make = || Scoped { backtest: Backtest::new(&set, None, 5), campaign: &campaign, set: &set };
    let reaches = |category: &[&str]| set.may_reach(|_| true, category);
    let wanted = Wanted::of(&set, |_| true, needles.as_ref()).within(&reaches);
    let looked = look(&Source::of(args.place.data.clone()), context, today, wanted, make)?;
    let listings = looked.look.backtest.listings();
    let done = looked.tell(listings, context);
    let reports = looked.look.backtest.finish();
    let Some(report) = reports.first() else { bail!("the rule is gone") };
    let notes = Notes::open(&context.settings()?, args.place.data.clone())?;
    let partial = done == Done::Stopped;
    notes.note(
        by.as_deref().unwrap_or(""),
        backtest_note(report, &set, listings, partial).into_iter().collect(),
        context,
    )?;
    tell(report, listings, begun, context)?;
    if partial {
        return Ok(done);
    }
    match decided(&args, &id, by, context)? {
        Some(by) => {
            let done = go_live(&campaign, &args.place, (&by, ""), &notes, today, context)?;
            context.say(&format!("{:.1} s from the words to here", begun.elapsed().as_secs_f64()));
            Ok(done)
        }
        None => {
            context.say(&format!("it stays a draft: `markwarden campaign start {id} --by NAME` sets it live"));
            Ok(Done::Fine)
        }
    }
}

fn campaign(args: &Args, id: &str, rule: String) -> Campaign {
    let en = if args.title_en.is_empty() { id } else { &args.title_en };
    Campaign {
        id: id.to_owned(),
        title: Bilingual { zh: args.title.clone(), en: en.to_owned() },
        owner: if args.owner.is_empty() { "draft".to_owned() } else { args.owner.clone() },
        stage: Stage::Draft,
        from: args.from,
        to: args.to,
        sectors: args.sectors.clone(),
        platforms: args.platforms.clone(),
        regions: args.regions.clone(),
        rules: vec![rule],
        also: args.also.clone(),
        path: String::new(),
    }
}

/// The draft of the rule, with sentences made from its words.
fn draft(args: &Args, id: &str, rule: &str, context: &Context) -> Result<String> {
    let known = RuleSet::empty();
    let mut cites = args.cites.clone();
    if cites.is_empty() {
        let words = format!("{} {}", args.title, args.words.join(" "));
        let about = known.statutes().about(&words);
        let Some(first) = about.first() else {
            bail!(
                "no statute speaks of these words: name the law the rule rests on with --cites TOPIC (`markwarden rules law`)"
            )
        };
        context.say(&format!(
            "the rule rests on {} {}: look whether that is right, or name others with --cites",
            first.topic,
            first.citation()
        ));
        for article in about.iter().skip(1).take(OFFERED) {
            context.say(&format!("  also near: {} {}", article.topic, article.citation()));
        }
        cites.push(first.topic.clone());
    }
    let (mut hits, mut misses) = Draft::sentences(&args.words);
    hits.extend(args.hits.iter().cloned());
    misses.extend(args.misses.iter().cloned());
    let draft = Draft {
        id: rule.to_owned(),
        words: args.words.clone(),
        cites,
        family: format!("CAMPAIGN-{}", id.to_uppercase()),
        title: [args.title.clone(), args.title_en.clone()],
        owner: args.owner.clone(),
        sectors: args.sectors.clone(),
        hits,
        misses,
    };
    Ok(draft.write(known.statutes()))
}

/// The rule alone, with the lists and statutes beside it.
fn with_lists(args: &Args, source: &RuleSource) -> Result<RuleSet, Vec<crate::model::Diagnostic>> {
    let folder = &args.place.rules;
    let mut sources = if folder.is_dir() { RuleSource::read_all(std::slice::from_ref(folder))? } else { Vec::new() };
    sources.retain(|source| source.is_list() || source.is_statute());
    sources.push(source.clone());
    RuleSet::parse(sources)
}

/// A trial in a campaign's scope, whatever the day.
struct Scoped<'a> {
    backtest: Backtest<'a>,
    campaign: &'a Campaign,
    set: &'a RuleSet,
}

impl Look for Scoped<'_> {
    fn see(&mut self, listing: &Listing, surfaces: &[FoldedSurface<'_>], given: Given, verdicts: &Verdicts) {
        if self.campaign.reaches(self.set, listing) {
            self.backtest.see(listing, surfaces, given, |rule| verdicts.of(listing, rule));
        } else {
            self.backtest.skip(1);
        }
    }

    fn skip(&mut self, listings: u64) {
        self.backtest.skip(listings);
    }

    fn merge(&mut self, other: Self) {
        self.backtest.merge(other.backtest);
    }
}

fn tell(report: &RuleReport, listings: u64, begun: Instant, context: &Context) -> Result<()> {
    if context.json() {
        let mut value = serde_json::to_value(report)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("of".into(), listings.into());
            object.insert("seconds".into(), begun.elapsed().as_secs_f64().into());
        }
        return context.data(&value.to_string());
    }
    let share = 100.0 * report.listings as f64 / listings.max(1) as f64;
    let hours = report.listings as f64 * SECONDS_A_HIT / 3600.0;
    let judged = told(report.judged).unwrap_or_else(|| "none of them decided".to_owned());
    context.data(&format!(
        "{} v{}: {} of {listings} listings ({share:.2} %), {} set aside; {judged}; {hours:.1} h of review; {:.1} s",
        report.rule,
        report.version,
        report.listings,
        report.set_aside,
        begun.elapsed().as_secs_f64()
    ))?;
    report.samples.iter().try_for_each(|sample| context.data(&shown(sample)))
}

/// Who says that it goes live; none when nobody does.
fn decided(args: &Args, id: &str, by: Option<String>, context: &Context) -> Result<Option<String>> {
    if args.yes {
        return Ok(by);
    }
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    context.say(&format!("Set {} live? Type `{id}` to do so; anything else leaves a draft.", visible(&args.title)));
    let ask = || -> Result<String> {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim().to_owned())
    };
    if ask()? != id {
        return Ok(None);
    }
    match by {
        Some(by) => Ok(Some(by)),
        None => {
            context.say("Who decides? Your name:");
            person(&ask()?).map(Some)
        }
    }
}
