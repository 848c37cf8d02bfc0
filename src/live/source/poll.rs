//! A JSON document that is asked for again and again; what it told before is not told twice.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use super::{Again, address, extra, rest, told};
use crate::{
    crawl::FetchError,
    live::{
        LiveError,
        contract::Told,
        room::{Heard, Hearing},
    },
};

/// Shortest time between two looks.
const SHORTEST: Duration = Duration::from_secs(1);
/// Messages that are remembered.
const REMEMBERED: usize = 20_000;

/// Hears a document for as long as the room is listened to.
pub(in crate::live) async fn poll(hearing: &Hearing<'_>) -> Result<(), LiveError> {
    let url = address(hearing, "poll")?;
    let extra = extra(hearing)?;
    let gate = hearing.gate;
    let every = Duration::from_secs(hearing.source.every_seconds).max(SHORTEST);
    let mut again = Again::new();
    let mut known = Known::default();
    loop {
        let answer = gate.services.fetcher.fetch_with(&url, &extra, &gate.limits(), gate.guard(), gate).await;
        match answer.map_err(LiveError::from) {
            Ok(answer) if answer.last.status.is_success() => {
                again.heard();
                let read: Vec<Told> = told(hearing, &answer.last.body).unwrap_or_else(|what| {
                    tracing::debug!(%url, what, "a document of a room is not read");
                    Vec::new()
                });
                let told = known.new_ones(read);
                if !told.is_empty() {
                    let capture = match &gate.services.warc {
                        Some(warc) => Some(crate::crawl::write_down(warc, &answer.last).await?.capture),
                        None => None,
                    };
                    let arrived_ms = answer.last.finished.as_millisecond();
                    hearing.tell(Heard { told, arrived_ms, capture, ..Heard::default() }).await?;
                }
            }
            Ok(answer) => {
                let status = answer.last.status.as_u16();
                again.wait(hearing, FetchError::Status { url: url.to_string(), status }.into()).await?;
            }
            Err(error) => again.wait(hearing, error).await?,
        }
        rest(hearing, every).await?;
    }
}

/// What was told, by a fingerprint.
#[derive(Debug, Default)]
struct Known {
    set: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Known {
    fn new_ones(&mut self, told: Vec<Told>) -> Vec<Told> {
        told.into_iter().filter(|one| self.is_new(one)).collect()
    }

    fn is_new(&mut self, told: &Told) -> bool {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        format!("{told:?}").hash(&mut hasher);
        let print = hasher.finish();
        if !self.set.insert(print) {
            return false;
        }
        self.order.push_back(print);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }
}
