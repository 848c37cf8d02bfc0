//! Runs the steps, gathers their figures and prints them beside each other.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    Bench,
    engine::Kind,
    goods,
    step::{What, beside},
};

/// Rows of the table: the figure's name, what it says, its unit, and how many digits.
const ROWS: [(&str, &str, &str, usize); 38] = [
    ("load listings", "load listings, batches of 500", "/s", 0),
    ("load hits", "load hits, batches of 500", "/s", 0),
    ("enqueue rate", "durable single enqueues, 8 threads", "/s", 0),
    ("enqueue p50", "", "ms p50", 2),
    ("enqueue p99", "", "ms p99", 2),
    ("enqueue alone rate", "the same, a transaction each", "/s", 0),
    ("enqueue alone p50", "", "ms p50", 2),
    ("enqueue alone p99", "", "ms p99", 2),
    ("review rate", "claim and decide, 8 reviewers", "/s", 0),
    ("claim p50", "claim", "ms p50", 2),
    ("claim p99", "", "ms p99", 2),
    ("decide p50", "decide", "ms p50", 2),
    ("decide p99", "", "ms p99", 2),
    ("page rate", "pages of 50 from anywhere, half of one platform", "/s", 0),
    ("page p50", "one, 8 readers with pauses", "ms p50", 2),
    ("page p99", "", "ms p99", 2),
    ("open well", "opening to the first page: closed well", "s", 2),
    ("open killed", "after kill -9 while writing", "s", 2),
    ("open without index", "without the index over its snapshot", "s", 2),
    ("open from journal", "without index and snapshots", "s", 2),
    ("memory loading", "memory at most: loading", "MB", 0),
    ("memory working", "working", "MB", 0),
    ("memory opening", "opening", "MB", 0),
    ("memory rebuilding", "opening from the journal alone", "MB", 0),
    ("disk listing", "disk: a listing", "B", 0),
    ("disk hit", "a hit", "B", 0),
    ("disk both", "a listing and a hit", "B", 0),
    ("part journal raw", "of that: journal, raw segments", "B", 0),
    ("part journal sealed", "journal, sealed segments", "B", 0),
    ("part snapshot", "snapshots", "B", 0),
    ("part index", "index over the newest snapshot", "B", 0),
    ("part content", "content store", "B", 0),
    ("part other", "all else", "B", 0),
    ("disk worked", "disk after all enqueues and reviews", "MB", 0),
    ("backup", "backup", "s", 2),
    ("restore", "restore, proved", "s", 2),
    ("disk backup", "the backup", "MB", 0),
    ("memory backup", "memory at most: backup and restore", "MB", 0),
];
const MEGABYTE: f64 = 1e6;

/// Figures by name.
type Figures = BTreeMap<String, f64>;

pub fn run(bench: &Bench) {
    let parent = tempfile::Builder::new().prefix("markwarden-bench-").tempdir_in(&bench.dir).unwrap();
    let engines = if bench.engines.is_empty() { Kind::ALL.to_vec() } else { bench.engines.clone() };
    describe(bench, parent.path());
    let figures: Vec<(Kind, Figures)> = engines
        .into_iter()
        .map(|engine| (engine, measure(bench, engine, &parent.path().join(engine.name()))))
        .collect();
    print(&figures);
}

fn describe(bench: &Bench, dir: &Path) {
    let mean = |bytes: &dyn Fn(u64) -> usize| (0..1000).map(bytes).sum::<usize>() / 1000;
    let listing = mean(&|n| serde_json::to_vec(&goods::listing(n)).unwrap().len());
    let hit = mean(&|n| serde_json::to_vec(&goods::hit(n, bench.whole)).unwrap().len());
    println!("{} listings of {listing} B and {} hits of {hit} B as JSON; cache {} MiB", bench.n, bench.n, cache());
    println!("redb 4.6, Durability::Immediate; SQLite {}, WAL, synchronous=FULL", rusqlite::version());
    let syncs = sync_times(dir);
    let (p50, p99) = (syncs[syncs.len() / 2], syncs[syncs.len() * 99 / 100]);
    println!("a 4 KiB block written and synced on this disk: p50 {p50:.2?}, p99 {p99:.2?}");
}

fn cache() -> u64 {
    crate::engine::CACHE_BYTES / 1024 / 1024
}

