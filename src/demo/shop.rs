//! One shop: what it answers to each address.

use std::{
    collections::HashSet,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, StatusCode, header};
use tokio::{net::TcpListener, sync::watch};

use super::{
    MarketError, Style,
    data::{self, Behavior, CharsetLie, Data, Does, Item},
    log::Log,
    page,
};

/// Listings on one page of a list.
const LIST_LENGTH: usize = 12;
/// The page that is too large has so many bytes when decoded; the profiles allow one third.
const OVERSIZE_BYTES: usize = 3 * 1024 * 1024;

/// What a page is and how it is sent.
struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: Vec<u8>,
    headers: Vec<(header::HeaderName, String)>,
}

/// One of the three shops.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) style: Style,
    pub(super) base: String,
    data: Arc<Data>,
    log: Arc<Log>,
    stopped: watch::Receiver<bool>,
    robots: Vec<u8>,
    /// Addresses that have been busy once.
    busy: Mutex<HashSet<String>>,
}

impl Shop {
    pub(super) fn new(
        style: Style,
        base: String,
        data: Arc<Data>,
        log: Arc<Log>,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self, MarketError> {
        let robots = data::text(&format!("robots/{}.txt", style.id()))?.replace(&format!("{{{}}}", style.id()), &base);
        Ok(Self { style, base, data, log, stopped, robots: encode(style, &robots), busy: Mutex::default() })
    }

    /// Answers until the market stops.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
        let site = self.style.id();
        let app = Router::new().fallback(answer).with_state(self);
        let end = async move {
            // An error means that the market is gone, which is a stop too.
            drop(stopped.wait_for(|stop| *stop).await);
        };
        if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(end).await {
            tracing::warn!(site, %error, "a shop of the fictional marketplace closed early");
        }
    }

    fn items(&self) -> &[Item] {
        self.data.items.iter().find(|(style, _)| *style == self.style).map_or(&[], |(_, items)| items)
    }

    fn behavior(&self, target: &str) -> Option<&Behavior> {
        self.data.behaviors.iter().find(|behavior| behavior.site == self.style && behavior.path == target)
    }

    async fn respond(&self, target: &str) -> Answer {
        if let Some(behavior) = self.behavior(target) {
            match behavior.does {
                Does::Redirect => return redirect(behavior),
                Does::Missing => return missing(),
                Does::Oversize => return Answer::ok("text/html; charset=utf-8", oversize()),
                Does::Hang => {
                    drop(self.stopped.clone().wait_for(|stop| *stop).await);
                    return Answer::plain(StatusCode::SERVICE_UNAVAILABLE, "closed");
                }
                Does::BusyOnce if self.first_time(target) => return busy(),
                Does::BusyOnce | Does::Duplicate => {}
            }
        }
        self.page(target)
    }

    fn first_time(&self, target: &str) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(target.to_owned())
    }

    fn page(&self, target: &str) -> Answer {
        let path = target.split('?').next().unwrap_or(target);
        match (self.style, path) {
            (_, "/robots.txt") => Answer::ok("text/plain", self.robots.clone()),
            (_, "/") => self.home(),
            (Style::Xinghe, "/sitemap.xml") => Answer::ok("application/xml", self.sitemap_index().into_bytes()),
            (Style::Xinghe, "/sitemap-1.xml") => Answer::ok("application/xml", self.sitemap(0).into_bytes()),
            (Style::Xinghe, "/sitemap-2.xml.gz") => {
                Answer::ok("application/gzip", gzip(self.sitemap(1).as_bytes()).unwrap_or_default())
            }
            _ if path.starts_with("/images/") => picture(path),
            _ => match self.list_page(target) {
                Some(page) => self.list(page),
                None => self.listing(target, path),
            },
        }
    }

    fn home(&self) -> Answer {
        let first = match self.style {
            Style::Xinghe => "/list/1.html",
            Style::Laojie => "/list.php?page=1",
            Style::Jianpu => "/api/goods",
        };
        Answer::plain(StatusCode::FOUND, "").with(header::LOCATION, first)
    }

    /// The number of the list page at `target`, from 1.
    fn list_page(&self, target: &str) -> Option<usize> {
        let number = match self.style {
            Style::Xinghe => target.strip_prefix("/list/")?.strip_suffix(".html")?,
            Style::Laojie => target.strip_prefix("/list.php?page=")?,
            Style::Jianpu if target == "/api/goods" => "1",
            Style::Jianpu => target.strip_prefix("/api/goods?cursor=n")?,
        };
        number.parse().ok().filter(|page| *page > 0)
    }

    fn list(&self, page: usize) -> Answer {
        let listed: Vec<&Item> = self.items().iter().filter(|item| !item.page.unlisted).collect();
        let pages = listed.len().div_ceil(LIST_LENGTH);
        let shown: Vec<&Item> =
            listed.into_iter().skip((page - 1).saturating_mul(LIST_LENGTH)).take(LIST_LENGTH).collect();
        if shown.is_empty() {
            return missing();
        }
        let extra = self.data.behaviors.iter();
        let extra = extra.filter(|behavior| behavior.site == self.style && behavior.linked_from == Some(page));
        let extra = extra.map(|behavior| behavior.path.as_str()).collect();
        match page::list(self.style, (page, pages), &shown, extra) {
            Ok(text) => Answer::ok(self.list_type(), encode(self.style, &text)),
            Err(error) => failed(&error),
        }
    }

    fn listing(&self, target: &str, path: &str) -> Answer {
        // Extra parameters mean nothing to the shops whose numbers stand in the path.
        let address = if self.style == Style::Laojie { target } else { path };
        let items = self.items();
        let Some(place) = items.iter().position(|item| item.page.path == address) else { return missing() };
        let Some(item) = items.get(place) else { return missing() };
        let public: Vec<&Item> = items.iter().filter(|item| !item.page.private).collect();
        let related: Vec<&Item> = [7, 19, 31]
            .iter()
            .filter_map(|step| public.get((place + step) % public.len().max(1)).copied())
            .filter(|other| other.listing.id != item.listing.id)
            .collect();
        match page::listing(self.style, &self.base, item, &related) {
            Ok(html) => Answer::ok(self.content_type(item.page.charset), encode(self.style, &html)),
            Err(error) => failed(&error),
        }
    }

    fn list_type(&self) -> &'static str {
        if self.style == Style::Jianpu { "application/json" } else { self.content_type(None) }
    }

    fn content_type(&self, lie: Option<CharsetLie>) -> &'static str {
        match (self.style, lie) {
            (Style::Xinghe, Some(CharsetLie::HeaderLies)) => "text/html; charset=ISO-8859-1",
            (Style::Jianpu, Some(CharsetLie::HeaderLies)) => "text/html; charset=gbk",
            (Style::Xinghe, _) => "text/html; charset=utf-8",
            (Style::Laojie | Style::Jianpu, _) => "text/html",
        }
    }

    fn sitemap_index(&self) -> String {
        let mut xml = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<sitemapindex xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
        );
        for file in ["sitemap-1.xml", "sitemap-2.xml.gz"] {
            line(&mut xml, &format!("<sitemap><loc>{}/{file}</loc><lastmod>2026-11-01</lastmod></sitemap>", self.base));
        }
        xml + "</sitemapindex>\n"
    }

    /// Half of the public listings that stand at one address only.
    fn sitemap(&self, half: usize) -> String {
        let public: Vec<&Item> =
            self.items().iter().filter(|item| !item.page.private && item.page.link.is_none()).collect();
        let mut xml = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
        );
        for item in public.chunks(public.len().div_ceil(2).max(1)).nth(half).unwrap_or_default() {
            let loc = format!("{}{}", self.base, item.page.path);
            line(&mut xml, &format!("<url><loc>{loc}</loc><lastmod>2026-11-01</lastmod></url>"));
        }
        xml + "</urlset>\n"
    }
}

