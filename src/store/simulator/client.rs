//! Those who use the store: crawlers and reviewers with too little memory, too few names and bad manners, so that they
//! get in each other's way, repeat themselves, and come too late.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::{
    model::{
        AccountName, Capture, CaptureId, Decision, HitId, Listing, ListingId, Mark, MarkId, NewHit, Reason, Remark,
        Saying, Severity, Timestamp, Verdict,
    },
    store::{
        journal::hex,
        port::{Act, ClaimSpec, Filter, HostLease, LeaseRef, Order, Seen, Write},
        sled::{Answer, Command},
    },
};

const WORKERS: [&str; 3] = ["lin", "wang", "赵"];
const HOSTS: [&str; 3] = ["a.example", "b.example:8080", "商城.example"];
const MARKS: [&str; 3] = ["云雀", "星河", "青禾"];
const HITS: u64 = 14;
const BODIES: u64 = 6;
/// How many commands are remembered to be sent again, and leases to come back with.
const MEMORY: usize = 12;

/// How a thing of this number is called.
pub fn listing_id(n: u64) -> ListingId {
    ListingId::new(&format!("星集:{n}")).unwrap()
}

pub fn capture_id(n: u64) -> CaptureId {
    CaptureId::new(&format!("urn:uuid:{n}")).unwrap()
}

pub fn schedule_id(n: u64) -> String {
    format!("计划{n}")
}

fn account(name: &str) -> AccountName {
    AccountName::new(name).unwrap()
}

/// The bodies that hits cite, by hash.
pub fn bodies() -> BTreeMap<String, Vec<u8>> {
    let body = |n: u64| format!("证据 {n} ").repeat(1 + n as usize * 12).into_bytes();
    (0..BODIES).map(body).map(|body| (hex(&Sha256::digest(&body)), body)).collect()
}

/// The bodies a command cites or holds.
pub fn cited(command: &Command) -> Vec<String> {
    let Command::Apply { writes, .. } = command else { return Vec::new() };
    let cited = writes.iter().filter_map(|write| match write {
        Write::Hit(hit) => hit.evidence.clone(),
        Write::Hold { sha256, hold: true, .. } => Some(sha256.clone()),
        _ => None,
    });
    cited.collect()
}

/// A batch.
pub fn apply(writes: Vec<Write>) -> Command {
    Command::Apply { actor: "monitor".into(), writes }
}

/// A hit whose text has about so many bytes.
pub fn new_hit(n: u64, bytes: usize, evidence: Option<String>, at: Timestamp) -> NewHit {
    let listing = Listing { title: format!("云雀 第{n}款 {}", "x".repeat(bytes)), ..Listing::default() };
    NewHit {
        dedupe: format!("{n:032x}"),
        listing,
        family: ["云雀体育", "青禾食品"][(n % 2) as usize].to_owned(),
        findings: Vec::new(),
        priority: (n * 37 % 256) as u8,
        severity: [Severity::Low, Severity::High][(n % 2) as usize],
        capture: None,
        evidence,
        matched_with: "g1".into(),
        found_at: at,
    }
}

/// All of them together.
#[derive(Debug)]
pub struct Client {
    random: fastrand::Rng,
    bodies: Vec<String>,
    leases: Vec<LeaseRef>,
    hosts: Vec<HostLease>,
    sent: Vec<Command>,
    /// What a worker wanted to send before it fell asleep.
    late: Vec<Command>,
    decisions: u64,
}

