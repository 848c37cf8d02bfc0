//! One step of a run, in a process of its own: what it takes of memory is that step's alone. Prints `name<tab>value` lines.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use markwarden::{model::HitId, store::Cursor};

use crate::{
    engine::{Answer, Asked, Command, Engine, Kind},
    goods::{PLATFORMS, hit, listing, listing_id},
};

const THREADS: u64 = 8;
const BATCH: u64 = 500;
const PAGE: usize = 50;
/// Between two pages of one reader, give or take a half.
const PAUSE: Duration = Duration::from_millis(50);

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// Writes the listings, in batches.
    Listings,
    /// Writes the hits, in batches.
    Hits,
    /// Durable single enqueues, claims and decisions, pages.
    Work,
    /// Pages alone, with nothing merged behind them.
    Pages,
    /// Durable single enqueues, each in a transaction of its own.
    Single,
    /// Enqueues until it is killed.
    UntilKilled,
    /// Opens and reads a page.
    Open,
    /// Copies the whole into another folder.
    Backup,
    /// Brings the copy back into a third, and checks it.
    Restore,
}

/// One step.
#[derive(Debug, clap::Args)]
pub struct Step {
    pub engine: Kind,
    pub what: What,
    /// Folder of the engine's data; copies lie beside it.
    #[arg(long)]
    pub dir: PathBuf,
    /// Listings, and hits.
    #[arg(long)]
    pub n: u64,
    #[arg(long)]
    pub seconds: f64,
    /// Hits carry the whole listing.
    #[arg(long)]
    pub whole: bool,
}

fn say(name: &str, value: f64) {
    println!("{name}\t{value}");
}

pub fn run(step: &Step) {
    let group = if step.what == What::Single { 1 } else { 256 };
    let open = || step.engine.open(&step.dir, group);
    let time = Duration::from_secs_f64(step.seconds);
    let begin = Instant::now();
    match step.what {
        What::Listings => load(&*open(), step.n, "load listings", |numbers| {
            Command::Listings(numbers.map(|n| (listing_id(n), listing(n))).collect())
        }),
        What::Hits => {
            load(&*open(), step.n, "load hits", |numbers| Command::Hits(numbers.map(|n| hit(n, step.whole)).collect()))
        }
        What::Work => {
            let engine = open();
            enqueue(&*engine, step, time, "enqueue");
            review(&*engine, time);
            pages(&*engine, step.n, time);
        }
        What::Pages => pages(&*open(), step.n, time),
        What::Single => enqueue(&*open(), step, time, "enqueue alone"),
        What::UntilKilled => {
            let engine = open();
            println!("ready");
            std::io::stdout().flush().unwrap();
            enqueue(&*engine, step, Duration::MAX, "never");
        }
        What::Open => {
            let engine = open();
            let (rows, _) = engine.page(&Asked { platform: None, after: None, count: PAGE });
            say("opened", begin.elapsed().as_secs_f64());
            assert!(!rows.is_empty());
        }
        What::Backup => {
            step.engine.backup(&step.dir, &beside(&step.dir, "saved"));
            say("backup", begin.elapsed().as_secs_f64());
        }
        What::Restore => {
            step.engine.restore(&beside(&step.dir, "saved"), &beside(&step.dir, "restored"));
            say("restore", begin.elapsed().as_secs_f64());
        }
    }
    say("memory", peak_memory());
}

pub fn beside(dir: &Path, name: &str) -> PathBuf {
    dir.with_file_name(format!("{}-{name}", dir.file_name().unwrap().to_str().unwrap()))
}

/// The most memory this process ever had, in bytes.
fn peak_memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}

fn load(engine: &dyn Engine, n: u64, name: &str, command: impl Fn(std::ops::Range<u64>) -> Command) {
    let mut writing = Duration::ZERO;
    for first in (0..n).step_by(BATCH as usize) {
        // Made before the clock runs: what is measured is the writing.
        let command = command(first..(first + BATCH).min(n));
        let begin = Instant::now();
        engine.ask(command);
        writing += begin.elapsed();
    }
    say(name, n as f64 / writing.as_secs_f64());
    engine.settle();
}

/// How long acts took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn say(mut self, name: &str) {
        self.0.sort_unstable();
        let at =
            |share: f64| self.0[((self.0.len() as f64 * share) as usize).min(self.0.len() - 1)].as_secs_f64() * 1e3;
        say(&format!("{name} p50"), at(0.5));
        say(&format!("{name} p99"), at(0.99));
    }
}

/// Runs `act` on every thread until the time is up.
fn drive<T: Send>(time: Duration, act: impl Fn(u64) -> T + Sync) -> (Vec<T>, f64) {
    let begin = Instant::now();
    let done = std::thread::scope(|scope| {
        let worker = |worker| {
            let act = &act;
            move || {
                let mut done = Vec::new();
                while begin.elapsed() < time {
                    done.push(act(worker));
                }
                done
            }
        };
        let workers: Vec<_> = (0..THREADS).map(|number| scope.spawn(worker(number))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    (done, begin.elapsed().as_secs_f64())
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    (act(), begin.elapsed())
}

fn enqueue(engine: &dyn Engine, step: &Step, time: Duration, name: &str) {
    // Behind every number that an earlier step can have used.
    let next = AtomicU64::new(step.n + ((step.what as u64 + 1) << 40) + (u64::from(fastrand::u16(..)) << 24));
    let (times, seconds) = drive(time, |_| {
        let hits = vec![hit(next.fetch_add(1, Relaxed), step.whole)];
        timed(|| engine.ask(Command::Hits(hits))).1
    });
    say(&format!("{name} rate"), times.len() as f64 / seconds);
    Times(times).say(name);
}

/// Each reviewer claims a hit and decides it, again and again.
fn review(engine: &dyn Engine, time: Duration) {
    let (times, seconds) = drive(time, |worker| {
        let (answer, claiming) = timed(|| engine.ask(Command::Claim(format!("reviewer-{worker}"))));
        let Answer::Claimed(Some(claimed)) = answer else { panic!("nothing to claim: take a larger --n") };
        let (decided, deciding) = timed(|| engine.ask(Command::Decide(claimed.1)));
        assert!(matches!(decided, Answer::Decided(true)));
        (claiming, deciding)
    });
    say("review rate", times.len() as f64 / seconds);
    let (claims, decisions) = times.into_iter().unzip();
    Times(claims).say("claim");
    Times(decisions).say("decide");
}

/// Eight readers turn pages, from anywhere in the queue, every other one of one platform: first as fast as they get them, then
/// with a pause between two, far shorter than any reviewer's.
fn pages(engine: &dyn Engine, n: u64, time: Duration) {
    let turn = || {
        let after = Cursor { priority: fastrand::u8(76..255), id: HitId(fastrand::u64(1..=n)) };
        let platform = fastrand::bool().then(|| PLATFORMS[fastrand::usize(..PLATFORMS.len())].to_owned());
        let asked = Asked { platform, after: Some(after), count: PAGE };
        timed(|| engine.page(&asked)).1
    };
    let (times, seconds) = drive(time, |_| turn());
    say("page rate", times.len() as f64 / seconds);
    let (times, _) = drive(time, |_| {
        std::thread::sleep(PAUSE * fastrand::u32(50..150) / 100);
        turn()
    });
    Times(times).say("page");
}
