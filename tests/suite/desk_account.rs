//! `markwarden account` from outside.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Runs `account` on the data folder `data` with `input` on stdin.
fn account(data: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_markwarden"))
        .arg("account")
        .args(arguments)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments may not wait for its stdin.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn accounts_are_added_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert!(account(&data, &["add", "林", "--role", "admin"], "a long password\n").status.success());
    let generated = account(&data, &["add", "wu", "--generate"], "");
    assert_eq!(words(&generated.stdout).trim().len(), 23);
    let list = words(&account(&data, &["list", "--format", "json"], "").stdout);
    assert_eq!(list, "{\"name\":\"wu\",\"roles\":[\"reviewer\"]}\n{\"name\":\"林\",\"roles\":[\"admin\"]}\n");
    assert!(account(&data, &["remove", "wu"], "").status.success());
    assert_eq!(words(&account(&data, &["list"], "").stdout), "admin      林\n");
    let accounts = markwarden::web::Accounts::open(&data.join("accounts.json")).unwrap();
    assert!(accounts.verify("林", "a long password").unwrap().is_some());
}

#[test]
fn what_cannot_be_done_is_said_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, input, expected) in [
        (vec!["add", "lin"], "", "--generate"),
        (vec!["add", "lin"], "short\n", "at least 10 characters"),
        (vec!["add", " "], "a long password\n", "must not be empty"),
        (vec!["remove", "nobody"], "", "account list"),
    ] {
        let refused = account(folder.path(), &arguments, input);
        assert_eq!(refused.status.code(), Some(2));
        assert!(words(&refused.stderr).contains(expected), "{}", words(&refused.stderr));
    }
}
