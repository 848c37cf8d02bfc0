//! Appending: records are staged, then written and synced together.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::mpsc::SyncSender,
};

use super::{
    record::{Head, MAX_PAYLOAD_BYTES, encode},
    scan::Verified,
    segment::{HEADER_BYTES, Segment, zero},
};
use crate::store::{
    folder::{io, sync_dir},
    port::StoreError,
};

/// A journal open for writing, by one thread. After an error from [`commit`](Self::commit) it must not be used again:
/// what the disk holds is then known only to the next opening.
#[derive(Debug)]
pub(in crate::store) struct Journal {
    dir: PathBuf,
    segment_bytes: u64,
    segment: Segment,
    file: File,
    position: u64,
    size: u64,
    durable: Head,
    staged: Head,
    buffer: Vec<u8>,
    bell: Option<SyncSender<()>>,
}

impl Journal {
    /// Makes durable what a look at the journal found: its newest segment, and that segment's name.
    pub fn settle(dir: &Path, verified: &Verified) -> Result<(), StoreError> {
        let Some(segment) = &verified.last else { return Ok(()) };
        let doing = || format!("syncing {}", segment.path.display());
        File::options().write(true).open(&segment.path).and_then(|file| file.sync_all()).map_err(io(doing))?;
        sync_dir(dir)
    }

    /// Opens the journal in `dir` behind its verified end, clearing an unfinished tail; makes it when it is new.
    pub fn resume(dir: &Path, segment_bytes: u64, verified: Verified) -> Result<Self, StoreError> {
        let (segment, file, position, size) = match verified.last {
            None => {
                let segment = Segment::new(dir, 1);
                let file = segment.create(&Head::START, segment_bytes)?;
                (segment, file, HEADER_BYTES as u64, segment_bytes)
            }
            Some(segment) => {
                let mut file = File::options()
                    .read(true)
                    .write(true)
                    .open(&segment.path)
                    .map_err(io(|| format!("opening {}", segment.path.display())))?;
                let (end, size) = (verified.end as u64, verified.size as u64);
                if verified.tail {
                    let seq = verified.head.seq;
                    tracing::warn!(segment = %segment.path.display(), seq, "dropped an unfinished tail");
                    let doing = || format!("clearing the tail of {}", segment.path.display());
                    clear(&mut file, end, size).map_err(io(doing))?;
                }
                (segment, file, end, size)
            }
        };
        let (durable, dir) = (verified.head, dir.to_owned());
        let (staged, buffer) = (durable, Vec::new());
        Ok(Self { dir, segment_bytes, segment, file, position, size, durable, staged, buffer, bell: None })
    }

    /// Rings `bell` from now on when a segment is full. Whoever listens is never waited for.
    pub fn ring(&mut self, bell: Option<SyncSender<()>>) {
        self.bell = bell;
    }

    /// The newest durable record.
    pub fn head(&self) -> Head {
        self.durable
    }

    /// Bytes staged and not yet written.
    pub fn staged_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Adds a record to the group that the next commit writes; returns its sequence.
    pub fn stage(&mut self, payload: &[u8]) -> Result<u64, StoreError> {
        Ok(self.stage_again(self.durable.seq, payload)?.seq)
    }

    /// Adds a record of another journal as it stood there: with the sequence that was durable when it was first
    /// written its hash is the same. Only for a folder that is no store yet, since here it says nothing about syncs.
    pub fn stage_again(&mut self, synced: u64, payload: &[u8]) -> Result<Head, StoreError> {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD_BYTES {
            return Err(StoreError::Refused(format!(
                "{} bytes in one act, at most {MAX_PAYLOAD_BYTES} are kept: split the batch",
                payload.len()
            )));
        }
        self.staged = encode(&mut self.buffer, &self.staged, synced, payload);
        Ok(self.staged)
    }

    /// Makes everything staged durable with one sync.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let length = self.buffer.len() as u64;
        if self.position + length > self.size {
            // Everything before is durable, so a newer segment proves that the older one is complete.
            self.segment = Segment::new(&self.dir, self.segment.number + 1);
            self.size = self.segment_bytes.max(HEADER_BYTES as u64 + length);
            self.file = self.segment.create(&self.durable, self.size)?;
            self.position = HEADER_BYTES as u64;
            if let Some(bell) = &self.bell {
                // A bell that is still ringing covers this segment too.
                bell.try_send(()).ok();
            }
        }
        self.file
            .seek(SeekFrom::Start(self.position))
            .and_then(|_| self.file.write_all(&self.buffer))
            .and_then(|()| self.file.sync_data())
            .map_err(io(|| format!("writing sequence {} to {}", self.staged.seq, self.segment.path.display())))?;
        self.position += length;
        self.durable = self.staged;
        self.buffer.clear();
        Ok(())
    }
}

/// Fills `begin..end` with zeros again, durably.
fn clear(file: &mut File, begin: u64, end: u64) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(begin))?;
    zero(file, end.saturating_sub(begin))?;
    file.sync_data()
}
