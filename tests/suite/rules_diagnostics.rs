//! Every diagnostic of rules, word lists, statutes and locks, as a person reads it: `fixtures/diagnostics` holds
//! small files and, beside each, what is said of them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use jiff::civil::{Date, date};
use markwarden::{
    model::Diagnostic,
    rules::{CODES, MAX_LIST_BYTES, MAX_RULE_BYTES, RuleSet, RuleSource, fix},
};

const DAY: Date = date(2026, 11, 23);
const FOLDER: &str = "fixtures/diagnostics";

fn source(path: &str, text: impl Into<String>) -> RuleSource {
    RuleSource { path: path.to_owned(), text: text.into() }
}

fn sound() -> String {
    fs::read_to_string(Path::new(FOLDER).join("sound.toml")).unwrap()
}

/// The files of a case: one file, or all in a folder, named from there.
fn case(path: &Path) -> Vec<RuleSource> {
    let mut files = Vec::new();
    collect(path, &mut files);
    files.sort();
    let base = if path.is_dir() { path } else { Path::new(FOLDER) };
    files
        .iter()
        .map(|file| source(file.strip_prefix(base).unwrap().to_str().unwrap(), fs::read_to_string(file).unwrap()))
        .collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| collect(&entry.unwrap().path(), files));
    } else {
        files.push(path.to_owned());
    }
}

/// Cases that are files or folders: name and sources.
fn written() -> Vec<(String, Vec<RuleSource>)> {
    let mut cases: Vec<(String, Vec<RuleSource>)> = fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), case(&path)))
        .collect();
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    cases
}

/// Cases that would be large as files.
fn generated() -> Vec<(String, Vec<RuleSource>)> {
    let sound = sound();
    let clauses: String =
        (0..70).map(|at| format!("[clause.c{at}]\nwords = [\"绝妙{at}\"]\ncover = true\n\n")).collect();
    let many_tests: String =
        (0..1_001).map(|at| format!("[[test]]\nlisting = {{ title = \"第 {at} 号\" }}\nexpect = \"miss\"\n")).collect();
    let words: String = (0..30_000).map(|at| format!("绝妙{at}\n")).collect();
    let chain = (0..70).map(|at| source(&format!("lists/l{at}.txt"), format!("绝妙{at}\n@l{}\n", at + 1)));
    let article = |at: usize| {
        format!(
            "[[article]]\nid = \"demo-law.{at}\"\ntopic = \"demo-law.t{at}\"\nversion = \"2020\"\narticle = \"第一条\"\nsummary = {{ zh = \"示\", en = \"e\" }}\nverified = \"text\"\n"
        )
    };
    let head = "format = 1\nid = \"demo-law\"\nname = { zh = \"示例\", en = \"e\" }\nissuer = \"示例\"\n";
    let articles: String = (0..1_001).map(article).collect();
    let with = |one: RuleSource| vec![one, source("sound.toml", sound.replace("[\"绝妙无比\"]", "[\"@many\"]"))];
    vec![
        ("too-many-files", (0..10_001).map(|at| source(&format!("r{at}.toml"), "")).collect()),
        ("too-large", vec![source("big.toml", "#".repeat(usize::try_from(MAX_RULE_BYTES).unwrap() + 1))]),
        ("too-large-list", vec![source("lists/big.txt", "#".repeat(usize::try_from(MAX_LIST_BYTES).unwrap() + 1))]),
        ("too-many-clauses", vec![source("sound.toml", sound.replace("[review]", &format!("{clauses}[review]")))]),
        ("too-many-tests", vec![source("sound.toml", format!("{sound}\n{many_tests}"))]),
        ("too-many-words", with(source("lists/many.txt", words))),
        ("list-takes-too-many", chain.collect()),
        ("too-many-articles", vec![source("statutes/demo-law.toml", format!("{head}{articles}"))]),
    ]
    .into_iter()
    .map(|(name, files)| (name.to_owned(), files))
    .collect()
}

fn problems(files: Vec<RuleSource>) -> Vec<Diagnostic> {
    RuleSet::problems(files, DAY)
}

