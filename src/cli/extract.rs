//! `markwarden extract`: the product facts of a saved page.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use url::Url;

use super::{Context, Done};
use crate::crawl::{CompiledProfile, Decoded, PAGE_BYTES, PageText, Profile, decode, decode_as, extract};
use crate::model::Listing;

/// Stands in for the address of a page whose address nobody gave; a name that cannot exist (RFC 2606).
const NOWHERE: &str = "http://nowhere.invalid/";

/// Arguments of `extract`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints the listing as JSON: indented for reading, one line with --format json.

The facts come from the profile's selectors, JSON-LD, microdata, OpenGraph, and what stands visibly on the
page, in this order. --url matters: relative addresses, the listing's id and the choice among several
products on a page depend on it.

Examples:
  markwarden extract page.html
  markwarden extract --url https://shop.example/p/42 --profile sites/shop.toml page.html.gz
  curl -s https://shop.example/p/42 | markwarden --format json extract --url https://shop.example/p/42 -

Exit codes: 0 a listing was read · 1 the page has no product · 2 the page or profile cannot be read.")]
pub struct Args {
    /// Where the page was fetched; without it the listing has no url, and no id where no profile gives one.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// A site profile whose selectors are used.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// The page's encoding, such as gbk; found from the page when absent.
    #[arg(long, value_name = "NAME")]
    charset: Option<String>,
    /// The saved page, plain or gzip; `-` for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the page or the profile cannot be read.
pub fn run(args: Args, context: &Context) -> Result<Done> {
    let profile = args.profile.as_deref().map(read_profile).transpose()?;
    let body = read_page(&args.file)?;
    let decoded = decode_page(&body, args.charset.as_deref())?;
    tracing::info!(encoding = decoded.encoding, how = ?decoded.how, overruled = decoded.overruled, "decoded");
    let nowhere = Url::parse(NOWHERE)?;
    let page = PageText { url: args.url.as_ref().unwrap_or(&nowhere), text: &decoded.text };
    let listing = extract(&page, profile.as_ref());
    let Some(listing) = listing.map(|listing| if args.url.is_some() { listing } else { without_place(listing) }) else {
        context.say(&format!("{} has no product: no title was found", args.file.display()));
        return Ok(Done::Findings);
    };
    let text = if context.json() { serde_json::to_string(&listing) } else { serde_json::to_string_pretty(&listing) };
    context.data(&text.context("cannot write the listing as JSON")?)?;
    Ok(Done::Fine)
}

/// What was derived from the stand-in address is taken out again; addresses of pictures become relative.
fn without_place(mut listing: Listing) -> Listing {
    listing.url = None;
    if listing.id.starts_with(NOWHERE) {
        listing.id.clear();
    }
    for image in &mut listing.images {
        if let Some(path) = image.url.strip_prefix(NOWHERE) {
            image.url = format!("/{path}");
        }
    }
    listing
}

fn read_profile(path: &Path) -> Result<CompiledProfile> {
    match Profile::read(path) {
        Ok(profile) => Ok(CompiledProfile::new(&profile)),
        Err(crate::crawl::ProfileError::Wrong(mistake)) => Err(anyhow::Error::new(mistake)),
        Err(error) => Err(error.into()),
    }
}

fn read_page(path: &Path) -> Result<Vec<u8>> {
    let stdin = path.as_os_str() == "-";
    let name = if stdin { "stdin".to_owned() } else { path.display().to_string() };
    let reading = || format!("cannot read {name}");
    let raw = if stdin {
        bounded(io::stdin().lock(), &name)?
    } else {
        bounded(File::open(path).with_context(reading)?, &name)?
    };
    if !raw.starts_with(&[0x1F, 0x8B]) {
        return Ok(raw);
    }
    bounded(flate2::read::MultiGzDecoder::new(raw.as_slice()), &name)
        .with_context(|| format!("cannot unpack {name} as gzip"))
}

/// Reads up to [`PAGE_BYTES`]; more is refused rather than read in part.
fn bounded(source: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let limit = u64::try_from(PAGE_BYTES).unwrap_or(u64::MAX);
    source.take(limit + 1).read_to_end(&mut body).with_context(|| format!("cannot read {name}"))?;
    if body.len() > PAGE_BYTES {
        bail!("{name} is longer than {} MiB, the most a page may have: cut it to the product's part", PAGE_BYTES >> 20);
    }
    Ok(body)
}

fn decode_page(body: &[u8], charset: Option<&str>) -> Result<Decoded> {
    match charset {
        Some(name) => decode_as(body, name)
            .with_context(|| format!("`{name}` is no encoding: try utf-8, gbk, big5, shift_jis or windows-1252")),
        None => Ok(decode(body, None)),
    }
}
