//! The peer: the same hits in bare sled, with an index made for each question, asked in the plainest way.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use markwarden::model::NewHit;

/// Hits as bare values, and what a question needs beside them.
pub struct Bare {
    _db: sled::Db,
    hits: sled::Tree,
    queue: sled::Tree,
    leased: sled::Tree,
    facets: sled::Tree,
    texts: sled::Tree,
}

impl Bare {
    pub fn open(folder: &Path) -> Self {
        let db = sled::Config::default().path(folder.join("bare")).cache_capacity(256 << 20).open().unwrap();
        let tree = |name| db.open_tree(name).unwrap();
        let (hits, queue, leased) = (tree("hits"), tree("queue"), tree("leased"));
        let (facets, texts) = (tree("facets"), tree("texts"));
        Self { _db: db, hits, queue, leased, facets, texts }
    }

    pub fn put(&self, id: u64, hit: &NewHit) {
        let key = id.to_be_bytes();
        self.hits.insert(key, serde_json::to_vec(hit).unwrap()).unwrap();
        self.queue.insert([&[255 - hit.priority][..], &key].concat(), &b""[..]).unwrap();
        let platform = hit.listing.platform.as_deref().unwrap_or("");
        let facets = [platform.as_bytes(), &[0, hit.severity as u8], &key].concat();
        self.facets.insert(facets, &b""[..]).unwrap();
        let seller = hit.listing.seller.as_ref().and_then(|seller| seller.name.as_deref()).unwrap_or("");
        let text = format!("{}\u{1f}{seller}\u{1f}{}", hit.listing.title, hit.family);
        self.texts.insert(key, text.to_lowercase().as_bytes()).unwrap();
    }

    /// Takes the first 20, writes who has them, reads them.
    pub fn claim(&self) -> usize {
        let mut read = 0;
        for _ in 0..20 {
            let Some((key, _)) = self.queue.pop_min().unwrap() else { break };
            self.leased.insert(&key[1..], &b"w"[..]).unwrap();
            read += self.hits.get(&key[1..]).unwrap().map_or(0, |value| value.len());
        }
        self.leased.flush().unwrap();
        read
    }

    /// The hits of one platform and severity, from an index for just that.
    pub fn filter(&self, platform: &str, severity: u8) -> usize {
        let prefix = [platform.as_bytes(), &[0, severity]].concat();
        self.facets.scan_prefix(prefix).keys().filter(Result::is_ok).count()
    }

    /// The hits whose text has the word: every text is read.
    pub fn search(&self, word: &str) -> usize {
        let finder = memchr::memmem::Finder::new(word.as_bytes());
        self.texts.iter().values().filter(|text| finder.find(text.as_ref().unwrap()).is_some()).count()
    }

    /// Writes so many hits anew in one batch.
    pub fn at_once(&self, count: u64) -> Duration {
        let begun = Instant::now();
        let mut batch = sled::Batch::default();
        for id in 0..count {
            let key = id.to_be_bytes();
            let mut value = self.hits.get(key).unwrap().unwrap().to_vec();
            value.extend_from_slice(br#"{"decided":"dismiss"}"#);
            batch.insert(&key[..], value);
        }
        self.hits.apply_batch(batch).unwrap();
        self.hits.flush().unwrap();
        begun.elapsed()
    }
}
