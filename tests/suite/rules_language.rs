//! The rule as a language: what `explain` says, and what authors get from the commands.

use std::{fs, path::Path, process::Command, sync::LazyLock};

use jiff::civil::{Date, date};
use markwarden::{
    model::Listing,
    rules::{CODES, Draft, Explanation, RuleSet, RuleSource, fix, format, lock, sarif, schema, statute_schema},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const DAY: Date = date(2026, 11, 23);

fn builtin() -> &'static RuleSet {
    static SET: LazyLock<RuleSet> =
        LazyLock::new(|| RuleSet::builtin().unwrap_or_else(|problems| panic!("{}", problems[0])));
    &SET
}

fn explain(rule: &str, listing: &str) -> Explanation {
    let listing: Listing = serde_json::from_str(listing).unwrap();
    let set = builtin();
    set.explain(set.rule(rule).unwrap(), &listing, DAY)
}

/// Whether a line says both, each in its language.
fn says(explained: &Explanation, zh: &str, en: &str) -> bool {
    explained.lines.iter().any(|line| line.zh.contains(zh) && line.en.contains(en))
}

#[test]
fn explain_names_the_clause_that_failed() {
    let explained = explain(
        "gate.health-food",
        r#"{"title":"改善睡眠软糖","category":["食品"],"images":[{"text":"国食健注G20200001"}]}"#,
    );
    assert!(!explained.hits);
    assert!(says(&explained, "title：条件不成立（number 成立）", "title: the condition does not hold (number holds)"));
    assert!(says(&explained, "number → 商品的另一处有", "number → stands elsewhere"));
}

