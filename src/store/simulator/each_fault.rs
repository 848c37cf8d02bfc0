//! Each operation of one fixed story goes wrong once, in each way.

use std::{path::Path, thread, time::Duration};

use jiff::SignedDuration;

use super::{
    check, client,
    machine::ROOT,
    world::{End, World},
};
use crate::{
    model::{AccountName, Clock, Decision, Listing, Mark, Reason, Verdict},
    store::{
        disk::simulated::Fault,
        folder::index_dir,
        port::{ClaimSpec, Filter, LeaseRef, Order, Write},
        settings::Settings,
        sled::{Answer, Command},
    },
};

const TTL: Duration = Duration::from_secs(600);

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Nothing,
    At(u64, Fault),
    Reading(u64),
}

/// Says which story did not end well.
struct Named(Trouble);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this happened with {:?}", self.0);
        }
    }
}

/// Tells the story, with one thing going wrong in it.
fn told(trouble: Trouble) -> World {
    let _named = Named(trouble);
    let settings = Settings { segment_bytes: 4096, inline_bytes: 700, ..Settings::default() };
    let world = World::new(7, settings, false);
    match trouble {
        Trouble::Nothing => {}
        Trouble::At(operation, fault) => world.disk.fail(operation, fault),
        Trouble::Reading(read) => world.disk.fail_read(read),
    }
    let mut story = Story { world };
    story.first_day();
    story.second_day();
    let mut world = story.world;
    if !matches!(trouble, Trouble::Nothing) {
        assert_eq!(world.disk.failures(), 1, "it went wrong once");
        world.end(End::PowerCut);
        assert!(world.open());
        check::every_change_is_there(&world);
    }
    world
}

#[derive(Debug)]
struct Story {
    world: World,
}

impl Story {
    fn first_day(&mut self) {
        self.insist_on_opening();
        let first: Vec<_> = (0..3).map(|n| self.found(n, 200)).collect();
        self.insist(first);
        let leases = self.claim(2);
        let [first, second] = leases.as_slice() else { panic!("two hits are free: {leases:?}") };
        let complete = self.complete(first, Verdict::Confirm);
        let release = Command::Release { lease: second.clone(), not_before: Some(self.world.clock.now()) };
        self.insist(vec![complete, release]);
        let more: Vec<_> = (3..8).map(|n| self.found(n, if n == 3 { 900 } else { 200 })).collect();
        self.insist(more);
        let reopen = Command::Reopen { hit: first.hit, decision: self.decision(Verdict::Reopen) };
        let hosts = Command::ClaimHosts { hosts: vec!["a.example".into()], worker: "crawl".into(), ttl: TTL };
        self.insist(vec![reopen, hosts]);
        self.insist_on(World::seal);
        self.insist_on(World::snapshot);
        self.put_what_nobody_needs();
        self.world.clock.advance(SignedDuration::from_hours(26));
        self.insist_on(World::sweep);
        self.insist(vec![Command::Expire { limit: 10 }]);
    }

    fn second_day(&mut self) {
        self.world.end(End::Clean);
        self.insist_on_opening();
        let leases = self.claim(1);
        let complete = leases.iter().map(|lease| self.complete(lease, Verdict::Dismiss)).collect();
        self.insist(complete);
        self.insist_on(World::snapshot);
        self.world.end(End::Clean);
        self.world.disk.lose(&index_dir(Path::new(ROOT)));
        self.insist_on_opening();
        for n in 8..10 {
            let found = self.found(n, 2500);
            self.insist(vec![found]);
        }
        self.insist_on(World::seal);
        self.insist_on(World::snapshot);
    }

    /// Sends commands until each is acknowledged. One fault costs one try; only a power cut costs the process.
    fn insist(&mut self, mut commands: Vec<Command>) -> Vec<Answer> {
        let mut answers = Vec::new();
        for _ in 0..2 {
            for (command, answer) in self.world.send(commands.clone()) {
                commands.retain(|waiting| *waiting != command);
                answers.push(answer);
            }
            if commands.is_empty() {
                return answers;
            }
            self.after_a_power_cut();
        }
        panic!("writing did not go on: {commands:?}");
    }

