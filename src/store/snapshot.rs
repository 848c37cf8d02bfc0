//! Snapshots: what the index says at one sequence of the journal, sorted, in one file that never changes.
//!
//! [`Snapshot`] reads one; [`write`] makes the next from the last and the changes since; [`newest`] finds those in a data
//! folder. With a snapshot the index begins there and not at the first record, so that old segments of the journal may
//! leave for a backup. Keys and values are bytes; what they mean belongs to [`super::sled`].
//!
//! The file: magic 8, blocks (zstd), the directory (zstd), a [footer](footer). The directory says of each block, in order:
//! length of its first key 2, that key, packed bytes 4, bytes 4, crc32c of the packed bytes 4, count 8, digest 8.

mod block;
mod cache;
mod footer;
mod sums;
mod write;

use std::{
    cell::RefCell,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};
use zstd::bulk::Decompressor;

pub(super) use sums::Sums;
pub(super) use write::{Merge, write};

use self::{
    block::Walk,
    cache::Cache,
    footer::{FOOTER_BYTES, FORMAT, Footer, MAGIC, Wrong},
    sums::Sum,
};
use super::{
    disk::{self, File, How},
    folder::{io, snapshot_dir, sync_dir},
    journal::{Head, number32, number64},
    port::StoreError,
};

/// A directory larger than this is not read: enough for a hundred million entries.
const MAX_DIRECTORY_BYTES: u64 = 256 * 1024 * 1024;
/// A block larger than this is not unpacked: the largest value and its key fit.
const MAX_BLOCK_BYTES: usize = 1024 * 1024;
/// Bytes read at once where a whole file is read.
const CHUNK_BYTES: u64 = 1024 * 1024;
/// A block's place in the directory, without its key.
const PLACE_BYTES: usize = 28;

/// A snapshot, open for reading by many.
#[derive(Debug)]
pub(super) struct Snapshot {
    path: PathBuf,
    file: File,
    footer: Footer,
    directory: Vec<Place>,
    bytes: u64,
    cache: Mutex<Cache>,
}

/// Where a block lies, and what it amounts to.
#[derive(Debug, Clone)]
struct Place {
    first: Box<[u8]>,
    at: u64,
    packed: u32,
    bytes: u32,
    crc: u32,
    sum: Sum,
}