#[test]
fn explain_names_the_exception_that_covered_and_why() {
    let explained = explain("ad.absolute", r#"{"title":"茶饼 最佳饮用期 36 个月"}"#);
    assert!(!explained.hits);
    assert!(says(&explained, "由例外 consumption-hint 排除", "set aside by consumption-hint"), "{explained:#?}");
}

#[test]
fn explain_names_the_surface_that_is_not_read() {
    let explained =
        explain("ad.absolute", r#"{"title":"电饭煲","reviews":[{"text":"全网最低价"}],"attributes":{"等级":"顶级"}}"#);
    assert!(!explained.hits);
    assert!(says(&explained, "本规则不看：", "not read by this rule: "), "{explained:#?}");
    assert!(says(&explained, "reviews[0].text", "attributes.等级"), "{explained:#?}");
    assert!(says(&explained, "没有它的任何字词", "no word of the rule stands"));
}

#[test]
fn explain_names_the_sector_that_does_not_fit() {
    let explained = explain("gate.health-food", r#"{"title":"改善睡眠软糖","category":["女装"]}"#);
    assert!(
        says(&explained, "商品行业（apparel）不在本规则范围内", "the listing's sector (apparel) is not one"),
        "{explained:#?}"
    );
}

#[test]
fn explain_says_why_a_word_that_stands_there_is_not_taken() {
    let explained = explain("ad.absolute", r#"{"title":"ALPHANO.12 螺丝刀"}"#);
    assert!(says(&explained, "更长字母词的一部分", "part of a longer Latin word"), "{explained:#?}");
    let explained = explain("ad.absolute", r#"{"title":"面料最。佳节礼盒"}"#);
    assert!(says(&explained, "被标点或空格断开", "parted by punctuation"), "{explained:#?}");
    let explained = explain("ad.absolute", r#"{"title":"提供顶级域名注册"}"#);
    assert!(says(&explained, "“顶级” 属于", "“顶级” is part of"), "{explained:#?}");
}

#[test]
fn explain_says_which_side_of_a_near_is_missing_and_what_is_too_far() {
    let explained = explain("signal.bought-review", r#"{"title":"锅","reviews":[{"text":"好评"}]}"#);
    assert!(says(&explained, "cash → 无（缺 b 侧）", "cash → nothing (side b is missing)"), "{explained:#?}");
    let far = r#"{"title":"锅","reviews":[{"text":"好评。今天天气真的非常好我们一起出门去公园。红包是朋友发的"}]}"#;
    let explained = explain("signal.bought-review", far);
    assert!(says(&explained, "两侧都在，但不在 6 字以内", "both sides stand, but not within 6"), "{explained:#?}");
}

#[test]
fn explain_of_a_hit_names_the_law_and_says_when_it_would_not_be_queued() {
    let explained = explain("ad.absolute", r#"{"title":"全网最低价 毛巾"}"#);
    assert!(explained.hits);
    assert!(
        says(&explained, "依据：《中华人民共和国广告法》（2021）第九条第（三）项", "Advertising Law"),
        "{explained:#?}"
    );
    let shadow = explain("signal.big-name-lookalike", r#"{"title":"大牌平替 托特包","category":["箱包"]}"#);
    assert!(shadow.hits && says(&shadow, "影子规则", "in shadow"), "{shadow:#?}");
}

/// Every file of `folder` that is TOML, with its text.
fn toml_files(folder: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 20);
    files
}

#[test]
fn every_shipped_rule_and_statute_is_in_its_form() {
    for (folder, statutes) in [("rules", false), ("rules/statutes", true)] {
        for (path, text) in toml_files(folder) {
            assert!(format(&text, statutes) == text, "{path}: run `markwarden rules fmt`");
        }
    }
}

#[test]
fn the_shipped_lock_records_the_shipped_rules() {
    let rules: Vec<RuleSource> =
        toml_files("rules").into_iter().map(|(path, text)| RuleSource { path, text }).collect();
    let recorded = fs::read_to_string("rules/versions.lock").unwrap();
    assert!(lock(&rules) == recorded, "raise the versions of what changed and run `markwarden rules lock`");
}

#[test]
fn formatting_puts_keys_in_order_and_keeps_every_comment_where_it_belongs() {
    let text = "# The head of the file.\n\nid='a'   # behind\n# before\nformat=1\n\n\n[review]\nguidance={zh='看',en='look'}\nreason=\"r\"\n# of the clause\n[clause.b]\nwords=[\n  \"一\", # one\n  \"二\"]\n[clause.a]\nwords=['x','y' ,]\ncover=true\n# the end\n";
    let expected = "# The head of the file.\n\n# before\nformat = 1\nid = 'a'  # behind\n";
    let made = format(text, false);
    for part in [
        "# before\nformat = 1\n",
        "id = 'a'  # behind\n",
        "\n# of the clause\n[clause.b]\n",
        "# one\n",
        "\n[clause.a]\ncover = true\nwords = ['x', 'y']\n",
        "\n[review]\nreason = \"r\"\nguidance = { zh = '看', en = 'look' }\n",
        "# the end\n",
        "# The head of the file.\n",
    ] {
        assert!(made.contains(part), "{part:?} is missing in\n{made}");
    }
    assert!(made.find("[clause.a]") < made.find("[review]") && made.find("[clause.b]") < made.find("[clause.a]"));
    assert_eq!(expected.matches('#').count(), 3);
    assert_eq!(format(&made, false), made);
    assert_eq!(format("no toml [", false), "no toml [", "what cannot be read is left alone");
}

/// A shipped file with its lines handled roughly: blanks, spaces and comments put in, as the numbers say.
fn roughened(text: &str, rough: &[u8]) -> String {
    let mut out = String::new();
    for (line, what) in text.lines().zip(rough.iter().cycle()) {
        // Inside an array a comment may stand too; behind a value it may.
        match what % 7 {
            0 => out.push_str(&format!("\n\n{line}\n")),
            1 => out.push_str(&format!("  # 注 {what}\n{line}\n")),
            2 => out.push_str(&format!("{line}   # behind {what}\n")),
            3 => out.push_str(&format!("{}\n", line.replacen(" = ", "=", 1))),
            4 => out.push_str(&format!("    {line}\n")),
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn formatting_is_done_after_once_and_changes_no_meaning_and_no_comment(
        number in 0_usize..92, rough in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let files = toml_files("rules");
        let (path, text) = &files[number % files.len()];
        let rough = roughened(text, &rough);
        let once = format(&rough, false);
        prop_assert_eq!(&format(&once, false), &once, "{}", path);
        prop_assert_eq!(toml::from_str::<toml::Table>(&once).unwrap(), toml::from_str::<toml::Table>(text).unwrap());
        prop_assert_eq!(once.matches('#').count(), rough.matches('#').count());
        prop_assert!(!once.contains("\n\n\n["), "{}", once);
    }

    #[test]
    fn no_text_makes_the_readers_of_rules_statutes_lists_and_locks_panic(
        text in "[ -~一-十\\n\\[\\]\"'=#@.,{}]{0,200}", cut in 0_usize..8_000, put in "[\\[\\]\"=#@{}\\n一 a0-]{0,6}",
    ) {
        let broken = |text: &str| {
            let at = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            format!("{}{put}{}", &text[..at], &text[at..])
        };
        let rule = fs::read_to_string("rules/gate.health-food.toml").unwrap();
        let law = fs::read_to_string("rules/statutes/trademark-law.toml").unwrap();
        let list = fs::read_to_string("rules/lists/denial.txt").unwrap();
        let source = |path: &str, text: String| RuleSource { path: path.to_owned(), text };
        for files in [
            vec![source("a.toml", text.clone()), source("statutes/a.toml", text.clone()), source("lists/a.txt", text.clone()), source("versions.lock", text.clone())],
            vec![source("gate.health-food.toml", broken(&rule)), source("statutes/trademark-law.toml", broken(&law)), source("lists/denial.txt", broken(&list))],
        ] {
            for problem in RuleSet::problems(files.clone(), DAY) {
                prop_assert!(CODES.iter().any(|code| code.id == problem.code), "{}", problem.code);
                prop_assert!(!problem.to_string().is_empty());
            }
            let mended = fix(&files, DAY);
            prop_assert!(mended.sources.len() <= files.len());
        }
        prop_assert_eq!(format(&format(&broken(&rule), false), false), format(&broken(&rule), false));
    }
}

/// TOML as editors hand it to a JSON schema: days are texts.
fn as_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), as_json(value))).collect(),
        toml::Value::Array(items) => items.iter().map(as_json).collect(),
        toml::Value::Datetime(day) => json!(day.to_string()),
        other => serde_json::to_value(other).unwrap(),
    }
}

/// What a validator says of files under a schema.
fn validator(schema: Value) -> impl Fn(&str) -> Result<(), String> {
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("schema.json", schema).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    move |text| {
        let value = as_json(&toml::Value::Table(toml::from_str(text).unwrap()));
        schemas.validate(&value, index).map_err(|error| format!("{error:#}"))
    }
}

#[test]
fn every_shipped_rule_and_statute_fits_the_schema_and_broken_ones_do_not() {
    let rule = validator(schema());
    for (path, text) in toml_files("rules") {
        assert_eq!(rule(&text), Ok(()), "{path}");
    }
    let statute = validator(statute_schema());
    for (path, text) in toml_files("rules/statutes") {
        assert_eq!(statute(&text), Ok(()), "{path}");
    }
    let sound = fs::read_to_string("fixtures/diagnostics/sound.toml").unwrap();
    assert_eq!(rule(&sound), Ok(()));
    for (from, to) in [
        ("severity = \"low\"", "severity = \"lowest\""),
        ("score = 50", "score = 101"),
        ("kind = \"phrase\"", "kind = \"product_gate\""),
        ("words = [\"绝妙无比\"]", "words = [\"绝妙无比\"]\nregex = \"x\""),
        ("words = [\"绝妙无比\"]", "report = false"),
        ("fields = [\"title\"]", "fields = [\"headline\"]"),
        ("owner = \"demo\"", "owner = 3"),
        ("owner = \"demo\"", "owner = \"demo\"\nstrange = 1"),
        ("expect = \"miss\"", "expect = \"perhaps\""),
        ("owner = \"demo\"\n", ""),
    ] {
        let broken = sound.replacen(from, to, 1);
        assert_ne!(broken, sound, "{from}");
        assert!(rule(&broken).is_err(), "{to} fits the schema");
    }
}

#[test]
fn sarif_names_places_kinds_and_fixes() {
    let text = fs::read_to_string("fixtures/diagnostics/repeated-word.toml").unwrap();
    let problems =
        RuleSet::problems(vec![RuleSource { path: "规则/repeated-word.toml".to_owned(), text: text.clone() }], DAY);
    let log = sarif(&problems);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), CODES.len());
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "rule.repeated-word");
    assert_eq!(rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()]["id"], result["ruleId"]);
    assert_eq!((result["level"].as_str(), result["message"]["text"].is_string()), (Some("warning"), true));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "%E8%A7%84%E5%88%99/repeated-word.toml");
    let (line, column) = problems[0].line_column();
    assert_eq!(place["region"]["startLine"], line);
    assert_eq!(place["region"]["startColumn"], column);
    // The fix, made by hand as a reader of SARIF would, gives what `rules fix` gives.
    let change = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
    let region = &change["deletedRegion"];
    let at = |line: &str, column: &str| {
        let number = |key: &str| usize::try_from(region[key].as_u64().unwrap()).unwrap();
        let before: usize = text.split_inclusive('\n').take(number(line) - 1).map(str::len).sum();
        before + text[before..].chars().take(number(column) - 1).map(char::len_utf8).sum::<usize>()
    };
    let mut changed = text.clone();
    changed.replace_range(
        at("startLine", "startColumn")..at("endLine", "endColumn"),
        change["insertedContent"]["text"].as_str().unwrap(),
    );
    let files = [RuleSource { path: "repeated-word.toml".to_owned(), text }];
    assert_eq!(changed, fix(&files, DAY).sources[0].text);
}

