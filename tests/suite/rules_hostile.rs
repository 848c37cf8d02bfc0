//! Rule folders that are made to exhaust the program: each is refused with a message, in bounded memory.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What refusing may take at most, everything that the program is included.
const MAX_RESIDENT_KB: u64 = 256 << 10;
/// Far above a second, because a test's machine has other work.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Runs `rules check` on a folder; gives what it says and its greatest resident memory as the system counts it.
fn check(folder: &Path) -> (Option<i32>, String, u64) {
    let said = folder.join("said.log");
    let (words, data) = {
        let file = fs::File::create(&said).unwrap();
        (file.try_clone().unwrap(), file)
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_markwarden"))
        .args(["rules", "check"])
        .arg(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(data)
        .stderr(words)
        .spawn()
        .unwrap();
    let (status, begin, mut resident) = (format!("/proc/{}/status", child.id()), Instant::now(), 0);
    let code = loop {
        // The high-water mark only rises, so the last look counts; a step between two looks is caught by the next.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
        resident = resident.max(high.trim().trim_end_matches(" kB").parse().unwrap_or(0));
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if begin.elapsed() > MAX_WAIT => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    (code, fs::read_to_string(said).unwrap(), resident)
}

fn refused(code: &str, files: &[(&str, String)]) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("lists")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let (exit, said, resident) = check(folder.path());
    let start: String = said.chars().take(400).collect();
    assert_eq!(exit, Some(1), "{start}");
    assert!(said.contains(&format!("error[{code}]")), "{code} is not said: {start}");
    assert!(resident > 0 && resident < MAX_RESIDENT_KB, "{resident} kB for {code}");
}

/// The sound rule of the diagnostics, which looks in another way.
fn rule(look: &str) -> String {
    let sound = fs::read_to_string("fixtures/diagnostics/sound.toml").unwrap();
    let from = sound.find("words = [").unwrap();
    let to = from + sound[from..].find('\n').unwrap();
    format!("{}{look}{}", &sound[..from], &sound[to..])
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|number| line(number) + "\n").collect()
}

#[test]
fn a_regex_of_nested_repeats_or_a_million_branches_is_refused() {
    let nested = "regex = \"((((a{9}){9}){9}){9}){9}\"\natoms = [\"aa\"]";
    refused("rule.regex-size", &[("sound.toml", rule(nested))]);
    let branches = |count: usize| {
        let branches: Vec<String> = (0..count).map(|number| format!("a{number}")).collect();
        rule(&format!("regex = \"{}\"\natoms = [\"a1\"]", branches.join("|")))
    };
    refused("rule.too-large", &[("sound.toml", branches(1_000_000))]);
    refused("rule.regex-size", &[("sound.toml", branches(30_000))]);
}

#[test]
fn word_lists_that_are_huge_take_themselves_in_or_say_one_thing_again_and_again_are_refused() {
    let named = rule("words_from = \"@big\"");
    let word = |number| format!("词{number:07}");
    refused("rule.too-large", &[("sound.toml", named.clone()), ("lists/big.txt", lines(700_000, word))]);
    refused("rule.words", &[("sound.toml", named.clone()), ("lists/big.txt", lines(80_000, word))]);
    refused("list.word", &[("sound.toml", named.clone()), ("lists/big.txt", lines(200_000, |_| "词".to_owned()))]);
    let circle =
        [("sound.toml", named), ("lists/big.txt", "@other\n".to_owned()), ("lists/other.txt", "@big\n".to_owned())];
    refused("list.cycle", &circle);
}

#[test]
fn deep_expressions_and_thousands_of_clauses_words_and_tests_with_mistakes_are_refused() {
    let deep = format!("condition = \"{}praise{}\"", "(".repeat(1_500), ")".repeat(1_500));
    let sound = rule("words = [\"绝妙\"]");
    let from = sound.find("condition = ").unwrap();
    let to = from + sound[from..].find('\n').unwrap();
    refused("rule.condition", &[("sound.toml", format!("{}{deep}{}", &sound[..from], &sound[to..]))]);
    refused("rule.syntax", &[("sound.toml", rule(&format!("words = {}", "[".repeat(60_000))))]);
    let clauses = lines(5_000, |number| format!("[clause.c{number}]\nwords = [\"词{number}\"]"));
    refused("rule.clauses", &[("sound.toml", format!("{sound}\n{clauses}"))]);
    let single = vec!["\"词\""; 25_000].join(", ");
    refused("rule.single-character", &[("sound.toml", rule(&format!("words = [{single}]")))]);
    let tests =
        lines(3_000, |number| format!("[[test]]\nlisting = {{ title = \"{number}\", wrong = 1 }}\nexpect = \"hit\""));
    refused("rule.tests", &[("sound.toml", format!("{sound}\n{tests}"))]);
}
