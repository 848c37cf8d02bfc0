//! The program from its command line: what it prints, how it ends, what bad input does.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A working folder and the program in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_markwarden"))
            .args(arguments)
            .current_dir(self.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that fails early does not read its input: that is its right.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    /// Everything in the folder, by name and content.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const MARKS: &str = "id,holder,text\nm1,云雀公司,云雀记\nm2,云雀公司,Vorlune\n";

#[test]
fn check_streams_one_line_a_listing_in_order_and_exits_1_when_something_is_found() {
    let place = Place::new();
    place.write("marks.csv", MARKS);
    let mut listings = String::new();
    for number in 0..1200 {
        let title = if number % 100 == 7 { "正品 云·雀·记 女鞋" } else { "纯棉毛巾 两条装" };
        listings.push_str(&format!("{{\"id\":\"{number}\",\"title\":\"{title}\"}}\n\n"));
    }
    let output = place.run_with(&["check", "--marks", "marks.csv", "--no-rules"], &listings);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let lines: Vec<serde_json::Value> = out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1200);
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["id"], number.to_string());
        assert_eq!(line["findings"].as_array().unwrap().len(), usize::from(number % 100 == 7));
    }
    let finding = &lines[7]["findings"][0];
    assert_eq!((finding["ref"].as_str(), finding["surface"].as_str()), (Some("m1"), Some("title")));
    assert_eq!((finding["start"].as_u64(), finding["end"].as_u64()), (Some(3), Some(8)));
    assert_eq!(finding["channels"], serde_json::json!(["separator"]));
}

