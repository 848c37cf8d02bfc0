//! How well disguised marks are found, what they cost in false alarms, and how fast that is.
//!
//! `cargo bench --bench watch -- [--marks N] [--listings N] [--each N] [--write FILE]`. Marks and clean listings are drawn from
//! the words of `tables/words.tsv`; what sellers do to a mark comes from `tests/bench/evasion`, which shares nothing with the
//! tables the matcher reads. A planted mark counts as found when a finding of that very mark that is queued overlaps where it
//! was planted. Nothing is asserted; shares come with their 95 % Wilson interval.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::Arc,
    time::Instant,
};

use aho_corasick::AhoCorasick;
use fastrand::Rng;
use markwarden::{
    marks::Register,
    matcher::{Matcher, Settings},
    model::{Channel, Listing, Mark},
    text::fold,
};

struct Asked {
    marks: usize,
    listings: usize,
    each: usize,
    write: Option<String>,
    show: bool,
}

fn asked() -> Asked {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1).cloned());
    let number = |name: &str, usual: usize| value(name).map_or(usual, |text| text.parse().unwrap());
    Asked {
        marks: number("--marks", 100_000),
        listings: number("--listings", 1000),
        each: number("--each", 400),
        write: value("--write"),
        show: words.iter().any(|word| word == "--show"),
    }
}

/// Words to write listings with, the common ones more often, and characters to make marks of.
struct Language {
    words: Vec<(String, f64)>,
    characters: Vec<char>,
}

impl Language {
    fn new() -> Self {
        let (mut sum, mut words, mut count) = (0.0, Vec::new(), HashMap::<char, f64>::new());
        for line in include_str!("../../tables/words.tsv").lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let class: i32 = columns[1].parse().unwrap();
            // Trade words are in every listing, and a dictionary's counts know little of them: the exponent flattens.
            sum += 1.6_f64.powi(class);
            words.push((columns[0].to_owned(), sum));
            for c in columns[0].chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)) {
                *count.entry(c).or_default() += 1.0;
            }
        }
        let mut characters: Vec<char> = count.keys().copied().collect();
        characters.sort_by(|a, b| count[b].total_cmp(&count[a]).then(a.cmp(b)));
        characters.truncate(3500);
        Self { words, characters }
    }

    fn word(&self, random: &mut Rng) -> &str {
        let at = random.f64() * self.words.last().unwrap().1;
        &self.words[self.words.partition_point(|(_, sum)| *sum <= at).min(self.words.len() - 1)].0
    }

    fn text(&self, random: &mut Rng, characters: usize) -> String {
        let (mut text, mut length) = (String::new(), 0);
        while length < characters {
            let token = match random.u8(..20) {
                0 => ENGLISH[random.usize(..ENGLISH.len())].to_owned(),
                1 => format!("{}{}", random.u16(1..2000), ["cm", "ml", "g", "件", "色", ""][random.usize(..6)]),
                _ => self.word(random).to_owned(),
            };
            text.push_str(&token);
            length += token.chars().count();
            if random.u8(..7) == 0 {
                text.push(['，', ' ', '。', ' '][random.usize(..4)]);
            }
        }
        text
    }

    /// Three of four of Han characters, some Latin, some a word of the language.
    fn mark(&self, random: &mut Rng) -> String {
        match random.u8(..100) {
            0..78 => {
                let length = [2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 5, 6][random.usize(..20)];
                (0..length).map(|_| self.characters[random.usize(..self.characters.len())]).collect()
            }
            78..96 => latin(random, 4..10),
            _ => self.words[random.usize(..self.words.len())].0.clone(),
        }
    }
}