fn wonder() -> Draft {
    Draft {
        id: "ad.wonder".to_owned(),
        words: vec!["奇迹水".to_owned(), "神仙水露".to_owned()],
        title: ["“奇迹”与\"神仙\"".to_owned(), "Wonder \\ water".to_owned()],
        cites: vec!["advertising-law.false".to_owned()],
        ..Draft::default()
    }
}

fn codes(draft: &Draft) -> Vec<&'static str> {
    let text = draft.write(builtin().statutes());
    assert_eq!(format(&text, false), text, "a draft is in its form");
    let source = RuleSource { path: format!("rules/{}.toml", draft.id), text };
    RuleSet::problems(vec![source], DAY).iter().map(|problem| problem.code).collect()
}

#[test]
fn a_draft_of_a_few_words_lacks_only_its_tests_and_one_with_sentences_nothing() {
    assert_eq!(codes(&wonder()), ["rule.too-few-tests"]);
    let sentence = |text: &str| (1..=5).map(|number| format!("{text} {number} 号")).collect();
    let whole = Draft { hits: sentence("奇迹水 补水"), misses: sentence("普通 纯净水"), ..wonder() };
    assert_eq!(codes(&whole), Vec::<&str>::new());
    let text = whole.write(builtin().statutes());
    let set = RuleSet::parse(vec![RuleSource { path: "ad.wonder.toml".to_owned(), text }]).unwrap();
    let trials = set.trials(DAY);
    assert_eq!(trials.iter().filter(|trial| trial.passed).count(), 10, "{trials:#?}");
    assert_eq!(set.rules()[0].title.en, "Wonder \\ water");
}