impl Snapshot {
    /// Opens the snapshot at `path`: its footer and directory are checked, and that no block's bytes changed. Keeps about
    /// `cache_bytes` of unpacked blocks.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let opened = Self::open_unread(path, cache_bytes)?;
        opened.check_blocks(&|| Ok(()))?;
        Ok(opened)
    }

    fn open_unread(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let reading = || io(|| format!("reading {}", path.display()));
        let file = File::open(path, How::Read).map_err(reading())?;
        let size = file.length().map_err(reading())?;
        let broken = || damaged(path, "its footer is broken");
        let end = size.checked_sub(FOOTER_BYTES as u64).ok_or_else(broken)?;
        let mut bytes = [0; FOOTER_BYTES];
        file.read_at(end, &mut bytes).map_err(reading())?;
        let footer = Footer::decode(&bytes).map_err(|wrong| match wrong {
            Wrong::Broken => broken(),
            Wrong::Newer(found) => StoreError::Newer { path: path.display().to_string(), found, supported: FORMAT },
        })?;
        let begin = (MAGIC.len() as u64).checked_add(footer.blocks_bytes).ok_or_else(broken)?;
        let too_large = footer.directory_bytes > MAX_DIRECTORY_BYTES || footer.directory_packed > MAX_DIRECTORY_BYTES;
        if too_large || begin.checked_add(footer.directory_packed) != Some(end) {
            return Err(damaged(path, "it is not as long as its footer says"));
        }
        let mut packed = vec![0; usize::try_from(footer.directory_packed).unwrap_or(0)];
        file.read_at(begin, &mut packed).map_err(reading())?;
        if crc32c::crc32c(&packed) != footer.directory_crc {
            return Err(damaged(path, "its directory does not match its checksum"));
        }
        let bytes = unpack(&packed, usize::try_from(footer.directory_bytes).unwrap_or(0));
        let directory = bytes.and_then(|bytes| read_directory(&bytes, &footer));
        let directory = directory.ok_or_else(|| damaged(path, "its directory does not fit its blocks"))?;
        let cache = Mutex::new(Cache::new(usize::try_from(cache_bytes).unwrap_or(usize::MAX)));
        let bytes = directory.iter().map(|place| u64::from(place.bytes)).sum();
        Ok(Self { path: path.to_owned(), file, footer, directory, bytes, cache })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal's record that it reaches.
    pub fn head(&self) -> Head {
        self.footer.head
    }

    /// The bytes of all its blocks, unpacked.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The value at `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((number, place)) = self.block_of(key) else { return Ok(None) };
        if place.first.first() != key.first() {
            return Ok(None);
        }
        let block = self.block(number)?;
        let mut walk = Walk::new(&block);
        while let Some((found, value)) = walk.next().map_err(|what| damaged(&self.path, what))? {
            if found >= key {
                return Ok((found == key).then(|| value.to_vec()));
            }
        }
        Ok(None)
    }

    /// Keys and values from `begin` on, in order.
    pub fn range(self: &Arc<Self>, begin: Bound<Vec<u8>>) -> Entries {
        let number = match &begin {
            Bound::Included(key) | Bound::Excluded(key) => self.block_of(key).map_or(0, |(number, _)| number),
            Bound::Unbounded => 0,
        };
        Entries { snapshot: Arc::clone(self), number, ready: Vec::new().into_iter(), begin }
    }

    /// Reads all of it: the SHA-256, each block, the order of keys, the counts and digests.
    pub fn prove(&self) -> Result<(), StoreError> {
        let mut hasher = Sha256::new();
        self.each_chunk(0, self.end(), &mut |chunk| {
            hasher.update(chunk);
            Ok(())
        })?;
        if self.footer.sha256 != <[u8; 32]>::from(hasher.finalize()) {
            return Err(damaged(&self.path, "its bytes do not match their SHA-256"));
        }
        let mut last = Vec::new();
        for (number, place) in self.directory.iter().enumerate() {
            let bytes = self.read_block(number)?;
            let (mut walk, mut sum) = (Walk::new(&bytes), Sum::default());
            while let Some((key, value)) = walk.next().map_err(|what| damaged(&self.path, what))? {
                if sum.count == 0 && (key != &*place.first || (number > 0 && last.as_slice() >= key)) {
                    return Err(damaged(&self.path, "its blocks are not in order"));
                }
                sum.add(key, value);
                last.clear();
                last.extend_from_slice(key);
            }
            if sum != place.sum {
                return Err(damaged(&self.path, "a block does not amount to what the directory says"));
            }
        }
        Ok(())
    }

    /// Holds every block's packed bytes against their checksum; asks `pause` now and then.
    fn check_blocks(&self, pause: &dyn Fn() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut magic = [0; MAGIC.len()];
        self.read_at(0, &mut magic)?;
        if magic != MAGIC {
            return Err(damaged(&self.path, "it is no snapshot"));
        }
        let (mut places, mut crc, mut left) = (self.directory.iter(), 0, None);
        let mut place = places.next();
        let mut broken = false;
        self.each_chunk(MAGIC.len() as u64, MAGIC.len() as u64 + self.footer.blocks_bytes, &mut |mut chunk| {
            while let Some(current) = place.filter(|_| !chunk.is_empty()) {
                let want = left.unwrap_or(current.packed as usize);
                let (part, rest) = chunk.split_at(want.min(chunk.len()));
                crc = crc32c::crc32c_append(crc, part);
                chunk = rest;
                left = Some(want - part.len());
                if left == Some(0) {
                    broken |= crc != current.crc;
                    (place, crc, left) = (places.next(), 0, None);
                }
            }
            pause()
        })?;
        if broken { Err(damaged(&self.path, "a block does not match its checksum")) } else { Ok(()) }
    }

    /// Where the footer begins.
    fn end(&self) -> u64 {
        MAGIC.len() as u64 + self.footer.blocks_bytes + self.footer.directory_packed
    }

    fn each_chunk(
        &self,
        begin: u64,
        end: u64,
        each: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut chunk = vec![0; usize::try_from(CHUNK_BYTES.min(end - begin)).unwrap_or(0)];
        let mut at = begin;
        while at < end {
            let length = usize::try_from(CHUNK_BYTES.min(end - at)).unwrap_or(0);
            let part = chunk.get_mut(..length).unwrap_or_default();
            self.read_at(at, part)?;
            each(part)?;
            at += length as u64;
        }
        Ok(())
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.file.read_at(at, bytes).map_err(io(|| format!("reading {}", self.path.display())))
    }

    /// The only block that can hold `key`.
    fn block_of(&self, key: &[u8]) -> Option<(usize, &Place)> {
        let number = self.directory.partition_point(|place| &*place.first <= key).checked_sub(1)?;
        Some((number, self.directory.get(number)?))
    }

    fn block(&self, number: usize) -> Result<Arc<Vec<u8>>, StoreError> {
        if let Some(block) = self.cache().get(number) {
            return Ok(block);
        }
        let block = Arc::new(self.read_block(number)?);
        self.cache().put(number, Arc::clone(&block));
        Ok(block)
    }

    fn read_block(&self, number: usize) -> Result<Vec<u8>, StoreError> {
        let Some(place) = self.directory.get(number) else { return Ok(Vec::new()) };
        let packed = self.read_packed(place)?;
        unpack(&packed, place.bytes as usize).ok_or_else(|| damaged(&self.path, "a block cannot be unpacked"))
    }

    fn read_packed(&self, place: &Place) -> Result<Vec<u8>, StoreError> {
        let mut packed = vec![0; place.packed as usize];
        self.read_at(place.at, &mut packed)?;
        if crc32c::crc32c(&packed) != place.crc {
            return Err(damaged(&self.path, "a block does not match its checksum"));
        }
        Ok(packed)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A walk over a snapshot. After an error it ends.
#[derive(Debug)]
pub(super) struct Entries {
    snapshot: Arc<Snapshot>,
    number: usize,
    ready: std::vec::IntoIter<(Vec<u8>, Vec<u8>)>,
    begin: Bound<Vec<u8>>,
}

impl Entries {
    /// Unpacks the next block's entries that lie in the range.
    fn fill(&mut self) -> Result<(), StoreError> {
        let block = self.snapshot.block(self.number)?;
        self.number += 1;
        let (mut walk, mut ready) = (Walk::new(&block), Vec::new());
        while let Some((key, value)) = walk.next().map_err(|what| damaged(&self.snapshot.path, what))? {
            let inside = match &self.begin {
                Bound::Included(begin) => key >= begin.as_slice(),
                Bound::Excluded(begin) => key > begin.as_slice(),
                Bound::Unbounded => true,
            };
            if inside {
                ready.push((key.to_vec(), value.to_vec()));
            }
        }
        self.ready = ready.into_iter();
        Ok(())
    }
}

impl Iterator for Entries {
    type Item = Result<(Vec<u8>, Vec<u8>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.ready.next() {
                return Some(Ok(entry));
            }
            if self.number >= self.snapshot.directory.len() {
                return None;
            }
            if let Err(error) = self.fill() {
                self.number = usize::MAX;
                return Some(Err(error));
            }
        }
    }
}