/// Latin words of Chinese listings.
const ENGLISH: &[&str] = &[
    "pro",
    "max",
    "mini",
    "plus",
    "ultra",
    "lite",
    "usb",
    "type",
    "led",
    "diy",
    "ins",
    "new",
    "hot",
    "sale",
    "cotton",
    "vintage",
    "fashion",
    "style",
    "shoes",
    "bag",
    "dress",
    "shirt",
    "coat",
    "jeans",
    "sport",
    "running",
    "outdoor",
    "home",
    "kitchen",
    "garden",
    "phone",
    "case",
    "cover",
    "charger",
    "cable",
    "wireless",
    "bluetooth",
    "speaker",
    "camera",
    "light",
    "lamp",
    "black",
    "white",
    "blue",
    "green",
    "pink",
    "gold",
    "silver",
    "large",
    "small",
    "medium",
    "free",
    "size",
    "men",
    "women",
    "kids",
    "baby",
    "girl",
    "boy",
    "summer",
    "winter",
    "spring",
    "autumn",
    "classic",
    "premium",
    "quality",
    "original",
    "official",
    "store",
    "shop",
    "gift",
    "set",
    "pack",
    "box",
    "bottle",
    "cream",
    "mask",
    "soap",
    "oil",
    "tea",
    "coffee",
    "milk",
    "water",
    "fresh",
    "organic",
    "natural",
    "love",
    "happy",
    "lucky",
    "star",
    "moon",
    "sun",
    "flower",
    "cat",
    "dog",
    "bear",
    "logo",
    "design",
    "hand",
    "made",
    "china",
];

/// A pronounceable word.
fn latin(random: &mut Rng, length: std::ops::Range<usize>) -> String {
    let length = random.usize(length);
    let first = random.usize(..2);
    (first..first + length)
        .map(|at| {
            let letters = if at % 2 == 0 { "bcdfghjklmnprstvwxz" } else { "aeiou" };
            char::from(letters.as_bytes()[random.usize(..letters.len())])
        })
        .collect()
}

/// What sellers do, from the files of `evasion/`.
struct Evasions {
    homophones: HashMap<char, Vec<char>>,
    look_alikes: HashMap<char, Vec<char>>,
    splits: HashMap<char, String>,
    pinyin: HashMap<char, String>,
}

impl Evasions {
    fn new() -> Self {
        let mut homophones = HashMap::<char, Vec<char>>::new();
        for line in include_str!("evasion/homophones.txt").lines() {
            let group: Vec<char> = line.chars().filter(|c| *c != ' ').collect();
            for one in &group {
                homophones.entry(*one).or_default().extend(group.iter().filter(|other| *other != one));
            }
        }
        let mut look_alikes = HashMap::<char, Vec<char>>::new();
        for line in include_str!("evasion/lookalikes.txt").lines() {
            let pair: Vec<char> = line.chars().filter(|c| *c != ' ').collect();
            look_alikes.entry(pair[0]).or_default().push(pair[1]);
            look_alikes.entry(pair[1]).or_default().push(pair[0]);
        }
        let splits = include_str!("evasion/splits.txt")
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(whole, parts)| (whole.chars().next().unwrap(), parts.to_owned()))
            .collect();
        let pinyin = include_str!("evasion/pinyin.txt")
            .lines()
            .filter_map(|line| line.split_once(' '))
            .flat_map(|(syllable, all)| all.chars().map(move |c| (c, syllable.to_owned())))
            .collect();
        Self { homophones, look_alikes, splits, pinyin }
    }
}

/// Each way of writing, by what it is called; none where it cannot be done to `mark`.
type Way = fn(&Evasions, &str, &mut Rng) -> Option<String>;

fn one_of(mark: &str, random: &mut Rng, replace: impl Fn(char, &mut Rng) -> Option<String>) -> Option<String> {
    let all: Vec<char> = mark.chars().collect();
    let first = random.usize(..all.len());
    let at = (0..all.len()).map(|step| (first + step) % all.len()).find(|at| replace(all[*at], random).is_some())?;
    let mut written = String::new();
    for (place, c) in all.iter().enumerate() {
        match (place == at).then(|| replace(*c, random)).flatten() {
            Some(other) => written.push_str(&other),
            None => written.push(*c),
        }
    }
    Some(written)
}

fn all_of(mark: &str, random: &mut Rng, replace: impl Fn(char, &mut Rng) -> Option<String>) -> Option<String> {
    mark.chars().map(|c| replace(c, random)).collect()
}

