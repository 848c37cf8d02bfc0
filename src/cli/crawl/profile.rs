//! `markwarden crawl profile`: drafts, checks and records what says how to read a site.

mod check;
mod new;
mod record;

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use url::Url;

use super::{Context, Done, Question, asking, mend::Stored};
use crate::{
    app::App,
    config::Config,
    crawl::{self, Archived, CompiledProfile, Coverage, Looked, PAGE_BYTES, Profile},
    evidence::verify_capture,
    store::StoreError,
};

/// Arguments of `crawl profile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read the recorded pages of profiles, and say which facts are read otherwise than they must be
    Check(check::Args),
    /// Draft a profile from a page
    New(new::Args),
    /// Record a page with the facts that are read from it now
    Record(record::Args),
}

/// Asks for a page as a run of a profile would.
pub(in crate::cli) type Look<'a> = dyn Fn(&Profile, &Url) -> Result<Looked> + 'a;

/// A page, on its way from the server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Page {
    url: Url,
    status: u16,
    content_type: Option<String>,
    /// Base64.
    body: String,
    sitemaps: Vec<Url>,
}

/// Runs the command.
///
/// # Errors
/// As the commands below it.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    match args.command {
        Command::Check(args) => check::run(args, context),
        Command::New(args) => new::run(args, context),
        Command::Record(args) => record::run(args, context),
    }
}

impl Page {
    fn packed(looked: Looked) -> Self {
        let Looked { url, status, content_type, body, sitemaps } = looked;
        Self { url, status, content_type, body: STANDARD.encode(&body), sitemaps }
    }

    fn unpacked(self) -> Result<Looked> {
        let Self { url, status, content_type, body, sitemaps } = self;
        let body = STANDARD.decode(body).context("the server sent a page that cannot be read")?;
        Ok(Looked { url, status, content_type, body: body.into(), sitemaps })
    }
}

/// The newest archived page at `url`; none where no run of `profile` had it.
pub(super) fn archived(profile: &str, url: &Url, coverage: &Coverage, stored: Stored<'_>) -> Result<Option<Page>> {
    let Some(known) = coverage.get(profile, url)? else { return Ok(None) };
    let Some(capture) = known.capture else { return Ok(None) };
    let Some(capture) = (stored.capture)(&capture)? else { return Ok(None) };
    let record = verify_capture(stored.evidence, &capture)?;
    let limit = u64::try_from(PAGE_BYTES).unwrap_or(u64::MAX);
    let Some(Archived { content_type, body }) = Archived::of(&record, limit) else { return Ok(None) };
    let url = Url::parse(&capture.url).unwrap_or_else(|_| url.clone());
    Ok(Some(Page::packed(Looked { url, status: capture.status, content_type, body, sitemaps: Vec::new() })))
}

/// What the server answers who asks for a page.
pub(super) fn looked(file: &str, text: &str, url: &Url, look: &Look<'_>) -> Result<Page> {
    let profile = Profile::parse(file, text).map_err(|mistake| anyhow!("{mistake}"))?;
    Ok(Page::packed(look(&profile, url)?))
}

/// Asks for pages as runs of profiles would: here, or by the server that has the data folder open, so that a host's pace and
/// who stopped it count for both.
enum Asker<'a> {
    Here(Box<App>),
    Server(&'a Path),
}

impl<'a> Asker<'a> {
    fn open(settings: &Config, data: &'a Path) -> Result<Self> {
        if !data.exists() {
            return Ok(Self::Here(Box::new(App::temporary(settings.clone())?)));
        }
        match App::open(settings.clone(), Some(data.to_owned())) {
            Ok(app) => Ok(Self::Here(Box::new(app))),
            Err(error) if matches!(error.downcast_ref(), Some(StoreError::InUse { .. })) => Ok(Self::Server(data)),
            Err(error) => Err(error),
        }
    }

    /// The page at `url`, asked for by the profile with this text.
    fn page(&self, file: &str, text: &str, url: &Url) -> Result<Looked> {
        match self {
            Self::Server(data) => {
                let question = Question::Look { file: file.to_owned(), text: text.to_owned(), url: url.clone() };
                asking::ask::<Page>(data, question)?.unpacked()
            }
            Self::Here(app) => {
                let profile = Profile::parse(file, text)?;
                app.halting()?;
                let (_stop, stopped) = watch::channel(false);
                let services = app.crawler(stopped, false)?;
                Ok(app.wait(crawl::look_at(&profile, url, &services))?)
            }
        }
    }
}

/// The text of a page that was looked at, where its host answered with one.
fn text_of(looked: &Looked) -> Result<String> {
    if !(200..300).contains(&looked.status) {
        anyhow::bail!("{} answered {}", looked.url, looked.status);
    }
    Ok(crawl::decode(&looked.body, looked.content_type.as_deref()).text)
}

/// The profile at `path` with its text.
fn read(path: &Path) -> Result<(String, CompiledProfile)> {
    let profile = match Profile::read(path) {
        Ok(profile) => profile,
        Err(crawl::ProfileError::Wrong(mistake)) => return Err(anyhow::Error::new(mistake)),
        Err(error) => return Err(error.into()),
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok((text, CompiledProfile::new(&profile)))
}
