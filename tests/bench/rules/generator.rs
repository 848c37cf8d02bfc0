//! Rules in the shape of the shipped ones, and listings that are dense with their words.
//!
//! Everything comes from one seed and the words of `tables/words.tsv`. Of the rules four of ten look for phrases with
//! covers and exceptions, a quarter for two sides that stand close, a fifth are gates whose proof may stand anywhere, the
//! rest ask for a phrase or a regex beside a setting and without what allows it. Counts of words, clauses, exceptions and lists
//! that are shared (`@refusal`, `@denial`, `@rejected-after`) follow the shipped files; tests are five and five.

use std::fmt::Write as _;

use fastrand::Rng;
use markwarden::{model::Listing, rules::RuleSource};

const SEED: u64 = 20_261_127;
const SECTORS: [(&str, &str); 6] = [
    ("food", "食品/茶"),
    ("cosmetics", "美妆"),
    ("apparel", "女装"),
    ("home", "家居"),
    ("toys", "玩具"),
    ("auto-parts", "汽车用品"),
];

/// Words of the language, common ones more often.
struct Words {
    words: Vec<(&'static str, f64)>,
}

impl Words {
    fn read() -> Self {
        let (mut sum, mut words) = (0.0, Vec::new());
        for line in include_str!("../../../tables/words.tsv").lines().skip(1) {
            let mut columns = line.split('\t');
            let (word, class) = (columns.next().unwrap(), columns.next().unwrap().parse::<i32>().unwrap());
            if word.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) {
                sum += 1.6_f64.powi(class);
                words.push((word, sum));
            }
        }
        Self { words }
    }

    /// As a text has them.
    fn common(&self, random: &mut Rng) -> &'static str {
        let at = random.f64() * self.words.last().unwrap().1;
        self.words[self.words.partition_point(|(_, sum)| *sum <= at).min(self.words.len() - 1)].0
    }

    /// As a dictionary has them.
    fn any(&self, random: &mut Rng) -> &'static str {
        self.words[random.usize(..self.words.len())].0
    }

    fn phrase(&self, random: &mut Rng) -> String {
        format!("{}{}", self.any(random), self.common(random))
    }

    fn text(&self, random: &mut Rng, characters: usize) -> String {
        let (mut text, mut length) = (String::new(), 0);
        while length < characters {
            let word = self.common(random);
            text.push_str(word);
            length += word.chars().count();
            if random.u8(..7) == 0 {
                text.push(['，', ' ', '。', ' '][random.usize(..4)]);
            }
        }
        text
    }
}

/// A rule, what stands in its claims, and a sentence that it hits.
pub struct Made {
    pub source: RuleSource,
    /// Words of the clauses that are shown.
    pub claims: Vec<String>,
    sentence: String,
    sector: Option<usize>,
    attribute: bool,
}

/// `count` rules.
pub fn rules(count: usize) -> Vec<Made> {
    let (words, mut random) = (Words::read(), Rng::with_seed(SEED));
    (0..count).map(|number| rule(number, &words, &mut random)).collect()
}

/// The text of rule `number` of a set, changed as an author would: one word more, the version raised.
pub fn revised(source: &RuleSource) -> RuleSource {
    let text =
        source.text.replacen("words = [", "words = [\"新添加的词语\", ", 1).replacen("version = 1", "version = 2", 1);
    RuleSource { path: source.path.clone(), text }
}

