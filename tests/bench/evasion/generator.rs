//! Listings, marks, and what sellers do to a mark: shared by the bench and the suite.

use std::collections::{BTreeMap, HashMap, HashSet};

use fastrand::Rng;
use markwarden::{
    matcher::Matcher,
    model::{Channel, Findings, Listing, Mark},
    text::lexicon,
};

/// Words to write listings with, the common ones more often, and characters to make marks of.
pub struct Language {
    words: Vec<(String, f64)>,
    characters: Vec<char>,
}

impl Language {
    pub fn new() -> Self {
        let (mut sum, mut words, mut count) = (0.0, Vec::new(), HashMap::<char, f64>::new());
        for line in include_str!("../../../tables/words.tsv").lines().skip(1) {
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

    pub fn word(&self, random: &mut Rng) -> &str {
        let at = random.f64() * self.words.last().unwrap().1;
        &self.words[self.words.partition_point(|(_, sum)| *sum <= at).min(self.words.len() - 1)].0
    }

    /// A word that says nothing of a mark beside it.
    fn silent_word(&self, random: &mut Rng) -> &str {
        loop {
            let word = self.word(random);
            if !SPEAKING.iter().any(|speaking| word.contains(speaking)) {
                return word;
            }
        }
    }

    pub fn text(&self, random: &mut Rng, characters: usize) -> String {
        let (mut text, mut length) = (String::new(), 0);
        while length < characters {
            let token = match random.u8(..20) {
                0 => ENGLISH[random.usize(..ENGLISH.len())].to_owned(),
                1 => format!("{}{}", random.u16(1..2000), ["cm", "ml", "g", "件", "色", ""][random.usize(..6)]),
                _ => self.silent_word(random).to_owned(),
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
    pub fn mark(&self, random: &mut Rng) -> String {
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

/// Words that say how a mark beside them is used; they lower a finding as they should, whatever the disguise.
const SPEAKING: &[&str] = &[
    "二手", "中古", "回收", "闲置", "适", "兼容", "用于", "可用", "通用", "专用", "替", "配", "搭", "维修", "保养",
    "改装", "机型", "类似", "对比", "不是", "非", "无关",
];

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
pub struct Evasions {
    homophones: HashMap<char, Vec<char>>,
    look_alikes: HashMap<char, Vec<char>>,
    splits: HashMap<char, String>,
    pinyin: HashMap<char, String>,
}

impl Evasions {
    pub fn new() -> Self {
        let mut homophones = HashMap::<char, Vec<char>>::new();
        for line in include_str!("homophones.txt").lines() {
            let group: Vec<char> = line.chars().filter(|c| *c != ' ').collect();
            for one in &group {
                homophones.entry(*one).or_default().extend(group.iter().filter(|other| *other != one));
            }
        }
        let mut look_alikes = HashMap::<char, Vec<char>>::new();
        for line in include_str!("lookalikes.txt").lines() {
            let pair: Vec<char> = line.chars().filter(|c| *c != ' ').collect();
            look_alikes.entry(pair[0]).or_default().push(pair[1]);
            look_alikes.entry(pair[1]).or_default().push(pair[0]);
        }
        let splits = include_str!("splits.txt")
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(whole, parts)| (whole.chars().next().unwrap(), parts.to_owned()))
            .collect();
        let pinyin = include_str!("pinyin.txt")
            .lines()
            .filter_map(|line| line.split_once(' '))
            .flat_map(|(syllable, all)| all.chars().map(move |c| (c, syllable.to_owned())))
            .collect();
        Self { homophones, look_alikes, splits, pinyin }
    }
}

/// Each way of writing, by what it is called; none where it cannot be done to `mark`.
pub type Way = fn(&Evasions, &str, &mut Rng) -> Option<String>;

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

pub fn han(mark: &str) -> bool {
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

pub fn ways() -> Vec<(&'static str, Way)> {
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

pub fn wilson(found: usize, of: usize) -> (f64, f64) {
    let (n, z) = (of.max(1) as f64, 1.96);
    let p = found as f64 / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / (1.0 + z * z / n);
    (middle - half, middle + half)
}

pub const CATEGORY: &str = "服饰鞋包";

pub fn listing(title: &str, category: bool) -> Listing {
    let category: &[&str] = if category { &[CATEGORY] } else { &[] };
    serde_json::from_value(serde_json::json!({"title": title, "category": category})).unwrap()
}

/// Marks of which every fifth is made of characters that have a homophone in the tables, so that each way of writing has its
/// sample; sorted out of order, each once.
pub fn mark_texts(language: &Language, evasions: &Evasions, count: usize) -> Vec<String> {
    let random = &mut Rng::with_seed(11);
    let mut texts: Vec<String> = (0..count).map(|_| language.mark(random)).collect();
    let mut writable: Vec<char> = evasions.homophones.keys().copied().collect();
    writable.sort_unstable();
    for text in texts.iter_mut().take(count / 5).filter(|text| han(text)) {
        let length = text.chars().count();
        *text = (0..length).map(|_| writable[random.usize(..writable.len())]).collect();
    }
    texts.sort();
    texts.dedup();
    random.shuffle(&mut texts);
    texts
}

/// Each text as a mark of class 25 with its place as id.
pub fn marks(texts: &[String]) -> Vec<Mark> {
    let mark = |(at, text): (usize, &String)| {
        let value =
            serde_json::json!({"id": at.to_string(), "holder": at.to_string(), "text": text, "nice_classes": [25]});
        serde_json::from_value(value).unwrap()
    };
    texts.iter().enumerate().map(mark).collect()
}

/// Listings of 600 characters without any planted mark.
pub fn clean_listings(language: &Language, count: usize) -> Vec<Listing> {
    let random = &mut Rng::with_seed(3);
    let one = |_| {
        let mut one = listing(&language.text(random, 30), false);
        one.description = Some(language.text(random, 570));
        one
    };
    (0..count).map(one).collect()
}

/// Whether a finding says that another word is meant as the mark.
pub fn is_guess(channels: &[Channel]) -> bool {
    channels.iter().any(|channel| channel.is_guess() || *channel == Channel::Leet)
}

/// Found and planted, by length of the mark; 6 stands for longer ones too.
pub type Cells = BTreeMap<usize, (usize, usize)>;

/// A mark planted in a title.
pub struct Planted {
    pub mark: String,
    pub written: String,
    pub title: String,
    pub findings: Findings,
}

/// What is planted into what, and who looks for it.
pub struct Sample<'a> {
    pub language: &'a Language,
    pub evasions: &'a Evasions,
    pub matcher: &'a Matcher,
    /// The marks, by their place as id.
    pub texts: &'a [String],
    /// Most of a length.
    pub each: usize,
}

/// Plants marks written in one way, up to `each` of a length, and counts those that are found where they stand. What is missed
/// is shown to `missed`.
pub fn recall(sample: &Sample<'_>, (name, way): (&str, Way), missed: &mut dyn FnMut(Planted)) -> Cells {
    let Sample { language, evasions, matcher, texts, each } = *sample;
    let on = "2026-11-26".parse().unwrap();
    let random = &mut Rng::with_seed(17);
    let mut cells = Cells::new();
    let others: HashSet<&str> = texts.iter().map(String::as_str).collect();
    for (at, text) in texts.iter().enumerate() {
        let length = text.chars().count().min(6);
        if length < 2 || cells.get(&length).is_some_and(|(_, of)| *of >= each) {
            continue;
        }
        // Who writes another registered mark, or a plain English word, hides nothing.
        let hides = |written: &String| {
            let word = written.chars().map(u32::from);
            !(others.contains(written.as_str()) || written.is_ascii() && lexicon::word(word).is_some())
        };
        let Some(written) = way(evasions, text, random).filter(|written| name == "plain" || hides(written)) else {
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
        let start = left.chars().count() + before.chars().count();
        let end = start + written.chars().count();
        let findings = matcher.check(&listing(&title, length == 2), on);
        let mine = at.to_string();
        let overlaps = |start_of: usize, end_of: usize| start_of < end && start < end_of;
        let hit =
            findings.findings.iter().any(|finding| finding.reference == mine && overlaps(finding.start, finding.end));
        let cell = cells.entry(length).or_default();
        cell.0 += usize::from(hit);
        cell.1 += 1;
        if !hit {
            missed(Planted { mark: text.clone(), written, title, findings });
        }
    }
    cells
}
