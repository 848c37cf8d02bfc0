//! Listings and hits of a made-up marketplace: the same number gives the same, and no two are alike.
//!
//! Words are drawn as words of a language are: few often, most seldom, so that nothing compresses better than shop texts do.

use std::sync::LazyLock;

use fastrand::Rng;
use markwarden::model::{Amount, Finding, FindingKind, Handling, Listing, ListingId, Money, NewHit, Seller, Severity, Timestamp};
use serde_json::{Map, Value};

pub const PLATFORMS: [&str; 4] = ["星集", "云铺", "万货", "直播港"];
const CHARACTERS: usize = 3500;
const WORDS: usize = 20_000;
const FAMILIES: usize = 500;
const ATTRIBUTES: [&str; 8] = ["品牌", "材质", "规格", "产地", "适用人群", "颜色", "上市时间", "货号"];
const DESCRIPTION_CHARACTERS: usize = 250;

static VOCABULARY: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut random = Rng::with_seed(1);
    let mut characters: Vec<char> = ('\u{4E00}'..'\u{9FA6}').collect();
    random.shuffle(&mut characters);
    characters.truncate(CHARACTERS);
    let word = |random: &mut Rng| -> String {
        let length = [2, 2, 2, 2, 2, 3, 4][random.usize(..7)];
        (0..length).map(|_| characters[rank(random, characters.len())]).collect()
    };
    (0..WORDS).map(|_| word(&mut random)).collect()
});

/// A number below `count`; the n-th comes about 1/n as often as the first.
fn rank(random: &mut Rng, count: usize) -> usize {
    ((count as f64).powf(random.f64()) as usize).saturating_sub(1).min(count - 1)
}

fn word(random: &mut Rng) -> &'static str {
    &VOCABULARY[rank(random, WORDS)]
}

fn text(random: &mut Rng, characters: usize, between: &str) -> String {
    let (mut text, mut length) = (String::new(), 0);
    while length < characters {
        if length > 0 && random.u8(..4) == 0 {
            text.push_str(between);
        }
        let word = word(random);
        length += word.chars().count();
        text.push_str(word);
    }
    text
}

fn address(n: u64) -> String {
    format!("https://shop{}.example/item/{}.html", n % 97, 600_000_000_000 + n * 7919)
}

pub fn listing_id(n: u64) -> ListingId {
    ListingId::new(&format!("{}:{}", PLATFORMS[n as usize % PLATFORMS.len()], 600_000_000_000 + n * 7919)).unwrap()
}

/// About 1.5 KB of product facts.
pub fn listing(n: u64) -> Listing {
    let random = &mut Rng::with_seed(n);
    let mut attributes = Map::new();
    for name in ATTRIBUTES {
        let length = random.usize(2..6);
        attributes.insert(name.to_owned(), Value::String(text(random, length, " ")));
    }
    let title_length = random.usize(18..30);
    Listing {
        id: (600_000_000_000 + n * 7919).to_string(),
        platform: Some(PLATFORMS[n as usize % PLATFORMS.len()].to_owned()),
        url: Some(address(n)),
        title: text(random, title_length, " "),
        description: Some(text(random, DESCRIPTION_CHARACTERS, "，")),
        attributes,
        price: Some(Money { amount: Amount::from_hundredths(random.u64(500..500_000)), currency: "CNY".to_owned() }),
        sku: Some(format!("SKU-{:08x}", random.u32(..))),
        brand: Some(word(random).to_owned()),
        availability: Some("InStock".to_owned()),
        seller: Some(Seller {
            id: Some(random.u64(10_000_000..99_999_999).to_string()),
            name: Some(text(random, 6, "")),
            license: None,
            said_kind: None,
        }),
        category: vec![word(random).to_owned(), word(random).to_owned()],
        ..Listing::default()
    }
}

/// About 550 bytes: one finding, and of the listing what a reviewer's list shows. With `whole` the whole listing, as it was
/// matched.
pub fn hit(n: u64, whole: bool) -> NewHit {
    let random = &mut Rng::with_seed(!n);
    let facts = listing(n);
    let family = VOCABULARY[rank(random, FAMILIES)].clone();
    let start = random.usize(..10);
    let score = f64::from(random.u32(300..1000)) / 1000.0;
    let severity = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical][random.usize(..4)];
    let finding = Finding {
        kind: FindingKind::Mark,
        reference: format!("m{}", rank(random, 20_000)),
        family: family.clone(),
        surface: "title".to_owned(),
        start,
        end: start + family.chars().count(),
        text: family.clone(),
        version: None,
        campaign: None,
        continues: Vec::new(),
        moment: None,
        word: family.clone(),
        channels: Vec::new(),
        score,
        severity,
        citation: String::new(),
        explanation: Vec::new(),
        suppressed: None,
        handling: Handling::default(),
    };
    let shown = Listing {
        id: facts.id.clone(),
        platform: facts.platform.clone(),
        title: facts.title.clone(),
        ..Listing::default()
    };
    NewHit {
        dedupe: format!("{:016x}{:016x}", random.u64(..), n),
        listing: if whole { facts } else { shown },
        family,
        findings: vec![finding],
        priority: (score * 255.0) as u8,
        severity,
        capture: None,
        evidence: None,
        matched_with: "g1".to_owned(),
        found_at: Timestamp::UNIX_EPOCH,
    }
}
