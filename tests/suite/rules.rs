//! Rules as their authors meet them: the built-in set, what it says of listings, and the mistakes it names.

use std::{fs, path::Path};

use jiff::civil::{Date, date};
use markwarden::{
    model::{Channel, Finding, Handling, Listing},
    rules::{Expectation, MAX_LIST_BYTES, MAX_RULE_BYTES, RuleSet, RuleSource},
    text::fold_surfaces,
};

const DAY: Date = date(2026, 11, 23);

fn builtin() -> RuleSet {
    RuleSet::builtin().unwrap_or_else(|problems| panic!("{}", problems[0]))
}

fn findings_on(day: Date, listing: &str) -> Vec<Finding> {
    let listing: Listing = serde_json::from_str(listing).unwrap();
    builtin().findings(&listing, &fold_surfaces(&listing), day)
}

fn findings(listing: &str) -> Vec<Finding> {
    findings_on(DAY, listing)
}

fn only(listing: &str) -> Finding {
    let mut found = findings(listing);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn fixture(name: &str) -> String {
    fs::read_to_string(format!("fixtures/diagnostics/{name}.toml")).unwrap()
}

fn source(path: &str, text: impl Into<String>) -> RuleSource {
    RuleSource { path: path.to_owned(), text: text.into() }
}

/// The codes of what is wrong with `files`.
fn codes(files: Vec<RuleSource>) -> Vec<&'static str> {
    RuleSet::parse(files).expect_err("there is a mistake").iter().map(|problem| problem.code).collect()
}