impl Client {
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            bodies: bodies().into_keys().collect(),
            leases: Vec::new(),
            hosts: Vec::new(),
            sent: Vec::new(),
            late: Vec::new(),
            decisions: 0,
        }
    }

    /// Remembers what it was told.
    pub fn learn(&mut self, answer: &Answer) {
        match answer {
            Answer::Leases(leases) => self.leases.extend(leases.iter().map(|lease| lease.lease.clone())),
            Answer::Hosts(leases) => self.hosts.extend(leases.iter().cloned()),
            _ => {}
        }
        self.leases.drain(..self.leases.len().saturating_sub(MEMORY));
        self.hosts.drain(..self.hosts.len().saturating_sub(MEMORY));
    }

    /// What is sent next.
    pub fn next(&mut self, now: Timestamp) -> Command {
        let command = match self.random.u8(..20) {
            0 if !self.sent.is_empty() => return self.sent[self.random.usize(..self.sent.len())].clone(),
            1..3 if !self.late.is_empty() => self.late.swap_remove(self.random.usize(..self.late.len())),
            3 => {
                let late = self.fresh(now);
                self.late.push(late);
                self.fresh(now)
            }
            _ => self.fresh(now),
        };
        self.sent.push(command.clone());
        self.sent.drain(..self.sent.len().saturating_sub(MEMORY));
        command
    }

    fn fresh(&mut self, now: Timestamp) -> Command {
        match self.random.u8(..100) {
            0..34 => {
                let count = self.random.usize(1..4);
                apply((0..count).map(|_| self.write(now)).collect())
            }
            34..45 => Command::Claim(self.claim()),
            45..50 => {
                let ids = self.some_hits();
                Command::ClaimAmong { ids, worker: self.worker(), max: self.random.usize(..4), ttl: self.ttl() }
            }
            50..55 => {
                Command::ClaimOne { hit: HitId(self.random.u64(1..=HITS)), worker: self.worker(), ttl: self.ttl() }
            }
            55..61 => self.with_lease(|client, lease| Command::Renew { lease, ttl: client.ttl() }),
            61..75 => self.with_lease(|client, lease| {
                let verdict = client.verdict();
                Command::Complete { decision: client.decision(verdict, lease.worker.clone(), now), lease }
            }),
            75..78 => Command::Settle(self.act(now)),
            78..80 => {
                let verdict = if self.random.u8(..10) == 0 { Verdict::Confirm } else { Verdict::Reopen };
                let worker = self.worker();
                let decision = self.decision(verdict, worker, now);
                Command::Reopen { hit: HitId(self.random.u64(1..=HITS)), decision }
            }
            80..86 => self.with_lease(|client, lease| {
                let rest = client.random.bool().then(|| client.later(now));
                Command::Release { lease, not_before: rest }
            }),
            86..90 => Command::Expire { limit: self.random.usize(..6) },
            90..95 => {
                let count = self.random.usize(1..3);
                let hosts = (0..count).map(|_| self.random.choice(HOSTS).unwrap_or_default().to_owned()).collect();
                Command::ClaimHosts { hosts, worker: self.worker().as_str().to_owned(), ttl: self.ttl() }
            }
            _ => match self.random.choice(&self.hosts).cloned() {
                Some(lease) => Command::HostDone { lease, next_at: self.later(now) },
                None => Command::Claim(self.claim()),
            },
        }
    }

    fn write(&mut self, now: Timestamp) -> Write {
        match self.random.u8(..20) {
            0..10 => {
                let n = self.random.u64(..HITS);
                let bytes = [0, 0, 0, 0, 60, 200, 400, 400, 900, 4500][self.random.usize(..10)];
                let evidence = n.is_multiple_of(2).then(|| self.bodies[n as usize % self.bodies.len()].clone());
                Write::Hit(new_hit(n, bytes, evidence, now))
            }
            10..13 => {
                let n = self.random.u64(..4);
                let listing = Listing { title: format!("第{n}款 {}", self.random.u8(..4)), ..Listing::default() };
                Write::Listing { id: listing_id(n), listing, capture: self.random.bool().then(|| capture_id(n)) }
            }
            13 => Write::Capture(Capture {
                id: capture_id(self.random.u64(..3)),
                url: "http://shop.example/".into(),
                fetched_at: now,
                status: 200,
                file: "a.warc.gz".into(),
                offset: 0,
                length: 1,
                record_sha256: String::new(),
                payload_sha256: String::new(),
            }),
            14 | 15 => {
                let (id, text) = (self.random.usize(..3), self.random.usize(..3));
                let mark = serde_json::json!({"id": format!("m{id}"), "holder": "云雀体育", "text": MARKS[text]});
                Write::Mark(serde_json::from_value::<Mark>(mark).unwrap())
            }
            16 => Write::RemoveMark { id: MarkId::new(&format!("m{}", self.random.usize(..3))).unwrap() },
            17 => Write::Schedule { id: schedule_id(self.random.u64(..2)), next_due: self.later(now) },
            19 if self.random.bool() => Write::Remark(Remark {
                key: format!("note:{}", self.random.u8(..3)),
                by: self.worker(),
                at: now,
                says: Saying::SellerNote { seller: "s".into(), text: format!("第{}次", self.random.u8(..3)) },
            }),
            18 => {
                let sha256 = self.bodies[self.random.usize(..self.bodies.len())].clone();
                Write::Hold { sha256, hold: self.random.bool(), why: "案 7".into() }
            }
            // No SHA-256: the whole batch is refused.
            _ if self.random.u8(..4) == 0 => Write::Hold { sha256: "XY".repeat(32), hold: true, why: "案".into() },
            _ => Write::Note { what: "crawl.done".into(), details: serde_json::Map::new() },
        }
    }

    fn claim(&mut self) -> ClaimSpec {
        let order = if self.random.bool() { Order::Priority } else { Order::Oldest };
        let family = (self.random.u8(..4) == 0).then(|| "云雀体育".to_owned());
        let filter = Filter { family, ..Filter::default() };
        ClaimSpec { worker: self.worker(), filter, order, max: self.random.usize(..4), ttl: self.ttl() }
    }

    /// Comes back with a lease, most often one of the newest; claims when it has none.
    fn with_lease(&mut self, come_back: impl FnOnce(&mut Self, LeaseRef) -> Command) -> Command {
        let count = self.leases.len();
        let place = if self.random.bool() { count.saturating_sub(2) } else { 0 };
        match self.random.choice(&self.leases[place..]).cloned() {
            Some(lease) => come_back(self, lease),
            None => Command::Claim(self.claim()),
        }
    }

    fn some_hits(&mut self) -> Vec<HitId> {
        let count = self.random.usize(1..8);
        (0..count).map(|_| HitId(self.random.u64(1..=HITS))).collect()
    }

    /// What is said of a hit, most often that it is one or is none.
    fn verdict(&mut self) -> Verdict {
        match self.random.u8(..10) {
            0 => Verdict::Escalate,
            1 => Verdict::Approve,
            2 => Verdict::Return,
            3..7 => Verdict::Confirm,
            _ => Verdict::Dismiss,
        }
    }

    /// One decision on several hits, some of which stand otherwise.
    fn act(&mut self, now: Timestamp) -> Act {
        let verdict = if self.random.u8(..4) == 0 { Verdict::Reopen } else { self.verdict() };
        let by = self.worker();
        let decision = Decision { act: Some("多".into()), ..self.decision(verdict, by, now) };
        let on = self.some_hits().into_iter();
        let on = on.map(|hit| Seen { hit, decisions: [0, 0, 0, 1, 2][self.random.usize(..5)] }).collect();
        Act { decision, on }
    }

    fn worker(&mut self) -> AccountName {
        account(WORKERS[self.random.usize(..WORKERS.len())])
    }

    fn ttl(&mut self) -> Duration {
        Duration::from_secs(self.random.u64(1..1200))
    }

    fn later(&mut self, now: Timestamp) -> Timestamp {
        now.saturating_add(SignedDuration::from_secs(self.random.i64(-300..1200))).unwrap()
    }

    /// A decision like no other.
    fn decision(&mut self, verdict: Verdict, by: AccountName, at: Timestamp) -> Decision {
        self.decisions += 1;
        let reason = Reason::for_verdict(verdict)[0];
        let second = verdict == Verdict::Confirm && self.random.u8(..3) == 0;
        let note = self.decisions.to_string();
        Decision { verdict, reason, by, at, note, looked_ms: 0, second, act: None, precedent: None }
    }
}
