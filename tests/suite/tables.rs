//! The tables of disguises as they are shipped: their form, what they hold, and that each says where it comes from.

use std::{collections::BTreeSet, fs, path::PathBuf};

use markwarden::text::fold;

/// Every table: its name, its columns, and its rows.
fn tables() -> Vec<(String, Vec<String>, Vec<Vec<String>>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tables");
    let mut tables: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "tsv"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let cells = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<String>>();
            let mut lines = text.lines().map(cells);
            let header = lines.next().unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), header, lines.collect())
        })
        .collect();
    tables.sort();
    tables
}

#[test]
fn every_table_says_its_name_and_has_its_rows_once_in_order() {
    let tables = tables();
    assert!(tables.len() >= 8, "{}", tables.len());
    for (name, header, rows) in tables {
        assert_eq!((header[0].as_str(), header[1].parse()), (&*format!("#{name}"), Ok(1)), "{name}");
        let columns = header.len() - 2;
        assert!(rows.len() > 50 && rows.iter().all(|row| row.len() == columns && !row[0].is_empty()), "{name}");
        // By code point, as UTF-8 is.
        let disorder = rows.windows(2).find(|pair| pair[0] >= pair[1]);
        assert_eq!(disorder, None, "{name}");
    }
}

#[test]
fn characters_are_as_the_fold_leaves_them() {
    for (name, _, rows) in tables() {
        // Their first columns hold what is typed, which the fold may drop or change.
        if ["leet", "digits"].contains(&name.as_str()) {
            continue;
        }
        let changed: Vec<&String> = rows.iter().map(|row| &row[0]).filter(|text| fold(text) != **text).collect();
        assert!(changed.is_empty(), "{name}: {:?}", &changed[..changed.len().min(9)]);
    }
}

#[test]
fn a_pair_of_look_alikes_stands_once_and_no_character_is_its_own() {
    let tables = tables();
    let (_, _, rows) = tables.iter().find(|(name, ..)| name == "lookalikes").unwrap();
    let mut pairs: BTreeSet<(char, char)> = BTreeSet::new();
    for row in rows {
        let one = row[0].chars().next().unwrap();
        for other in row[1..].iter().flat_map(|cell| cell.chars()) {
            assert!(one < other, "{one} before {other}");
            assert!(pairs.insert((one, other)), "{one} {other} twice");
        }
    }
    assert!(pairs.contains(&('己', '已')) && pairs.len() > 100_000, "{}", pairs.len());
}

#[test]
fn every_table_says_where_it_comes_from_and_under_which_licence() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tables/README.md")).unwrap();
    for (name, ..) in tables() {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}.tsv` |")));
        let cells: Vec<&str> =
            row.unwrap_or_else(|| panic!("{name} has no origin")).split('|').map(str::trim).collect();
        assert!(cells.len() == 6 && cells[2..5].iter().all(|cell| !cell.is_empty()), "{name}: {cells:?}");
    }
}
