//! A vault over a place that fails on purpose.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory,
};

use super::*;
use crate::{
    model::{ManualClock, SystemClock},
    store::{Settings, SledStore},
};

/// Runs one question to its end.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// How a write goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It is done, and the answer does not come.
    AnswerLost,
    /// It is not done.
    Refused,
    /// It is not done under a condition.
    Unconditional,
}

/// Objects in memory, written with a fault.
#[derive(Debug)]
struct Faulty {
    inner: InMemory,
    fault: Fault,
    /// Which write goes wrong, from 0; every one at [`usize::MAX`].
    which: usize,
    writes: AtomicUsize,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

fn no_answer() -> Error {
    Error::Generic { store: "faulty", source: "no answer".into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &ObjectPath, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let write = self.writes.fetch_add(1, Ordering::SeqCst);
        if self.which != usize::MAX && self.which != write {
            return self.inner.put_opts(at, payload, options).await;
        }
        match self.fault {
            Fault::AnswerLost => self.inner.put_opts(at, payload, options).await.and(Err(no_answer())),
            Fault::Refused => Err(Error::PermissionDenied { path: at.to_string(), source: "no".into() }),
            Fault::Unconditional if options.mode == PutMode::Create => Err(Error::Generic {
                store: "faulty",
                source: "status code: 501 Not Implemented: <Error><Code>NotImplemented</Code></Error>".into(),
            }),
            Fault::Unconditional => self.inner.put_opts(at, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &ObjectPath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<ObjectPath>>) -> BoxStream<'static, Result<ObjectPath>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A store with one segment and two WARC files: three objects and a manifest.
fn small_store() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 8192, ..Settings::default() };
    drop(SledStore::open(dir.path(), &settings, Arc::new(SystemClock)).unwrap());
    fs::create_dir(dir.path().join("evidence")).unwrap();
    for name in ["a.warc.gz", "b.warc.gz"] {
        fs::write(dir.path().join("evidence").join(name), name).unwrap();
    }
    dir
}

fn faulty(fault: Fault, which: usize) -> Vault {
    let objects = Faulty { inner: InMemory::new(), fault, which, writes: AtomicUsize::new(0) };
    Vault::over(Arc::new(objects), ObjectPath::default(), "s3://faulty".into()).unwrap()
}

fn clock() -> ManualClock {
    ManualClock::new("2026-03-15T12:00:00Z".parse().unwrap())
}

fn whole(vault: &Vault) -> bool {
    vault.verify(None, &mut |_, _| ()).unwrap().2.is_empty()
}

#[test]
fn an_answer_that_is_lost_or_a_place_that_knows_no_conditions_is_no_hindrance() {
    let dir = small_store();
    let lost = (0..4).map(|write| (Fault::AnswerLost, write));
    for (fault, which) in lost.chain([(Fault::AnswerLost, usize::MAX), (Fault::Unconditional, usize::MAX)]) {
        let vault = faulty(fault, which);
        let report = vault.backup(dir.path(), &clock(), &mut |_, _| ()).unwrap();
        assert_eq!(report.backup.files, 3);
        assert_eq!(vault.backups().unwrap().len(), 1, "{fault:?} {which}");
        assert!(whole(&vault), "{fault:?} {which}");
    }
}

#[test]
fn a_backup_that_fails_at_any_write_is_not_listed_and_the_next_goes_on() {
    let dir = small_store();
    for which in 0..4 {
        let vault = faulty(Fault::Refused, which);
        let error = vault.backup(dir.path(), &clock(), &mut |_, _| ()).unwrap_err();
        assert!(matches!(error, StoreError::Vault { .. }), "{error}");
        assert!(vault.backups().unwrap().is_empty(), "write {which}");
        vault.backup(dir.path(), &clock(), &mut |_, _| ()).unwrap();
        assert!(whole(&vault), "write {which}");
    }
}

#[test]
fn two_backups_of_the_same_moment_do_not_replace_each_other() {
    let dir = small_store();
    let vault = faulty(Fault::Unconditional, 0);
    let first = vault.backup(dir.path(), &clock(), &mut |_, _| ()).unwrap();
    fs::write(dir.path().join("evidence/c.warc.gz"), "c").unwrap();
    let error = vault.backup(dir.path(), &clock(), &mut |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("another backup has this name"), "{error}");
    assert_eq!(vault.verify(None, &mut |_, _| ()).unwrap().1, first.backup);
}

#[test]
fn a_listing_over_its_bound_is_refused() {
    let dir = small_store();
    let mut vault = faulty(Fault::Unconditional, 0);
    vault.backup(dir.path(), &clock(), &mut |_, _| ()).unwrap();
    vault.bounds = Bounds { backups: 1, objects: 3 };
    let clock = clock();
    clock.advance(jiff::SignedDuration::from_secs(1));
    vault.backup(dir.path(), &clock, &mut |_, _| ()).unwrap();
    assert!(vault.backups().unwrap_err().to_string().contains("more than 1"));
    vault.bounds = Bounds { backups: 2, objects: 2 };
    clock.advance(jiff::SignedDuration::from_secs(1));
    let error = vault.backup(dir.path(), &clock, &mut |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("more than 2") && error.contains("objects"), "{error}");
}

#[test]
fn names_that_are_none_of_a_backup_are_passed_over() {
    let vault = faulty(Fault::Unconditional, 0);
    for name in ["notes.txt", "20260315T120000.000Z-1", "20260315.json", "20260315T120000.000Z-1.json.tmp"] {
        wait(vault.objects.put(&ObjectPath::from(BACKUPS).join(name), PutPayload::default())).unwrap();
    }
    assert!(vault.backups().unwrap().is_empty());
}
