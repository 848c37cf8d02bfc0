//! Appends records to WARC files: one thread writes, and one sync to the disk serves all that wait.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::{
    EvidenceError,
    record::{self, Http, hex},
    verify::verify_warc,
};
use crate::{
    files,
    model::{Capture, CaptureId, Clock, Timestamp},
};

/// Files of one second and serial that may stand in the way of a new one.
const MAX_NAME_TRIES: u32 = 1000;

/// How WARC files are written.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where they go.
    pub folder: PathBuf,
    /// Size at which a file is full; the record that crosses it is its last.
    pub max_bytes: u64,
    /// Who writes them, as `warcinfo` says.
    pub software: String,
    /// What the files' names begin with; writers of one folder have names of which none begins with another's.
    pub name: &'static str,
}

/// What the names of a crawl's files begin with.
pub const CRAWLED: &str = "markwarden-";
/// What the names of live rooms' files begin with.
pub const LIVE: &str = "live-";

/// Appends to WARC files; nobody else writes files of its name in its folder while it lives.
#[derive(Debug)]
pub struct WarcWriter {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// A record that is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where the response's record lies.
    pub capture: Capture,
    /// Its gzip member.
    pub record: Vec<u8>,
}

/// What is known of a record beside its bytes.
struct About<'a> {
    id: &'a str,
    url: &'a str,
    status: u16,
    at: Timestamp,
}

impl About<'_> {
    fn capture(self, record: &[u8], place: Place, payload_sha256: String) -> Result<Capture, EvidenceError> {
        Ok(Capture {
            id: CaptureId::new(self.id).map_err(|error| record::no_record(error.to_string()))?,
            url: self.url.to_owned(),
            fetched_at: self.at,
            status: self.status,
            file: place.file.to_string(),
            offset: place.offset,
            length: record.len() as u64,
            record_sha256: hex(&Sha256::digest(record)),
            payload_sha256,
        })
    }
}

struct Job {
    bytes: Arc<Vec<u8>>,
    done: oneshot::Sender<Result<Place, EvidenceError>>,
}

/// Where appended bytes begin.
#[derive(Debug, Clone)]
struct Place {
    file: Arc<str>,
    offset: u64,
}