fn pick(from: Option<&Vec<char>>, random: &mut Rng) -> Option<String> {
    from.map(|list| list[random.usize(..list.len())].to_string())
}

fn han(mark: &str) -> bool {
    mark.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

fn between(mark: &str, random: &mut Rng, signs: &[&str]) -> Option<String> {
    let sign = signs[random.usize(..signs.len())];
    let count = mark.chars().count();
    (count > 1).then(|| mark.chars().map(String::from).collect::<Vec<_>>().join(sign))
}

const TRADITIONAL: &[(char, char)] = &[
    ('云', '雲'),
    ('龙', '龍'),
    ('马', '馬'),
    ('鸟', '鳥'),
    ('鱼', '魚'),
    ('车', '車'),
    ('门', '門'),
    ('国', '國'),
    ('华', '華'),
    ('东', '東'),
    ('丽', '麗'),
    ('乐', '樂'),
    ('宝', '寶'),
    ('飞', '飛'),
    ('风', '風'),
    ('金', '金'),
    ('银', '銀'),
    ('长', '長'),
    ('万', '萬'),
    ('达', '達'),
    ('兰', '蘭'),
    ('凤', '鳳'),
    ('圆', '圓'),
    ('园', '園'),
    ('贝', '貝'),
    ('联', '聯'),
    ('润', '潤'),
    ('师', '師'),
    ('时', '時'),
    ('书', '書'),
    ('双', '雙'),
    ('汉', '漢'),
    ('爱', '愛'),
    ('艺', '藝'),
    ('叶', '葉'),
    ('医', '醫'),
];
const CONFUSABLE: &[(char, char)] = &[
    ('a', 'а'),
    ('e', 'е'),
    ('o', 'о'),
    ('p', 'р'),
    ('c', 'с'),
    ('x', 'х'),
    ('i', 'і'),
    ('s', 'ѕ'),
    ('j', 'ј'),
    ('h', 'һ'),
];
const LEET: &[(char, &str)] = &[
    ('o', "0"),
    ('i', "1"),
    ('l', "1"),
    ('e', "3"),
    ('a', "4"),
    ('s', "5"),
    ('t', "7"),
    ('b', "8"),
    ('a', "@"),
    ('s', "$"),
    ('i', "!"),
];

fn table(pairs: &[(char, char)], c: char) -> Option<String> {
    pairs.iter().find(|(from, _)| *from == c).map(|(_, to)| to.to_string())
}

fn ways() -> Vec<(&'static str, Way)> {
    vec![
        ("plain", |_, mark, _| Some(mark.to_owned())),
        ("invisible", |_, mark, random| between(mark, random, &["\u{200b}", "\u{200d}", "\u{2060}", "\u{ad}"])),
        ("separator", |_, mark, random| between(mark, random, &["·", "-", ".", "_", "*", " "])),
        ("emoji", |_, mark, random| between(mark, random, &["🔥", "❤️", "⭐"])),
        ("traditional", |_, mark, random| {
            one_of(mark, random, |c, _| table(TRADITIONAL, c).filter(|to| !to.starts_with(c)))
        }),
        ("full width", |_, mark, _| {
            let wide = |c: char| char::from_u32(c as u32 + 0xFEE0);
            (!han(mark))
                .then(|| mark.chars().map(|c| if c.is_ascii_graphic() { wide(c).unwrap() } else { c }).collect())
        }),
        ("confusable", |_, mark, random| one_of(mark, random, |c, _| table(CONFUSABLE, c))),
        ("leet", |_, mark, random| {
            let looks = |c: char, random: &mut Rng| {
                let looks: Vec<&str> = LEET.iter().filter(|(from, _)| *from == c).map(|(_, to)| *to).collect();
                (!looks.is_empty()).then(|| looks[random.usize(..looks.len())].to_owned())
            };
            mark.is_ascii().then(|| one_of(mark, random, looks)).flatten()
        }),
        ("edit", |_, mark, random| {
            let mut all: Vec<char> = mark.chars().collect();
            if !mark.is_ascii() {
                return None;
            }
            let at = random.usize(1..all.len());
            let letter = char::from(random.u8(b'a'..=b'z'));
            match random.u8(..3) {
                0 => all.insert(at, letter),
                1 => drop(all.remove(at)),
                _ => all[at] = if all[at] == letter { 'q' } else { letter },
            }
            Some(all.into_iter().collect())
        }),
        ("swap", |_, mark, random| {
            let mut all: Vec<char> = mark.chars().collect();
            let at = random.usize(1..all.len());
            all.swap(at - 1, at);
            let written: String = all.into_iter().collect();
            (mark.is_ascii() && written != mark).then_some(written)
        }),
        ("pinyin one", |evasions, mark, random| {
            han(mark).then(|| one_of(mark, random, |c, _| evasions.pinyin.get(&c).cloned())).flatten()
        }),
        ("pinyin whole", |evasions, mark, random| {
            han(mark).then(|| all_of(mark, random, |c, _| evasions.pinyin.get(&c).cloned())).flatten()
        }),
        ("homophone one", |evasions, mark, random| {
            one_of(mark, random, |c, random| pick(evasions.homophones.get(&c), random))
        }),
        ("homophone all", |evasions, mark, random| {
            all_of(mark, random, |c, random| pick(evasions.homophones.get(&c), random))
        }),
        ("look-alike", |evasions, mark, random| {
            one_of(mark, random, |c, random| pick(evasions.look_alikes.get(&c), random))
        }),
        ("split one", |evasions, mark, random| one_of(mark, random, |c, _| evasions.splits.get(&c).cloned())),
        ("split all", |evasions, mark, random| all_of(mark, random, |c, _| evasions.splits.get(&c).cloned())),
        ("digit", |_, mark, random| {
            let digits = [
                ('一', '1'),
                ('二', '2'),
                ('三', '3'),
                ('四', '4'),
                ('五', '5'),
                ('六', '6'),
                ('七', '7'),
                ('八', '8'),
                ('九', '9'),
            ];
            one_of(mark, random, |c, _| table(&digits, c))
        }),
        ("reversed", |_, mark, _| {
            let backwards: String = mark.chars().rev().collect();
            (backwards != mark).then_some(backwards)
        }),
        ("homophone + emoji", |evasions, mark, random| {
            let written = one_of(mark, random, |c, random| pick(evasions.homophones.get(&c), random))?;
            between(&written, random, &["🔥", "\u{200b}"])
        }),
        ("homophone + look-alike", |evasions, mark, random| {
            let all: Vec<char> = mark.chars().collect();
            let first = all.iter().position(|c| evasions.homophones.contains_key(c))?;
            let second =
                all.iter().enumerate().position(|(at, c)| at != first && evasions.look_alikes.contains_key(c))?;
            let mut written = String::new();
            for (at, c) in all.iter().enumerate() {
                let other = match at {
                    at if at == first => pick(evasions.homophones.get(c), random),
                    at if at == second => pick(evasions.look_alikes.get(c), random),
                    _ => Some(c.to_string()),
                };
                written.push_str(&other?);
            }
            Some(written)
        }),
    ]
}

fn wilson(found: usize, of: usize) -> (f64, f64) {
    let (n, z) = (of.max(1) as f64, 1.96);
    let p = found as f64 / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / (1.0 + z * z / n);
    (middle - half, middle + half)
}

const CATEGORY: &str = "服饰鞋包";

fn listing(title: &str, category: bool) -> Listing {
    let category: &[&str] = if category { &[CATEGORY] } else { &[] };
    serde_json::from_value(serde_json::json!({"title": title, "category": category})).unwrap()
}

fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

fn main() {
    let asked = asked();
    let (language, evasions, random) = (Language::new(), Evasions::new(), &mut Rng::with_seed(11));
    let mut report = String::new();
    let mut texts: Vec<String> = (0..asked.marks).map(|_| language.mark(random)).collect();
    // Marks that every way of writing can be done to, so that each has its sample.
    let writable: Vec<char> = {
        let mut all: Vec<char> = evasions.homophones.keys().copied().collect();
        all.sort_unstable();
        all
    };
    let own = texts.len() / 5;
    for text in texts.iter_mut().take(own).filter(|text| han(text)) {
        let length = text.chars().count();
        *text = (0..length).map(|_| writable[random.usize(..writable.len())]).collect();
    }
    texts.sort();
    texts.dedup();
    random.shuffle(&mut texts);
    let marks: Vec<Mark> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let value =
                serde_json::json!({"id": at.to_string(), "holder": at.to_string(), "text": text, "nice_classes": [25]});
            serde_json::from_value(value).unwrap()
        })
        .collect();
    let before = memory();
    let begin = Instant::now();
    let register = Arc::new(Register::new(marks.clone()));
    say(
        &mut report,
        &format!(
            "{} marks: register built in {:.2} s, {:.0} MB",
            marks.len(),
            begin.elapsed().as_secs_f64(),
            memory() - before
        ),
    );
    let matcher = Matcher::new(register, None, Settings::default());
    speed(&asked, &language, &matcher, &texts, &mut report);
    recall(&asked, &language, &evasions, &matcher, &texts, &mut report);
    if let Some(path) = &asked.write {
        std::fs::write(path, &report).unwrap();
    }
}

