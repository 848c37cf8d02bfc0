//! Any bytes may lie where a segment of the archive was.
#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock, sync::atomic::AtomicBool};

use libfuzzer_sys::fuzz_target;
use markwarden::{
    archive::{Archive, Scan, refresh},
    model::{Listing, ListingId, SystemClock},
    rules::Needles,
    store::{Batch, Settings, SledStore, Store, Write},
};

/// A sound archive's folder, its segment and the bytes in it.
static WHOLE: LazyLock<(PathBuf, PathBuf, Vec<u8>)> = LazyLock::new(|| {
    let place = std::env::temp_dir().join(format!("markwarden-fuzz-archive-{}", std::process::id()));
    let store = SledStore::open(&place.join("data"), &Settings::default(), std::sync::Arc::new(SystemClock)).unwrap();
    let listing = |n: u32| Listing { id: n.to_string(), title: format!("云·雀 国家级 {n}"), ..Listing::default() };
    let writes = (0..40).map(|n| Write::Listing {
        id: ListingId::new(&n.to_string()).unwrap(),
        listing: listing(n),
        capture: None,
    });
    let batch = Batch { actor: "fuzz".into(), writes: writes.collect() };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.apply(batch)).unwrap();
    let folder = place.join("archive");
    let archive = refresh(&folder, &store, 1, &AtomicBool::new(false), &|_| {}).unwrap();
    let segment = folder.join(&archive.manifest().segments[0]);
    let bytes = fs::read(&segment).unwrap();
    (folder, segment, bytes)
});

fuzz_target!(|input: &[u8]| {
    let (folder, segment, whole) = &*WHOLE;
    let mut bytes = whole.clone();
    for change in input.as_chunks::<4>().0 {
        let at = (usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2])) % bytes.len();
        bytes[at] = change[3];
    }
    seal(&mut bytes);
    fs::write(segment, &bytes).unwrap();
    let Ok(archive) = Archive::open(folder) else { return };
    let (stop, needles) = (AtomicBool::new(false), Needles::any_of(vec!["国家级".into(), "云".into()]));
    for needles in [None, Some(&needles)] {
        let scan = Scan { needles, reaches: None, stop: &stop, progress: &|_| {}, threads: 1 };
        drop(archive.scan(scan, || 0, |count, _| *count += 1));
    }
});

/// Makes the footer's own checksum right, so that tables and places are looked at.
fn seal(bytes: &mut [u8]) {
    let footer = bytes.len() - 48;
    let sum = u64::from(crc32c::crc32c(&bytes[footer..footer + 40]));
    bytes[footer + 40..].copy_from_slice(&sum.to_le_bytes());
}
