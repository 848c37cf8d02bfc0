//! The plain way to evaluate rules, which the fast one is held against: every rule, every surface, every word at every place.

use fastrand::Rng;
use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::{
    RuleSet, RuleSource,
    evaluate::{self, Facts, Hit},
    finding::{Place, Spot},
    rule::{Fit, Rule},
};
use crate::{
    model::{Finding, Listing, SurfaceKind},
    text::{FoldedSurface, fold, fold_surfaces},
};

const DAY: Date = date(2026, 11, 23);

/// Words that stand inside one another and beside one another.
const WORDS: [&str; 14] =
    ["最好", "最好的", "好的", "国家级", "级别", "有效", "有效率", "不是", "拒绝", "A货", "a", "b级", "茶叶", "率a"];
const BETWEEN: [&str; 9] = ["", "", "", "，", " ", "。", "·", "茶", "b"];

fn hits(set: &RuleSet, (number, rule): (u32, &Rule), surface: &FoldedSurface<'_>) -> Vec<Hit> {
    let units: Vec<u32> = surface.folded.codes().collect();
    let mut hits = Vec::new();
    for clause in 0..rule.clauses.len() {
        for side in 0..2 {
            for (word, codes) in set.plans().words_of(number, clause, side) {
                let starts = (0..units.len()).filter(|&start| units[start..].starts_with(codes));
                hits.extend(starts.map(|start| Hit { clause, side, units: start..start + codes.len(), word }));
            }
        }
    }
    hits.sort_by_key(|hit| (hit.units.end, hit.units.start));
    hits
}

