//! `markwarden crawl profile check`: whether profiles still read what they must.

use std::path::PathBuf;

use anyhow::Result;
use url::Url;

use super::{Asker, Context, Done, read, text_of};
use crate::{
    cli::{context::visible, crawl::place, rules::show},
    crawl::{CanaryReading, CompiledProfile, PageText, Profile, Recorded, differs, extract, recorded_folder},
    model::Diagnostic,
};

/// Arguments of `crawl profile check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A recorded page is two files in the folder beside the profile that has its name: sites/xinghe/42.html, the page as it\n\
    came, and sites/xinghe/42.toml, its address and the facts that must be read from it (`crawl profile record` writes both).\n\
    Nothing is fetched, unless --live also asks the profile's canaries: its host's robots.txt and pace are kept.\n\n\
    Examples:\n  \
    markwarden crawl profile check\n  \
    markwarden crawl profile check xinghe --live\n  \
    markwarden --format json crawl profile check ./sites/xinghe.toml\n\n\
    Exit codes: 0 all is read as it must be · 1 something is not · 2 usage or I/O."
)]
pub struct Args {
    /// Profile ids or files; every profile of the sites folder when absent.
    #[arg(value_name = "PROFILE")]
    profiles: Vec<String>,
    /// Also ask for the canaries, and hold what is read of them against what must be.
    #[arg(long)]
    live: bool,
    /// The data folder, where it is known which hosts are left alone; the settings' when absent.
    #[arg(long, value_name = "DIR", requires = "live")]
    data: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When profiles or recorded pages cannot be read.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let settings = context.settings()?;
    let sites = &settings.crawl.sites;
    let paths: Vec<PathBuf> = if args.profiles.is_empty() {
        Profile::read_folder(sites)?.into_keys().map(|id| sites.join(format!("{id}.toml"))).collect()
    } else {
        args.profiles.iter().map(|name| place(name, sites)).collect()
    };
    let data = args.data.unwrap_or_else(|| settings.data.clone());
    let asker = if args.live { Some(Asker::open(&settings, &data)?) } else { None };
    let mut wrong = 0;
    for path in paths {
        let (text, profile) = read(&path)?;
        let file = path.display().to_string();
        let (recorded, mut problems) = recorded(&path, &profile);
        let canaries = &profile.profile().canaries;
        if let Some(asker) = &asker {
            for place in 0..canaries.len() {
                problems.extend(sing(&file, &text, &profile, place, asker)?);
            }
        }
        show(&problems, context)?;
        wrong += problems.len();
        let asked = if asker.is_some() { canaries.len() } else { 0 };
        let id = &profile.profile().id;
        if recorded + canaries.len() == 0 {
            context.say(&format!("{id}: no page is recorded and there is no canary: `crawl profile record` adds one"));
        } else {
            context.say(&format!(
                "{id}: {recorded} recorded pages read, {asked} of {} canaries asked, {} mistakes",
                canaries.len(),
                problems.len()
            ));
        }
    }
    Ok(if wrong == 0 { Done::Fine } else { Done::Findings })
}

/// How many pages are recorded beside the profile at `path`, and what is read otherwise in them.
fn recorded(path: &std::path::Path, profile: &CompiledProfile) -> (usize, Vec<Diagnostic>) {
    match Recorded::read_folder(&recorded_folder(path)) {
        Ok(pages) => (pages.len(), pages.iter().flat_map(|page| page.check(profile)).collect()),
        Err(crate::crawl::ProfileError::Wrong(mistake)) => (0, vec![*mistake]),
        Err(error) => {
            let file = path.display().to_string();
            let help = "a recorded page is NAME.html and NAME.toml; `crawl profile record` writes both";
            (0, vec![Diagnostic::error(&file, "", 0..0, "recorded.unreadable", error.to_string(), help)])
        }
    }
}

/// Asks for one canary, and tells what is read otherwise.
fn sing(file: &str, text: &str, profile: &CompiledProfile, place: usize, asker: &Asker<'_>) -> Result<Vec<Diagnostic>> {
    let Some(canary) = profile.profile().canaries.get(place) else { return Ok(Vec::new()) };
    let url = Url::parse(&canary.url)?;
    let at = text.find(&canary.url).map_or(0..0, |start| start..start + canary.url.len());
    let told = |what: String| {
        let help = "look at the listing: when it is gone, choose another canary; else mend the profile";
        Diagnostic::error(file, text, at.clone(), "profile.canary", what, help)
    };
    let page = asker.page(file, text, &url).and_then(|looked| Ok((text_of(&looked)?, looked)));
    let (page, looked) = match page {
        Ok(page) => page,
        Err(error) => return Ok(vec![told(format!("the canary cannot be read: {}", visible(&format!("{error:#}"))))]),
    };
    let listing = extract(&PageText { url: &looked.url, text: &page }, Some(profile));
    let reading = CanaryReading::of(canary, listing.as_ref());
    if !reading.why.is_empty() {
        return Ok(vec![told(reading.why)]);
    }
    let table = ["canary", &place.to_string(), "facts"];
    Ok(reading.differences.iter().map(|difference| differs(file, text, &table, difference)).collect())
}