    fn insist_on(&mut self, act: fn(&mut World) -> bool) {
        if !act(&mut self.world) {
            self.after_a_power_cut();
            assert!(act(&mut self.world), "what failed once goes on failing");
        }
    }

    fn insist_on_opening(&mut self) {
        if !self.world.open() {
            if self.world.disk.is_off() {
                self.world.end(End::PowerCut);
            }
            assert!(self.world.open());
        }
    }

    fn after_a_power_cut(&mut self) {
        if self.world.disk.is_off() {
            self.world.end(End::PowerCut);
            assert!(self.world.open());
        }
    }

    fn put_what_nobody_needs(&mut self) {
        let put = |world: &mut World| world.machine().store.content().put(b"nobody needs it").is_ok();
        self.insist_on(put);
    }

    fn claim(&mut self, max: usize) -> Vec<LeaseRef> {
        let worker = AccountName::new("lin").unwrap();
        let claim = ClaimSpec { worker, filter: Filter::default(), order: Order::Priority, max, ttl: TTL };
        let answers = self.insist(vec![Command::Claim(claim)]);
        let leases = answers.into_iter().flat_map(|answer| match answer {
            Answer::Leases(leases) => leases,
            other => panic!("{other:?}"),
        });
        leases.map(|lease| lease.lease).collect()
    }

    fn complete(&self, lease: &LeaseRef, verdict: Verdict) -> Command {
        Command::Complete { lease: lease.clone(), decision: self.decision(verdict) }
    }

    fn decision(&self, verdict: Verdict) -> Decision {
        let (reason, by) = (Reason::for_verdict(verdict)[0], AccountName::new("lin").unwrap());
        Decision {
            verdict,
            reason,
            by,
            at: self.world.clock.now(),
            note: String::new(),
            looked_ms: 0,
            second: false,
            act: None,
            precedent: None,
        }
    }

    /// A listing, a mark and a hit whose body is kept, in one act.
    fn found(&self, n: u64, bytes: usize) -> Command {
        let evidence = client::bodies().into_keys().nth(n as usize % 2);
        let mark = serde_json::json!({"id": format!("m{}", n % 2), "holder": "云雀体育", "text": n.to_string()});
        client::apply(vec![
            Write::Listing { id: client::listing_id(n), listing: Listing::default(), capture: None },
            Write::Mark(serde_json::from_value::<Mark>(mark).unwrap()),
            Write::Schedule { id: client::schedule_id(n % 2), next_due: self.world.clock.now() },
            Write::Hit(client::new_hit(n, bytes, evidence, self.world.clock.now())),
        ])
    }
}

/// Tells the story once for each trouble, on two threads.
fn all_told(troubles: &[Trouble]) {
    let (first, second) = troubles.split_at(troubles.len() / 2);
    thread::scope(|scope| {
        for share in [first, second] {
            scope.spawn(|| share.iter().for_each(|&trouble| drop(told(trouble))));
        }
    });
}

#[test]
fn every_write_fails_once_and_writing_goes_on_without_opening_again() {
    let operations = told(Trouble::Nothing).disk.operations();
    let faults = [Fault::Full, Fault::Broken, Fault::PowerCut];
    let troubles = (1..=operations).flat_map(|operation| faults.map(|fault| Trouble::At(operation, fault)));
    let troubles: Vec<_> = troubles.collect();
    assert!(operations > 150, "the story has only {operations} operations");
    all_told(&troubles);
    eprintln!("{} stories, each of {operations} operations failing in {} ways", troubles.len(), faults.len());
}

#[test]
fn every_read_fails_once_and_reading_goes_on() {
    let reads = told(Trouble::Nothing).disk.reads();
    let troubles: Vec<_> = (1..=reads).map(Trouble::Reading).collect();
    all_told(&troubles);
    eprintln!("{reads} stories, each of {reads} reads failing");
}
