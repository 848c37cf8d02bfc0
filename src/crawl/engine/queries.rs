//! Queries of a run: which questions are asked, what each gave, and why it stopped.

use std::{collections::BTreeSet, io::Read as _, sync::Arc};

use url::Url;

use super::{
    CrawlError, Run,
    read::{Kind, Yield},
};
use crate::{
    crawl::{
        Ask, Asked, Asking, Outcome, Query, canonical,
        fetch::{MAX_URL_BYTES, host_of},
        frontier::{Entry, MAX_ASK_BYTES, Purpose},
        profile::{MARKS, MAX_KEYWORDS, MAX_KEYWORDS_BYTES, MAX_QUESTIONS, MAX_WORD_CHARS},
    },
    model::Timestamp,
};

/// A question that is being asked.
#[derive(Debug)]
pub(super) struct Question<'q> {
    pub(super) query: &'q Query,
    pub(super) ask: Ask,
    pub(super) asked: Asked,
}

impl Run<'_> {
    /// Queues the first page of every question of the profile.
    pub(super) fn begin_queries(&self) -> Result<(), CrawlError> {
        let mut left = MAX_QUESTIONS;
        for query in &self.profile.queries {
            let keywords = self.keywords(query)?;
            if keywords.is_empty() && query.url.contains("{keyword}") {
                tracing::warn!(
                    profile = self.profile.id,
                    query = query.id,
                    "a query has no keywords: nothing is asked"
                );
                continue;
            }
            for ask in query.asks(&keywords) {
                if left == 0 {
                    tracing::warn!(
                        profile = self.profile.id,
                        most = MAX_QUESTIONS,
                        "the rest of the questions is not asked"
                    );
                    return Ok(());
                }
                left -= 1;
                self.put(query, &ask, 0);
            }
        }
        Ok(())
    }

    /// The words a query asks for, each once.
    fn keywords(&self, query: &Query) -> Result<Vec<String>, CrawlError> {
        let mut known = BTreeSet::new();
        let mut words = Vec::new();
        let mut add = |word: &str| {
            let word = word.trim();
            let fits =
                !word.is_empty() && word.chars().count() <= MAX_WORD_CHARS && !word.chars().any(char::is_control);
            if fits && words.len() < MAX_KEYWORDS && known.insert(word.to_owned()) {
                words.push(word.to_owned());
            }
        };
        for word in &query.keywords {
            if word == MARKS { self.sink.words().iter().for_each(|word| add(word)) } else { add(word) }
        }
        if let Some(path) = &query.keywords_file {
            let unreadable = |source| CrawlError::Keywords { path: path.display().to_string(), source };
            let mut text = String::new();
            let file = std::fs::File::open(path).map_err(unreadable)?;
            file.take(MAX_KEYWORDS_BYTES).read_to_string(&mut text).map_err(unreadable)?;
            text.trim_start_matches('\u{FEFF}').lines().filter(|line| !line.starts_with('#')).for_each(add);
        }
        Ok(words)
    }

    /// Queues one page of a question; says whether it is new.
    fn put(&self, query: &Query, ask: &Ask, depth: u16) -> bool {
        let request = query.request(ask);
        let Some((asked, text)) = request.zip(serde_json::to_string(ask).ok()) else {
            self.asked(ask, "unasked", "what is filled in makes no address", |_| {});
            return false;
        };
        let Some(&lane) = self.by_host.get(&host_of(&asked.url)) else {
            self.dropped("scope", &asked.url, depth);
            self.asked(ask, "scope", "its host is none of the profile's", |_| {});
            return false;
        };
        if asked.url.as_str().len() > MAX_URL_BYTES || text.len() > MAX_ASK_BYTES {
            self.dropped("too_long", &asked.url, depth);
            return false;
        }
        let key = canonical(&asked.url);
        self.frontier().add(lane, depth, Purpose::Query(Arc::from(text)), asked.url.as_str(), key.as_str())
    }

    /// What an entry asks; none when it is a page, or a question that the profile has no more.
    pub(super) fn question(&self, entry: &Entry) -> Option<Question<'_>> {
        let Purpose::Query(text) = &entry.purpose else { return None };
        let ask: Ask = serde_json::from_str(text).ok()?;
        let query = self.profile.queries.iter().find(|query| query.id == ask.query)?;
        let asked = query.request(&ask)?;
        Some(Question { query, ask, asked })
    }

    /// Notes what a page of answers gave, and queues the next one; says whether there is one.
    pub(super) fn answered(&self, entry: &Entry, question: &Question<'_>, yielded: &Yield, at: Timestamp) -> bool {
        let Question { query, ask, .. } = question;
        let named: Vec<String> = yielded.named().collect();
        let mut news = 0;
        let next = query.next(ask, yielded.cursor.as_deref(), yielded.next.as_ref());
        let ends_itself = self.profile.lists.iter().any(|list| {
            let json = list.json.as_ref().filter(|json| json.next.is_some() || json.more.is_some());
            json.is_some() && list.pattern.matches(&question.asked.url)
        });
        let mut why = ("going_on", String::new());
        self.asked(ask, "", "", |asking| {
            let known: BTreeSet<&str> = asking.found.iter().map(String::as_str).collect();
            let fresh: Vec<String> = named.iter().filter(|name| !known.contains(name.as_str())).cloned().collect();
            news = fresh.len();
            asking.pages += 1;
            asking.listings += named.len() as u64;
            asking.new += news as u64;
            asking.keep(fresh);
            why = match &next {
                _ if yielded.kind == Kind::Unmatched => ("unmatched", "no [[list]] reads its address".into()),
                _ if named.is_empty() => ("empty", format!("page {} names nothing", ask.page + 1)),
                _ if news == 0 => ("nothing_new", format!("page {} names nothing new", ask.page + 1)),
                _ if ask.page + 1 >= query.max_pages => ("max_pages", format!("{} pages", query.max_pages)),
                // A site that says whether there is more is believed.
                Some(_) if query.counts() && ends_itself && yielded.cursor.is_none() => {
                    ("no_next", "the answer says that it is the last".into())
                }
                None => ("no_next", "the answer names no next page".into()),
                Some(_) => ("going_on", String::new()),
            };
            asking.last = Outcome { at, kind: why.0.to_owned(), detail: why.1.clone() };
        });
        match next {
            Some(next) if why.0 == "going_on" => self.put(query, &next, entry.depth.saturating_add(1)),
            _ => false,
        }
    }

    /// Notes that a question was not answered.
    pub(super) fn unanswered(&self, entry: &Entry, kind: &str, detail: &str) {
        if let Some(question) = self.question(entry) {
            self.asked(&question.ask, kind, detail, |_| {});
        }
    }

    /// Notes what became of a question: the first page begins it anew.
    fn asked(&self, ask: &Ask, kind: &str, detail: &str, change: impl FnOnce(&mut Asking)) {
        let Some(coverage) = &self.crawl.coverage else {
            // Whether there is something new can be told of one page alone then.
            change(&mut Asking::new(ask, self.number));
            return;
        };
        let known = coverage.asking(&self.profile.id, ask).unwrap_or_else(|error| {
            tracing::warn!(%error, "what is known of a query cannot be read");
            None
        });
        let same = known.filter(|known| ask.page > 0 && known.run == self.number);
        let mut asking = same.unwrap_or_else(|| Asking::new(ask, self.number));
        asking.last = Outcome::new(self.crawl.clock.now(), kind, detail);
        change(&mut asking);
        if let Err(error) = coverage.put_asking(&self.profile.id, &asking) {
            tracing::warn!(%error, "what became of a query cannot be noted");
        }
    }
}

impl Yield {
    /// What a page of answers names, in its order: addresses of listings, else their identities.
    fn named(&self) -> impl Iterator<Item = String> {
        let carried = self.listings.iter().map(|(listing, url)| match url {
            Some(url) => canonical(url).to_string(),
            None => listing.id.clone(),
        });
        let visited = self.pages.iter().map(|item| canonical(&item.url).to_string());
        let carried: Vec<String> = carried.collect();
        let more: Vec<String> = visited.filter(|url| !carried.contains(url)).collect();
        carried.into_iter().chain(more)
    }
}

/// The host of a query's address.
pub(super) fn host_of_query(query: &Query) -> Option<String> {
    Url::parse(&query.url).ok().map(|url| host_of(&url))
}
