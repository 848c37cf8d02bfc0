//! `markwarden crawl profile new`: drafts a profile from a page.

use std::{fs::OpenOptions, io::Write as _, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use url::Url;

use super::{Asker, Context, Done, text_of};
use crate::crawl::{Grounds, PageText, Profile, bare_profile, draft_profile, id_of, sketch};

/// Arguments of `crawl profile new`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The page, best of all a listing's, is fetched once: robots.txt and a pace of a second are kept. What JSON-LD, microdata and\n\
    OpenGraph state is told in comments; for what only stands visibly on the page, selectors are proposed; lists are\n\
    guessed from the page's links, sitemaps taken from robots.txt. Nothing is ever overwritten.\n\n\
    Examples:\n  \
    markwarden crawl profile new https://xinghe.example/item/10001.html\n  \
    markwarden crawl profile new https://xinghe.example/item/10001.html --out sites/xinghe.toml\n\n\
    Exit codes: 0 a draft was made · 2 usage or I/O."
)]
pub struct Args {
    /// A page of the site.
    url: Url,
    /// The profile's name; that of the file or of the host when absent.
    #[arg(long)]
    id: Option<String>,
    /// Write the draft to a file instead of stdout; one that is there stays as it is.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Allow addresses of this machine: for demonstrations and tests only.
    #[arg(long)]
    allow_loopback: bool,
    /// The data folder, where it is known which hosts are left alone; the settings' when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the page cannot be had, or the file is there already.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    if let Some(out) = args.out.as_ref().filter(|out| out.exists()) {
        bail!("{} is there already: give the draft another name", out.display());
    }
    let settings = context.settings()?;
    let data = args.data.unwrap_or_else(|| settings.data.clone());
    let asker = Asker::open(&settings, &data)?;
    let looked = asker.page("draft.toml", &bare_profile(&args.url, args.allow_loopback), &args.url)?;
    let page = text_of(&looked)?;
    let stem = args.out.as_ref().and_then(|out| out.file_stem()).map(|stem| stem.to_string_lossy().into_owned());
    let id = args.id.or(stem).unwrap_or_else(|| id_of(&looked.url));
    let sketch = sketch(&PageText { url: &looked.url, text: &page });
    let text = draft_profile(&Grounds {
        id: &id,
        url: &looked.url,
        sketch: &sketch,
        sitemaps: &looked.sitemaps,
        allow_loopback: args.allow_loopback,
    });
    // What was drafted is a profile, or the program is wrong and says so.
    Profile::parse("the draft", &text)?;
    match &args.out {
        None => context.data(text.trim_end())?,
        Some(out) => {
            let file = OpenOptions::new().write(true).create_new(true).open(out);
            let mut file = file.with_context(|| format!("creating {}", out.display()))?;
            file.write_all(text.as_bytes()).with_context(|| format!("writing {}", out.display()))?;
            context.say(&format!("wrote {}", out.display()));
        }
    }
    if sketch.listing.is_none() {
        context
            .say("no product facts were found on the page: give the address of a listing to have its facts looked for");
    }
    Ok(Done::Fine)
}
