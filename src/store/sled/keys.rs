//! The index's key layout: one tree, a letter a kind, numbers big-endian so that order is meaning.
//!
//! | key | value |
//! | --- | --- |
//! | `h` id | the hit |
//! | `d` SHA-256 of the dedupe key | its id |
//! | `q` state, 255 − priority, id | facets: every hit, in queue order |
//! | `o` id | facets: open hits, oldest first |
//! | `l` id | the lease |
//! | `f` id | the newest fence |
//! | `w` worker, 0, id | nothing: a worker's own leases |
//! | `x` until, id | nothing: leases by their end |
//! | `t` id, worker | until when the hit does not come back to that worker |
//! | `i` listing, `c` capture, `m` mark | the listing, the capture, the mark with its generation |
//! | `g` generation | the mark changed then |
//! | `r` key, `u` generation | the remark with its generation; the key of the remark left then |
//! | `s` schedule | when it is due |
//! | `n` due, schedule | nothing: schedules by time |
//! | `b` host | the host |
//! | `k` SHA-256 | who holds that body, since when and why |
//! | `!state` | counters, and numbers given out |
//! | 0 `applied`, 0 `base`, 0 `sums` | a delta's own: how far it reaches, from where, and what it amounts to |

use sha2::{Digest, Sha256};

use crate::model::{AccountName, CaptureId, HitId, HitState, ListingId, MarkId, Timestamp};

/// What a delta says of itself begins with this; it is no part of what the index says.
pub(super) const OWN: u8 = 0;
pub(super) const APPLIED: &[u8] = b"\0applied";
pub(super) const BASE: &[u8] = b"\0base";
/// Of a delta over one that was in memory.
pub(super) const OVER_MEMORY: &[u8] = b"\0over-memory";
pub(super) const SUMS: &[u8] = b"\0sums";
pub(super) const STATE: &[u8] = b"!state";

pub(super) const HITS: &[u8] = b"h";
pub(super) const LISTINGS: &[u8] = b"i";
pub(super) const CAPTURES: &[u8] = b"c";
pub(super) const OLDEST: &[u8] = b"o";
pub(super) const LEASE_ENDS: &[u8] = b"x";
pub(super) const GENERATIONS: &[u8] = b"g";
pub(super) const REMARKS_LEFT: &[u8] = b"u";
pub(super) const DUE: &[u8] = b"n";
pub(super) const HOLDS: &[u8] = b"k";

/// The queues whose first keys go all the time.
pub(super) const WORKED_OFF: [&[u8]; 2] = [&[b'q', 0], OLDEST];

pub(super) fn hit(id: HitId) -> Vec<u8> {
    join(b'h', &[&id.0.to_be_bytes()])
}

pub(super) fn dedupe(key: &str) -> Vec<u8> {
    join(b'd', &[&Sha256::digest(key)])
}

pub(super) fn queue_of(state: HitState) -> Vec<u8> {
    let state = match state {
        HitState::Open => 0,
        HitState::Confirmed => 1,
        HitState::Dismissed => 2,
        HitState::Proposed => 3,
        HitState::Escalated => 4,
    };
    vec![b'q', state]
}

pub(super) fn queue(state: HitState, priority: u8, id: HitId) -> Vec<u8> {
    [queue_of(state).as_slice(), &place(priority, id)].concat()
}

/// A hit's place within its state's queue.
pub(super) fn place(priority: u8, id: HitId) -> [u8; 9] {
    let mut place = [255 - priority; 9];
    for (into, from) in place.iter_mut().skip(1).zip(id.0.to_be_bytes()) {
        *into = from;
    }
    place
}

pub(super) fn oldest(id: HitId) -> Vec<u8> {
    join(b'o', &[&id.0.to_be_bytes()])
}

pub(super) fn lease(id: HitId) -> Vec<u8> {
    join(b'l', &[&id.0.to_be_bytes()])
}

pub(super) fn fence(id: HitId) -> Vec<u8> {
    join(b'f', &[&id.0.to_be_bytes()])
}

/// Worker names hold no control characters, so the zero ends them.
pub(super) fn worker_of(worker: &AccountName) -> Vec<u8> {
    join(b'w', &[worker.as_str().as_bytes(), &[0]])
}

pub(super) fn worker(worker: &AccountName, id: HitId) -> Vec<u8> {
    join(b'w', &[worker.as_str().as_bytes(), &[0], &id.0.to_be_bytes()])
}

pub(super) fn lease_end(until: Timestamp, id: HitId) -> Vec<u8> {
    join(b'x', &[&instant(until), &id.0.to_be_bytes()])
}

pub(super) fn resting(id: HitId, worker: &AccountName) -> Vec<u8> {
    join(b't', &[&id.0.to_be_bytes(), worker.as_str().as_bytes()])
}

pub(super) fn listing(id: &ListingId) -> Vec<u8> {
    join(b'i', &[id.as_str().as_bytes()])
}

pub(super) fn capture(id: &CaptureId) -> Vec<u8> {
    join(b'c', &[id.as_str().as_bytes()])
}

pub(super) fn mark(id: &MarkId) -> Vec<u8> {
    join(b'm', &[id.as_str().as_bytes()])
}

pub(super) fn generation(generation: u64) -> Vec<u8> {
    join(b'g', &[&generation.to_be_bytes()])
}

pub(super) fn remark(key: &str) -> Vec<u8> {
    join(b'r', &[key.as_bytes()])
}

pub(super) fn remark_generation(generation: u64) -> Vec<u8> {
    join(b'u', &[&generation.to_be_bytes()])
}

pub(super) fn schedule(id: &str) -> Vec<u8> {
    join(b's', &[id.as_bytes()])
}

pub(super) fn due(at: Timestamp, id: &str) -> Vec<u8> {
    join(b'n', &[&instant(at), id.as_bytes()])
}

pub(super) fn hold(sha256: &str) -> Vec<u8> {
    join(b'k', &[sha256.as_bytes()])
}

pub(super) fn host(host: &str) -> Vec<u8> {
    join(b'b', &[host.as_bytes()])
}

/// The id at a key's end.
pub(super) fn id_of(key: &[u8]) -> Option<HitId> {
    key.last_chunk().map(|id| HitId(u64::from_be_bytes(*id)))
}

/// An instant whose bytes sort as time does.
pub(super) fn instant(at: Timestamp) -> [u8; 16] {
    (at.as_nanosecond().cast_unsigned() ^ (1 << 127)).to_be_bytes()
}

fn join(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(kind);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_sort_as_bytes() {
        let times = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX];
        assert!(times.map(instant).is_sorted());
        assert!(instant("1969-12-31T23:59:59.999999999Z".parse().unwrap()) < instant(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn what_is_worked_off_is_the_open_queue() {
        assert_eq!(WORKED_OFF[0], queue_of(HitState::Open));
    }

    #[test]
    fn the_queue_sorts_by_priority_down_then_id_up() {
        let open = HitState::Open;
        let keys = [queue(open, 255, HitId(9)), queue(open, 7, HitId(1)), queue(open, 7, HitId(300))];
        assert!(keys.is_sorted());
        assert_eq!(id_of(&keys[2]), Some(HitId(300)));
    }
}