fn say(report: &mut String, line: &str) {
    println!("{line}");
    writeln!(report, "{line}").unwrap();
}

fn speed(asked: &Asked, language: &Language, matcher: &Matcher, texts: &[String], report: &mut String) {
    let random = &mut Rng::with_seed(3);
    let clean: Vec<Listing> = (0..asked.listings)
        .map(|_| {
            let mut one = listing(&language.text(random, 30), false);
            one.description = Some(language.text(random, 570));
            one
        })
        .collect();
    let on = "2026-11-26".parse().unwrap();
    let begin = Instant::now();
    let found: Vec<_> = clean.iter().map(|one| matcher.check(one, on)).collect();
    let alone = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for half in clean.chunks(clean.len().div_ceil(2)) {
            scope.spawn(|| half.iter().map(|one| matcher.check(one, on).findings.len()).sum::<usize>());
        }
    });
    let together = begin.elapsed().as_secs_f64();
    let peer = AhoCorasick::builder()
        .kind(Some(aho_corasick::AhoCorasickKind::ContiguousNFA))
        .build(texts.iter().map(|text| fold(text)))
        .unwrap();
    let begin = Instant::now();
    let hits: usize = clean.iter().map(|one| peer.find_overlapping_iter_safe(one)).sum();
    let theirs = begin.elapsed().as_secs_f64();
    let rate = |seconds: f64| clean.len() as f64 / seconds;
    say(
        report,
        &format!(
            "clean listings of 600 characters: {:.0} a second on one thread, {:.0} on two ({:.2}x); aho-corasick (contiguous NFA, exact only) {:.0}, ratio {:.3} [{hits} exact there]",
            rate(alone),
            rate(together),
            alone / together,
            rate(theirs),
            rate(alone) / rate(theirs)
        ),
    );
    let mut by_channel: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut queued, mut fuzzy) = (0, 0);
    for (one, findings) in clean.iter().zip(&found) {
        for (finding, stands) in findings
            .findings
            .iter()
            .map(|finding| (finding, true))
            .chain(findings.suppressed.iter().map(|finding| (finding, false)))
        {
            let guessed = finding.channels.iter().any(|channel| {
                !matches!(
                    channel,
                    Channel::Separator
                        | Channel::Width
                        | Channel::Traditional
                        | Channel::Invisible
                        | Channel::Emoji
                        | Channel::Confusable
                )
            });
            let name: Vec<String> = finding.channels.iter().map(ToString::to_string).collect();
            let count = by_channel.entry(if name.is_empty() { "plain".into() } else { name.join("+") }).or_default();
            if stands {
                count.0 += 1
            } else {
                count.1 += 1
            }
            queued += usize::from(stands);
            fuzzy += usize::from(stands && guessed);
            if asked.show && stands && guessed {
                let text = if finding.surface == "title" { &one.title } else { one.description.as_ref().unwrap() };
                let around: String =
                    text.chars().skip(finding.start.saturating_sub(6)).take(finding.end - finding.start + 12).collect();
                println!("   {} for {} in {around} {:.2} {name:?}", finding.text, finding.word, finding.score);
            }
        }
    }
    say(
        report,
        &format!(
            "false alarms a clean listing: {:.3} in all, {:.4} of them guessed",
            queued as f64 / clean.len() as f64,
            fuzzy as f64 / clean.len() as f64
        ),
    );
    for (channel, (stands, aside)) in by_channel {
        say(
            report,
            &format!(
                "   {channel:<24} {:.4} queued, {:.4} set aside",
                stands as f64 / clean.len() as f64,
                aside as f64 / clean.len() as f64
            ),
        );
    }
}

