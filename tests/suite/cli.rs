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

#[test]
fn help_teaches_and_completions_come_for_every_shell() {
    let place = Place::new();
    for command in ["check", "marks import", "crawl", "extract", "robots", "rules check", "evidence verify", "demo"] {
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
