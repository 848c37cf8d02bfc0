//! What an address costs that waits to be visited: memory, disk, and CPU beside a frontier in memory alone.
//!
//! `cargo bench --bench frontier -- [ADDRESSES…]` (1,000,000 when none is given). Addresses of 78 bytes on 100 hosts are added,
//! as pages name them; then all are taken and done, as a run does. Memory is what the process holds more than before, disk is
//! the log. Beside it stands the same work with a set of fingerprints and a queue in memory, which loses everything with
//! the process. Each runs in a process of its own. Nothing is asserted.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    process::Command,
    time::{Duration, Instant},
};

use markwarden::crawl::{Frontier, Purpose};
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LANES: usize = 100;
/// Addresses that one page names.
const NAMED: usize = 50;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.first().map(String::as_str) {
        Some("durable") => durable(words[1].parse().unwrap()),
        Some("in-memory") => in_memory(words[1].parse().unwrap()),
        _ => {
            let asked: Vec<usize> = words.iter().map(|word| word.parse().unwrap()).collect();
            for addresses in if asked.is_empty() { vec![1_000_000] } else { asked } {
                compare(addresses);
            }
        }
    }
}

/// Runs both in processes of their own, and prints what they say.
fn compare(addresses: usize) {
    let run = |which: &str| {
        let own = std::env::current_exe().unwrap();
        let output = Command::new(own).args([which, &addresses.to_string()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout)
            .unwrap()
            .split_whitespace()
            .map(|text| text.parse().unwrap())
            .collect::<Vec<f64>>()
    };
    let (durable, in_memory) = (run("durable"), run("in-memory"));
    let each = |bytes: f64| bytes / addresses as f64;
    println!("{addresses} addresses of {} bytes on {LANES} hosts", address(0).len());
    println!(
        "  memory {:.1} bytes each ({:.1} at most), in memory alone {:.1}; disk {:.1} queued, {:.1} done",
        each(durable[0]),
        each(durable[1]),
        each(in_memory[0]),
        each(durable[2]),
        each(durable[3])
    );
    println!(
        "  added, taken and done: {:.2} µs of CPU each, {:.2} of time; in memory alone {:.2} and {:.2}: {:.2} and {:.2} times as much",
        durable[4] / addresses as f64,
        durable[5] / addresses as f64,
        in_memory[4] / addresses as f64,
        in_memory[5] / addresses as f64,
        durable[4] / in_memory[4],
        durable[5] / in_memory[5]
    );
    println!("  opened again with all of them waiting in {:.1} s", durable[6]);
}

fn address(number: usize) -> String {
    format!("https://shop-{:02}.example/category/outdoor/running/item-{number:010}.html?from=list", number % LANES)
}

fn lane_of(url: &str) -> usize {
    url[13..15].parse().unwrap()
}

fn durable(addresses: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frontier.log");
    let place = |url: &str| Some((lane_of(url), url.to_owned()));
    let open = || Frontier::open(&path, LANES, place).unwrap();
    let mut frontier = open();
    let (before, cpu, begun) = (resident(), cpu(), Instant::now());
    for number in 0..addresses {
        let url = address(number);
        assert!(frontier.add(number % LANES, 3, Purpose::Page, &url, &url));
        if number % NAMED == 0 {
            // As a run does between two pages: what was named is in the file.
            let entry = frontier.next(number % LANES).unwrap();
            entry.into_iter().for_each(|entry| frontier.put_back(number % LANES, entry));
        }
    }
    let (held, added) = (resident().saturating_sub(before), (cpu_since(cpu), begun.elapsed()));
    frontier.keep().unwrap();
    let queued = std::fs::metadata(&path).unwrap().len();
    let again = Instant::now();
    let mut frontier = open();
    let opened = again.elapsed();
    assert_eq!(frontier.left(), addresses as u64);
    let (cpu, begun) = (self::cpu(), Instant::now());
    let mut taken = 0;
    for lane in (0..LANES).cycle().take(addresses) {
        if let Some(entry) = frontier.next(lane).unwrap() {
            frontier.done(entry.id);
            taken += 1;
        }
    }
    assert_eq!(taken, addresses);
    let (took_cpu, took) = (cpu_since(cpu) + added.0, begun.elapsed() + added.1);
    frontier.keep().unwrap();
    let done = std::fs::metadata(&path).unwrap().len();
    println!("{held} {} {queued} {done} {} {} {}", peak(), micros(took_cpu), micros(took), opened.as_secs_f64());
}

fn in_memory(addresses: usize) {
    let mut seen: HashSet<u64> = HashSet::new();
    let hasher = RandomState::new();
    let mut lanes: Vec<VecDeque<(u16, String)>> = (0..LANES).map(|_| VecDeque::new()).collect();
    let (before, cpu, begun) = (resident(), cpu(), Instant::now());
    for number in 0..addresses {
        let url = address(number);
        if seen.insert(hasher.hash_one(url.as_str())) {
            lanes[number % LANES].push_back((3, url));
        }
    }
    let held = resident().saturating_sub(before);
    let mut done = 0;
    for lane in (0..LANES).cycle().take(addresses) {
        done += usize::from(lanes[lane].pop_front().is_some_and(|entry| std::hint::black_box(entry).0 == 3));
    }
    assert_eq!(done, addresses);
    println!("{held} 0 0 0 {} {} 0", micros(cpu_since(cpu)), micros(begun.elapsed()));
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

fn cpu_since(before: Duration) -> Duration {
    cpu() - before
}

/// Bytes that the process holds.
fn resident() -> u64 {
    status("VmRSS:")
}

/// Bytes that it held at most.
fn peak() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}
