//! Hosts that a person stopped: nothing is asked of them until a person lets them be visited again. The journal says so;
//! a file beside remembers what it said, and may go.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::follow::Follower;
use crate::{
    crawl::Hosts,
    model::Timestamp,
    store::{Store, StoreError},
};

/// The note that a host is stopped.
pub const STOPPED: &str = "crawl.stop";
/// The note that it may be visited again.
pub const RESUMED: &str = "crawl.resume";
/// Hosts that may be stopped at the same time.
const MAX_HOSTS: usize = 10_000;
/// Longest name of a host, in bytes.
const MAX_HOST_BYTES: usize = 260;

/// Hosts that are stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Halted {
    seq: u64,
    hosts: BTreeMap<String, Halt>,
}

/// That a host was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

impl Halted {
    /// What the file at `path` remembers; nothing where there is none that can be read.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self::remembered(path).unwrap_or_default()
    }

    /// The hosts' names.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.hosts.keys().cloned().collect()
    }

    /// The hosts, each with who stopped it, when and why.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, &Halt)> {
        self.hosts.iter().map(|(host, halt)| (host.as_str(), halt))
    }
}

impl Follower for Halted {
    const MAX_BYTES: u64 = 64 << 20;

    fn seq(&mut self) -> &mut u64 {
        &mut self.seq
    }

    fn take(&mut self, what: &str, details: &Map<String, Value>, (at, by): (Timestamp, &str)) -> bool {
        let text = |name: &str| details.get(name).and_then(Value::as_str).unwrap_or_default();
        let Some(host) = host(text("host")) else { return false };
        match what {
            STOPPED if self.hosts.len() < MAX_HOSTS => {
                let halt = Halt { at, by: by.to_owned(), why: text("why").to_owned() };
                self.hosts.insert(host, halt);
                true
            }
            RESUMED => self.hosts.remove(&host).is_some(),
            _ => false,
        }
    }
}

/// Keeps the hosts that this process asks at what the journal says.
#[derive(Debug)]
pub struct Halting {
    path: PathBuf,
    hosts: Arc<Hosts>,
    known: Mutex<Halted>,
}

impl Halting {
    /// Begins with what the file at `path` remembers.
    #[must_use]
    pub fn open(path: PathBuf, hosts: Arc<Hosts>) -> Self {
        let known = Halted::open(&path);
        hosts.halt(known.names());
        Self { path, hosts, known: Mutex::new(known) }
    }

    /// Takes over what was noted since the last time. One caller at a time.
    ///
    /// # Errors
    /// When the store cannot be read; what was known stays in force.
    pub async fn follow(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known.follow(store).await? {
            self.hosts.halt(known.names());
            tracing::info!(hosts = ?known.names(), "hosts that nothing is asked of");
            if let Err(error) = known.remember(&self.path) {
                tracing::warn!(%error, "cannot write which hosts are stopped");
            }
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// The hosts that nothing is asked of.
    #[must_use]
    pub fn known(&self) -> Halted {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A host as addresses name it, with a port where one was said; none when it is no host.
#[must_use]
pub fn host(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    if text.is_empty() || text.len() > MAX_HOST_BYTES || text.contains(['/', '@', '?', '#']) {
        return None;
    }
    let url = url::Url::parse(&format!("http://{text}/")).ok()?;
    let name = url.host_str()?.trim_end_matches('.');
    // The scheme's own port is one too: it is part of no address.
    Some(url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::SystemClock,
        store::{Batch, Settings, SledStore, Write},
    };

    async fn note(store: &SledStore, what: &str, host: &str) {
        let details = [("host".to_owned(), host.into()), ("why".to_owned(), "asked to".into())].into_iter().collect();
        let writes = vec![Write::Note { what: what.into(), details }];
        store.apply(Batch { actor: "cli:li".into(), writes }).await.unwrap();
    }

    #[tokio::test]
    async fn a_stopped_host_is_known_until_it_is_resumed_whatever_becomes_of_the_file() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let store = SledStore::open(&data, &Settings::default(), Arc::new(SystemClock)).unwrap();
        let path = place.path().join("halted.json");
        note(&store, STOPPED, "Shop.Example.").await;
        note(&store, STOPPED, "other.example:8080").await;
        let mut halted = Halted::open(&path);
        assert!(halted.follow(&store).await.unwrap() && !halted.follow(&store).await.unwrap());
        halted.remember(&path).unwrap();
        note(&store, RESUMED, "other.example:8080").await;
        for mut again in [Halted::open(&path), Halted::default()] {
            assert!(again.follow(&store).await.unwrap());
            assert_eq!(again.names(), BTreeSet::from(["shop.example".to_owned()]));
            let (_, halt) = again.hosts().next().unwrap();
            assert_eq!((halt.by.as_str(), halt.why.as_str()), ("cli:li", "asked to"));
        }
    }

    #[test]
    fn hosts_are_known_as_addresses_name_them() {
        for (text, expected) in [
            ("Shop.Example", Some("shop.example")),
            ("shop.example:8080", Some("shop.example:8080")),
            ("云雀.example", Some("xn--9kqt37o.example")),
            ("[::1]:80", Some("[::1]")),
            ("http://shop.example/", None),
            ("shop.example/path", None),
            ("", None),
        ] {
            assert_eq!(host(text).as_deref(), expected, "{text}");
        }
    }
}