impl WarcWriter {
    /// Opens the folder: takes its lock, and cuts off what an interrupted write left at the end of the newest file.
    ///
    /// # Errors
    /// When the folder cannot be made or locked.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, EvidenceError> {
        let folder = options.folder.clone();
        std::fs::create_dir_all(&folder).map_err(EvidenceError::io("making the folder", &folder))?;
        let lock = lock(&folder, options.name)?;
        mend_newest(&folder, options.name)?;
        let (jobs, inbox) = mpsc::channel();
        let files = Files { options, clock, open: None, serial: 0, _lock: lock };
        let thread = std::thread::Builder::new()
            .name("warc".into())
            .spawn(move || files.run(&inbox))
            .map_err(EvidenceError::io("starting the writer of", &folder))?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: Some(thread) })
    }

    /// Appends the response and request records of `http`; when this returns, they are on the disk.
    ///
    /// # Errors
    /// When they could not be written; nothing of them counts then.
    pub async fn write(&self, http: &Http<'_>, status: u16, fetched_at: Timestamp) -> Result<Written, EvidenceError> {
        let response = record::response(http)?;
        let request = record::request(http, &response.id)?;
        let length = response.member.len();
        let mut bytes = response.member;
        bytes.extend_from_slice(&request.member);
        let bytes = Arc::new(bytes);
        let place = self.append(Arc::clone(&bytes)).await?;
        // The writer has let go of the bytes; a copy is made only if it has not yet.
        let mut record = Arc::unwrap_or_clone(bytes);
        record.truncate(length);
        let about = About { id: &response.id, url: http.url, status, at: fetched_at };
        Ok(Written { capture: about.capture(&record, place, response.payload_sha256)?, record })
    }

    /// Appends a `resource` record: something that came otherwise than as an answer over HTTP, such as a stream's messages.
    ///
    /// # Errors
    /// When it could not be written; nothing of it counts then.
    pub async fn write_resource(
        &self,
        url: &str,
        content_type: &str,
        body: &[u8],
        at: Timestamp,
    ) -> Result<Written, EvidenceError> {
        self.write_made(record::resource(url, content_type, body, at)?, url, at).await
    }

    /// Appends a `conversion` record: what a program made of the answer that `of` cites, such as a page that a browser rendered.
    ///
    /// # Errors
    /// When it could not be written; nothing of it counts then.
    pub async fn write_conversion(
        &self,
        of: &Capture,
        content_type: &str,
        body: &[u8],
        at: Timestamp,
    ) -> Result<Written, EvidenceError> {
        self.write_made(record::conversion((&of.url, of.id.as_str()), content_type, body, at)?, &of.url, at).await
    }

    async fn write_made(&self, made: record::Made, url: &str, at: Timestamp) -> Result<Written, EvidenceError> {
        let bytes = Arc::new(made.member);
        let place = self.append(Arc::clone(&bytes)).await?;
        let record = Arc::unwrap_or_clone(bytes);
        let about = About { id: &made.id, url, status: 200, at };
        Ok(Written { capture: about.capture(&record, place, made.payload_sha256)?, record })
    }

    async fn append(&self, bytes: Arc<Vec<u8>>) -> Result<Place, EvidenceError> {
        let (done, result) = oneshot::channel();
        {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = jobs.as_ref().map(|jobs| jobs.send(Job { bytes, done }));
            if !matches!(sent, Some(Ok(()))) {
                return Err(EvidenceError::Stopped);
            }
        }
        result.await.map_err(|_| EvidenceError::Stopped)?
    }
}

impl Drop for WarcWriter {
    fn drop(&mut self) {
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook already.
            drop(thread.join());
        }
    }
}

/// The files, owned by the writing thread.
struct Files {
    options: Options,
    clock: Arc<dyn Clock>,
    open: Option<OpenFile>,
    serial: u32,
    _lock: File,
}

struct OpenFile {
    file: File,
    path: PathBuf,
    name: Arc<str>,
    length: u64,
    /// A half-written record could not be cut off: nothing may follow it.
    broken: bool,
}

impl Files {
    fn run(mut self, inbox: &mpsc::Receiver<Job>) {
        while let Ok(first) = inbox.recv() {
            let batch: Vec<Job> = std::iter::once(first).chain(inbox.try_iter()).collect();
            self.write_batch(batch);
        }
    }

    /// Writes all jobs, syncs once, then answers all.
    fn write_batch(&mut self, batch: Vec<Job>) {
        let mut waiting = Vec::with_capacity(batch.len());
        for Job { bytes, done } in batch {
            match self.write_one(&bytes) {
                Ok((place, full)) => {
                    waiting.push((done, place));
                    if full {
                        self.settle(std::mem::take(&mut waiting));
                        self.open = None;
                    }
                }
                Err(error) => {
                    self.settle(std::mem::take(&mut waiting));
                    self.open = self.open.take().filter(|open| !open.broken);
                    // Nobody listens any more when the crawl was stopped.
                    drop(done.send(Err(error)));
                }
            }
        }
        self.settle(waiting);
    }