trait Overlapping {
    fn find_overlapping_iter_safe(&self, listing: &Listing) -> usize;
}

impl Overlapping for AhoCorasick {
    fn find_overlapping_iter_safe(&self, listing: &Listing) -> usize {
        let texts = [Some(&listing.title), listing.description.as_ref()];
        texts.into_iter().flatten().map(|text| self.find_overlapping_iter(text.as_str()).count()).sum()
    }
}

fn recall(
    asked: &Asked,
    language: &Language,
    evasions: &Evasions,
    matcher: &Matcher,
    texts: &[String],
    report: &mut String,
) {
    let on = "2026-11-26".parse().unwrap();
    say(report, "recall, by way of writing and characters of the mark (2 with its class known; 3 and more without)");
    for (name, way) in ways() {
        let random = &mut Rng::with_seed(17);
        let mut cells: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for (at, text) in texts.iter().enumerate() {
            let length = text.chars().count().min(6);
            if length < 2 || cells.get(&length).is_some_and(|(_, of)| *of >= asked.each) {
                continue;
            }
            let Some(written) = way(evasions, text, random).filter(|written| name == "plain" || written != text) else {
                continue;
            };
            let (left, right) = (language.text(random, 8), language.text(random, 14));
            // A Latin word stands apart from other letters and digits, as sellers write it.
            let space = |inner: Option<char>, outer: Option<char>| {
                let apart = inner.is_some_and(|c| !('\u{4e00}'..='\u{9fff}').contains(&c));
                if apart && outer.is_some_and(|c| c.is_ascii_alphanumeric()) { " " } else { "" }
            };
            let before = space(written.chars().next(), left.chars().last());
            let after = space(written.chars().last(), right.chars().next());
            let title = format!("{left}{before}{written}{after}{right}");
            let (start, end) = {
                let start = left.chars().count() + before.chars().count();
                (start, start + written.chars().count())
            };
            let found = matcher.check(&listing(&title, length == 2), on);
            let mine = at.to_string();
            let hit = found
                .findings
                .iter()
                .any(|finding| finding.reference == mine && finding.start < end && start < finding.end);
            if asked.show && !hit {
                let aside = found.suppressed.iter().find(|finding| finding.reference == mine);
                println!(
                    "   missed {text} as {written} in {title}: {:?}",
                    aside.map(|finding| (
                        finding.score,
                        finding.suppressed.clone(),
                        finding.explanation.iter().map(|step| step.en.clone()).collect::<Vec<_>>()
                    ))
                );
            }
            let cell = cells.entry(length).or_default();
            cell.0 += usize::from(hit);
            cell.1 += 1;
        }
        let (found, of) = cells
            .iter()
            .filter(|(length, _)| **length > 2)
            .fold((0, 0), |sum, (_, cell)| (sum.0 + cell.0, sum.1 + cell.1));
        let (low, high) = wilson(found, of);
        let mut line = format!(
            "   {name:<24} 3+: {:5.1} % [{:.1}, {:.1}] of {of:<5}",
            100.0 * found as f64 / of.max(1) as f64,
            100.0 * low,
            100.0 * high
        );
        for (length, (found, of)) in cells {
            write!(line, "  {length}: {:.1} ({of})", 100.0 * found as f64 / of as f64).unwrap();
        }
        say(report, &line);
    }
}
