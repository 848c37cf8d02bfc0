//! Appending: records are staged, then written and synced together.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::SyncSender,
};

use super::{
    record::{Head, MAX_PAYLOAD_BYTES, encode},
    scan::Verified,
    segment::{HEADER_BYTES, Segment},
};
use crate::store::{
    disk::{self, File, How},
    folder::{io, sync_dir},
    port::StoreError,
};

/// The longest that one group can be: it is closed once it is larger than the writer's bound, by one payload at most.
const MAX_TAIL_BYTES: u64 = 32 * 1024 * 1024;

/// A journal open for writing, by one thread. After an error from [`commit`](Self::commit) nothing may be written before
/// [`go_on`](Self::go_on) has succeeded: what the disk holds behind the durable end is not known.
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
    /// Makes durable what a look at the journal found: what a killed process may have written and not synced is
    /// written again, since the system may hold it in memory only; so are the zeros behind it, of which an unfinished
    /// tail may have left less.
    pub fn settle(dir: &Path, verified: &Verified) -> Result<(), StoreError> {
        let Some(segment) = &verified.last else { return Ok(()) };
        if verified.tail {
            let seq = verified.head.seq;
            tracing::warn!(segment = %segment.path.display(), seq, "dropped an unfinished tail");
        }
        let mut file = open(segment)?;
        let write_again = |file: &mut File| {
            let mut unsynced = vec![0; verified.end - verified.synced_end];
            file.read_at(verified.synced_end as u64, &mut unsynced)?;
            file.write_at(verified.synced_end as u64, &unsynced)?;
            clear(file, verified.end as u64, verified.size as u64)
        };
        write_again(&mut file).map_err(io(|| format!("writing the end of {} again", segment.path.display())))?;
        sync_dir(dir)
    }

    /// Opens the journal in `dir` behind its verified end; makes it when it is new.
    pub fn resume(dir: &Path, segment_bytes: u64, verified: Verified) -> Result<Self, StoreError> {
        let (segment, file, position, size) = match verified.last {
            None => {
                let segment = Segment::new(dir, 1);
                let file = segment.create(&Head::START, segment_bytes)?;
                (segment, file, HEADER_BYTES as u64, segment_bytes)
            }
            Some(segment) => {
                let file = open(&segment)?;
                (segment, file, verified.end as u64, verified.size as u64)
            }
        };
        let (durable, dir) = (verified.head, dir.to_owned());
        let (staged, buffer) = (durable, Vec::new());
        Ok(Self { dir, segment_bytes, segment, file, position, size, durable, staged, buffer, bell: None })
    }

    /// Goes on after an error: forgets what was staged and clears what may have been written of it, none of which was
    /// acknowledged.
    pub fn go_on(&mut self) -> Result<(), StoreError> {
        self.buffer.clear();
        self.staged = self.durable;
        // A segment whose making failed may have its name already. It is gone on with: who sees it takes the one before it
        // for full, and may have sealed that. What has its name is whole, and follows the newest durable record.
        let next = Segment::new(&self.dir, self.segment.number + 1);
        if disk::exists(&next.path) {
            sync_dir(&self.dir)?;
            let file = open(&next)?;
            let size = file.length().map_err(io(|| format!("measuring {}", next.path.display())))?;
            self.enter(next, file, size);
        } else {
            self.file = open(&self.segment)?;
        }
        clear(&mut self.file, self.position, self.size)
            .map_err(io(|| format!("clearing the end of {}", self.segment.path.display())))
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
            let segment = Segment::new(&self.dir, self.segment.number + 1);
            let size = self.segment_bytes.max(HEADER_BYTES as u64 + length);
            let file = segment.create(&self.durable, size)?;
            self.enter(segment, file, size);
        }
        self.file
            .write_at(self.position, &self.buffer)
            .and_then(|()| self.file.sync())
            .map_err(io(|| format!("writing sequence {} to {}", self.staged.seq, self.segment.path.display())))?;
        self.position += length;
        self.durable = self.staged;
        self.buffer.clear();
        Ok(())
    }

    /// Goes on in a new segment: the one before is full.
    fn enter(&mut self, segment: Segment, file: File, size: u64) {
        (self.segment, self.size, self.file, self.position) = (segment, size, file, HEADER_BYTES as u64);
        if let Some(bell) = &self.bell {
            // A bell that is still ringing covers this segment too.
            bell.try_send(()).ok();
        }
    }
}

fn open(segment: &Segment) -> Result<File, StoreError> {
    File::open(&segment.path, How::Write).map_err(io(|| format!("opening {}", segment.path.display())))
}

/// Durably fills with zeros what one unfinished group can have left behind `begin`.
fn clear(file: &mut File, begin: u64, size: u64) -> std::io::Result<()> {
    file.write_zeros(begin, size.min(begin.saturating_add(MAX_TAIL_BYTES)))?;
    file.sync()
}