fn line(xml: &mut String, text: &str) {
    xml.push_str(text);
    xml.push('\n');
}

async fn answer(State(shop): State<Arc<Shop>>, request: Request) -> Response {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let place = shop.log.arrived(shop.style.id(), target.clone(), agent(request.headers()));
    let answer = shop.respond(&target).await;
    let response = answer.into_response(accepts_gzip(request.headers()));
    shop.log.answered(place, response.status().as_u16());
    response
}

fn agent(headers: &HeaderMap) -> String {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned()
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(|text| text.contains("gzip"))
}

impl Answer {
    fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, body, headers: Vec::new() }
    }

    fn ok(content_type: &'static str, body: Vec<u8>) -> Self {
        Self::new(StatusCode::OK, content_type, body)
    }

    fn plain(status: StatusCode, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    fn with(mut self, name: header::HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn into_response(self, gzip_accepted: bool) -> Response {
        let packed = (gzip_accepted && self.content_type.starts_with("text/html")).then(|| gzip(&self.body)).flatten();
        let mut response = Response::builder().status(self.status).header(header::CONTENT_TYPE, self.content_type);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        if packed.is_some() {
            response = response.header(header::CONTENT_ENCODING, "gzip");
        }
        response.body(Body::from(packed.unwrap_or(self.body))).unwrap_or_default()
    }
}

fn redirect(behavior: &Behavior) -> Answer {
    let status = behavior.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::FOUND);
    Answer::plain(status, "").with(header::LOCATION, behavior.to.as_deref().unwrap_or("/"))
}

fn missing() -> Answer {
    Answer::plain(StatusCode::NOT_FOUND, "没有这一页")
}

fn busy() -> Answer {
    Answer::plain(StatusCode::SERVICE_UNAVAILABLE, "请稍候").with(header::RETRY_AFTER, "1")
}

fn failed(error: &askama::Error) -> Answer {
    Answer::plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
}

fn oversize() -> Vec<u8> {
    let mut page = b"<!doctype html><meta charset=utf-8><title>too much</title><h1>too much</h1>\n".to_vec();
    page.resize(OVERSIZE_BYTES, b' ');
    page
}

/// A drawing in place of a photograph: a colored square with the listing's number.
fn picture(path: &str) -> Answer {
    let name: String = path.chars().filter(char::is_ascii_digit).take(5).collect();
    let hue = name.parse::<u32>().unwrap_or_default() * 47 % 360;
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 160 160\"><rect width=\"160\" height=\"160\" fill=\"hsl({hue} 45% 72%)\"/>\
         <circle cx=\"80\" cy=\"72\" r=\"34\" fill=\"hsl({hue} 50% 52%)\"/><text x=\"80\" y=\"144\" text-anchor=\"middle\" font-size=\"16\">{name}</text></svg>"
    );
    Answer::ok("image/svg+xml", svg.into_bytes())
}

/// The shop's own charset; what GBK lacks becomes a character reference.
fn encode(style: Style, text: &str) -> Vec<u8> {
    match style {
        Style::Laojie => encoding_rs::GBK.encode(text).0.into_owned(),
        Style::Xinghe | Style::Jianpu => text.as_bytes().to_vec(),
    }
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}