fn plainly(set: &RuleSet, listing: &Listing, surfaces: &[FoldedSurface<'_>]) -> Vec<Finding> {
    let sectors = set.sectors_of(listing);
    let mut findings = Vec::new();
    for surface in surfaces {
        for (number, rule) in (0..).zip(set.rules()) {
            let attribute = surface.surface.path.strip_prefix("attributes.").map(fold);
            let (fit, here) = (rule.sectors.fit(&sectors), hits(set, (number, rule), surface));
            if here.is_empty() || fit == Fit::No || !rule.reads(surface.surface.kind, attribute.as_deref()) {
                continue;
            }
            let told = surfaces
                .iter()
                .filter(|other| !matches!(other.surface.kind, SurfaceKind::Review | SurfaceKind::Danmaku));
            let told: Vec<_> = told.map(|other| (other, hits(set, (number, rule), other))).collect();
            let count = |clause: usize| -> usize {
                let found = told
                    .iter()
                    .map(|(other, hits)| evaluate::direct(rule, clause, other, &hits.iter().collect::<Vec<_>>()).len());
                found.sum()
            };
            let clauses = rule.clauses.iter().enumerate().filter(|(_, clause)| clause.anywhere);
            let anywhere: Vec<usize> =
                clauses.filter(|(index, clause)| count(*index) >= clause.min_count).map(|(index, _)| index).collect();
            let facts = Facts { listing, sectors: &sectors, given: DAY.into(), anywhere: &anywhere };
            let outcome = evaluate::run(rule, surface, &here, facts);
            let place = Place { rule, surface, plans: set.plans(), deep: (set.deep(), &[]), fit, day: DAY };
            let mut spots = Vec::new();
            Spot::add((number, 0), rule, outcome, &mut spots);
            findings.extend(spots.iter().map(|spot| place.finding(spot, |_| "")));
        }
    }
    findings
}

fn words(random: &mut Rng) -> String {
    let words: Vec<String> =
        (0..random.usize(1..4)).map(|_| format!("\"{}\"", WORDS[random.usize(..WORDS.len())])).collect();
    format!("[{}]", words.join(", "))
}

fn side(random: &mut Rng, others: &[String]) -> String {
    match random.u8(..4) {
        0 => "\"@denial\"".to_owned(),
        1 if !others.is_empty() => format!("\"{}\"", others[random.usize(..others.len())]),
        _ => words(random),
    }
}

/// One way to look; `others` may be referred to.
fn look(random: &mut Rng, others: &[String]) -> String {
    match random.u8(..8) {
        0..4 => format!("words = {}", words(random)),
        4 => "regex = \"最好.?|国家级\"\natoms = [\"最好\", \"国家\"]".to_owned(),
        5 if !others.is_empty() => "when = \"price < 100 or category in ['food']\"".to_owned(),
        _ => format!(
            "near = {{ a = {}, b = {}, within = {}, order = \"{}\", stop = \"{}\" }}",
            side(random, others),
            side(random, others),
            random.u8(..6),
            ["any", "a-b"][random.usize(..2)],
            ["sentence", "clause", "phrase"][random.usize(..3)]
        ),
    }
}

fn condition(random: &mut Rng, mut names: Vec<String>) -> String {
    random.shuffle(&mut names);
    let mut condition = names.pop().unwrap_or_default();
    for name in names {
        let join = ["and", "or", "and not", "or not"][random.usize(..4)];
        condition = format!("({condition} {join} {name})");
    }
    condition
}

fn rule(number: usize, random: &mut Rng) -> RuleSource {
    let (mut names, mut asked, mut clauses): (Vec<String>, Vec<String>, _) = (Vec::new(), Vec::new(), String::new());
    for index in 0..random.usize(1..5) {
        let (name, cover) = (format!("c{index}"), index > 0 && random.u8(..5) == 0);
        let more = match random.u8(..6) {
            _ if cover => "cover = true\n",
            0 => "anywhere = true\n",
            1 => "min_count = 2\n",
            2 => "report = false\nedges = \"none\"\n",
            _ => "",
        };
        clauses += &format!("[clause.{name}]\n{more}{}\n", look(random, &names));
        // What may be referred to: words and regexes.
        if clauses.lines().last().is_some_and(|line| !line.starts_with("near") && !line.starts_with("when")) {
            names.push(name.clone());
        }
        if !cover {
            asked.push(name);
        }
    }
    for index in 0..random.usize(..3) {
        let look = look(random, &names);
        clauses += &format!("[[except]]\nname = \"e{index}\"\nwhy = {{ zh = \"因\", en = \"why\" }}\n{look}\n");
    }
    let fold = ["[]", "[\"sep\", \"case\", \"nfkc\"]", "[\"nfkc\", \"case\", \"t2s\", \"sep\", \"emoji\", \"glyph\"]"];
    let text = format!(
        "format = 1\nid = \"r{number}\"\nversion = 1\nfamily = \"F\"\nkind = \"phrase\"\nstatus = \"draft\"\nseverity = \"low\"\nscore = 50\ntitle = {{ zh = \"题\", en = \"title\" }}\nowner = \"o\"\nsectors = [{}]\n[basis]\ncites = [\"advertising-law.false\"]\nnote = {{ zh = \"据\", en = \"basis\" }}\n[match]\nfields = [{}]\nfold = {}\ncondition = \"{}\"\nskip_attributes = [\"级别\"]\n{clauses}[review]\nreason = \"r\"\nguidance = {{ zh = \"看\", en = \"look\" }}\n",
        ["\"*\"", "\"food\"", "\"*\", \"!food\""][random.usize(..3)],
        ["\"title\", \"description\", \"attribute\"", "\"title\", \"review\"", "\"description\""][random.usize(..3)],
        fold[random.usize(..3)],
        condition(random, asked),
    );
    RuleSource { path: format!("r{number}.toml"), text }
}

fn text(random: &mut Rng) -> String {
    (0..random.usize(..14))
        .map(|_| format!("{}{}", WORDS[random.usize(..WORDS.len())], BETWEEN[random.usize(..BETWEEN.len())]))
        .collect()
}

fn listing(random: &mut Rng) -> Listing {
    let mut listing = Listing { title: text(random), description: Some(text(random)), ..Listing::default() };
    for name in ["级别", "产地"] {
        listing.attributes.insert(name.to_owned(), text(random).into());
    }
    listing.reviews = vec![crate::model::Review { text: text(random) }];
    listing.category = [vec!["食品".to_owned()], vec!["家居".to_owned()], Vec::new()][random.usize(..3)].clone();
    listing
}

/// Sets of twenty rules and what they find: rules that can be read, listings, findings, those of them set aside.
fn compare(seed: u64) -> (usize, usize, usize) {
    let mut random = Rng::with_seed(seed);
    let sound = |source: RuleSource| RuleSet::parse(vec![source.clone()]).is_ok().then_some(source);
    let sources: Vec<RuleSource> = (0..20).filter_map(|number| sound(rule(number, &mut random))).collect();
    let set = RuleSet::parse(sources).unwrap_or_default();
    let (mut found, mut aside) = (0, 0);
    for _ in 0..20 {
        let listing = listing(&mut random);
        let surfaces = fold_surfaces(&listing);
        let fast = set.findings_of(&listing, &surfaces, DAY, |_| true);
        assert!(fast == plainly(&set, &listing, &surfaces), "seed {seed}: {listing:?}");
        aside += fast.iter().filter(|finding| finding.suppressed.is_some()).count();
        found += fast.len();
    }
    (set.rules().len(), found, aside)
}

#[test]
fn generated_rules_are_mostly_sound_and_find_something() {
    let sums = (0..20).map(compare).fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
    assert!(sums.0 > 150 && sums.1 > 1_000 && sums.2 > 50, "{sums:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn the_fast_way_finds_what_the_plain_way_finds(seed in any::<u64>()) {
        compare(seed);
    }
}
