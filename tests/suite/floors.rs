//! The floors of the house: each room uses only what stands above it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// From the ground up; a room may use those before it.
const ROOMS: [&str; 20] = [
    "files", "parts", "model", "text", "disguise", "rules", "campaign", "marks", "matcher", "store", "evidence",
    "crawl", "live", "intake", "alert", "review", "takedown", "archive", "monitor", "web",
];
/// These assemble the house and may use every room.
const ROOF: [&str; 5] = ["config", "app", "demo", "cli", "main"];
/// The wing that thinks and the wing that remembers meet only in `monitor` and above.
const PURE: [&str; 6] = ["text", "disguise", "rules", "campaign", "marks", "matcher"];
const REMEMBERING: [&str; 4] = ["store", "evidence", "review", "takedown"];
/// They know neither marks nor rules.
const FETCHING: [&str; 3] = ["crawl", "live", "intake"];

fn may_use(room: &str, other: &str) -> bool {
    let floor = |name: &str| ROOMS.iter().position(|room| *room == name);
    if room == other || ROOF.contains(&room) {
        return true;
    }
    match (floor(room), floor(other)) {
        (Some(here), Some(there)) => {
            there < here
                && !(PURE.contains(&room) && REMEMBERING.contains(&other))
                && !(REMEMBERING.contains(&room) && PURE.contains(&other))
                && !(FETCHING.contains(&room) && ["rules", "marks", "matcher"].contains(&other))
        }
        _ => false,
    }
}

#[test]
fn every_import_goes_to_a_floor_above() {
    let mut files = Vec::new();
    collect(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    assert!(files.len() > 60, "the sources were found: {}", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let room = room_of(&file);
        assert!(
            ROOMS.contains(&room.as_str()) || ROOF.contains(&room.as_str()) || room == "lib",
            "{room} has no floor"
        );
        for other in used_rooms(&source) {
            if room != "lib" && !may_use(&room, &other) {
                wrong.push(format!("{} uses {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_every_form() {
    let source = "use crate::{model::{A, b}, store};\n// crate::web is not used\nlet x = crate::text::fold(\"crate::cli\");\nuse crate::marks;";
    let expected = ["marks", "model", "store", "text"].map(str::to_owned);
    assert_eq!(used_rooms(source), BTreeSet::from(expected));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `src/crawl/fetch.rs` → `crawl`.
fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Every room named after `crate::`, in braces too; comments and texts do not count.
fn used_rooms(source: &str) -> BTreeSet<String> {
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let code = regex::Regex::new(r#""(?:[^"\\]|\\.)*""#).unwrap().replace_all(&code, "\"\"").into_owned();
    let mut rooms = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(top_names(group)),
            None => rooms.extend(name(rest)),
        }
    }
    rooms.retain(|room| room.chars().next().is_some_and(char::is_lowercase));
    rooms
}

fn name(text: &str) -> Option<String> {
    let name: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn top_names(group: &str) -> Vec<String> {
    let (mut depth, mut begin, mut names) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.extend(name(&group[begin..at]));
                return names;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.extend(name(&group[begin..at]));
                begin = at + 1;
            }
            _ => {}
        }
    }
    names
}
