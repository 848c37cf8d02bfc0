//! The registry tier beside daachorse: building, opening, searching, changing, and what it takes. Prints figures; asserts nothing.
//!
//! `cargo bench --bench registry [-- [SIZE…] [--large] [--peer-up-to SIZE] [--dir DIR]]`: sizes in spellings, 1,000,000 and
//! 10,000,000 when none is given; `--large` adds 50,000,000 (12 GB of disk, 8 GB of memory). The peer is asked up to 1,000,000
//! unless told otherwise: at 10,000,000 it takes five minutes and 5 GB to build. Rates are of one thread's CPU time.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "timing.rs"]
mod timing;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::Duration,
};

use daachorse::CharwiseDoubleArrayAhoCorasick;
use fastrand::Rng;
use markwarden::{
    marks::registry::{Builder, Change, Reader, Registration, Registry, RegistryError, View},
    model::MarkStatus,
    text::Folded,
};
use timing::{middle, timed};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORDS: &str = include_str!("../../tables/words.tsv");
const LISTINGS: usize = 10_000;
const LISTING_CHARS: usize = 600;
const ROUNDS: usize = 5;
/// Registrations that differ from the base when changes are measured.
const CHANGES: usize = 100_000;

fn main() {
    let (mut sizes, mut large, mut peer_up_to, mut dir) = (Vec::new(), false, 1_000_000, std::env::temp_dir());
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--large" => large = true,
            "--peer-up-to" => peer_up_to = arguments.next().unwrap().parse().unwrap(),
            "--dir" => dir = PathBuf::from(arguments.next().unwrap()),
            size => sizes.push(size.parse().unwrap()),
        }
    }
    if sizes.is_empty() {
        sizes = vec![1_000_000, 10_000_000];
    }
    sizes.extend(large.then_some(50_000_000));
    let words = Words::read();
    let listings = listings(&words);
    let bytes: usize = listings.iter().map(String::len).sum();
    println!("{LISTINGS} listings of {LISTING_CHARS} characters, {} bytes on average", bytes / LISTINGS);
    let fold =
        middle((0..ROUNDS).map(|_| timed(|| listings.iter().map(|text| Folded::new(text).len()).sum::<usize>()).1));
    let megabytes = bytes as f64 / fold.as_secs_f64() / 1e6;
    println!("the fold alone    {:>8.0} listings/s, {megabytes:.0} MB/s with its map", rate(fold));
    for size in sizes {
        measure(&words, &listings, size, size <= peer_up_to, &dir);
    }
}

fn measure(words: &Words, listings: &[String], size: usize, with_peer: bool, dir: &Path) {
    println!("\n{size} spellings");
    let folder = tempfile::tempdir_in(dir).unwrap();
    let spellings = Spellings::draw(words, size);
    let (registry, cpu, wall) = timed(|| Registry::build(folder.path(), |builder| spellings.add_to(builder)).unwrap());
    println!("build             {:>8.2} s CPU, {:.2} s in all", cpu.as_secs_f64(), wall.as_secs_f64());
    let sizes = registry.view().base().sizes();
    println!(
        "index             {:>8.1} MiB ({:.1} bytes a spelling) beside {:.1} MiB of strings; {:.1} MiB of registrations are read when found",
        mebibytes(sizes.index),
        sizes.index as f64 / size as f64,
        mebibytes(sizes.spellings),
        mebibytes(sizes.registrations)
    );
    drop(registry);
    let peer = with_peer.then(|| {
        let (peer, cpu, _) = timed(|| CharwiseDoubleArrayAhoCorasick::<u32>::new(spellings.iter()).unwrap());
        println!(
            "daachorse         {:>8.2} s CPU to build, {:.1} MiB",
            cpu.as_secs_f64(),
            mebibytes(peer.heap_bytes() as u64)
        );
        peer
    });
    drop(spellings);
    let open = middle((0..ROUNDS).map(|_| timed(|| Reader::open(folder.path()).unwrap()).2));
    println!("open              {:>8.2} ms", open.as_secs_f64() * 1000.0);
    let reader = Reader::open(folder.path()).unwrap();
    let view = reader.view();
    let unmapped = resident();
    let words = search(&view, listings);
    println!("pages mapped      {:>8.1} MiB after all listings were searched once", mebibytes(resident() - unmapped));
    // In turns: what else runs on the machine then hits both.
    let rounds: Vec<(Duration, Option<Duration>)> = (0..ROUNDS)
        .map(|_| {
            let ours = timed(|| search(&view, listings)).1;
            let theirs = peer.as_ref().map(|peer| {
                timed(|| listings.iter().map(|text| peer.find_overlapping_iter(text).count()).sum::<usize>()).1
            });
            (ours, theirs)
        })
        .collect();
    let ours = middle(rounds.iter().map(|(ours, _)| *ours));
    println!("fold and search   {:>8.0} listings/s, {:.1} words each", rate(ours), words as f64 / LISTINGS as f64);
    if peer.is_some() {
        let theirs = middle(rounds.iter().filter_map(|(_, theirs)| *theirs));
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        println!(
            "daachorse         {:>8.0} listings/s on text as it stands: fold and search is {ratio:.2} times as fast",
            rate(theirs)
        );
    }
    drop((peer, view, reader));
    change(folder.path(), listings, size);
}

