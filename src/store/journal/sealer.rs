//! Sealing: full segments are compressed behind the writer's back, off the path of acknowledgements.
//!
//! [`Sealer`] owns one thread that is told when a segment is full. The newest segment is never touched. For each older
//! one the sealed file is written beside it, read back and compared, and only when it is durable under its name the raw
//! file goes. A kill between any two steps leaves the raw file, the sealed one, or both; the next pass goes on
//! from there. A failure is logged and loses nothing: the raw segment stays.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

use super::{
    record::{Found, Head, find},
    seal::seal,
    segment::{HEADER_BYTES, Loaded, Segment, segments},
};
use crate::store::{
    disk::{self, File, How},
    folder::{SEALED_FORMAT, io, journal_dir, raise_format, sync_dir},
    port::StoreError,
};

/// Seals the full segments of one data folder until it is dropped.
#[derive(Debug)]
pub(in crate::store) struct Sealer {
    work: Arc<Work>,
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Work {
    root: PathBuf,
    stop: AtomicBool,
    /// One pass at a time.
    pass: Mutex<()>,
}

impl Sealer {
    /// Starts sealing what is full in the data folder `root`, which this process holds.
    pub fn start(root: &Path) -> Result<Self, StoreError> {
        let work = Arc::new(Work { root: root.to_owned(), stop: AtomicBool::new(false), pass: Mutex::new(()) });
        let (bell, rung) = sync_channel(1);
        let own = Arc::clone(&work);
        let thread = Builder::new()
            .name("store-sealer".into())
            .spawn(move || own.serve(&rung))
            .map_err(io(|| "starting the store's sealer".to_owned()))?;
        Ok(Self { work, bell: Some(bell), thread: Some(thread) })
    }

    /// Seals what is full below `root`, on this thread.
    #[cfg(test)]
    pub fn pass_once(root: &Path) -> Result<u64, StoreError> {
        Work { root: root.to_owned(), stop: AtomicBool::new(false), pass: Mutex::new(()) }.pass()
    }

    /// What the writer rings when a segment is full.
    pub fn bell(&self) -> Option<SyncSender<()>> {
        self.bell.clone()
    }

    /// Seals everything that is full by now; returns how many segments that were.
    pub fn seal_now(&self) -> Result<u64, StoreError> {
        self.work.pass()
    }
}

impl Drop for Sealer {
    /// Ends after the segment at hand; what is left is sealed after the next start.
    fn drop(&mut self) {
        self.work.stop.store(true, Ordering::Relaxed);
        self.bell = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's sealer ended by a panic");
        }
    }
}

impl Work {
    fn serve(&self, rung: &Receiver<()>) {
        loop {
            if let Err(error) = self.pass() {
                tracing::warn!(%error, "a full segment of the journal stays as it is");
            }
            if rung.recv().is_err() {
                return;
            }
        }
    }

    fn pass(&self) -> Result<u64, StoreError> {
        let _one = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        let all = segments(&journal_dir(&self.root))?;
        let mut sealed = 0;
        for (segment, following) in all.iter().zip(all.iter().skip(1)).filter(|(segment, _)| !segment.sealed) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            // Before the first sealed file, so that a program that cannot read it says so.
            raise_format(&self.root, SEALED_FORMAT)?;
            seal_segment(segment, following)?;
            sealed += 1;
        }
        Ok(sealed)
    }
}

/// Seals one segment. Whatever an earlier try left behind is made anew.
fn seal_segment(segment: &Segment, following: &Segment) -> Result<(), StoreError> {
    let sealed = prepare(segment, following)?;
    write_aside(segment, &sealed)?;
    prove(segment)?;
    publish(segment)?;
    retire(segment)
}

/// The sealed form of a raw segment, each record checked up to the one that `following` continues.
fn prepare(segment: &Segment, following: &Segment) -> Result<Vec<u8>, StoreError> {
    let (before, last) = (segment.start()?, following.start()?);
    let Loaded { mut bytes, .. } = segment.load(&before)?;
    let end = end_of_records(&bytes, before, last);
    let end = end.ok_or_else(|| {
        let (first, last) = (before.seq + 1, last.seq);
        segment.damaged(format!("sequences {first} to {last} do not fit together; it is not sealed"))
    })?;
    bytes.truncate(end);
    seal(segment.number, before, last, &bytes).map_err(io(|| format!("compressing {}", segment.path.display())))
}

/// Where the record `last` ends, if every record from `before` to it is whole and only zeros follow.
fn end_of_records(bytes: &[u8], before: Head, last: Head) -> Option<usize> {
    let (mut head, mut at) = (before, HEADER_BYTES);
    while let Found::Record { head: next, end, .. } = find(bytes, at, &head) {
        (head, at) = (next, end);
    }
    let clean = bytes.get(at..)?.iter().all(|&byte| byte == 0);
    (clean && head == last).then_some(at)
}