/// What cannot be told of texts, only of files: name and diagnostics.
fn on_disk() -> Vec<(String, Vec<Diagnostic>)> {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("latin.toml"), b"id = \"caf\xe9\"\n").unwrap();
    let read = |name: &str| {
        let mut problems = RuleSource::read_all(&[place.path().join(name)]).unwrap_err();
        for problem in &mut problems {
            let here = place.path().display().to_string();
            problem.file = problem.file.replace(&here, "rules");
            problem.message = problem.message.replace(&here, "rules");
        }
        problems
    };
    vec![("not-utf8".to_owned(), read("latin.toml")), ("not-there".to_owned(), read("absent.toml"))]
}

#[test]
fn every_diagnostic_reads_as_its_golden_file_says_and_every_code_has_one() {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let cases = written().into_iter().chain(generated()).map(|(name, files)| (name, problems(files)));
    for (name, problems) in cases.chain(on_disk()) {
        seen.extend(problems.iter().map(|problem| problem.code));
        let shown: String = problems.iter().map(|problem| format!("{problem}\n\n")).collect();
        let golden = Path::new(FOLDER).join(format!("{name}.txt"));
        if std::env::var_os("MARKWARDEN_BLESS").is_some() {
            fs::write(&golden, &shown).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(shown, expected, "{name}; MARKWARDEN_BLESS=1 rewrites it");
        assert_eq!(shown.is_empty(), name == "sound", "{name}");
    }
    let known: BTreeSet<&str> = CODES.iter().map(|code| code.id).collect();
    assert_eq!(seen, known, "each code has a golden file, and each golden file a code");
}

/// Codes of the steps by which a finding explains itself: no diagnostics.
const STEPS: [&str; 10] = [
    "rule.clause",
    "rule.meant",
    "rule.disguise",
    "rule.sector-unknown",
    "rule.exception",
    "rule.exceptions-considered",
    "rule.guidance",
    "rule.question",
    "rule.law-unread",
    "rule.yields",
];

#[test]
fn every_code_in_the_source_is_in_the_table_and_the_table_is_in_the_readme() {
    let mut files = Vec::new();
    collect(Path::new("src/rules"), &mut files);
    let literal = regex::Regex::new(r#""((?:rule|list|statute|lock)\.[a-z-]+)""#).unwrap();
    for file in files.iter().filter(|file| !file.ends_with("codes.rs")) {
        for found in literal.captures_iter(&fs::read_to_string(file).unwrap()) {
            let code = found.get(1).unwrap().as_str();
            let known = CODES.iter().any(|known| known.id == code) || STEPS.contains(&code);
            assert!(known, "{code} of {} is in no table", file.display());
        }
    }
    let readme = fs::read_to_string("rules/README.md").unwrap();
    for code in CODES {
        let row = format!("| `{}` | {} | {} |", code.id, code.en, code.zh);
        assert!(readme.contains(&row), "rules/README.md lacks the row\n{row}");
    }
    assert!(CODES.is_sorted_by_key(|code| code.id));
}

#[test]
fn every_fix_takes_its_mistake_away_and_brings_no_error() {
    let mut fixed = 0;
    for (name, files) in written() {
        let before = problems(files.clone());
        let fixable: Vec<&Diagnostic> = before.iter().filter(|problem| problem.fix.is_some()).collect();
        if fixable.is_empty() {
            continue;
        }
        let changed = fix(&files, DAY);
        let now: Vec<RuleSource> = files
            .iter()
            .map(|file| changed.sources.iter().find(|new| new.path == file.path).unwrap_or(file).clone())
            .collect();
        let after = problems(now);
        for problem in fixable {
            let left = after.iter().any(|other| other.code == problem.code && other.fix.is_some());
            assert!(!left, "{name}: {} is still there", problem.code);
            fixed += 1;
        }
        // Taking a repeated test away may leave too few; nothing else gets worse.
        let errors =
            |list: &[Diagnostic]| list.iter().filter(|one| !one.warning).map(|one| one.code).collect::<BTreeSet<_>>();
        let new: Vec<_> =
            errors(&after).difference(&errors(&before)).copied().filter(|code| *code != "rule.too-few-tests").collect();
        let hidden = before.iter().any(|one| ["rule.unknown-key", "rule.syntax"].contains(&one.code));
        assert!(new.is_empty() || hidden, "{name}: {new:?}");
    }
    assert!(fixed > 10, "{fixed}");
}