    fn write_one(&mut self, bytes: &[u8]) -> Result<(Place, bool), EvidenceError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.create()?,
        };
        let appended = open.append(bytes);
        let place = Place { file: Arc::clone(&open.name), offset: open.length.saturating_sub(bytes.len() as u64) };
        let full = open.length >= self.options.max_bytes;
        self.open = Some(open);
        appended.map(|()| (place, full))
    }

    /// Syncs the open file and tells those who wait.
    fn settle(&mut self, waiting: Vec<(oneshot::Sender<Result<Place, EvidenceError>>, Place)>) {
        let Some(open) = &self.open else { return };
        if waiting.is_empty() {
            return;
        }
        let failed = open.file.sync_data().err();
        let path = open.path.clone();
        for (done, place) in waiting {
            let result = match &failed {
                None => Ok(place),
                Some(error) => {
                    Err(EvidenceError::io("syncing", &path)(io::Error::new(error.kind(), error.to_string())))
                }
            };
            drop(done.send(result));
        }
        if failed.is_some() {
            // After a failed sync the system may have dropped the pages: this file is not continued.
            self.open = None;
        }
    }

    fn create(&mut self) -> Result<OpenFile, EvidenceError> {
        let now = self.clock.now();
        for _ in 0..MAX_NAME_TRIES {
            self.serial += 1;
            let name = format!("{}{}-{:05}.warc.gz", self.options.name, now.strftime("%Y%m%d%H%M%S"), self.serial);
            let path = self.options.folder.join(&name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let info = record::warcinfo(&name, &self.options.software, now)?;
                    let mut open = OpenFile { file, path, name: name.into(), length: 0, broken: false };
                    open.append(&info.member)?;
                    sync_folder(&self.options.folder)?;
                    return Ok(open);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(EvidenceError::io("creating", &path)(error)),
            }
        }
        let source = io::Error::from(io::ErrorKind::AlreadyExists);
        Err(EvidenceError::io("creating a new WARC file in", &self.options.folder)(source))
    }
}

impl OpenFile {
    /// Appends all of `bytes`, or leaves the file as it was.
    fn append(&mut self, bytes: &[u8]) -> Result<(), EvidenceError> {
        if let Err(error) = self.file.write_all(bytes) {
            let back = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
            if let Err(worse) = back {
                self.broken = true;
                tracing::error!(path = %self.path.display(), error = %worse, "cannot cut off a half-written record");
            }
            return Err(EvidenceError::io("writing", &self.path)(error));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}

fn lock(folder: &Path, name: &str) -> Result<File, EvidenceError> {
    let path = folder.join(if name == CRAWLED { "lock".to_owned() } else { format!("{name}lock") });
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(EvidenceError::io("opening", &path))?;
    if files::lock(&file).map_err(EvidenceError::io("locking", &path))? {
        return Ok(file);
    }
    Err(EvidenceError::InUse { path: folder.display().to_string() })
}

fn sync_folder(folder: &Path) -> Result<(), EvidenceError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(EvidenceError::io("syncing", folder))
}

/// Cuts an unfinished record off the newest file; nobody was told that it was written.
fn mend_newest(folder: &Path, name: &str) -> Result<(), EvidenceError> {
    let entries = std::fs::read_dir(folder).map_err(EvidenceError::io("reading", folder))?;
    let names = entries.filter_map(|entry| entry.ok()).filter(|entry| {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        file.starts_with(name) && file.ends_with(".warc.gz")
    });
    let Some(path) = names.map(|entry| entry.path()).max() else { return Ok(()) };
    let report = verify_warc(&path)?;
    if report.torn {
        tracing::warn!(path = %path.display(), kept = report.bytes, "cutting off a record that was not finished");
        let file = OpenOptions::new().write(true).open(&path).map_err(EvidenceError::io("opening", &path))?;
        file.set_len(report.bytes).and_then(|()| file.sync_all()).map_err(EvidenceError::io("cutting", &path))?;
        if report.bytes == 0 {
            std::fs::remove_file(&path).map_err(EvidenceError::io("removing", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SystemClock;

    fn writer(folder: &Path, max_bytes: u64) -> Result<WarcWriter, EvidenceError> {
        let options =
            Options { folder: folder.to_owned(), max_bytes, software: "markwarden test".into(), name: CRAWLED };
        WarcWriter::open(options, Arc::new(SystemClock))
    }

    async fn write(writer: &WarcWriter, body: &[u8]) -> Written {
        let http = Http {
            url: "http://shop.example/p/1",
            request_head: b"GET /p/1 HTTP/1.1\r\nhost: shop.example\r\n\r\n",
            response_head: b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n",
            body,
            remote: Some([1, 1, 1, 1].into()),
            protocol: None,
            at: "2026-11-23T08:00:00Z".parse().unwrap(),
        };
        writer.write(&http, 200, http.at).await.unwrap()
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = paths.filter(|path| path.to_string_lossy().ends_with(".gz")).collect();
        files.sort();
        files
    }

    #[tokio::test]
    async fn a_capture_says_where_its_record_lies() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path(), 1 << 20).unwrap();
        write(&writer, b"one").await;
        let written = write(&writer, b"two").await;
        let file = std::fs::read(folder.path().join(&written.capture.file)).unwrap();
        let start = written.capture.offset as usize;
        let member = &file[start..start + written.capture.length as usize];
        assert_eq!(member, written.record);
        assert_eq!(hex(&Sha256::digest(member)), written.capture.record_sha256);
        assert_eq!(record::Record::read(member, 1000).unwrap().http().unwrap().1, b"two");
    }

    #[tokio::test]
    async fn a_full_file_is_followed_by_another_and_all_verify() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path(), 1).unwrap();
        futures_util::future::join_all((0..3).map(|_| write(&writer, b"x"))).await;
        drop(writer);
        let files = files(folder.path());
        assert_eq!(files.len(), 3);
        for file in files {
            let report = verify_warc(&file).unwrap();
            assert!(report.sound() && report.records == 3 && report.digests == 4, "{report:?}");
        }
    }

    #[tokio::test]
    async fn an_unfinished_record_is_cut_off_when_the_folder_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let first = writer(folder.path(), 1 << 20).unwrap();
        let kept = write(&first, b"kept").await.capture;
        let torn = write(&first, &[7; 400]).await.capture;
        drop(first);
        let path = files(folder.path()).remove(0);
        let whole = std::fs::read(&path).unwrap();
        for cut in [torn.offset + 1, torn.offset + 5, torn.offset + torn.length / 2, torn.offset + torn.length - 1] {
            std::fs::write(&path, &whole[..cut as usize]).unwrap();
            assert!(!verify_warc(&path).unwrap().sound());
            drop(writer(folder.path(), 1 << 20).unwrap());
            let report = verify_warc(&path).unwrap();
            assert!(report.sound() && report.bytes == torn.offset && kept.offset < report.bytes, "{cut}: {report:?}");
        }
    }

