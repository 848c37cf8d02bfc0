//! `markwarden crawl mend`: where the fields stand that a profile does not find any more.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};
use url::Url;

use super::{Context, Done, Question, drift_words, versions::Seen, visible};
use crate::{
    app::EVIDENCE,
    cli::notes::Notes,
    crawl::{
        Alarm, Archived, CompiledProfile, Coverage, Known, MENDED, PAGE_BYTES, PageText, Profile, Proposal, Sample,
        extract, propose, value_of,
    },
    evidence::verify_capture,
    files,
    model::{Capture, CaptureId, ListingId},
};

/// Archived pages that are looked at for each field.
const PAGES: usize = 200;

/// Arguments of `crawl mend`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "When a field is hardly found any more (`crawl status` says so), its values are known from before. They are looked for\n\
    in the newest archived pages of the same listings; the selector that gives them is shown with the share of pages on\n\
    which it is right. With --accept it is written into the profile, comments stay; a running server takes it over within\n\
    seconds, for the next run.\n\n\
    Examples:\n  \
    markwarden crawl mend xinghe\n  \
    markwarden crawl mend xinghe --accept\n\n\
    Exit codes: 0 nothing to mend, or it was accepted · 1 there is something to mend · 2 usage or I/O."
)]
pub struct Args {
    /// The profile's id.
    profile: String,
    /// Write what is proposed into the profile.
    #[arg(long)]
    accept: bool,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// A field that is hardly found any more, and where it stands now.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Mending {
    alarm: Alarm,
    /// None where no selector gives what is known.
    proposal: Option<Proposal>,
    /// Archived pages the changed profile was run over, and how many of them then have the field, and have it right.
    pages: usize,
    filled: usize,
    right: usize,
}

/// How to get at what is stored, beside coverage.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Stored<'a> {
    pub(in crate::cli) seen: Seen<'a>,
    pub(in crate::cli) capture: &'a dyn Fn(&CaptureId) -> Result<Option<Capture>>,
    /// Where WARC files are.
    pub(in crate::cli) evidence: &'a Path,
}

/// Runs the command.
///
/// # Errors
/// When there is no such profile, or what is kept cannot be read.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let data = args.data.clone().unwrap_or_else(|| settings.data.clone());
    let path = settings.crawl.sites.join(format!("{}.toml", args.profile));
    let profile = Profile::read(&path).with_context(|| format!("the profile {}", args.profile))?;
    let question = Question::Mend { profile: args.profile.clone() };
    let mendings = super::gathered(&settings, Some(&data), question, |coverage| {
        let Some(coverage) = coverage else { return Ok(Vec::new()) };
        let notes = Notes::open(&settings, Some(data.clone()))?;
        let Some(store) = notes.store() else { bail!("{} is in use", data.display()) };
        let store = &**store as &dyn crate::store::Store;
        let seen = |coverage: &Coverage, id: &ListingId| {
            notes.wait(coverage.follow(store))?;
            Ok(notes.wait(store.listing(id))?)
        };
        let capture = |id: &CaptureId| Ok(notes.wait(store.capture(id))?);
        gather(&profile, coverage, Stored { seen: &seen, capture: &capture, evidence: &data.join(EVIDENCE) })
    })?;
    if context.json() {
        context.data(&serde_json::to_string(&mendings)?)?;
    } else if mendings.is_empty() {
        context.data(&format!("{}: every field is found as usual", profile.id))?;
    }
    let mut accepted = Vec::new();
    for Mending { alarm, proposal, pages, filled, right } in mendings.iter().filter(|_| !context.json()) {
        context.data(&drift_words(alarm))?;
        match proposal {
            Some(found) => context.data(&format!(
                "  {} = {}   right on {} of {} pages; the changed profile has it on {filled} of {pages}, right on {right}",
                found.field,
                visible(value(found).to_string().trim()),
                found.right,
                found.of
            ))?,
            None => context.data("  no selector gives what is known of it: look at a page with `markwarden extract`")?,
        }
    }
    accepted.extend(mendings.iter().filter_map(|mending| mending.proposal.clone()));
    if !args.accept || accepted.is_empty() {
        return Ok(if mendings.is_empty() { Done::Fine } else { Done::Findings });
    }
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let changed = with_places(&text, &accepted).with_context(|| format!("changing {}", path.display()))?;
    Profile::parse(&path.display().to_string(), &changed)?;
    files::replace(&path, changed.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    context.say(&format!("{} fields of {} are read from their new places", accepted.len(), path.display()));
    Ok(Done::Fine)
}

/// What can be proposed for the fields of `profile` that are hardly found any more.
pub(super) fn gather(profile: &Profile, coverage: &Coverage, stored: Stored<'_>) -> Result<Vec<Mending>> {
    let alarms = coverage.alarms(&profile.id)?;
    let mut mendings = Vec::with_capacity(alarms.len());
    for alarm in alarms {
        let Some((field, path)) = MENDED.into_iter().find(|(field, _)| *field == alarm.field) else {
            mendings.push(Mending { alarm, proposal: None, pages: 0, filled: 0, right: 0 });
            continue;
        };
        let (urls, samples) = samples(profile, coverage, (field, path), stored)?;
        let pages: Vec<(&Url, &Sample)> = urls.iter().zip(&samples).collect();
        let (proposal, replayed) = mended(profile, field, &pages);
        let Replayed { filled, right } = replayed;
        mendings.push(Mending { alarm, proposal, pages: samples.len(), filled, right });
    }
    Ok(mendings)
}

/// On how many pages a profile has a field, and has it right.
#[derive(Debug, Clone, Copy, Default)]
struct Replayed {
    filled: usize,
    right: usize,
}