fn rule(number: usize, words: &Words, random: &mut Rng) -> Made {
    let shape = random.u8(..20);
    let phrases =
        |random: &mut Rng, count: usize| -> Vec<String> { (0..count).map(|_| words.phrase(random)).collect() };
    let plain = |random: &mut Rng, count: usize| -> Vec<String> {
        (0..count).map(|_| words.any(random).to_owned()).filter(|word| word.chars().count() > 1).collect()
    };
    let claims = phrases(random, 24);
    let mut clauses = String::new();
    let (mut sentence, mut kind, mut gate) = (claims[0].clone(), "phrase", String::new());
    let condition = match shape {
        0..8 => {
            write!(clauses, "[clause.claim]\nwords = {}\n\n", array(&claims)).unwrap();
            "claim"
        }
        8..13 => {
            let beside = plain(random, 16);
            write!(
                clauses,
                "[clause.claim]\nnear = {{ a = {}, b = {}, within = 6 }}\n\n",
                array(&claims),
                array(&beside)
            )
            .unwrap();
            clauses.push_str("[clause.goods]\nwhen = \"not category in ['books', 'services'] or price > 10000\"\n\n");
            sentence = format!("{}的{}", claims[0], beside[0]);
            "claim and goods"
        }
        13..17 => {
            write!(clauses, "[clause.claim]\nwords = {}\n\n", array(&claims)).unwrap();
            let proof = phrases(random, 12);
            write!(clauses, "[clause.proof]\nanywhere = true\nwords = {}\n\n", array(&proof)).unwrap();
            clauses.push_str("[clause.number]\nanywhere = true\nregex = \"(备案|注册)号?[0-9a-z]{6,18}\"\natoms = [\"备案\", \"注册\"]\n\n");
            kind = "product_gate";
            gate = "[gate]\nquestion = { zh = \"有无证明？\", en = \"Is there a proof?\" }\nanswer = { zh = \"备案号\", en = \"its number\" }\nanswered_by = [\"proof\", \"number\"]\n\n".to_owned();
            "claim and not proof and not number"
        }
        _ => {
            write!(clauses, "[clause.claim]\nwords = {}\n\n", array(&claims)).unwrap();
            write!(
                clauses,
                "[clause.rate]\nregex = \"{}(高?达|为|超过?)?[0-9]{{2,4}}\"\natoms = [\"{}\"]\n\n",
                claims[1], claims[1]
            )
            .unwrap();
            let setting: Vec<String> =
                (0..14).map(|_| words.common(random).to_owned()).filter(|word| word.chars().count() > 1).collect();
            write!(clauses, "[clause.setting]\nwords = {}\nreport = false\n\n", array(&setting)).unwrap();
            write!(clauses, "[clause.allowed]\nwords = {}\n\n", array(&phrases(random, 8))).unwrap();
            kind = "context";
            sentence = format!("{}，{}", setting[0], claims[0]);
            "(claim or rate) and setting and not allowed"
        }
    };
    let covers: Vec<String> = claims.iter().take(12).map(|claim| format!("{claim}{}", words.common(random))).collect();
    write!(clauses, "[clause.other-word]\ncover = true\nwords = {}\n\n", array(&covers)).unwrap();
    let b = if shape >= 17 { "rate" } else { "claim" };
    for (name, near) in [
        ("turned-against", format!("a = \"@refusal\", b = \"{b}\", within = 8, order = \"a-b\", stop = \"clause\"")),
        ("denied", format!("a = \"@denial\", b = \"{b}\", within = 4, order = \"a-b\", stop = \"phrase\"")),
        (
            "rejected-after",
            format!("a = \"{b}\", b = \"@rejected-after\", within = 4, order = \"a-b\", stop = \"clause\""),
        ),
        ("described", format!("a = {}, b = \"{b}\", within = 6, stop = \"sentence\"", array(&plain(random, 10)))),
        (
            "by-name",
            format!("a = {}, b = {}, within = 3, order = \"a-b\"", array(&plain(random, 6)), array(&claims[..6])),
        ),
    ] {
        write!(
            clauses,
            "[[except]]\nname = \"{name}\"\nwhy = {{ zh = \"不是宣传\", en = \"no claim\" }}\nnear = {{ {near} }}\n\n"
        )
        .unwrap();
    }
    let sector = (random.u8(..3) > 0).then(|| random.usize(..SECTORS.len()));
    let attribute = random.u8(..3) == 0;
    let mut tests = String::new();
    for _ in 0..5 {
        let category = sector.map_or(String::new(), |sector| format!(", category = \"{}\"", SECTORS[sector].1));
        write!(
            tests,
            "[[test]]\nlisting = {{ title = \"{}。{sentence}\"{category} }}\nexpect = \"hit\"\n\n",
            ["云南", "新款", "江浙沪", "包邮", "秋冬"][random.usize(..5)]
        )
        .unwrap();
        write!(
            tests,
            "[[test]]\nlisting = {{ title = \"{}，{}\"{category} }}\nexpect = \"miss\"\n\n",
            words.text(random, 6),
            words.any(random)
        )
        .unwrap();
    }
    let text = format!(
        "format = 1\nid = \"bench.r{number}\"\nversion = 1\nfamily = \"BENCH-{}\"\nkind = \"{kind}\"\nstatus = \"active\"\nseverity = \"medium\"\nscore = 60\ntitle = {{ zh = \"规则{number}\", en = \"Rule {number}\" }}\nowner = \"bench\"\nsectors = [{}]\n\n[basis]\ncites = [\"advertising-law.absolute-terms\", \"advertising-law.false\"]\nnote = {{ zh = \"依据\", en = \"basis\" }}\n\n[match]\nfields = [\"title\", \"subtitle\", \"description\", \"picture_text\"{}, \"spoken\"]\nfold = [\"nfkc\", \"case\", \"t2s\", \"sep\", \"emoji\", \"glyph\"]\ncondition = \"{condition}\"\n{}\n{clauses}{gate}[review]\nreason = \"false-advertising\"\nguidance = {{ zh = \"看语境\", en = \"look at the setting\" }}\n\n{tests}",
        number % 60,
        sector.map_or("\"*\", \"!books\"".to_owned(), |sector| format!("\"{}\"", SECTORS[sector].0)),
        if attribute { ", \"attribute\"" } else { "" },
        if attribute { "skip_attributes = [\"@labels\"]\n" } else { "" },
    );
    let source = RuleSource { path: format!("rules/bench.r{number}.toml"), text };
    Made { source, claims, sentence, sector, attribute }
}