#[test]
fn check_exits_0_when_nothing_is_found() {
    let place = Place::new();
    place.write("marks.csv", MARKS);
    place.write("listings.jsonl", "{\"title\":\"纯棉毛巾\"}\n");
    let output = place.run(&["check", "--marks", "marks.csv", "listings.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}

#[test]
fn a_line_that_is_no_listing_is_named_after_what_came_before_it_was_printed() {
    let place = Place::new();
    place.write("marks.csv", MARKS);
    let output =
        place.run_with(&["check", "--marks", "marks.csv", "--no-rules"], "{\"title\":\"a\"}\n{\"titel\":\"b\"}\n");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(out(&output).lines().count(), 1);
    assert!(err(&output).contains("stdin:2:") && err(&output).contains("title"), "{}", err(&output));
}

#[test]
fn explain_shows_the_steps_and_spells_out_what_cannot_be_seen() {
    let place = Place::new();
    place.write("marks.csv", MARKS);
    let listing = serde_json::json!({"title": "正品 云\u{200b}雀·记\u{1b}[31m"}).to_string();
    let output = place.run_with(&["check", "--marks", "marks.csv", "--no-rules", "--explain"], &listing);
    let text = out(&output);
    assert!(text.contains("云<U+200B>雀·记 → 云雀·记") && text.contains("<U+001B>"), "{text}");
}

#[test]
fn an_unknown_config_key_names_file_and_line_and_changes_nothing() {
    let place = Place::new();
    place.write("config.toml", "data = \"data\"\n\n[crawl]\nagent_name = \"x\"\n");
    let before = place.files();
    let output = place.run(&["marks", "list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("config.toml:4:1") && err(&output).contains("agent_name"), "{}", err(&output));
    assert_eq!(place.files(), before);
}

#[test]
fn a_marks_file_with_a_bad_row_names_file_and_line_and_changes_nothing() {
    let place = Place::new();
    place.write("marks.csv", "id,text,nice_classes\nm1,云雀记,25\nm2,栖木,99\n");
    let before = place.files();
    let output = place.run(&["marks", "import", "marks.csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("marks.csv:3:1") && err(&output).contains("99"), "{}", err(&output));
    assert_eq!(place.files(), before);
}

#[test]
fn a_broken_rule_names_file_and_line_and_the_way_out() {
    let place = Place::new();
    place.write("marks.csv", MARKS);
    place.write("rules/ad.x.toml", "format = 1\nid = \"ad.x\"\nversion = one\n");
    let before = place.files();
    let output = place.run_with(&["check", "--marks", "marks.csv", "--rules", "rules"], "{\"title\":\"a\"}\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("ad.x.toml:3:"), "{}", err(&output));
    assert_eq!(place.files(), before);
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_not_changed() {
    let place = Place::new();
    place.write("marks.csv", MARKS);
    assert_eq!(place.run(&["marks", "import", "marks.csv"]).status.code(), Some(0));
    place.write("data/FORMAT", "format = 99\n");
    let before = place.files();
    let output = place.run(&["marks", "list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err(&output).contains("FORMAT") && err(&output).contains("99") && err(&output).contains("newer"),
        "{}",
        err(&output)
    );
    assert_eq!(place.files(), before);
}

#[test]
fn marks_are_imported_once_and_listed() {
    let place = Place::new();
    place.write("marks.csv", MARKS);
    let first = place.run(&["marks", "import", "marks.csv", "--format", "json"]);
    assert_eq!(first.status.code(), Some(0), "{}", err(&first));
    assert_eq!(out(&first).trim(), r#"{"read":2,"new":2,"marks":2}"#);
    let again = place.run(&["marks", "import", "marks.csv", "--format", "json"]);
    assert_eq!(out(&again).trim(), r#"{"read":2,"new":0,"marks":2}"#);
    let listed = place.run(&["marks", "list", "--holder", "云雀公司"]);
    assert_eq!(out(&listed).lines().count(), 2);
}

const REGISTER: &str = "text,aliases,jurisdiction,number,holder,nice_classes,status,expires_on\n\
    云雀,YUNQUE,CN,101,云雀有限公司,25;35,registered,2036-05-06\n\
    Vorlune,,EM,018000001,Vorlune SE,25,registered,\n\
    ★,,CN,102,星公司,1,registered,\n\
    雲雀,,CN,103,另一家公司,30,dead,\n";

/// The registered words that `marks registry find` names in a text, with the numbers of their registrations.
fn registered(place: &Place, arguments: &[&str]) -> Vec<(String, Vec<String>)> {
    let output = place.run(&[&["marks", "registry", "find", "--format", "json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let word = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let registrations = value["registrations"].as_array().unwrap();
        (text(&value["text"]), registrations.iter().map(|one| text(&one["number"])).collect())
    };
    out(&output).lines().map(word).collect()
}

fn words(expected: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |numbers: &[&str]| numbers.iter().map(|number| (*number).to_owned()).collect();
    expected.iter().map(|(word, numbers)| ((*word).to_owned(), owned(numbers))).collect()
}

#[test]
fn a_registry_is_built_searched_changed_and_checked() {
    let place = Place::new();
    place.write("register.csv", REGISTER);
    let built = place.run(&["marks", "registry", "build", "register.csv", "--format", "json"]);
    assert_eq!(built.status.code(), Some(0), "{}", err(&built));
    let said = r#"{"read":4,"without_words":1,"mistakes":0,"spellings":3,"registrations":4}"#;
    assert_eq!(out(&built).trim(), said);
    let text = "全新 云·雀 和 VORLUNE";
    assert_eq!(registered(&place, &[text]), words(&[("云·雀", &["101", "103"]), ("VORLUNE", &["018000001"])]));
    assert_eq!(registered(&place, &["--class", "30", text]), words(&[("云·雀", &["103"])]));
    assert_eq!(registered(&place, &["--limit", "1", text])[0].1, ["101"]);
    assert_eq!(registered(&place, &["--whole", text]), words(&[]));
    assert_eq!(registered(&place, &["--whole", "Yunque"]), words(&[("Yunque", &["101"])]));

    place.write(
        "week.jsonl",
        "{\"text\":\"晨鸟\",\"jurisdiction\":\"CN\",\"number\":\"101\",\"holder\":\"云雀有限公司\"}\n",
    );
    place.write("gone.csv", "jurisdiction,number\nEM,018000001\n");
    for compact in [None, Some("--compact"), Some("--compact")] {
        let arguments = ["marks", "registry", "update", "week.jsonl", "--gone", "gone.csv"];
        let changed = place.run(&arguments.into_iter().chain(compact).collect::<Vec<_>>());
        assert_eq!(changed.status.code(), Some(0), "{}", err(&changed));
        assert_eq!(registered(&place, &["晨鸟 云雀 vorlune"]), words(&[("晨鸟", &["101"]), ("云雀", &["103"])]));
    }
    let checked = place.run(&["marks", "registry", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", err(&checked));
    assert!(out(&checked).starts_with("sound: 2 spellings, 2 registrations, 0 differ"), "{}", out(&checked));
}

#[test]
fn a_register_with_a_mistake_names_its_line_and_changes_nothing() {
    let place = Place::new();
    place.write("good.csv", REGISTER);
    place.write("bad.csv", "text,number,nice_classes\n云雀,1,25\n栖木,2,99\n鹿鸣,,1\n");
    assert_eq!(place.run(&["marks", "registry", "build", "good.csv"]).status.code(), Some(0));
    let before = place.files();
    for command in ["build", "update"] {
        let output = place.run(&["marks", "registry", command, "bad.csv"]);
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        assert!(err(&output).contains("bad.csv:3: ") && err(&output).contains("bad.csv:4: "), "{}", err(&output));
        assert!(err(&output).contains("2 mistakes; nothing was changed") && out(&output).is_empty());
        assert_eq!(place.files(), before);
    }
    let output = place.run(&["marks", "registry", "build", "--skip-mistakes", "bad.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(registered(&place, &["云雀栖木鹿鸣"]), words(&[("云雀", &["1"])]));
    place.write("none.csv", "text,holder\n云雀,a\n");
    let output = place.run(&["marks", "registry", "build", "none.csv"]);
    assert!(
        output.status.code() == Some(2) && err(&output).contains("there is no column `number`"),
        "{}",
        err(&output)
    );
}

#[test]
fn a_damaged_registry_is_refused_and_built_anew() {
    let place = Place::new();
    place.write("register.csv", REGISTER);
    let missing = place.run(&["marks", "registry", "find", "云雀"]);
    assert!(missing.status.code() == Some(2) && err(&missing).contains("build one with"), "{}", err(&missing));
    assert_eq!(place.run(&["marks", "registry", "build", "register.csv"]).status.code(), Some(0));
    let path = place.path().join("data/registry/base-0000000000.registry");
    let whole = std::fs::read(&path).unwrap();
    let mut one_bit = whole.clone();
    one_bit[200] ^= 1;
    for (damaged, opens) in
        [(one_bit, true), (whole[..whole.len() / 2].to_vec(), false), (b"id,text\n".repeat(99), false)]
    {
        std::fs::write(&path, damaged).unwrap();
        let checked = place.run(&["marks", "registry", "check"]);
        assert_eq!(checked.status.code(), Some(1), "{}", err(&checked));
        assert!(
            err(&checked).contains("is damaged") && err(&checked).contains("build the registry again"),
            "{}",
            err(&checked)
        );
        assert_eq!(place.run(&["marks", "registry", "find", "云雀"]).status.code() == Some(0), opens);
    }
    assert_eq!(place.run(&["marks", "registry", "build", "register.csv"]).status.code(), Some(0));
    assert_eq!(place.run(&["marks", "registry", "check"]).status.code(), Some(0));
}

#[test]
fn a_recorded_room_is_matched_with_its_seconds_and_prices() {
    let place = Place::new();
    place.write("room.jsonl", include_str!("../../fixtures/market/live/room.jsonl"));
    place.write("marks.csv", include_str!("../../fixtures/market/marks.csv"));
    let played = place.run(&["live", "replay", "room.jsonl", "--marks", "marks.csv", "--format", "json"]);
    assert_eq!(played.status.code(), Some(1), "{}", err(&played));
    let found: Vec<serde_json::Value> = out(&played).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |reference: &str| {
        let finding = found.iter().find(|finding| finding["ref"] == reference);
        let moment = &finding.unwrap_or_else(|| panic!("{reference} in {found:#?}"))["moment"];
        (moment["at_ms"].as_u64().unwrap(), moment["goods"]["price"]["amount"].as_str().unwrap().to_owned())
    };
    assert_eq!(told("M-101"), (12_100, "88.00".into()));
    assert_eq!(told("live.price-said"), (104_500, "79.00".into()));
    assert_eq!(told("signal.off-platform"), (113_500, "79.00".into()));
    place.write("captions.srt", "1\n00:00:01,000 --> 00:00:02,000\n今天天气不错\n");
    assert_eq!(place.run(&["live", "replay", "captions.srt"]).status.code(), Some(0));
    place.write("wrong.bin", "no recording");
    let wrong = place.run(&["live", "replay", "wrong.bin"]);
    assert!(wrong.status.code() == Some(2) && err(&wrong).contains("no recording of a live room"), "{}", err(&wrong));
}

#[test]
fn help_teaches_and_completions_come_for_every_shell() {
    let place = Place::new();
    for command in [
        "check",
        "marks import",
        "marks registry build",
        "crawl",
        "live watch",
        "live replay",
        "extract",
        "robots",
        "rules check",
        "evidence verify",
        "demo",
    ] {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let output = place.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(out(&output).len() > 400, "{command} teaches: {}", out(&output));
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(out(&place.run(&["completions", shell])).contains("markwarden"), "{shell}");
    }
    assert_eq!(place.run(&["chek"]).status.code(), Some(2));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_markwarden"))
        .args(["completions", "bash"])
        .current_dir(place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
