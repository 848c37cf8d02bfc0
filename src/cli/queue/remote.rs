//! The queue of a running server, asked over its API with a token.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Method, Url, header};
use serde_json::Value;

use super::{Context, Done, visible};

/// Where a token is looked for when no file is named.
const TOKEN: &str = "MARKWARDEN_TOKEN";
/// Longest answer and longest token file, in bytes; longest wait.
const MAX_ANSWER_BYTES: usize = 16 << 20;
const MAX_TOKEN_BYTES: u64 = 4096;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Which server, and with whose token.
#[derive(Debug, clap::Args)]
pub(super) struct Remote {
    /// Ask this running server instead of opening the store, such as http://127.0.0.1:8420. The token is read from the
    /// variable MARKWARDEN_TOKEN.
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub server: Option<Url>,
    /// Read the token from this file instead.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub token_file: Option<PathBuf>,
}

/// A running server, asked with a token.
pub(super) struct Server {
    address: Url,
    token: String,
    client: Client,
}

impl Server {
    /// The server at `address`, with the token of `file` or of the variable.
    pub(super) fn new(address: Url, file: Option<PathBuf>) -> Result<Self> {
        // Fails only when another part of the program has installed one, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build()?;
        Ok(Self { address, token: token(file)?, client })
    }

    /// Reads `path`.
    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        Ok(self.ask(Method::GET, &self.address.join(path)?, None).await?.0)
    }

    /// Sends `body` to `path`.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.ask(Method::POST, &self.address.join(path)?, Some(body)).await?.0)
    }

    /// An answer, and the address of the next page.
    async fn ask(&self, method: Method, url: &Url, body: Option<&Value>) -> Result<(Value, Option<String>)> {
        let place = || format!("asking {}{}", url.origin().ascii_serialization(), url.path());
        let mut request = self.client.request(method, url.clone()).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let mut answer = request.send().await.with_context(place)?;
        let link = answer.headers().get(header::LINK).and_then(|link| link.to_str().ok());
        let link = link.and_then(|link| link.strip_prefix('<')?.split_once('>')).map(|(next, _)| next.to_owned());
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.with_context(place)? {
            bytes.extend_from_slice(&part);
            anyhow::ensure!(bytes.len() <= MAX_ANSWER_BYTES, "{}: the answer is too long", place());
        }
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if !status.is_success() {
            let why = value.get("detail").and_then(Value::as_str).unwrap_or("no reason was told");
            bail!("{}: {status}: {}", place(), visible(why));
        }
        Ok((value, link))
    }
}

/// Prints what `query` asks for, at most `limit` hits.
pub(super) fn run(remote: Remote, query: &[(&str, &str)], limit: usize, context: &Context) -> Result<Done> {
    let Some(address) = remote.server else { bail!("no server is named") };
    let server = Server::new(address, remote.token_file)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut next = Some(server.address.join("/api/v1/hits")?);
        if let Some(first) = &mut next {
            let rows = limit.clamp(1, 200).to_string();
            let given = query.iter().filter(|(_, value)| !value.is_empty());
            first.query_pairs_mut().extend_pairs(given).append_pair("limit", &rows);
        }
        let mut left = limit;
        while let Some(url) = next.take().filter(|_| left > 0) {
            let (hits, link) = server.ask(Method::GET, &url, None).await?;
            for hit in hits.as_array().into_iter().flatten().take(left) {
                print(context, hit)?;
                left -= 1;
            }
            next =
                link.map(|link| url.join(&link)).transpose()?.filter(|next| next.origin() == server.address.origin());
        }
        let counts = server.get("/api/v1/counts").await?;
        let count = |state: &str| counts.get(state).and_then(Value::as_u64).unwrap_or(0);
        context.say(&format!(
            "{} open, {} confirmed, {} dismissed",
            count("open"),
            count("confirmed"),
            count("dismissed")
        ));
        Ok(Done::Fine)
    })
}

fn token(file: Option<PathBuf>) -> Result<String> {
    let token = match file {
        Some(file) => {
            let name = file.display().to_string();
            let size = fs::metadata(&file).with_context(|| format!("cannot read the token from {name}"))?.len();
            anyhow::ensure!(size <= MAX_TOKEN_BYTES, "{name} has {size} bytes: that is no token");
            fs::read_to_string(&file).with_context(|| format!("cannot read the token from {name}"))?
        }
        None => std::env::var(TOKEN).unwrap_or_default(),
    };
    let token = token.trim().to_owned();
    anyhow::ensure!(!token.is_empty(), "no token: make one on the desk under your account, and put it into {TOKEN}");
    Ok(token)
}

/// Prints a hit as a line.
pub(super) fn print(context: &Context, hit: &Value) -> Result<()> {
    if context.json() {
        return context.data(&hit.to_string());
    }
    let text = |name: &str| visible(hit.get(name).and_then(Value::as_str).unwrap_or_default());
    let number = |name: &str| hit.get(name).and_then(Value::as_u64).unwrap_or(0);
    let found = hit.get("found").and_then(Value::as_array);
    let words: Vec<String> = found.into_iter().flatten().take(3).filter_map(Value::as_str).map(visible).collect();
    context.data(&format!(
        "{:>6}  {:>3}  {:<8}  {}  {}  {}",
        number("id"),
        number("priority"),
        text("severity"),
        text("family"),
        words.join(" / "),
        text("title")
    ))
}