/// Writes the sealed form beside its place, durably.
fn write_aside(segment: &Segment, sealed: &[u8]) -> Result<(), StoreError> {
    let path = aside(segment).path;
    let written =
        File::open(&path, How::Create).and_then(|mut file| file.write_at(0, sealed).and_then(|()| file.sync()));
    written.map_err(|source| {
        // Half a file is of no use and may be what fills the disk; the error that matters is the first.
        drop(disk::remove(&path));
        StoreError::Io { doing: format!("writing {}", path.display()), source }
    })
}

/// Reads the sealed form back and holds it against the raw segment.
fn prove(segment: &Segment) -> Result<(), StoreError> {
    let before = segment.start()?;
    let (raw, sealed) = (segment.load(&before)?, aside(segment));
    let read = sealed.load(&before)?;
    let equal = raw.bytes.strip_prefix(read.bytes.as_slice()).is_some_and(|rest| rest.iter().all(|&byte| byte == 0));
    if equal { Ok(()) } else { Err(sealed.damaged("it does not read back as it was written")) }
}

/// Gives the sealed form its name, durably.
fn publish(segment: &Segment) -> Result<(), StoreError> {
    let sealed = segment.sealed();
    disk::rename(&aside(segment).path, &sealed.path).map_err(io(|| format!("naming {}", sealed.path.display())))?;
    sealed.path.parent().map_or(Ok(()), sync_dir)
}

/// Removes the raw segment, whose sealed form is durable and proved.
fn retire(segment: &Segment) -> Result<(), StoreError> {
    match disk::remove(&segment.path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::Io { doing: format!("removing {}", segment.path.display()), source: error })
        }
        _ => segment.path.parent().map_or(Ok(()), sync_dir),
    }
}