#[test]
fn every_sentence_of_every_built_in_rule_holds() {
    let set = builtin();
    assert!(set.rules().len() >= 10);
    let trials = set.trials(DAY);
    let failed: Vec<_> = trials.iter().filter(|trial| trial.failed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    for rule in set.rules() {
        let count = |wanted| rule.tests.iter().filter(|test| test.expect == wanted).count();
        assert!(count(Expectation::Hit) >= 5 && count(Expectation::Miss) >= 5, "{}", rule.id);
    }
    assert!(set.warnings().is_empty());
}

#[test]
fn the_built_in_rules_are_those_of_the_folder() {
    let folder = RuleSet::read_folder(Path::new("rules")).unwrap();
    assert_eq!(folder.hash(), builtin().hash());
}

#[test]
fn no_built_in_rule_is_without_an_article_on_any_day_around_a_revision() {
    let set = builtin();
    for day in [DAY, date(2026, 12, 31), date(2027, 1, 1), date(2027, 12, 31)] {
        assert!(set.calendar(day).is_empty(), "{day}: {}", set.calendar(day)[0]);
    }
}

#[test]
fn a_finding_cites_the_article_in_force_on_the_day_of_capture() {
    let listing = r#"{"title":"中国驰名商标 压力锅"}"#;
    assert!(findings_on(date(2026, 12, 31), listing)[0].citation.contains("第十四条"));
    assert!(findings_on(date(2027, 1, 1), listing)[0].citation.contains("第六十四条"));
}

#[test]
fn a_hidden_word_is_found_at_its_place_in_the_original_with_every_disguise() {
    let found = only(r#"{"title":"【新品】国·家🔥級 毛巾"}"#);
    assert_eq!((found.reference.as_str(), found.family.as_str()), ("ad.absolute", "AD-ABS"));
    assert_eq!((found.start, found.end, found.text.as_str()), (4, 9, "国·家🔥級"));
    assert_eq!(found.word, "国家级");
    assert_eq!(found.channels, [Channel::Traditional, Channel::Separator, Channel::Emoji]);
    assert!(found.score > 0.7, "hiding a word is itself evidence: {}", found.score);
    let codes: Vec<&str> = found.explanation.iter().map(|step| step.code.as_str()).collect();
    assert!(codes.contains(&"rule.clause") && codes.contains(&"rule.disguise"), "{codes:?}");
    assert!(found.explanation.iter().all(|step| !step.zh.is_empty() && !step.en.is_empty()));
}

#[test]
fn an_exception_sets_a_match_aside_by_name_and_never_drops_it() {
    let found = only(r#"{"title":"茶饼","description":"最佳饮用期 36 个月"}"#);
    assert!(found.suppressed.as_deref().is_some_and(|why| why.contains("consumption-hint")), "{found:?}");
    assert_eq!(found.explanation.iter().filter(|step| step.code == "rule.exception").count(), 1);
}

#[test]
fn an_exception_covers_only_its_own_place() {
    let found = findings(r#"{"title":"国家级非物质文化遗产 宣纸 全网最低价"}"#);
    let standing: Vec<&str> =
        found.iter().filter(|one| one.suppressed.is_none()).map(|one| one.text.as_str()).collect();
    assert_eq!(standing, ["全网最低价"]);
}

#[test]
fn words_of_buyers_and_viewers_and_names_of_shops_are_no_advertising() {
    let listing = r#"{"title":"电饭煲","seller":{"name":"全网最低电器"},"reviews":[{"text":"全网最低价，根治失眠"}],
        "timeline":[{"text":"加微信便宜","kind":"danmaku"}]}"#;
    assert_eq!(findings(listing), []);
}

#[test]
fn a_gate_asks_a_question_and_an_approval_number_anywhere_answers_it() {
    let found = only(r#"{"title":"改善睡眠软糖","category":["食品"]}"#);
    assert_eq!(found.reference, "gate.health-food");
    assert!(found.explanation.iter().any(|step| step.code == "rule.question" && step.zh.contains('？')));
    let answered = r#"{"title":"改善睡眠软糖","category":["食品"],"images":[{"text":"国食健注G20200001"}]}"#;
    assert_eq!(findings(answered), []);
}

#[test]
fn a_sector_rule_looks_at_an_unplaced_listing_with_less_weight_and_says_so() {
    let placed = only(r#"{"title":"改善睡眠胶囊","category":["食品"]}"#);
    let unplaced = only(r#"{"title":"改善睡眠胶囊"}"#);
    assert!(unplaced.score < placed.score);
    assert!(unplaced.explanation.iter().any(|step| step.code == "rule.sector-unknown"));
    assert_eq!(findings(r#"{"title":"改善睡眠胶囊","category":["女装"]}"#), []);
}

#[test]
fn overlapping_words_of_one_rule_make_one_finding_the_longest() {
    assert_eq!(only(r#"{"title":"全网最低价 毛巾"}"#).text, "全网最低价");
}

#[test]
fn latin_words_need_borders_and_two_words_that_meet_are_no_word() {
    assert_eq!(findings(r#"{"title":"ALPHANO.12 螺丝刀"}"#), []);
    assert_eq!(findings(r#"{"title":"提高 仿古砖 效率"}"#), []);
    assert_eq!(findings(r#"{"title":"面料最。佳节礼盒"}"#), []);
    assert_eq!(only(r#"{"title":"N O . 1 吹风机"}"#).word, "NO.1");
}

#[test]
fn two_files_with_one_id_are_refused() {
    let files = vec![source("a/sound.toml", fixture("sound")), source("b/sound.toml", fixture("sound"))];
    assert_eq!(codes(files), ["rule.duplicate-id"]);
}

#[test]
fn hostile_rule_files_are_refused_with_a_message() {
    let sound = fixture("sound");
    let huge = "绝妙\n".repeat(10 << 20);
    assert_eq!(codes(vec![source("lists/huge.txt", huge)]), ["rule.too-large"]);
    let padded = format!("{sound}# {}", "x".repeat(usize::try_from(MAX_RULE_BYTES).unwrap()));
    assert_eq!(codes(vec![source("sound.toml", padded)]), ["rule.too-large"]);
    let many: String = (0..30_000).map(|number| format!("绝妙{number}\n")).collect();
    assert!(many.len() < usize::try_from(MAX_LIST_BYTES).unwrap());
    let listed = sound.replace("words = [\"绝妙无比\"]", "words_from = \"@many\"");
    assert_eq!(codes(vec![source("lists/many.txt", many), source("sound.toml", listed)]), ["rule.words"]);
    let deep = sound.replace("\"praise\"", &format!("\"{}praise\"", "(".repeat(4_000)));
    assert_eq!(codes(vec![source("sound.toml", deep)]), ["rule.condition"]);
    let nested = sound.replace("score = 50", &format!("score = {}", "[".repeat(100_000)));
    assert_eq!(codes(vec![source("sound.toml", nested)]), ["rule.syntax"]);
    let long = sound.replace("绝妙无比\"]", &format!("{}\"]", "绝".repeat(65)));
    assert_eq!(codes(vec![source("sound.toml", long)]), ["rule.long-word"]);
    let files = (0..10_001).map(|number| source(&format!("r{number}.toml"), "")).collect();
    assert_eq!(codes(files), ["rule.too-many"]);
    let regex = format!("regex = \"绝妙{}\"\natoms = [\"绝妙\"]", "x?".repeat(600));
    let wide = sound.replace("words = [\"绝妙无比\"]", &regex);
    assert_eq!(codes(vec![source("sound.toml", wide)]), ["rule.regex-size"]);
}

#[test]
fn too_many_clauses_and_tests_are_refused() {
    let sound = fixture("sound");
    let clauses: String =
        (0..70).map(|number| format!("[clause.c{number}]\nwords = [\"绝妙\"]\ncover = true\n\n")).collect();
    let text = sound.replace("[review]", &format!("{clauses}[review]"));
    assert_eq!(codes(vec![source("sound.toml", text)]), ["rule.clauses"]);
    let tests = "[[test]]\nlisting = { title = \"x\" }\nexpect = \"miss\"\n".repeat(1_001);
    assert!(codes(vec![source("sound.toml", format!("{sound}{tests}"))]).contains(&"rule.tests"));
}

#[test]
fn a_hostile_listing_is_bounded_and_still_answered() {
    let title = format!("{}{}", "拒绝".repeat(20_000), "最佳全网最低价不是".repeat(20_000));
    let listing = Listing { title, ..Listing::default() };
    let found = builtin().findings(&listing, &fold_surfaces(&listing), DAY);
    assert!(!found.is_empty() && found.len() <= 2_048, "{}", found.len());
}

#[test]
fn shadow_rules_are_counted_apart_and_drafts_find_nothing() {
    let listing = Listing { title: "绝妙无比".to_owned(), ..Listing::default() };
    let surfaces = fold_surfaces(&listing);
    for (status, active, shadow) in [("active", 1, 0), ("shadow", 0, 1), ("draft", 0, 0), ("retired", 0, 0)] {
        let text = fixture("sound").replace("status = \"active\"", &format!("status = \"{status}\""));
        let set = RuleSet::parse(vec![source("sound.toml", text)]).unwrap();
        assert_eq!(set.findings(&listing, &surfaces, DAY).len(), active, "{status}");
        assert_eq!(set.shadow_findings(&listing, &surfaces, DAY).len(), shadow, "{status}");
    }
}

#[test]
fn a_fold_step_a_rule_leaves_out_is_not_undone() {
    let hidden = Listing { title: "绝·妙·无·比".to_owned(), ..Listing::default() };
    let text = fixture("sound").replace("\"sep\", ", "");
    let set = RuleSet::parse(vec![source("sound.toml", text)]).unwrap();
    assert!(set.findings(&hidden, &fold_surfaces(&hidden), DAY).is_empty());
}

#[test]
fn the_hash_changes_with_what_is_found_and_not_with_line_ends() {
    let hash = |text: &str| RuleSet::parse(vec![source("sound.toml", text)]).unwrap().hash().to_owned();
    let sound = fixture("sound");
    assert_eq!(hash(&sound), hash(&sound.replace('\n', "\r\n")));
    assert_ne!(hash(&sound), hash(&sound.replace("score = 50", "score = 51")));
    assert_eq!(hash(&sound).len(), 64);
}

#[test]
fn a_failed_test_says_why() {
    let text = fixture("sound").replace("平常 3号", "绝妙无比 9号");
    let set = RuleSet::parse(vec![source("sound.toml", text)]).unwrap();
    let failed: Vec<_> = set.trials(DAY).into_iter().filter(|trial| trial.failed()).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].why.iter().any(|line| line.en.contains("praise → “绝妙无比”")), "{:?}", failed[0].why);
    assert!(failed[0].line > 30);
}

/// A rule that looks for `word` and is otherwise as the fixture is.
fn word_rule(id: &str, status: &str, word: &str, more: &str) -> RuleSource {
    let text = fs::read_to_string("fixtures/rules/test.word.toml").unwrap();
    let text = text.replacen("test.word", id, 1).replacen("\"active\"", &format!("\"{status}\""), 1);
    let from = text.find("[clause.").unwrap();
    let to = text.find("[review]").unwrap();
    let clause = format!("{more}\n[clause.claim]\nwords = [\"{word}\"]\n\n");
    let head = text[..from].lines().filter(|line| !line.starts_with("condition")).collect::<Vec<_>>().join("\n");
    let tests = (1..6).map(|number| {
        format!("[[test]]\nlisting = {{ title = \"{word} {number}\" }}\nexpect = \"hit\"\n\n[[test]]\nlisting = {{ title = \"平常 {number}\" }}\nexpect = \"miss\"\n\n")
    });
    let review = text[to..].split("[[test]]").next().unwrap().to_owned();
    source(
        &format!("{id}.toml"),
        format!("{head}\ncondition = \"claim\"\n{clause}{review}{}", tests.collect::<String>()),
    )
}

#[test]
fn a_rule_says_how_its_hits_are_to_be_reviewed_and_no_version_changes_with_it() {
    let listing: Listing = serde_json::from_str(r#"{"title":"绝妙 茶"}"#).unwrap();
    let plain = word_rule("ad.one", "active", "绝妙", "");
    let asking = RuleSource {
        text: plain.text.replacen("[review]\n", "[review]\nsla = \"2d\"\nsecond_approval = true\n", 1),
        ..plain.clone()
    };
    let look = |rule: RuleSource| {
        let set = RuleSet::parse(vec![rule]).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let finding = set.findings(&listing, &fold_surfaces(&listing), DAY).remove(0);
        (finding, set.edition("ad.one").unwrap())
    };
    let ((usual, before), (finding, after)) = (look(plain), look(asking));
    assert_eq!(usual.handling, Handling::default());
    assert_eq!(finding.handling, Handling { sla_minutes: Some(2880), second_approval: true });
    assert_eq!(before, after);
    let told = serde_json::to_value(&finding).unwrap();
    assert_eq!(told["handling"], serde_json::json!({"sla_minutes": 2880, "second_approval": true}));
    assert!(serde_json::to_value(&usual).unwrap().get("handling").is_none());
}

#[test]
fn a_rule_gives_way_to_another_at_the_same_place_and_only_to_one_that_is_queued() {
    let listing: Listing = serde_json::from_str(r#"{"title":"绝妙无比 茶 绝妙"}"#).unwrap();
    let found = |status: &str, wanted: Option<&str>| -> Vec<(String, String, bool)> {
        let wide = word_rule("ad.wide", "active", "绝妙", "yields_to = [\"ad.long\"]");
        let set = RuleSet::parse(vec![wide, word_rule("ad.long", status, "绝妙无比", "")])
            .unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        assert!(set.trials(DAY).iter().all(|trial| !trial.failed()));
        let all = set.all_findings(&listing, &fold_surfaces(&listing), DAY);
        let of = |finding: &Finding| (finding.reference.clone(), finding.text.clone(), finding.suppressed.is_none());
        all.iter().filter(|finding| wanted.is_none_or(|wanted| finding.reference == wanted)).map(of).collect()
    };
    let told = |rule: &str, text: &str, stands: bool| (rule.to_owned(), text.to_owned(), stands);
    let both = [told("ad.wide", "绝妙", false), told("ad.wide", "绝妙", true), told("ad.long", "绝妙无比", true)];
    assert_eq!(found("active", None), both);
    assert_eq!(found("shadow", Some("ad.wide")), [told("ad.wide", "绝妙", true), told("ad.wide", "绝妙", true)]);
}

#[test]
fn a_clause_may_be_kept_to_some_surfaces_and_a_circle_of_rules_is_refused() {
    let fields = |fields: &str| {
        let mut rule = word_rule("ad.one", "active", "绝妙", "");
        rule.text = rule.text.replacen("words = [\"绝妙\"]", &format!("words = [\"绝妙\"]\nfields = [{fields}]"), 1);
        let from = rule.text.find("\nfields = [").unwrap();
        let to = from + 1 + rule.text[from + 1..].find('\n').unwrap();
        rule.text.replace_range(from..to, "\nfields = [\"title\", \"description\"]");
        let listing: Listing = serde_json::from_str(r#"{"title":"绝妙","description":"绝妙"}"#).unwrap();
        let set = RuleSet::parse(vec![rule]).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let found = set.findings(&listing, &fold_surfaces(&listing), DAY);
        let explained = set.explain(&set.rules()[0], &listing, DAY);
        (found.into_iter().map(|finding| finding.surface).collect::<Vec<_>>(), explained)
    };
    assert_eq!(fields("\"title\", \"description\"").0, ["title", "description"]);
    let (found, explained) = fields("\"title\"");
    assert_eq!(found, ["title"]);
    assert!(explained.lines.iter().any(|line| line.en.contains("does not look here")), "{explained:?}");
    let circle = |id: &str, to: &str| word_rule(id, "active", "绝妙", &format!("yields_to = [\"{to}\"]"));
    assert_eq!(codes(vec![circle("ad.a", "ad.b"), circle("ad.b", "ad.a")]), ["rule.yields-cycle"; 2]);
}