/// What a hundred thousand changed registrations cost.
fn change(folder: &Path, listings: &[String], size: usize) {
    let registry = Registry::open(folder).unwrap();
    let numbers: Vec<String> = (0..CHANGES.min(size / 2)).map(|number| (number * 2).to_string()).collect();
    let words: Vec<String> = numbers.iter().map(|number| format!("新标{number}")).collect();
    let changes: Vec<Change<'_>> = numbers
        .iter()
        .zip(&words)
        .map(|(number, word)| Change { registration: registration(number, "新持有人"), spellings: vec![word] })
        .collect();
    let (_, cpu, _) = timed(|| registry.apply(&changes).unwrap());
    println!("change            {:>8.2} s CPU for {} registrations", cpu.as_secs_f64(), changes.len());
    drop(registry);
    let (reader, _, wall) = timed(|| Reader::open(folder).unwrap());
    println!("open with these   {:>8.2} ms", wall.as_secs_f64() * 1000.0);
    let view = reader.view();
    let time = middle((0..ROUNDS).map(|_| timed(|| search(&view, listings)).1));
    println!("search with these {:>8.0} listings/s", rate(time));
}

fn search(view: &View, listings: &[String]) -> usize {
    listings.iter().map(|text| view.find(&Folded::new(text)).len()).sum()
}

fn registration<'a>(number: &'a str, holder: &'a str) -> Registration<'a> {
    Registration {
        jurisdiction: "CN",
        number,
        holder,
        classes: [25, 35].into_iter().collect(),
        status: MarkStatus::Registered,
        expires_on: Some(jiff::civil::date(2031, 5, 6)),
    }
}

/// Spellings one after the other.
struct Spellings {
    text: String,
    ends: Vec<usize>,
}

impl Spellings {
    /// Draws distinct ones: 78 % Han of 2 to 6 characters, 15 % Latin, 3 % mixed, 4 % words of a dictionary.
    fn draw(words: &Words, size: usize) -> Self {
        let mut random = Rng::with_seed(size as u64);
        let mut drawn = Self { text: String::with_capacity(size * 11), ends: Vec::with_capacity(size) };
        let mut known: HashSet<u64> = HashSet::with_capacity(size);
        let mut spelling = String::new();
        while drawn.ends.len() < size {
            spelling.clear();
            words.mark(&mut random, &mut spelling);
            let mut hasher = DefaultHasher::new();
            spelling.hash(&mut hasher);
            if known.insert(hasher.finish()) {
                drawn.text.push_str(&spelling);
                drawn.ends.push(drawn.text.len());
            }
        }
        drawn
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.text[begin..*end])
    }

    fn add_to(&self, builder: &mut Builder) -> Result<(), RegistryError> {
        let (mut number, mut holder) = (String::new(), String::new());
        for (at, spelling) in self.iter().enumerate() {
            use std::fmt::Write;
            number.clear();
            holder.clear();
            write!(number, "{at}").unwrap();
            write!(holder, "第{}号商贸有限公司", at % 300_000).unwrap();
            builder.add(spelling, &registration(&number, &holder))?;
        }
        Ok(())
    }
}

