//! A small shop of values for the store's tests: hits, marks, decisions, a folder that outlives a store.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use markwarden::{
    model::{
        AccountName, Capture, CaptureId, Clock, Decision, Finding, FindingKind, Handling, HitId, Listing, ListingId,
        ManualClock, Mark, MarkId, NewHit, Reason, Severity, Step, Timestamp, Verdict,
    },
    store::{
        Ailment, Batch, ClaimSpec, Counts, Filter, Gravity, Order, Outcome, Settings, SledStore, Store, StoreError,
        Write, doctor,
    },
};

/// Runs one question to its end.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Noon of a day in 2026.
pub fn noon() -> Timestamp {
    "2026-03-15T12:00:00Z".parse().unwrap()
}

/// A clock at noon.
pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(noon()))
}

/// Small segments, small values inline, so that short tests cross every border. Segments stay raw: these tests reach into
/// them at known places.
pub fn small() -> Settings {
    Settings { seal: false, segment_bytes: 8192, inline_bytes: 512, cache_bytes: 1 << 20, ..Settings::default() }
}

/// The store in `dir`.
pub fn open(dir: &Path, clock: &Arc<ManualClock>) -> SledStore {
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    SledStore::open(dir, &small(), clock).unwrap()
}

pub fn account(name: &str) -> AccountName {
    AccountName::new(name).unwrap()
}

/// A listing's title that says which it is.
pub fn listing(n: u32) -> Listing {
    Listing {
        id: format!("item-{n}"),
        platform: Some(["星集", "云铺"][n as usize % 2].to_owned()),
        title: format!("云雀 跑鞋 第{n}款"),
        description: (n % 5 == 4).then(|| "很长的说明".repeat(200)),
        ..Listing::default()
    }
}

pub fn listing_write(n: u32) -> Write {
    Write::Listing { id: ListingId::new(&format!("星集:{n}")).unwrap(), listing: listing(n), capture: None }
}

pub fn new_hit(n: u32) -> NewHit {
    let finding = Finding {
        kind: FindingKind::Mark,
        reference: "m1".into(),
        family: "云雀体育".into(),
        surface: "title".into(),
        start: 0,
        end: 2,
        text: "云雀".into(),
        version: None,
        campaign: None,
        continues: Vec::new(),
        moment: None,
        word: "云雀".into(),
        channels: Vec::new(),
        score: 0.1 + f64::from(n) * 0.2,
        severity: Severity::High,
        citation: String::new(),
        explanation: vec![Step {
            code: "fold.case".into(),
            before: String::new(),
            after: String::new(),
            factor: 1.0 / 3.0,
            score: None,
            zh: "大小写".into(),
            en: "case".into(),
        }],
        suppressed: None,
        handling: Handling::default(),
    };
    NewHit {
        dedupe: format!("{n:032x}"),
        listing: listing(n),
        family: ["云雀体育", "青禾食品", "价格用语"][n as usize % 3].to_owned(),
        findings: vec![finding],
        priority: u8::try_from(n * 37 % 256).unwrap(),
        severity: [Severity::Low, Severity::Medium, Severity::High, Severity::Critical][n as usize % 4],
        capture: None,
        evidence: None,
        matched_with: "g1".into(),
        found_at: noon(),
    }
}

pub fn mark(n: u32, text: &str) -> Mark {
    serde_json::from_value(serde_json::json!({"id": format!("m{n}"), "holder": "云雀体育", "text": text})).unwrap()
}

pub fn mark_id(n: u32) -> MarkId {
    MarkId::new(&format!("m{n}")).unwrap()
}

pub fn capture(n: u32) -> Capture {
    Capture {
        id: CaptureId::new(&format!("urn:uuid:{n}")).unwrap(),
        url: format!("http://shop.example/{n}"),
        fetched_at: noon(),
        status: 200,
        file: "a.warc.gz".into(),
        offset: u64::from(n),
        length: 1,
        record_sha256: "0".repeat(64),
        payload_sha256: "0".repeat(64),
    }
}

pub fn batch(writes: Vec<Write>) -> Batch {
    Batch { actor: "monitor".into(), writes }
}

pub fn claim(worker: &str, max: usize) -> ClaimSpec {
    ClaimSpec {
        worker: account(worker),
        filter: Filter::default(),
        order: Order::Priority,
        max,
        ttl: Duration::from_secs(600),
    }
}

pub fn decision(verdict: Verdict, by: &str, at: Timestamp) -> Decision {
    let reason = Reason::for_verdict(verdict)[0];
    Decision {
        verdict,
        reason,
        by: account(by),
        at,
        note: String::new(),
        looked_ms: 900,
        second: false,
        act: None,
        precedent: None,
    }
}

pub fn hit_id(n: u64) -> HitId {
    HitId(n)
}

/// A store with a bit of everything, over several segments.
pub fn furnished(dir: &Path) -> Counts {
    let clock = clock();
    let store = open(dir, &clock);
    for n in 0..12 {
        let writes = vec![listing_write(n), Write::Hit(new_hit(n)), Write::Mark(mark(n, "云雀"))];
        wait(store.apply(batch(writes))).unwrap();
    }
    let leases = wait(store.claim(&claim("lin", 5))).unwrap();
    for lease in leases.iter().skip(1) {
        let decision = decision(Verdict::Confirm, "lin", noon());
        assert_eq!(wait(store.complete(&lease.lease, decision)).unwrap(), Outcome::Done);
    }
    wait(store.reopen(leases[1].hit.id, decision(Verdict::Reopen, "lin", noon()))).unwrap();
    wait(store.counts()).unwrap()
}

pub fn reopened(dir: &Path) -> Result<SledStore, StoreError> {
    SledStore::open(dir, &small(), clock())
}

pub fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Every file below `dir` with its bytes.
pub fn picture(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.path(), fs::read(entry.path()).unwrap()));
            }
        }
    }
    files.sort();
    files
}

pub fn examine(dir: &Path) -> Vec<Ailment> {
    doctor(dir, &small(), &mut |_, _| ()).unwrap()
}

pub fn wrong(ailments: &[Ailment]) -> Vec<&str> {
    ailments.iter().filter(|ailment| ailment.gravity > Gravity::Note).map(|ailment| ailment.what.as_str()).collect()
}

pub fn markwarden(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_markwarden")).args(arguments).output().unwrap()
}
