//! What the journal holds: events that say what became of a command, so that replaying them needs no clock,
//! no chance and no decision.
//!
//! [`Entry`] is one payload: a codec byte, then JSON. Deciding is [`super::sled`]'s writer's business.

use serde::{Deserialize, Serialize};

use super::port::{Change, HostLease, StoreError, Write};
use crate::model::{AccountName, Decision, HitId, Timestamp};

/// The first byte of a payload: JSON after it.
pub(super) const CODEC_JSON: u8 = 1;

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// A batch was written. `hits` says for each hit in it, in order, which id it has and whether it is new.
    Applied { writes: Vec<Write>, hits: Vec<Enqueued> },
    /// Hits were leased, or leases renewed.
    Leased { leases: Vec<Grant> },
    /// A leased hit was decided.
    Completed { hit: HitId, fence: u64, decision: Decision },
    /// Many hits were decided, or opened again, in one act.
    Settled { hits: Vec<HitId>, decision: Decision },
    /// A decision was taken back.
    Reopened { hit: HitId, decision: Decision },
    /// A lease was given back.
    Released { hit: HitId, worker: AccountName, not_before: Option<Timestamp> },
    /// Leases ran out.
    Expired { hits: Vec<HitId> },
    /// Hosts were leased, or leases renewed.
    HostsLeased { leases: Vec<HostGrant> },
    /// A host was given back.
    HostDone { host: String, next_at: Timestamp },
}

/// What became of one hit in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Enqueued {
    pub id: HitId,
    pub new: bool,
}

/// One lease as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    pub hit: HitId,
    pub worker: AccountName,
    pub fence: u64,
    pub until: Timestamp,
}

/// One host's lease as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostGrant {
    pub host: String,
    pub worker: String,
    pub fence: u64,
    pub next_at: Timestamp,
    pub until: Timestamp,
}

impl From<HostGrant> for HostLease {
    fn from(grant: HostGrant) -> Self {
        let HostGrant { host, worker, fence, next_at, until } = grant;
        Self { host, worker, fence, next_at, until }
    }
}

impl Entry {
    /// The entry as a journal's payload.
    pub fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let mut payload = vec![CODEC_JSON];
        serde_json::to_writer(&mut payload, self).map_err(|error| StoreError::Refused(error.to_string()))?;
        Ok(payload)
    }

    /// The entry with sequence `seq`.
    pub fn decode(seq: u64, payload: &[u8]) -> Result<Self, StoreError> {
        read(seq, payload)
    }
}

/// The payload as others read it.
pub(super) fn change(seq: u64, payload: &[u8]) -> Result<Change, StoreError> {
    #[derive(Deserialize)]
    struct Loose {
        at: Timestamp,
        actor: String,
        event: serde_json::Value,
    }
    let Loose { at, actor, event } = read(seq, payload)?;
    Ok(Change { seq, at, actor, what: event })
}

fn read<'de, T: Deserialize<'de>>(seq: u64, payload: &'de [u8]) -> Result<T, StoreError> {
    let damaged = |what| StoreError::Damaged { path: "journal".into(), what };
    match payload.split_first() {
        Some((&CODEC_JSON, json)) => {
            serde_json::from_slice(json).map_err(|error| damaged(format!("sequence {seq} cannot be read: {error}")))
        }
        Some((&codec, _)) => {
            let path = format!("journal, sequence {seq}");
            Err(StoreError::Newer { path, found: codec.into(), supported: CODEC_JSON.into() })
        }
        None => Err(damaged(format!("sequence {seq} is empty"))),
    }
}

/// Brings a batch's writes through JSON, so that what is journaled is exactly what a replay will read.
///
/// Refuses what does not come back, such as a score that is no number.
pub(super) fn settle(writes: &[Write]) -> Result<Vec<Write>, StoreError> {
    let refused = |error: serde_json::Error| StoreError::Refused(format!("the batch does not read back: {error}"));
    let json = serde_json::to_vec(writes).map_err(refused)?;
    serde_json::from_slice(&json).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_of_a_newer_program_is_refused_as_newer() {
        assert!(matches!(Entry::decode(7, &[2, b'{']), Err(StoreError::Newer { found: 2, .. })));
        assert!(matches!(Entry::decode(7, b"\x01{"), Err(StoreError::Damaged { .. })));
        assert!(matches!(Entry::decode(7, b""), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let entry = Entry {
            at: Timestamp::MAX,
            actor: "crawl".into(),
            event: Event::HostDone { host: "商城.example".into(), next_at: Timestamp::MIN },
        };
        assert_eq!(Entry::decode(1, &entry.encode().unwrap()).unwrap(), entry);
    }
}