/// Words with how common they are, and the characters they are made of.
struct Words {
    words: Vec<&'static str>,
    /// Those of two characters and more.
    long_words: Vec<&'static str>,
    /// The sum of the weights up to each word.
    weights: Vec<u64>,
    characters: Vec<char>,
    /// The sum of the weights up to each character.
    character_weights: Vec<f64>,
}

impl Words {
    fn read() -> Self {
        let mut read = Self {
            words: Vec::new(),
            long_words: Vec::new(),
            weights: Vec::new(),
            characters: Vec::new(),
            character_weights: Vec::new(),
        };
        let mut counts: BTreeMap<char, u32> = BTreeMap::new();
        let mut sum = 0;
        for line in WORDS.lines().skip(1) {
            let mut cells = line.split('\t');
            let (Some(word), Some(class)) = (cells.next(), cells.next()) else { continue };
            // A class is a power of two of how often a word is written.
            sum += 1 << class.parse::<u32>().unwrap();
            read.words.push(word);
            read.long_words.extend((word.chars().count() > 1).then_some(word));
            read.weights.push(sum);
            word.chars().filter(|c| *c as u32 >= 0x3400).for_each(|c| *counts.entry(c).or_default() += 1);
        }
        // Marks like rare characters better than words do: the root makes about as many of them stand in a clean listing by
        // chance as were counted with the registers that the reference figures are of.
        let mut sum = 0.0;
        for (character, count) in counts {
            sum += f64::from(count).sqrt();
            read.characters.push(character);
            read.character_weights.push(sum);
        }
        read
    }

    /// A word, as often as it is written.
    fn common(&self, random: &mut Rng) -> &'static str {
        let drawn = random.u64(..*self.weights.last().unwrap());
        self.words[self.weights.partition_point(|sum| *sum <= drawn)]
    }

    fn han(&self, random: &mut Rng, count: usize, out: &mut String) {
        for _ in 0..count {
            let drawn = random.f64() * self.character_weights.last().unwrap();
            out.push(self.characters[self.character_weights.partition_point(|sum| *sum <= drawn)]);
        }
    }

    fn mark(&self, random: &mut Rng, out: &mut String) {
        match random.u8(..100) {
            0..78 => {
                let count = match random.u8(..100) {
                    0..25 => 2,
                    25..61 => 3,
                    61..89 => 4,
                    89..96 => 5,
                    _ => 6,
                };
                self.han(random, count, out);
            }
            78..93 => {
                let count = random.usize(3..11);
                out.extend((0..count).map(|_| random.lowercase()));
            }
            93..96 => {
                let (han, latin) = (random.usize(1..3), random.usize(1..5));
                self.han(random, han, out);
                out.extend((0..latin).map(|_| random.lowercase()));
            }
            // Single characters are hardly registered alone; with them every listing would be full of marks.
            _ => out.push_str(self.long_words[random.usize(..self.long_words.len())]),
        }
    }
}

/// Words of the trade and common ones, Latin and numbers among them; no mark was planted.
fn listings(words: &Words) -> Vec<String> {
    const TRADE: [&str; 16] = [
        "新款",
        "正品",
        "包邮",
        "旗舰店",
        "同款",
        "男女",
        "跑鞋",
        "透气",
        "防滑",
        "现货",
        "厂家直销",
        "夏季",
        "套装",
        "专柜",
        "春秋",
        "耐磨",
    ];
    let mut random = Rng::with_seed(7);
    let listing = |_| {
        let mut text = String::new();
        let mut chars = 0;
        while chars < LISTING_CHARS {
            let from = text.len();
            match random.u8(..100) {
                0..8 => text.push_str(TRADE[random.usize(..TRADE.len())]),
                8..14 => {
                    let count = random.usize(2..8);
                    text.extend((0..count).map(|_| random.alphabetic()));
                    text.push(' ');
                }
                14..18 => text.push_str(&random.u32(..10_000).to_string()),
                18..26 => text.push_str(["，", "。", " ", "、", "/", "（", "）", "-"][random.usize(..8)]),
                _ => text.push_str(words.common(&mut random)),
            }
            chars += text[from..].chars().count();
        }
        text
    };
    (0..LISTINGS).map(listing).collect()
}

/// Bytes of mapped files in this process's memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn rate(time: Duration) -> f64 {
    LISTINGS as f64 / time.as_secs_f64()
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