fn array(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("[{}]", words.join(", "))
}

/// `count` listings of 600 characters; every second one has a sentence that one of `rules` hits, all have words of many rules
/// and of the lists that exceptions share.
pub fn listings(count: usize, rules: &[Made]) -> Vec<Listing> {
    let (words, mut random) = (Words::read(), Rng::with_seed(SEED + 1));
    (0..count).map(|number| listing(number, rules, &words, &mut random)).collect()
}

fn listing(number: usize, rules: &[Made], words: &Words, random: &mut Rng) -> Listing {
    let rule = &rules[random.usize(..rules.len())];
    let planted = number.is_multiple_of(2).then_some(rule);
    let sector = planted.and_then(|rule| rule.sector).unwrap_or_else(|| random.usize(..SECTORS.len()));
    let mut body = words.text(random, 220);
    for _ in 0..4 {
        let other = &rules[random.usize(..rules.len())];
        // What turns against a claim or only ends like one: near misses.
        let claim: String = other.claims[random.usize(..other.claims.len())].chars().skip(random.usize(..3)).collect();
        write!(body, "，{}{claim}", ["拒绝", "谨防", "杜绝", "严禁"][random.usize(..4)]).unwrap();
    }
    if let Some(rule) = planted {
        write!(body, "。{}。", rule.sentence).unwrap();
    }
    let left = 540_usize.saturating_sub(body.chars().count());
    body.push_str(&words.text(random, left));
    let attributes = ["产地", "材质", "规格"].map(|name| (name.to_owned(), words.text(random, 8).into()));
    let mut listing = Listing { title: words.text(random, 30), description: Some(body), ..Listing::default() };
    listing.attributes = attributes.into_iter().collect();
    if planted.is_some_and(|rule| rule.attribute) {
        listing.attributes.insert("卖点".to_owned(), words.text(random, 8).into());
    }
    listing.category = vec![SECTORS[sector].1.to_owned()];
    listing
}