/// The snapshots in a data folder, the newest first, by their names alone.
pub(super) fn newest(root: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let dir = snapshot_dir(root);
    if !disk::exists(&dir) {
        return Ok(Vec::new());
    }
    let names = disk::names(&dir).map_err(io(|| format!("listing {}", dir.display())))?;
    let mut found: Vec<(u64, PathBuf)> =
        names.iter().filter_map(|name| Some((seq_of(name)?, dir.join(name)))).collect();
    found.sort_unstable_by(|left, right| right.cmp(left));
    Ok(found)
}

/// Gives a snapshot that cannot be used another name, so that the next opening does not try it again.
pub(super) fn set_aside(path: &Path, why: &StoreError) -> Result<(), StoreError> {
    let target = path.with_extension("snap.bad");
    tracing::warn!(%why, to = %target.display(), "a snapshot is set aside");
    disk::rename(path, &target).map_err(io(|| format!("setting {} aside", path.display())))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// A snapshot's file in the data folder `root`.
pub(super) fn place(root: &Path, seq: u64) -> PathBuf {
    snapshot_dir(root).join(format!("{seq:020}.snap"))
}

fn seq_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".snap")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged { path: path.display().to_string(), what: what.to_owned() }
}

fn unpack(packed: &[u8], bytes: usize) -> Option<Vec<u8>> {
    thread_local! {
        static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let unpacked = UNPACKER.with_borrow_mut(|unpacker| {
        // Making one takes longer than unpacking a block.
        let unpacker = match unpacker {
            Some(unpacker) => unpacker,
            None => unpacker.insert(Decompressor::new().ok()?),
        };
        unpacker.decompress(packed, bytes).ok()
    });
    unpacked.filter(|unpacked| unpacked.len() == bytes)
}

/// Reads the directory: blocks in order of their first keys, end to end, none larger than it may be.
fn read_directory(bytes: &[u8], footer: &Footer) -> Option<Vec<Place>> {
    let (mut directory, mut at, mut offset): (Vec<Place>, _, _) = (Vec::new(), 0, MAGIC.len() as u64);
    let mut entries: u64 = 0;
    while at < bytes.len() {
        let [low, high] = *bytes.get(at..)?.first_chunk()?;
        let begin = at + 2;
        let end = begin + usize::from(u16::from_le_bytes([low, high]));
        let first: Box<[u8]> = bytes.get(begin..end)?.into();
        let numbers: &[u8; PLACE_BYTES] = bytes.get(end..)?.first_chunk()?;
        let place = Place {
            first,
            at: offset,
            packed: number32(numbers, 0)?,
            bytes: number32(numbers, 4)?,
            crc: number32(numbers, 8)?,
            sum: Sum { count: number64(numbers, 12)?, digest: number64(numbers, 20)? },
        };
        let ordered = directory.last().is_none_or(|last| last.first < place.first);
        let packs = place.packed > 0 && place.packed as usize <= 2 * MAX_BLOCK_BYTES && place.bytes > 0;
        if !ordered
            || !packs
            || place.bytes as usize > MAX_BLOCK_BYTES
            || place.sum.count == 0
            || place.first.is_empty()
        {
            return None;
        }
        offset = offset.checked_add(u64::from(place.packed))?;
        entries = entries.checked_add(place.sum.count)?;
        at = end + PLACE_BYTES;
        directory.push(place);
    }
    let whole = offset - MAGIC.len() as u64 == footer.blocks_bytes && entries == footer.entries;
    whole.then_some(directory)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use proptest::prelude::*;

    use super::*;

    type Values = BTreeMap<Vec<u8>, Vec<u8>>;

    fn head(seq: u64) -> Head {
        Head { seq, hash: [7; 32] }
    }

    fn made(root: &Path, seq: u64, base: Option<&Snapshot>, changes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Arc<Snapshot> {
        let changes = &mut changes.iter().cloned().map(Ok);
        write(root, Merge { head: head(seq), base, changes, pause: &|| Ok(()) }, 64 * 1024).unwrap()
    }

    fn everything(snapshot: &Arc<Snapshot>, begin: Bound<Vec<u8>>) -> Vec<(Vec<u8>, Vec<u8>)> {
        snapshot.range(begin).map(Result::unwrap).collect()
    }

    /// Keys of three kinds, close together, so that changes meet what is there; values of all sizes.
    fn changes() -> impl Strategy<Value = BTreeMap<Vec<u8>, Option<Vec<u8>>>> {
        let key = (0..3_usize, 0..400_u16).prop_map(|(kind, n)| [&[b"hqx"[kind]], n.to_be_bytes().as_slice()].concat());
        let value = prop_oneof![
            Just(None),
            Just(Some(Vec::new())),
            (1..300_usize, any::<u8>()).prop_map(|(length, byte)| Some(vec![byte; length])),
            (any::<u64>(), 500..9000_usize).prop_map(|(seed, length)| {
                let mut random = fastrand::Rng::with_seed(seed);
                Some((0..length).map(|_| random.u8(..)).collect())
            }),
        ];
        prop::collection::btree_map(key, value, 0..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn snapshots_over_snapshots_say_what_a_map_says(rounds in prop::collection::vec(changes(), 1..6)) {
            let dir = tempfile::tempdir().unwrap();
            let (mut expected, mut last): (Values, Option<Arc<Snapshot>>) = (Values::new(), None);
            for (seq, round) in (1..).zip(rounds) {
                for (key, value) in &round {
                    match value {
                        Some(value) => drop(expected.insert(key.clone(), value.clone())),
                        None => drop(expected.remove(key)),
                    }
                }
                let round: Vec<_> = round.into_iter().collect();
                last = Some(made(dir.path(), seq, last.as_deref(), &round));
            }
            let last = last.unwrap();
            last.prove().unwrap();
            let again = Arc::new(Snapshot::open(last.path(), 10).unwrap());
            for snapshot in [&last, &again] {
                let found = everything(snapshot, Bound::Unbounded);
                prop_assert!(found.iter().map(|(key, value)| (key, value)).eq(expected.iter()));
            }
            for key in [b"h".to_vec(), b"h\x00\x07".to_vec(), b"q\x01".to_vec(), b"zzz".to_vec(), vec![0]] {
                prop_assert_eq!(last.get(&key).unwrap(), expected.get(&key).cloned());
                for begin in [Bound::Included(key.clone()), Bound::Excluded(key)] {
                    let expected = expected.range((begin.clone(), Bound::Unbounded));
                    let found = everything(&last, begin);
                    prop_assert!(found.iter().map(|(key, value)| (key, value)).eq(expected));
                }
            }
            for (key, value) in &expected {
                prop_assert_eq!(&last.get(key).unwrap(), &Some(value.clone()));
            }
        }

        #[test]
        fn what_is_no_snapshot_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.snap");
            fs::write(&path, bytes).unwrap();
            prop_assert!(Snapshot::open(&path, 0).is_err());
        }
    }

    #[test]
    fn each_changed_byte_is_found_at_opening() {
        let dir = tempfile::tempdir().unwrap();
        let entry =
            |n: u32| ([b"h".as_slice(), &n.to_be_bytes()].concat(), Some(format!("云雀 {n}").repeat(4).into_bytes()));
        let snapshot = made(dir.path(), 9, None, &(0..900).map(entry).collect::<Vec<_>>());
        let bytes = fs::read(snapshot.path()).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(snapshot.path(), &changed).unwrap();
            assert!(Snapshot::open(snapshot.path(), 0).is_err(), "byte {at} of {}", bytes.len());
        }
        for at in [0, 1, 8, bytes.len() / 2, bytes.len() - 1] {
            fs::write(snapshot.path(), &bytes[..at]).unwrap();
            assert!(Snapshot::open(snapshot.path(), 0).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn untouched_blocks_are_copied_and_small_ones_grow_together_again() {
        let dir = tempfile::tempdir().unwrap();
        let key = |n: u32| [b"h".as_slice(), &n.to_be_bytes()].concat();
        let noise =
            |n: u32| Some((0..100).map(|i| (n.wrapping_mul(2_654_435_761) >> (i % 24)) as u8).collect::<Vec<u8>>());
        let mut last = made(dir.path(), 1, None, &(0..20_000).map(|n| (key(n * 2), noise(n))).collect::<Vec<_>>());
        let blocks = last.directory.len();
        for seq in 2..40 {
            let n = (u32::try_from(seq).unwrap() * 977) % 20_000;
            let before: Vec<_> = last.directory.iter().map(|place| place.crc).collect();
            last = made(dir.path(), seq, Some(&last), &[(key(n * 2 + 1), noise(n))]);
            let same = last.directory.iter().filter(|place| before.contains(&place.crc)).count();
            assert!(same + 8 >= before.len(), "{same} of {} were copied", before.len());
        }
        assert!(last.directory.len() <= blocks + blocks / 8 + 40, "{} blocks became {}", blocks, last.directory.len());
    }

    #[test]
    fn what_is_out_of_order_or_fails_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let wrong = [(b"b".to_vec(), Some(vec![1])), (b"a".to_vec(), Some(vec![1]))];
        let write = |changes: &mut dyn Iterator<Item = write::Change>| {
            write(dir.path(), Merge { head: head(1), base: None, changes, pause: &|| Ok(()) }, 0)
        };
        assert!(write(&mut wrong.into_iter().map(Ok)).is_err());
        let failing = [Ok((b"b".to_vec(), Some(vec![1]))), Err(StoreError::Stopped("no".into()))];
        assert!(write(&mut failing.into_iter()).is_err());
        assert_eq!(fs::read_dir(snapshot_dir(dir.path())).unwrap().count(), 0);
    }
}