    #[tokio::test]
    async fn a_changed_byte_does_not_verify() {
        let folder = tempfile::tempdir().unwrap();
        let first = writer(folder.path(), 1 << 20).unwrap();
        let capture = write(&first, b"original").await.capture;
        drop(first);
        let path = files(folder.path()).remove(0);
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 30, capture.offset as usize + 40, whole.len() - 3] {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            std::fs::write(&path, &changed).unwrap();
            assert!(!verify_warc(&path).unwrap().sound(), "byte {at}");
        }
    }

    #[tokio::test]
    async fn two_writers_of_one_folder_are_refused_unless_their_files_have_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let _first = writer(folder.path(), 1).unwrap();
        assert!(matches!(writer(folder.path(), 1), Err(EvidenceError::InUse { .. })));
        let options = Options { folder: folder.path().to_owned(), max_bytes: 1, software: String::new(), name: LIVE };
        let live = WarcWriter::open(options, Arc::new(SystemClock)).unwrap();
        let at = "2026-11-23T08:00:00Z".parse().unwrap();
        let written = live.write_resource("wss://room.example/", "application/x-ndjson", b"{}\n\r\n\r\n{}\n", at).await;
        let written = written.unwrap();
        assert!(written.capture.file.starts_with(LIVE));
        super::super::verify_capture(folder.path(), &written.capture).unwrap();
        drop(live);
        assert!(verify_warc(&folder.path().join(&written.capture.file)).unwrap().sound());
    }
}
