//! One life of a store, drawn from one number.

use std::path::Path;

use jiff::SignedDuration;

use super::{
    check,
    client::Client,
    counters::Counters,
    machine::ROOT,
    world::{End, World},
};
use crate::{
    model::Clock,
    store::{
        disk::simulated::Fault,
        folder::{index_dir, journal_dir},
        port::StoreError,
        settings::Settings,
    },
};

/// Openings that may fail in a row before the disk is left alone.
const MAX_FAILED_OPENINGS: u32 = 3;

/// Lives the life of `seed`, telling it if asked to.
pub fn live(seed: u64, telling: bool) -> Counters {
    let mut random = fastrand::Rng::with_seed(seed);
    let settings = Settings {
        segment_bytes: [4096, 4096, 8192, 16384][random.usize(..4)],
        group: [1, 2, 4, 256][random.usize(..4)],
        inline_bytes: [65536, 65536, 65536, 700][random.usize(..4)],
        ..Settings::default()
    };
    let world = World::new(random.u64(..), settings, telling);
    let client = Client::new(random.u64(..));
    let mut life = Life { world, client, random };
    life.until_open();
    // Most lives are short; a few have time for many segments.
    let steps = if seed.is_multiple_of(4) { 20..36 } else { 8..16 };
    for _ in 0..life.random.usize(steps) {
        life.step();
    }
    life.last_things()
}

#[derive(Debug)]
struct Life {
    world: World,
    client: Client,
    random: fastrand::Rng,
}

impl Life {
    fn step(&mut self) {
        match self.random.u8(..100) {
            0..60 => self.send(),
            60..66 => self.move_clock(),
            66..78 => self.plan_trouble(16),
            78..82 => drop(self.world.seal()),
            82..85 => drop(self.world.snapshot()),
            85..88 => {
                self.world.clock.advance(SignedDuration::from_hours(26));
                self.world.sweep();
            }
            88..90 => self.restart(End::PowerCut),
            90..93 => self.restart(End::Killed),
            93 => self.restart(End::Clean),
            _ if self.world.is_stopped() => self.send(),
            _ => check::reads_go_on(&self.world),
        }
        if self.world.disk.is_off() {
            self.restart(End::PowerCut);
        }
    }

    fn send(&mut self) {
        let count = [1, 1, 2, 3, 6][self.random.usize(..5)];
        let now = self.world.clock.now();
        let commands: Vec<_> = (0..count).map(|_| self.client.next(now)).collect();
        for (_, answer) in self.world.send(commands) {
            self.client.learn(&answer);
        }
    }

    fn move_clock(&mut self) {
        let step = [1, 30, 600, 3600, 26 * 3600, -30, -3600, -26 * 3600][self.random.usize(..8)];
        self.world.tell(|| format!("the clock moves by {step} s"));
        self.world.clock.advance(SignedDuration::from_secs(step));
    }

    /// Has something go wrong within the next operations.
    fn plan_trouble(&mut self, within: u64) {
        let disk = &self.world.disk;
        let first = disk.operations() + self.random.u64(1..=within);
        let (fault, times) = match self.random.u8(..20) {
            0..7 => (Fault::PowerCut, 1),
            7..10 => (Fault::Full, self.random.u64(1..5)),
            10..15 => (Fault::Broken, self.random.u64(1..3)),
            15..17 => (Fault::Slow, 1),
            _ => return disk.fail_read(disk.reads() + self.random.u64(1..=within)),
        };
        self.world.tell(|| format!("{times} times {fault:?} from operation {first} on"));
        (first..first + times).for_each(|operation| disk.fail(operation, fault));
    }

    fn restart(&mut self, how: End) {
        self.world.end(how);
        self.harm_index();
        self.flip_a_bit();
        self.until_open();
    }

    /// The index may be lost or damaged while the store is closed.
    fn harm_index(&mut self) {
        match self.random.u8(..20) {
            0 => self.world.disk.lose(&index_dir(Path::new(ROOT))),
            1 => self.world.disk.flip_tables(),
            2..5 => {
                let bit = self.random.usize(..2048 * 8);
                let Some(path) = self.world.newest_snapshot() else { return };
                let Some(on) = self.world.disk.bit(&path, bit) else { return };
                self.world.tell(|| format!("bit {bit} of {} is flipped", path.display()));
                self.world.disk.set_bit(&path, bit, !on);
            }
            _ => {}
        }
    }

    /// A flipped bit in the journal keeps the store closed, or does not matter; it is never read as something else.
    fn flip_a_bit(&mut self) {
        let (number, sealed) = (self.random.u8(1..6), self.random.bool());
        let name = format!("{number:08}.{}", if sealed { "zst" } else { "seg" });
        let (path, bit) = (journal_dir(Path::new(ROOT)).join(name), self.random.usize(..4096 * 8));
        let Some(before) = self.world.disk.bit(&path, bit).filter(|_| self.random.u8(..12) == 0) else { return };
        self.world.disk.set_bit(&path, bit, !before);
        self.world.disk.heal();
        self.world.tell(|| format!("bit {bit} of {} is flipped", path.display()));
        let refused = match self.world.try_open() {
            Ok(()) => false,
            Err(StoreError::Damaged { .. }) => true,
            Err(error) => panic!("a flipped bit was taken for something else: {error}"),
        };
        self.world.counters.count("flipped bits refused", u64::from(refused));
        // One that did not matter stood behind the records: in zeros, or in a tail that is cleared by now.
        if refused || !before {
            self.world.disk.set_bit(&path, bit, before);
        }
    }

    /// Opens the store, in spite of what goes wrong meanwhile.
    fn until_open(&mut self) {
        for failed in 0.. {
            if failed >= MAX_FAILED_OPENINGS {
                self.world.disk.heal();
            } else if self.random.u8(..4) == 0 {
                self.plan_trouble(24);
            }
            if self.world.open() {
                return;
            }
            if self.world.disk.is_off() {
                self.world.counters.count("power cuts while opening", 1);
                self.world.end(End::PowerCut);
            } else if self.random.bool() {
                self.world.end(End::Killed);
            }
        }
    }

    /// Leaves the disk alone: the store writes again without being opened again, and everything is there after an end.
    fn last_things(mut self) -> Counters {
        self.world.disk.heal();
        self.send();
        assert!(!self.world.is_stopped());
        let how = [End::PowerCut, End::Killed, End::Clean][self.random.usize(..3)];
        self.world.end(how);
        self.until_open();
        check::every_change_is_there(&self.world);
        let hash = self.world.known().hash;
        let World { mut counters, disk, .. } = self.world;
        counters.end(&disk, &hash);
        counters
    }
}
