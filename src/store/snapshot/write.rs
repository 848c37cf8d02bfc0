//! Making a snapshot: the last one and the changes since, merged. Blocks that no change touches are copied as they are.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};
use zstd::bulk::Compressor;

use super::{
    MAGIC, Place, Snapshot,
    block::{Filling, Walk},
    damaged,
    footer::{FOOTER_BYTES, Footer},
    place,
};
use crate::store::{
    disk::{self, File, How},
    folder::{io, snapshot_dir, sync_dir},
    journal::Head,
    port::StoreError,
};

/// A block of new entries is closed when it has this many bytes.
const BLOCK_BYTES: usize = 4 * 1024;
/// An old block may grow to this before it is split: else every block would be split by the first entry it gets.
const GROWN_BYTES: usize = BLOCK_BYTES * 3 / 2;
/// A block with fewer takes in the next one, untouched or not: else blocks would only ever get smaller.
const SMALL_BYTES: usize = BLOCK_BYTES / 4;
/// On blocks this small level 3 saves less than one byte in a hundred and takes a third longer.
const LEVEL: i32 = 1;
/// Written bytes gathered before they go to the file.
const BUFFER_BYTES: usize = 1024 * 1024;

/// A change to one key: its new value, or none when it goes.
pub(in crate::store) type Change = Result<(Vec<u8>, Option<Vec<u8>>), StoreError>;

/// What becomes the next snapshot.
pub(in crate::store) struct Merge<'a> {
    /// The journal's record that it reaches.
    pub head: Head,
    /// The last snapshot.
    pub base: Option<&'a Snapshot>,
    /// What was changed since, in the order of the keys.
    pub changes: &'a mut dyn Iterator<Item = Change>,
    /// Asked between two blocks, of the old as of the new: it may take its time, and an error gives the merge up.
    pub pause: &'a dyn Fn() -> Result<(), StoreError>,
}

/// Writes the next snapshot into the data folder `root`, durably, and reads back that every byte came to be. Returns it open.
pub(in crate::store) fn write(root: &Path, merge: Merge<'_>, cache_bytes: u64) -> Result<Arc<Snapshot>, StoreError> {
    let dir = snapshot_dir(root);
    disk::make_folders(&dir).map_err(io(|| format!("making {}", dir.display())))?;
    sync_dir(root)?;
    let path = place(root, merge.head.seq);
    let temporary = path.with_extension("snap.new");
    let (head, pause) = (merge.head, merge.pause);
    let written = merge_into(&temporary, merge).and_then(|out| out.finish(head));
    let written = written.and_then(|()| Snapshot::open_unread(&temporary, 0)?.check_blocks(pause));
    if let Err(error) = written {
        // Half a file is of no use and may be what fills the disk; the error that matters is the first.
        drop(disk::remove(&temporary));
        return Err(error);
    }
    disk::rename(&temporary, &path).map_err(io(|| format!("naming {}", path.display())))?;
    sync_dir(&dir)?;
    Ok(Arc::new(Snapshot::open_unread(&path, cache_bytes)?))
}

fn merge_into(path: &Path, merge: Merge<'_>) -> Result<Out, StoreError> {
    let Merge { base, changes, pause, .. } = merge;
    let mut out = Out::create(path)?;
    let mut changes = Changes { next: None, rest: changes };
    changes.step()?;
    let directory = base.map_or(&[][..], |base| &base.directory);
    for (number, here) in directory.iter().enumerate() {
        let Some(base) = base else { break };
        pause()?;
        let following = directory.get(number + 1).map(|following| &*following.first);
        out.limit = BLOCK_BYTES;
        changes.before(&here.first, &mut out)?;
        let touched = changes.key().is_some_and(|key| following.is_none_or(|following| key < following));
        let small = !out.filling.bytes.is_empty() && out.filling.bytes.len() < SMALL_BYTES;
        let joins = small && out.filling.takes(&here.first);
        if !touched && !joins {
            out.copy(here, &base.read_packed(here)?)?;
            continue;
        }
        out.limit = GROWN_BYTES;
        let block = base.read_block(number)?;
        let mut walk = Walk::new(&block);
        while let Some((key, value)) = walk.next().map_err(|what| damaged(&base.path, what))? {
            changes.before(key, &mut out)?;
            if changes.key() == Some(key) {
                changes.take(&mut out)?;
            } else {
                out.add(key, value)?;
            }
        }
    }
    out.limit = BLOCK_BYTES;
    while changes.key().is_some() {
        if out.filling.bytes.is_empty() {
            pause()?;
        }
        changes.take(&mut out)?;
    }
    Ok(out)
}

/// The changes, one of them in hand.
struct Changes<'a> {
    next: Option<(Vec<u8>, Option<Vec<u8>>)>,
    rest: &'a mut dyn Iterator<Item = Change>,
}

