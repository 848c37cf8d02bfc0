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
        Alarm, CompiledProfile, Coverage, Known, MENDED, PAGE_BYTES, PageText, Profile, Proposal, Sample,
        archived_text, extract, propose, value_of,
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
    which it is right. With --accept it is written into the profile, comments stay; a running server takes it over when it\n\
    is started again.\n\n\
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
        let proposal = propose(field, profile.listing.currency.as_deref(), &samples);
        let (mut filled, mut right) = (0, 0);
        if let Some(changed) = proposal.as_ref().map(|proposal| with_place(profile, proposal)) {
            let changed = CompiledProfile::new(&changed);
            for (url, sample) in urls.iter().zip(&samples) {
                let listing = extract(&PageText { url, text: &sample.text }, Some(&changed));
                let found = listing.and_then(|listing| value_of(&listing, field));
                filled += usize::from(found.is_some());
                right += usize::from(found.as_ref() == Some(&sample.value));
            }
        }
        mendings.push(Mending { alarm, proposal, pages: samples.len(), filled, right });
    }
    Ok(mendings)
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
        let text = record.http().and_then(|(head, body)| archived_text(head, body, limit));
        if let Some(text) = text {
            urls.push(url);
            samples.push(Sample { text, value });
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
