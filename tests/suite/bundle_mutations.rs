//! Thousands of single changes to a bundle: its verifier, with nothing but the public key, notices each of them.
//!
//! `MARKWARDEN_MUTATIONS` sets how many, `MARKWARDEN_SEED` repeats a run.

use std::{collections::BTreeMap, ops::Range};

use fastrand::Rng;
use markwarden::evidence::verify_bundle;

use crate::{
    ledger::{bundle, decided_hit},
    store_writers::{announce, number},
};

const MUTATIONS: usize = 10_000;
const BLOCK: usize = 512;

/// Where each file's header and bytes lie in a tar file.
fn parts(tar: &[u8]) -> Vec<Range<usize>> {
    let (mut at, mut parts) = (0, Vec::new());
    while tar[at] != 0 {
        let size = std::str::from_utf8(&tar[at + 124..at + 135]).unwrap();
        let end = at + BLOCK + usize::from_str_radix(size, 8).unwrap().next_multiple_of(BLOCK);
        parts.push(at..end);
        at = end;
    }
    parts
}

fn name_and_text(tar: &[u8], part: &Range<usize>) -> (String, Vec<u8>) {
    let name = tar[part.start..].split(|&byte| byte == 0).next().unwrap();
    let size = std::str::from_utf8(&tar[part.start + 124..part.start + 135]).unwrap();
    let begin = part.start + BLOCK;
    (String::from_utf8(name.to_vec()).unwrap(), tar[begin..begin + usize::from_str_radix(size, 8).unwrap()].to_vec())
}

/// A tar file of `files`, its sums right, so that only what stands in the files can give a change away.
fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, bytes) in files {
        let mut header = [0; BLOCK];
        let fields: [(usize, &[u8]); 9] = [
            (0, name.as_bytes()),
            (100, b"0000644"),
            (108, b"0000000"),
            (116, b"0000000"),
            (124, &format!("{:011o}", bytes.len()).into_bytes()),
            (136, b"00000000000"),
            (148, b"        "),
            (156, b"0"),
            (257, b"ustar\x0000"),
        ];
        for (at, field) in fields {
            header[at..at + field.len()].copy_from_slice(field);
        }
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

/// One change to the bytes, wherever it falls; says what it is.
fn change_bytes(tar: &mut Vec<u8>, random: &mut Rng) -> String {
    let size = tar.len();
    let range = |random: &mut Rng| {
        let begin = random.usize(..size);
        begin..(begin + random.usize(1..600)).min(size)
    };
    match random.u8(..10) {
        0..3 => {
            let (at, bit) = (random.usize(..size), random.u8(..8));
            tar[at] ^= 1 << bit;
            format!("bit {bit} of byte {at}")
        }
        3 | 4 => {
            let (at, byte) = (random.usize(..size), random.u8(..));
            tar[at] = byte;
            format!("byte {at} = {byte}")
        }
        5 => {
            let at = random.usize(..size);
            tar.truncate(at);
            format!("cut at {at}")
        }
        6 => {
            let (one, other) = (range(random), range(random));
            let length = one.len().min(other.len()).min(one.start.abs_diff(other.start));
            for n in 0..length {
                tar.swap(one.start + n, other.start + n);
            }
            format!("{length} bytes from {} and from {} exchanged", one.start, other.start)
        }
        7 => {
            let range = range(random);
            tar[range.clone()].fill(0);
            format!("zeros in {range:?}")
        }
        8 => {
            let range = range(random);
            tar.drain(range.clone());
            format!("{range:?} taken out")
        }
        _ => {
            let length = random.usize(1..2 * BLOCK);
            let zeros = random.bool();
            tar.extend(std::iter::repeat_with(|| if zeros { 0 } else { random.u8(..) }).take(length));
            format!("{length} bytes behind it")
        }
    }
}

/// One change to a file in the bundle, or to the files it has.
fn change_files(files: &mut Vec<(String, Vec<u8>)>, random: &mut Rng) -> String {
    let (one, other) = (random.usize(..files.len()), random.usize(..files.len()));
    let (name, whole) = files[one].clone();
    let bytes = &mut files[one].1;
    match random.u8(..12) {
        0..3 => {
            let (at, bit) = (random.usize(..bytes.len()), random.u8(..8));
            bytes[at] ^= 1 << bit;
            format!("{name}: bit {bit} of byte {at}")
        }
        3 | 4 => {
            let at = random.usize(..bytes.len());
            bytes.truncate(at);
            format!("{name}: cut at {at}")
        }
        5..9 => {
            let mut lines: Vec<Vec<u8>> = whole.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
            let (from, to) = (random.usize(..lines.len()), random.usize(..lines.len()));
            let done = random.u8(..4);
            match done {
                0 => drop(lines.remove(from)),
                1 => lines.insert(from, lines[from].clone()),
                2 => lines.swap(from, to),
                _ => lines.insert(to, b"\n".to_vec()),
            }
            *bytes = lines.concat();
            let done = ["removed", "written twice", "exchanged", "moved on"][usize::from(done)];
            format!("{name}: of its lines {from} and {to}, {done}")
        }
        9 => {
            files.remove(one);
            format!("{name} removed")
        }
        10 => {
            files[one].1 = files[other].1.clone();
            files[other].1 = whole;
            format!("{name} and {} exchanged", files[other].0)
        }
        _ => {
            let added = format!("{name}{}", random.alphanumeric());
            files.insert(one + 1, (added.clone(), whole));
            files.sort();
            format!("{added} added")
        }
    }
}

#[test]
fn no_single_change_of_a_bundle_goes_unseen_by_its_verifier_alone() {
    let dir = tempfile::tempdir().unwrap();
    let hit = decided_hit(dir.path());
    let (whole, key) = bundle(dir.path(), hit).unwrap();
    let files: Vec<_> = parts(&whole).iter().map(|part| name_and_text(&whole, part)).collect();
    assert!(tar(&files) == whole && files.len() > 8, "the bundle is not written as this test writes it");
    verify_bundle(&whole, &key).unwrap();
    let seed = number("MARKWARDEN_SEED", fastrand::usize(..)) as u64;
    let mut random = Rng::with_seed(seed);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut round = 0;
    while round < number("MARKWARDEN_MUTATIONS", MUTATIONS) {
        let (mut changed, what);
        if round % 2 == 0 {
            changed = whole.clone();
            what = change_bytes(&mut changed, &mut random);
        } else {
            let mut others = files.clone();
            what = change_files(&mut others, &mut random);
            changed = tar(&others);
        }
        if changed == whole {
            continue;
        }
        round += 1;
        match verify_bundle(&changed, &key) {
            Ok(report) => panic!("{what} went unseen: {report:?}; seed {seed}"),
            Err(error) => *reasons.entry(error.to_string().chars().take(40).collect()).or_default() += 1,
        }
    }
    announce(&format!("bundle mutations: {round}, all seen, for {} reasons; seed {seed}", reasons.len()));
}

/// Such a line went unseen once: the manifest names every file but itself.
#[test]
fn a_line_behind_the_signature_of_a_manifest_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let hit = decided_hit(dir.path());
    let (whole, key) = bundle(dir.path(), hit).unwrap();
    let mut files: Vec<_> = parts(&whole).iter().map(|part| name_and_text(&whole, part)).collect();
    let manifest = files.iter_mut().find(|(name, _)| name == "MANIFEST").unwrap();
    manifest.1.extend_from_slice("— witness/1 AAAAAAAA\n".as_bytes());
    let said = verify_bundle(&tar(&files), &key).unwrap_err().to_string();
    assert!(said.contains("more than one signature"), "{said}");
}