/// Runs the program in `folder`: exit code, stdout, stderr.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_markwarden"))
        .args(arguments)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_commands_of_an_author_work_from_a_draft_to_a_recorded_rule() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("rules")).unwrap();
    let new = ["rules", "new", "ad.wonder", "--words", "奇迹水,神仙水露"];
    let (code, offered, said) = run(place.path(), &[&new[..], &["--title", "虚假广告"]].concat());
    assert_eq!(code, 2, "{said}");
    assert!(offered.contains("advertising-law.") && said.contains("--cites"), "{offered} {said}");
    let (code, _, said) =
        run(place.path(), &[&new[..], &["--cites", "advertising-law.false", "--hit", "奇迹水 补水"]].concat());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("rule.too-few-tests") && said.contains("1 tests that must hit and 0"), "{said}");
    assert_eq!(run(place.path(), &["rules", "check"]).0, 1, "a draft without its tests is not done");
    assert_eq!(run(place.path(), &["rules", "test"]).0, 0);

    let path = place.path().join("rules/ad.wonder.toml");
    let draft = fs::read_to_string(&path).unwrap();
    let sentences: String = (1..=5)
        .map(|at| format!("\n[[test]]\nlisting = {{ title = \"奇迹水 {at}\" }}\nexpect = \"hit\"\n\n[[test]]\nlisting={{ title = \"清水 {at}\" }}\nexpect = \"miss\"\n"))
        .collect();
    fs::write(&path, format!("{}{sentences}", draft.replace("status = \"draft\"", "status = \"active\""))).unwrap();
    let (code, listed, _) = run(place.path(), &["rules", "fmt", "--check"]);
    assert_eq!((code, listed.as_str()), (1, "rules/ad.wonder.toml\n"));
    assert_eq!(run(place.path(), &["rules", "fmt"]).0, 0);
    assert_eq!(run(place.path(), &["rules", "fmt", "--check"]).0, 0);
    assert_eq!(run(place.path(), &["rules", "lock"]).0, 0);
    assert_eq!(run(place.path(), &["rules", "check"]).0, 0);

    let active = fs::read_to_string(&path).unwrap();
    fs::write(&path, active.replace("\"奇迹水\"", "\"奇迹水\", \"仙女水\", \"仙·女·水\"")).unwrap();
    let (code, shown, _) = run(place.path(), &["rules", "check", "--format", "sarif"]);
    let log: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, log["runs"][0]["results"].as_array().unwrap().len()), (1, 2), "{shown}");
    let (code, diff, _) = run(place.path(), &["rules", "fix", "--dry-run"]);
    assert_eq!(code, 0);
    assert!(diff.contains("-version = 1") && diff.contains("+version = 2"), "{diff}");
    let (_, _, said) = run(place.path(), &["rules", "fix"]);
    assert!(said.contains("2 mistakes mended in 1 files"), "{said}");
    let mended = fs::read_to_string(&path).unwrap();
    assert!(
        mended.contains("version = 2") && mended.contains("\"仙女水\"") && !mended.contains("仙·女·水"),
        "{mended}"
    );
    assert!(run(place.path(), &["rules", "check"]).1.contains("rule.unrecorded"));
}

#[test]
fn the_law_is_shown_with_its_days_its_check_and_its_rules() {
    let place = tempfile::tempdir().unwrap();
    let (code, shown, _) = run(place.path(), &["rules", "law", "trademark-law.infringement", "--on", "2027-01-01"]);
    assert_eq!(code, 0);
    for part in ["（2026）第七十二条", "[2027-01-01, …)", "第七十四条", "the text was read", "signal.counterfeit-slang"]
    {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    assert!(!shown.contains("第五十七条"));
    let (code, _, said) = run(place.path(), &["rules", "law", "trademark-law.infrigement"]);
    assert_eq!(code, 2);
    assert!(said.contains("did you mean `trademark-law.infringement`"), "{said}");
    let (_, json, _) = run(place.path(), &["rules", "law", "criminal-law", "--format", "json"]);
    let checked = json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["verified"].clone());
    assert!(checked.collect::<Vec<_>>().contains(&json!("memory")));
    assert_eq!(run(place.path(), &["rules", "list", "--format", "sarif"]).0, 2, "only `check` speaks SARIF");
    assert!(run(place.path(), &["rules", "schema"]).1.contains("\"answered_by\""));
}