/// The place to propose for a field, and how the profile that has it reads all pages.
///
/// It is learnt from the pages on which the profile does not read what is known: a site may have changed its markup in the
/// middle of a run. Where others still have it at its old place, both are proposed if they read more together.
fn mended(profile: &Profile, field: &str, pages: &[(&Url, &Sample)]) -> (Option<Proposal>, Replayed) {
    let now = CompiledProfile::new(profile);
    let lost = pages.iter().filter(|page| read(&now, field, page).as_ref() != Some(&page.1.value));
    let lost: Vec<Sample> = lost.map(|(_, sample)| (*sample).clone()).collect();
    let Some(found) = propose(field, profile.listing.currency.as_deref(), &lost) else {
        return (None, Replayed::default());
    };
    let replayed = replay(profile, &found, pages);
    let old = profile.listing.select.place(field).filter(|old| old.attr == found.attr && !old.fen);
    let both = old.map(|old| Proposal { css: format!("{}, {}", found.css, old.css), ..found.clone() });
    match both.map(|both| (replay(profile, &both, pages), both)) {
        Some((more, both)) if more.right > replayed.right => (Some(both), more),
        _ => (Some(found), replayed),
    }
}

fn replay(profile: &Profile, proposal: &Proposal, pages: &[(&Url, &Sample)]) -> Replayed {
    let changed = CompiledProfile::new(&with_place(profile, proposal));
    let mut replayed = Replayed::default();
    for page in pages {
        let found = read(&changed, &proposal.field, page);
        replayed.filled += usize::from(found.is_some());
        replayed.right += usize::from(found.as_ref() == Some(&page.1.value));
    }
    replayed
}

fn read(profile: &CompiledProfile, field: &str, (url, sample): &(&Url, &Sample)) -> Option<String> {
    let listing = extract(&PageText { url, text: &sample.text }, Some(profile));
    listing.and_then(|listing| value_of(&listing, field))
}

/// Archived pages of listings whose value of a field is known from before.
fn samples(
    profile: &Profile,
    coverage: &Coverage,
    (field, path): (&str, &str),
    stored: Stored<'_>,
) -> Result<(Vec<Url>, Vec<Sample>)> {
    let (mut urls, mut samples) = (Vec::new(), Vec::new());
    for known in coverage.addresses(&profile.id) {
        let known: Known = known?;
        if samples.len() >= PAGES {
            break;
        }
        let (Ok(id), Some(capture), Ok(url)) =
            (ListingId::new(&known.stands.listing), &known.capture, Url::parse(&known.url))
        else {
            continue;
        };
        let Some(listing) = (stored.seen)(coverage, &id)? else { continue };
        let now = value_of(&listing.listing, field);
        let before = || {
            coverage.versions(&id).ok()?.into_iter().rev().find_map(|version| {
                version.changes.into_iter().find(|change| change.path == path).and_then(|change| change.before)
            })
        };
        let Some(value) = now.or_else(before) else { continue };
        let Some(capture) = (stored.capture)(capture)? else { continue };
        // A page that was retired or damaged is none to learn from.
        let Ok(record) = verify_capture(stored.evidence, &capture) else { continue };
        let limit = u64::try_from(PAGE_BYTES).unwrap_or(u64::MAX);
        if let Some(page) = Archived::of(&record, limit) {
            urls.push(url);
            samples.push(Sample { text: page.text(), value });
        }
    }
    Ok((urls, samples))
}

fn with_place(profile: &Profile, proposal: &Proposal) -> Profile {
    let mut changed = profile.clone();
    changed.listing.select.put(&proposal.field, &proposal.css, proposal.attr.clone());
    changed
}

/// A place as a profile writes it.
fn value(proposal: &Proposal) -> Value {
    match &proposal.attr {
        None => Value::from(proposal.css.as_str()),
        Some(attr) => {
            let mut table = InlineTable::new();
            table.insert("css", Value::from(proposal.css.as_str()));
            table.insert("attr", Value::from(attr.as_str()));
            Value::InlineTable(table)
        }
    }
}

/// The text of a profile's file with other places; comments and order stay.
fn with_places(text: &str, proposals: &[Proposal]) -> Result<String> {
    let mut document: DocumentMut = text.parse()?;
    let listing = document.get_mut("listing").and_then(Item::as_table_like_mut).context("there is no [listing]")?;
    let select = listing.entry("select").or_insert_with(|| Item::Table(Table::new()));
    let select = select.as_table_like_mut().context("[listing.select] is no table")?;
    for proposal in proposals {
        let mut new = value(proposal);
        if let Some(old) = select.get(&proposal.field).and_then(Item::as_value) {
            *new.decor_mut() = old.decor().clone();
        }
        select.insert(&proposal.field, Item::Value(new));
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_keeps_its_comments_when_a_place_is_changed() {
        let text =
            "# the shop\n[listing] # facts\nmatch = [\"/p/\"]\n[listing.select]\nprice = \".old\" # the yellow one\n";
        let of = |field: &str, attr: Option<&str>| Proposal {
            field: field.into(),
            css: "em.now".into(),
            attr: attr.map(str::to_owned),
            right: 1,
            of: 1,
        };
        let changed = with_places(text, &[of("price", None), of("sku", Some("data-sku"))]).unwrap();
        assert_eq!(
            changed,
            "# the shop\n[listing] # facts\nmatch = [\"/p/\"]\n[listing.select]\nprice = \"em.now\" # the yellow one\n\
             sku = { css = \"em.now\", attr = \"data-sku\" }\n"
        );
        let bare = with_places("[listing]\nmatch = [\"/p/\"]\n", &[of("title", None)]).unwrap();
        assert!(bare.contains("[listing.select]\ntitle = \"em.now\""), "{bare}");
        assert!(with_places("id = 1\n", &[of("title", None)]).is_err());
    }
}
