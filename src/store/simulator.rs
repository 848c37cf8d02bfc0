//! The store on a simulated disk, with a clock that is moved by hand: from one number a whole life of commands, power
//! cuts, killed processes, failing writes and wrong clocks, checked against the model at each step.
//!
//! [`World`] is the disk, the store that has it open and the model of what it acknowledged. `MARKWARDEN_SEEDS` says how
//! many lives are lived, `MARKWARDEN_SEED` lives one of them again and tells it.

mod audit;
mod check;
mod client;
mod counters;
mod each_fault;
mod life;
mod machine;
mod model;
mod world;

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use self::{counters::Counters, life::live};

const SEEDS: u64 = 10_000;
const THREADS: u64 = 2;

/// Whether a life did not go well, so that the other thread need not go on.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Says how to live a life again that did not go well.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            FAILED.store(true, Ordering::Relaxed);
            eprintln!("this life is lived again with MARKWARDEN_SEED={}", self.0);
        }
    }
}

fn lived(seed: u64, telling: bool) -> Counters {
    let _named = Named(seed);
    live(seed, telling)
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not `{text}`")))
}

#[test]
fn in_ten_thousand_lives_nothing_acknowledged_is_lost_and_nothing_comes_twice() {
    if let Some(seed) = number("MARKWARDEN_SEED") {
        eprintln!("{}", lived(seed, true));
        return;
    }
    let (seeds, began) = (number("MARKWARDEN_SEEDS").unwrap_or(SEEDS), Instant::now());
    let total = thread::scope(|scope| {
        let share = |first: u64| {
            let mut total = Counters::default();
            for seed in (first..seeds).step_by(THREADS as usize).take_while(|_| !FAILED.load(Ordering::Relaxed)) {
                total.add(&lived(seed, false));
            }
            total
        };
        let shares: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || share(first))).collect();
        shares.into_iter().fold(Counters::default(), |mut total, share| {
            total.add(&share.join().unwrap());
            total
        })
    });
    eprintln!("{seeds} lives in {:.1} s: {total}", began.elapsed().as_secs_f64());
    if seeds >= SEEDS {
        total.assert_all();
    }
}

#[test]
fn a_life_is_lived_again_exactly() {
    for seed in 0..20 {
        assert_eq!(lived(seed, false), lived(seed, false), "seed {seed}");
    }
}
