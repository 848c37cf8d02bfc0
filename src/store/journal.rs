//! The journal: the record of every change, and the only truth of the store.
//!
//! [`Journal`] appends; [`read`] and [`verify`] look. Records lie in segments that are filled with zeros ahead;
//! each record carries the hash of the one before it, so that nothing can be left out, added or moved unseen.
//! Several records share one sync. Full segments are sealed: compressed, with a footer, by [`Sealer`].
//! What the records mean belongs to [`super::event`].
//!
//! What can be told apart after a crash: a record that was never acknowledged may be torn, that is, at least
//! one of its disk sectors still holds the zeros from before, and nothing behind it was written after a sync that
//! covered it. Such a tail is dropped. Everything else that does not fit is damage and is never guessed at.

mod append;
mod begin;
#[cfg(test)]
mod mutations;
mod record;
mod scan;
mod seal;
mod sealer;
mod segment;

pub(super) use append::Journal;
pub(super) use begin::Begin;
pub(super) use record::{Hash, Head, MAX_PAYLOAD_BYTES, alone, crc_without, hex, number32, number64, put};
pub(super) use scan::{
    Verified, check, hash_at, prove_sealed, read, read_synced, read_while, read_whole, verify, verify_chain,
};
pub(super) use sealer::Sealer;
pub(super) use segment::{Segment, files, segments};

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{record::MAX_PAYLOAD_BYTES, *};
    use crate::store::port::StoreError;

    const SEGMENT_BYTES: u64 = 16 * 1024;

    fn resumed(dir: &Path) -> Journal {
        let verified = verify(dir, &mut |_, _| Ok(())).unwrap();
        Journal::settle(dir, &verified).unwrap();
        Journal::resume(dir, SEGMENT_BYTES, verified).unwrap()
    }

    /// A record that fills more than one disk sector, so that a part of it can be missing.
    fn payload(n: u8) -> Vec<u8> {
        vec![b'a' + n; 700]
    }

    /// One group of records.
    fn group(journal: &mut Journal, numbers: std::ops::Range<u8>) {
        for n in numbers {
            journal.stage(&payload(n)).unwrap();
        }
        journal.commit().unwrap();
    }

    fn payloads(dir: &Path) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        verify(dir, &mut |_, payload| {
            found.push(payload.to_vec());
            Ok(())
        })
        .unwrap();
        found
    }

    /// Brings back the zeros of the sector in which the record with `seq` begins or, if `inner`, of its next one.
    fn lose_sector(dir: &Path, seq: usize, inner: usize) {
        let path = dir.join("00000001.seg");
        let mut bytes = fs::read(&path).unwrap();
        let at = 64 + (seq - 1) * (64 + 700);
        let sector = (at / 512 + inner) * 512;
        let from = if inner == 0 { at } else { sector };
        bytes[from..sector + 512].fill(0);
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_group_of_which_a_sector_was_not_written_is_dropped_from_there() {
        for inner in [0, 1] {
            let dir = tempfile::tempdir().unwrap();
            let mut journal = resumed(dir.path());
            group(&mut journal, 0..2);
            group(&mut journal, 2..6);
            drop(journal);
            // The third record is torn; those behind it are whole, but none of them was acknowledged either.
            lose_sector(dir.path(), 3, inner);
            assert_eq!(payloads(dir.path()), [payload(0), payload(1)]);
            let mut journal = resumed(dir.path());
            group(&mut journal, 6..7);
            assert_eq!(journal.head().seq, 3);
            assert_eq!(payloads(dir.path()), [payload(0), payload(1), payload(6)]);
        }
    }

    #[test]
    fn the_same_hole_before_a_later_group_is_damage_and_names_the_sequence() {
        for inner in [0, 1] {
            let dir = tempfile::tempdir().unwrap();
            let mut journal = resumed(dir.path());
            group(&mut journal, 0..2);
            group(&mut journal, 2..6);
            group(&mut journal, 6..7);
            drop(journal);
            lose_sector(dir.path(), 3, inner);
            let error = verify(dir.path(), &mut |_, _| Ok(())).unwrap_err().to_string();
            assert!(error.contains("sequence 3 is missing or broken, though sequence 7"), "{error}");
        }
    }

    #[test]
    fn a_range_is_read_across_segments() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = resumed(dir.path());
        for n in 0..26 {
            group(&mut journal, n..n + 1);
        }
        group(&mut journal, 0..26);
        assert!(segments(dir.path()).unwrap().len() > 2);
        for (from, to) in [(1, 1), (1, 52), (20, 30), (25, 26), (26, 27), (52, 99), (53, 60)] {
            let mut found = Vec::new();
            read(dir.path(), from..=to, &mut |head, payload| {
                found.push((head.seq, payload[0]));
                Ok(())
            })
            .unwrap();
            let expected: Vec<_> = (from..=to.min(52)).map(|seq| (seq, b'a' + ((seq - 1) % 26) as u8)).collect();
            assert_eq!(found, expected, "{from} to {to}");
        }
        assert_eq!(hash_at(dir.path(), 52).unwrap(), Some(journal.head().hash));
        assert_eq!(hash_at(dir.path(), 53).unwrap(), None);
    }

    #[test]
    fn a_payload_over_the_bound_is_refused_and_one_over_a_segment_gets_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = resumed(dir.path());
        for wrong in [vec![], vec![b'x'; MAX_PAYLOAD_BYTES + 1]] {
            assert!(matches!(journal.stage(&wrong), Err(StoreError::Refused(_))));
        }
        let large = vec![b'x'; 3 * SEGMENT_BYTES as usize];
        journal.stage(&large).unwrap();
        journal.commit().unwrap();
        group(&mut journal, 0..1);
        assert_eq!(payloads(dir.path()), [large, payload(0)]);
    }
}