/// What the disk takes for one sync, sorted.
fn sync_times(dir: &Path) -> Vec<Duration> {
    let path = dir.join("sync");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&vec![0; 4096 * 200]).unwrap();
    file.sync_all().unwrap();
    let mut times: Vec<Duration> = (0..200)
        .map(|block| {
            file.seek(SeekFrom::Start(block * 4096)).unwrap();
            file.write_all(&[1; 4096]).unwrap();
            let begin = Instant::now();
            file.sync_data().unwrap();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    fs::remove_file(path).unwrap();
    times
}

fn measure(bench: &Bench, engine: Kind, dir: &Path) -> Figures {
    let mut figures = Figures::new();
    let mut memory: BTreeMap<&str, f64> = BTreeMap::new();
    let mut step = |what: What, kind: &'static str| -> Figures {
        let begin = Instant::now();
        let found = finish(start(bench, engine, what, dir));
        eprintln!("{}: {what:?}, {:.1} s", engine.name(), begin.elapsed().as_secs_f64());
        let most = memory.entry(kind).or_default();
        *most = most.max(found["memory"]);
        found
    };
    let n = bench.n as f64;
    figures.extend(step(What::Listings, "loading"));
    let listings = bytes_below(dir);
    figures.extend(step(What::Hits, "loading"));
    let both = bytes_below(dir);
    figures.insert("disk listing".into(), listings / n);
    figures.insert("disk hit".into(), (both - listings) / n);
    figures.insert("disk both".into(), both / n);
    if engine == Kind::Markwarden {
        figures.extend(parts(dir).into_iter().map(|(part, bytes)| (format!("part {part}"), bytes / n)));
    }
    figures.insert("open well".into(), step(What::Open, "opening")["opened"]);
    figures.extend(step(What::Work, "working"));
    if engine != Kind::Markwarden {
        figures.extend(step(What::Single, "working"));
    }
    write_and_kill(bench, engine, dir);
    figures.insert("open killed".into(), step(What::Open, "opening")["opened"]);
    figures.insert("disk worked".into(), bytes_below(dir) / MEGABYTE);
    figures.extend(step(What::Backup, "backup"));
    figures.extend(step(What::Restore, "backup"));
    figures.insert("disk backup".into(), bytes_below(&beside(dir, "saved")) / MEGABYTE);
    for copy in ["saved", "restored"] {
        fs::remove_dir_all(beside(dir, copy)).unwrap();
    }
    if engine == Kind::Markwarden {
        remove(dir, "index");
        figures.insert("open without index".into(), step(What::Open, "opening")["opened"]);
        remove(dir, "index");
        remove(dir, "snapshot");
        figures.insert("open from journal".into(), step(What::Open, "rebuilding")["opened"]);
    }
    figures.remove("memory");
    figures.extend(memory.into_iter().map(|(kind, bytes)| (format!("memory {kind}"), bytes / MEGABYTE)));
    fs::remove_dir_all(dir).unwrap();
    figures
}

fn remove(dir: &Path, part: &str) {
    if dir.join(part).exists() {
        fs::remove_dir_all(dir.join(part)).unwrap();
    }
}

fn start(bench: &Bench, engine: Kind, what: What, dir: &Path) -> Child {
    let what = clap::ValueEnum::to_possible_value(&what).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["step", engine.name(), what.get_name()]).arg("--dir").arg(dir);
    command.args(["--n", &bench.n.to_string(), "--seconds", &bench.seconds.to_string()]);
    command.args(bench.whole.then_some("--whole"));
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn finish(mut step: Child) -> Figures {
    let mut said = String::new();
    step.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(step.wait().unwrap().success());
    let lines = said.lines().filter_map(|line| line.split_once('\t'));
    lines.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

fn write_and_kill(bench: &Bench, engine: Kind, dir: &Path) {
    let mut step = start(bench, engine, What::UntilKilled, dir);
    let mut line = String::new();
    BufReader::new(step.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    std::thread::sleep(Duration::from_secs_f64(bench.seconds));
    step.kill().unwrap();
    step.wait().unwrap();
}

fn files_below(dir: &Path, each: &mut dyn FnMut(&Path, u64)) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            files_below(&entry.path(), each);
        } else {
            each(&entry.path(), entry.metadata().unwrap().len());
        }
    }
}

fn bytes_below(dir: &Path) -> f64 {
    let mut bytes = 0;
    files_below(dir, &mut |_, length| bytes += length);
    bytes as f64
}

/// What the store's parts weigh.
fn parts(dir: &Path) -> BTreeMap<&'static str, f64> {
    let mut parts = BTreeMap::new();
    files_below(dir, &mut |path, length| {
        let inside = path.strip_prefix(dir).unwrap();
        let folder = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let part = match (folder, path.extension().and_then(|kind| kind.to_str())) {
            ("journal", Some("seg")) => "journal raw",
            ("journal", Some("zst")) => "journal sealed",
            ("snapshot", _) => "snapshot",
            ("index", _) => "index",
            ("content", _) => "content",
            _ => "other",
        };
        *parts.entry(part).or_default() += length as f64;
    });
    parts
}

fn print(figures: &[(Kind, Figures)]) {
    print!("\n{:<50} {:<7}", "", "");
    for (engine, _) in figures {
        print!(" {:>11}", engine.name());
    }
    let (own, peers): (Vec<_>, Vec<_>) = figures.iter().partition(|(engine, _)| *engine == Kind::Markwarden);
    for (peer, _) in &peers {
        print!(" {:>12}", format!("/ {}", peer.name()));
    }
    println!();
    for (name, label, unit, digits) in ROWS {
        let values: Vec<Option<f64>> = figures.iter().map(|(_, figures)| figures.get(name).copied()).collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        print!("{label:<50} {unit:<7}");
        for value in values {
            print!(" {:>11}", value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}")));
        }
        // Alone, the store still shares syncs: that is how it is made.
        let own = own.first().and_then(|(_, own)| own.get(name).or_else(|| own.get(&name.replace(" alone", ""))));
        for (_, peer) in &peers {
            let ratio = own.zip(peer.get(name)).map(|(own, peer)| format!("{:.2}", own / peer));
            print!(" {:>12}", ratio.unwrap_or_else(|| "-".to_owned()));
        }
        println!();
    }
}