impl Changes<'_> {
    fn key(&self) -> Option<&[u8]> {
        self.next.as_ref().map(|(key, _)| key.as_slice())
    }

    fn step(&mut self) -> Result<(), StoreError> {
        self.next = self.rest.next().transpose()?;
        Ok(())
    }

    /// Brings the change in hand out.
    fn take(&mut self, out: &mut Out) -> Result<(), StoreError> {
        if let Some((key, Some(value))) = &self.next {
            out.add(key, value)?;
        }
        self.step()
    }

    /// Brings out what comes before `key`.
    fn before(&mut self, key: &[u8], out: &mut Out) -> Result<(), StoreError> {
        while self.key().is_some_and(|next| next < key) {
            self.take(out)?;
        }
        Ok(())
    }
}

/// The file being written.
struct Out {
    path: PathBuf,
    file: File,
    at: u64,
    buffer: Vec<u8>,
    hasher: Sha256,
    packer: Compressor<'static>,
    filling: Filling,
    /// Where a block is closed.
    limit: usize,
    directory: Vec<Place>,
    last: Vec<u8>,
}

impl Out {
    fn create(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path, How::Create).map_err(io(|| format!("making {}", path.display())))?;
        let mut out = Self {
            path: path.to_owned(),
            file,
            at: 0,
            buffer: Vec::new(),
            hasher: Sha256::new(),
            packer: Compressor::new(LEVEL).map_err(io(|| "making ready to compress".to_owned()))?,
            filling: Filling::default(),
            limit: BLOCK_BYTES,
            directory: Vec::new(),
            last: Vec::new(),
        };
        out.bytes(&MAGIC)?;
        Ok(out)
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        if !self.last.is_empty() && self.last.as_slice() >= key {
            return Err(damaged(&self.path, "what should be written to it is not in order"));
        }
        if !self.filling.takes(key) || self.filling.bytes.len() >= self.limit {
            self.close()?;
        }
        if !self.filling.add(key, value) {
            return Err(damaged(&self.path, "a key or value is too large for it"));
        }
        self.last.clear();
        self.last.extend_from_slice(key);
        Ok(())
    }

    /// Copies a block of another snapshot.
    fn copy(&mut self, from: &Place, packed: &[u8]) -> Result<(), StoreError> {
        self.close()?;
        let at = self.position();
        self.bytes(packed)?;
        self.last.clear();
        self.directory.push(Place { at, ..from.clone() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), StoreError> {
        if self.filling.bytes.is_empty() {
            return Ok(());
        }
        let filling = std::mem::take(&mut self.filling);
        let packed = self
            .packer
            .compress(&filling.bytes)
            .map_err(io(|| format!("compressing a block of {}", self.path.display())))?;
        let numbers = (u32::try_from(packed.len()), u32::try_from(filling.bytes.len()));
        let (Ok(length), Ok(bytes)) = numbers else { return Err(damaged(&self.path, "a block of it is too large")) };
        let (at, crc) = (self.position(), crc32c::crc32c(&packed));
        let first = filling.first.into_boxed_slice();
        self.directory.push(Place { first, at, packed: length, bytes, crc, sum: filling.sum });
        self.bytes(&packed)
    }

    fn position(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let written = self.file.write_at(self.at, &self.buffer);
        written.map_err(io(|| format!("writing {}", self.path.display())))?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the directory and the footer, and makes it all durable.
    fn finish(mut self, head: Head) -> Result<(), StoreError> {
        self.close()?;
        let blocks_bytes = self.position() - MAGIC.len() as u64;
        let mut directory = Vec::new();
        let mut entries = 0;
        for place in &self.directory {
            // A key's length was checked when it was added.
            directory.extend_from_slice(&u16::try_from(place.first.len()).unwrap_or(u16::MAX).to_le_bytes());
            directory.extend_from_slice(&place.first);
            for number in [place.packed, place.bytes, place.crc] {
                directory.extend_from_slice(&number.to_le_bytes());
            }
            directory.extend_from_slice(&place.sum.count.to_le_bytes());
            directory.extend_from_slice(&place.sum.digest.to_le_bytes());
            entries += place.sum.count;
        }
        let packed = self.packer.compress(&directory);
        let packed = packed.map_err(io(|| format!("compressing the directory of {}", self.path.display())))?;
        self.bytes(&packed)?;
        let footer = Footer {
            head,
            entries,
            blocks_bytes,
            directory_packed: packed.len() as u64,
            directory_bytes: directory.len() as u64,
            directory_crc: crc32c::crc32c(&packed),
            sha256: self.hasher.clone().finalize().into(),
        };
        let footer: [u8; FOOTER_BYTES] = footer.encode();
        self.bytes(&footer)?;
        self.flush()?;
        self.file.sync().map_err(io(|| format!("syncing {}", self.path.display())))
    }
}