/// Where the sealed form is written before it has its name.
fn aside(segment: &Segment) -> Segment {
    let path = segment.path.with_extension("zst.new");
    Segment { path, ..segment.sealed() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::{
        folder::Folder,
        journal::{Journal, hash_at, read, verify},
    };

    const SEGMENT_BYTES: u64 = 16 * 1024;
    const RECORDS: u64 = 90;

    fn resumed(root: &Path) -> Journal {
        let dir = journal_dir(root);
        let verified = verify(&dir, &mut |_, _| Ok(())).unwrap();
        Journal::resume(&dir, SEGMENT_BYTES, verified).unwrap()
    }

    /// A journal of several segments, and what reading it whole gives.
    fn furnished(root: &Path) -> Vec<(Head, Vec<u8>)> {
        drop(Folder::open(root).unwrap());
        let mut journal = resumed(root);
        for n in 0..RECORDS {
            journal.stage(format!("记录 {n} ").repeat(60).as_bytes()).unwrap();
            journal.commit().unwrap();
        }
        contents(root)
    }

    fn contents(root: &Path) -> Vec<(Head, Vec<u8>)> {
        let mut found = Vec::new();
        let mut keep = |head: &Head, payload: &[u8]| {
            found.push((*head, payload.to_vec()));
            Ok(())
        };
        verify(&journal_dir(root), &mut keep).unwrap();
        found
    }

    fn work(root: &Path) -> Work {
        Work { root: root.to_owned(), stop: AtomicBool::new(false), pass: Mutex::new(()) }
    }

    fn files(root: &Path) -> Vec<String> {
        let listed = fs::read_dir(journal_dir(root)).unwrap();
        let mut names: Vec<_> = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn sealed_and_raw_segments_read_alike_and_writing_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let before = furnished(dir.path());
        let all = segments(&journal_dir(dir.path())).unwrap().len() as u64;
        assert!(all > 3);
        assert_eq!(work(dir.path()).pass().unwrap(), all - 1);
        assert_eq!(work(dir.path()).pass().unwrap(), 0);
        assert_eq!(files(dir.path()).iter().filter(|name| name.ends_with(".zst")).count() as u64, all - 1);
        assert!(contents(dir.path()) == before);
        let journal = journal_dir(dir.path());
        for (from, to) in [(1, 1), (1, RECORDS), (17, 60), (RECORDS, RECORDS + 9)] {
            let mut seqs = Vec::new();
            let mut keep = |head: &Head, _: &[u8]| {
                seqs.push(head.seq);
                Ok(())
            };
            read(&journal, from..=to, &mut keep).unwrap();
            assert_eq!(seqs, (from..=to.min(RECORDS)).collect::<Vec<_>>());
        }
        assert_eq!(hash_at(&journal, 20).unwrap(), Some(before[19].0.hash));
        let mut journal = resumed(dir.path());
        journal.stage(b"one more").unwrap();
        journal.commit().unwrap();
        assert_eq!(contents(dir.path()).len() as u64, RECORDS + 1);
    }

    /// A kill between two steps, or in the middle of one, leaves one of these folders.
    #[test]
    fn sealing_goes_on_from_wherever_it_was_killed() {
        type Step = fn(&Segment, &Segment);
        let nothing: Step = |_, _| ();
        let half: Step = |segment, following| {
            let sealed = prepare(segment, following).unwrap();
            write_aside(segment, &sealed[..sealed.len() / 2]).unwrap();
        };
        let written: Step = |segment, following| write_aside(segment, &prepare(segment, following).unwrap()).unwrap();
        let published: Step = |segment, following| {
            write_aside(segment, &prepare(segment, following).unwrap()).unwrap();
            prove(segment).unwrap();
            publish(segment).unwrap();
        };
        let retired: Step = |segment, following| seal_segment(segment, following).unwrap();
        // What a disk without the sync might hold: the name, and not the bytes, beside the raw segment.
        let hollow: Step = |segment, _| fs::write(&segment.sealed().path, b"").unwrap();
        for (name, step) in [nothing, half, written, published, retired, hollow].into_iter().enumerate() {
            let dir = tempfile::tempdir().unwrap();
            let before = furnished(dir.path());
            let all = segments(&journal_dir(dir.path())).unwrap();
            step(&all[1], &all[2]);
            assert!(contents(dir.path()) == before, "step {name}");
            let mut journal = resumed(dir.path());
            journal.stage(b"one more").unwrap();
            journal.commit().unwrap();
            work(dir.path()).pass().unwrap();
            let found = contents(dir.path());
            assert!(found[..before.len()] == before && found.len() == before.len() + 1, "step {name}");
            let left = files(dir.path());
            let raw = left.iter().filter(|file| !file.ends_with(".zst")).count();
            assert!(raw == 1 && left.len() == all.len(), "step {name}: {left:?}");
        }
    }

    #[test]
    fn a_segment_that_does_not_fit_together_is_never_sealed() {
        let dir = tempfile::tempdir().unwrap();
        furnished(dir.path());
        let all = segments(&journal_dir(dir.path())).unwrap();
        let mut bytes = fs::read(&all[1].path).unwrap();
        bytes[3000] ^= 1;
        fs::write(&all[1].path, &bytes).unwrap();
        let said = work(dir.path()).pass().unwrap_err().to_string();
        assert!(said.contains("00000002.seg: sequences"), "{said}");
        assert!(fs::read(&all[1].path).unwrap() == bytes && !all[1].sealed().path.exists());
    }

    #[test]
    fn a_journal_that_ends_with_a_sealed_segment_lacks_its_newest() {
        let dir = tempfile::tempdir().unwrap();
        furnished(dir.path());
        work(dir.path()).pass().unwrap();
        let newest = segments(&journal_dir(dir.path())).unwrap().pop().unwrap();
        fs::remove_file(&newest.path).unwrap();
        let said = verify(&journal_dir(dir.path()), &mut |_, _| Ok(())).unwrap_err().to_string();
        assert!(said.contains(newest.path.to_str().unwrap()) && said.contains("missing"), "{said}");
    }

    #[test]
    fn when_the_disk_says_no_the_raw_segment_stays() {
        let dir = tempfile::tempdir().unwrap();
        let before = furnished(dir.path());
        let all = segments(&journal_dir(dir.path())).unwrap();
        // A folder stands where the sealed form would be written.
        fs::create_dir(aside(&all[0]).path).unwrap();
        assert!(matches!(work(dir.path()).pass(), Err(StoreError::Io { .. })));
        assert!(contents(dir.path()) == before && all[0].path.exists());
        fs::remove_dir(aside(&all[0]).path).unwrap();
        assert_eq!(work(dir.path()).pass().unwrap(), all.len() as u64 - 1);
    }

    #[test]
    fn readers_do_not_notice_sealing() {
        let dir = tempfile::tempdir().unwrap();
        let before = furnished(dir.path());
        let journal = journal_dir(dir.path());
        std::thread::scope(|scope| {
            let sealing = scope.spawn(|| work(dir.path()).pass().unwrap());
            for _ in 0..200 {
                let mut count = 0;
                let mut step = |_: &Head, _: &[u8]| {
                    count += 1;
                    Ok(())
                };
                read(&journal, 1..=RECORDS, &mut step).unwrap();
                assert_eq!(count, RECORDS);
                if sealing.is_finished() {
                    break;
                }
            }
        });
        assert!(contents(dir.path()) == before);
    }
}
