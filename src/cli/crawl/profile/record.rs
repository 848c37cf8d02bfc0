//! `markwarden crawl profile record`: keeps a page beside a profile, with the facts that are read from it now.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use url::Url;

use super::{Asker, Context, Done, Page, Question, archived, read, text_of};
use crate::{
    app::EVIDENCE,
    cli::{
        crawl::{gathered, mend::Stored, place},
        notes::Notes,
    },
    config::Config,
    crawl::{Coverage, Looked, PageText, Taken, extract, facts_file, is_name, name_of, recorded_folder},
    files,
    model::{CaptureId, Clock, ListingId, SystemClock},
    store::Store,
};

/// Arguments of `crawl profile record`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The newest archived page at the address is taken (WARC), or the page is fetched where none is, or with --fetch. It is kept\n\
    in the folder beside the profile with what is read from it now: correct the facts that are read wrongly, then\n\
    `crawl profile check` tells when a change of the profile, or of this program, reads the page otherwise.\n\n\
    Examples:\n  \
    markwarden crawl profile record xinghe https://xinghe.example/item/10001.html\n  \
    markwarden crawl profile record xinghe https://xinghe.example/item/7.html --name sold-out --fetch"
)]
pub struct Args {
    /// The profile's id or file.
    profile: String,
    /// The listing's address.
    url: Url,
    /// What the recorded page is called; the listing's number when absent.
    #[arg(long)]
    name: Option<String>,
    /// Fetch the page, whatever the archive has.
    #[arg(long)]
    fetch: bool,
    /// The data folder; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the page cannot be had, no listing is read from it, or one of that name is recorded already.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let path = place(&args.profile, &settings.crawl.sites);
    let (text, profile) = read(&path)?;
    let data = args.data.unwrap_or_else(|| settings.data.clone());
    let known =
        if args.fetch { None } else { from_archive(&settings, &data, &profile.profile().id, &profile.key(&args.url))? };
    let looked = match known {
        Some(known) => known,
        None => Asker::open(&settings, &data)?.page(&path.display().to_string(), &text, &args.url)?,
    };
    let page = text_of(&looked)?;
    let Some(listing) = extract(&PageText { url: &looked.url, text: &page }, Some(&profile)) else {
        bail!("no listing is read from {}: it has no title; mend the profile's selectors first", looked.url);
    };
    let name = args.name.unwrap_or_else(|| name_of(&listing));
    if !is_name(&name) {
        bail!("`{name:.80}` is no name of a recorded page: letters, digits, - and _, 80 at most");
    }
    let folder = recorded_folder(&path);
    let file = folder.join(format!("{name}.toml"));
    if file.exists() || file.with_extension("html").exists() {
        bail!("{} is recorded already: give another --name, or remove it first", file.display());
    }
    let at = SystemClock.now();
    let taken = Taken { url: &looked.url, content_type: looked.content_type.as_deref(), body: &looked.body, at };
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let html = file.with_extension("html");
    files::replace(&html, taken.body).with_context(|| format!("writing {}", html.display()))?;
    let facts = facts_file(&taken, &listing);
    files::replace(&file, facts.as_bytes()).with_context(|| format!("writing {}", file.display()))?;
    context.data(&file.display().to_string())?;
    context.say("look at the facts and correct what was read wrongly");
    Ok(Done::Fine)
}

/// The newest archived page; none where there is none.
fn from_archive(settings: &Config, data: &std::path::Path, profile: &str, url: &Url) -> Result<Option<Looked>> {
    let question = Question::Archived { profile: profile.to_owned(), url: url.clone() };
    let page: Option<Page> = gathered(settings, Some(data), question, |coverage| {
        let Some(coverage) = coverage else { return Ok(None) };
        let notes = Notes::open(settings, Some(data.to_owned()))?;
        let Some(store) = notes.store() else { bail!("{} is in use", data.display()) };
        let store = &**store as &dyn Store;
        let seen = |_: &Coverage, id: &ListingId| Ok(notes.wait(store.listing(id))?);
        let capture = |id: &CaptureId| Ok(notes.wait(store.capture(id))?);
        archived(profile, url, coverage, Stored { seen: &seen, capture: &capture, evidence: &data.join(EVIDENCE) })
    })?;
    page.map(Page::unpacked).transpose()
}
