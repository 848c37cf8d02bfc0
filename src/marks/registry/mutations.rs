//! Files as they must not be: damaged ones are refused or answer as before, forged ones answer nothing that is not there.

use super::{
    layout::{DIRECTORY_BYTES, FOOTER_BYTES, LINE_BYTES, PART_BYTES, PARTS, number32, number64, seal},
    scan::Hit,
    tests::base_of,
    *,
};
use crate::text::Folded;

const TEXT: &str = "新款云雀跑鞋 vorlune 正品晨鸟牌a云雀记·云 雀 vorluneplus";
const SPELLINGS: [&str; 12] = [
    "云雀",
    "云雀记",
    "vorlune",
    "晨鸟",
    "晨鸟牌",
    "鸟",
    "跑鞋",
    "新款云雀跑鞋",
    "正品",
    "a云雀",
    "vorluneplusmaxproultra",
    "plus",
];

fn hits(base: &Base) -> Vec<Hit> {
    let mut hits = Vec::new();
    base.scan(&Folded::new(TEXT), &mut hits);
    hits.sort_by_key(|hit| (hit.start, hit.units, hit.place));
    hits
}

/// All a base says.
fn said(base: &Base) -> Vec<(String, Vec<String>)> {
    base.entries()
        .map(|entry| {
            let (spelling, registrations) = entry.unwrap();
            (spelling.to_owned(), registrations.map(|one| format!("{one:?}")).collect())
        })
        .collect()
}

/// Changes a few bytes, cuts or lengthens.
fn mutate(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    match random.u8(..10) {
        0 => bytes.truncate(random.usize(..bytes.len())),
        1 => bytes.extend((0..random.usize(1..200)).map(|_| random.u8(..))),
        2 => {
            let (from, to) = (random.usize(..bytes.len()), random.usize(..bytes.len()));
            let length = random.usize(1..300).min(bytes.len() - from.max(to));
            bytes.copy_within(from..from + length, to);
        }
        _ => {
            for _ in 0..random.usize(1..5) {
                let at = random.usize(..bytes.len());
                bytes[at] ^= 1 << random.u8(..8);
            }
        }
    }
}

#[test]
fn ten_thousand_damaged_files_are_refused() {
    let whole = base_of(&SPELLINGS);
    whole.verify().unwrap();
    assert!(hits(&whole).len() >= 12 && said(&whole).len() == SPELLINGS.len());
    let mut random = fastrand::Rng::with_seed(11);
    let mut damaged = 0;
    for round in 0..10_000 {
        let mut bytes = whole.bytes().to_vec();
        mutate(&mut bytes, &mut random);
        if bytes != whole.bytes() {
            assert_refused(bytes, &format!("round {round}"));
            damaged += 1;
        }
    }
    assert!(damaged > 9_000, "{damaged}");
}

fn assert_refused(bytes: Vec<u8>, what: &str) {
    match Base::from_bytes("test", bytes).and_then(|base| base.verify()) {
        Ok(()) => panic!("{what} passed for sound"),
        Err(error) => assert!(error.to_string().contains("build the registry again"), "{what}: {error}"),
    }
}

#[test]
fn every_byte_that_is_another_is_refused() {
    let whole = base_of(&SPELLINGS[..3]);
    let mut bytes = whole.bytes().to_vec();
    for at in 0..bytes.len() {
        bytes[at] ^= 0x41;
        assert_refused(bytes.clone(), &format!("byte {at}"));
        bytes[at] ^= 0x41;
    }
}

#[test]
fn a_damaged_file_that_was_not_verified_says_nothing_that_does_not_stand_in_the_text() {
    let whole = base_of(&SPELLINGS);
    let folded = Folded::new(TEXT);
    let parts = LINE_BYTES..whole.bytes().len() - FOOTER_BYTES - DIRECTORY_BYTES;
    for at in parts {
        let mut bytes = whole.bytes().to_vec();
        bytes[at] ^= 0xFF;
        let base = Base::from_bytes("test", bytes).unwrap();
        for hit in hits(&base) {
            let start = hit.start as usize;
            let text = folded.bytes(start..start + usize::from(hit.units));
            assert!(!text.is_empty() && base.spelling(hit.place) == Some(text), "byte {at}");
            base.registrations_of(hit.place).for_each(drop);
        }
    }
}

#[test]
fn a_foreign_file_is_refused() {
    for foreign in
        [Vec::new(), b"PK\x03\x04".to_vec(), vec![0; 100_000], b"MWREGIST".to_vec(), b"MWREGLOG".repeat(9999)]
    {
        let error = Base::from_bytes("test", foreign).unwrap_err().to_string();
        assert!(error.contains("is damaged") && error.contains("build the registry again"), "{error}");
    }
}

#[test]
fn ten_thousand_forged_files_say_nothing_that_does_not_stand_in_the_text() {
    let whole = base_of(&SPELLINGS);
    let folded = Folded::new(TEXT);
    let mut random = fastrand::Rng::with_seed(12);
    let mut opened = 0;
    for round in 0..10_000 {
        let mut bytes = whole.bytes().to_vec();
        let directory = bytes.len() - FOOTER_BYTES - DIRECTORY_BYTES;
        for _ in 0..random.usize(1..40) {
            // The parts are mostly empty; a forger aims.
            let at = match random.u8(..4) {
                0 => directory + random.usize(..DIRECTORY_BYTES),
                1 => bytes.len() - random.usize(1..FOOTER_BYTES),
                _ => random.usize(64..directory),
            };
            bytes[at] = random.u8(..);
        }
        forge(&mut bytes);
        let Ok(base) = Base::from_bytes("test", bytes) else { continue };
        opened += 1;
        for hit in hits(&base) {
            let start = hit.start as usize;
            let text = folded.bytes(start..start + usize::from(hit.units));
            assert!(!text.is_empty() && base.spelling(hit.place) == Some(text), "round {round}");
            base.registrations_of(hit.place).for_each(drop);
        }
        base.entries().take(1000).for_each(drop);
        drop(base.verify());
        base.place_of("云雀");
    }
    assert!(opened > 500, "{opened}");
}

/// Makes the checksums right: those that opening looks at, and those of the parts.
fn forge(bytes: &mut [u8]) {
    let length = bytes.len() as u64;
    let directory = bytes.len() - FOOTER_BYTES - DIRECTORY_BYTES;
    let (before, rest) = bytes.split_at_mut(directory);
    for part in rest.as_chunks_mut::<PART_BYTES>().0.iter_mut().take(PARTS) {
        let [begin, lines, spellings, registrations] =
            [number64(part, 0), number32(part, 8).into(), number32(part, 16).into(), number32(part, 20).into()];
        let end = begin.saturating_add((lines * 64 + spellings + registrations).next_multiple_of(64));
        if let Some(bytes) = before.get(begin as usize..end as usize) {
            part[28..].copy_from_slice(&crc32c::crc32c(bytes).to_le_bytes());
        }
    }
    let (body, footer) = bytes.split_last_chunk_mut::<FOOTER_BYTES>().unwrap();
    let directory = crc32c::crc32c(&body[body.len() - DIRECTORY_BYTES..]);
    footer[..8].copy_from_slice(b"MWREGIST");
    footer[8..12].copy_from_slice(&1_u32.to_le_bytes());
    footer[68..72].copy_from_slice(&directory.to_le_bytes());
    if number64(footer, 72) != length {
        footer[72..80].copy_from_slice(&length.to_le_bytes());
    }
    seal(footer);
}
