//! One form for rule and statute files: keys in one order, one spacing, long arrays filled to a width.
//!
//! Comments stay with what they stand before or behind. A file whose meaning or comments would not come through
//! whole is left as it is.

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Key as Name, RawString, Table, Value};

use super::keys::{Key, RULE, STATUTE};

/// Columns of a line at most, where it can be broken; a Han character takes two.
const WIDTH: usize = 140;

/// `text` in its one form, or as it is where it is no TOML. Statutes have keys of their own.
pub fn format(text: &str, is_statute: bool) -> String {
    let Ok(document) = text.parse::<DocumentMut>() else { return text.to_owned() };
    let mut writer = Writer { out: String::new() };
    let keys = if is_statute { STATUTE } else { RULE };
    writer.table(document.as_table(), &mut Vec::new(), keys);
    let trailing = comments(Some(document.trailing()));
    if !trailing.is_empty() {
        writer.blank();
        writer.out.push_str(&trailing);
    }
    let made = writer.out.trim_matches('\n').to_owned() + "\n";
    if same(text, &made) { made } else { text.to_owned() }
}

/// Whether two texts mean the same and have the same comments.
fn same(before: &str, after: &str) -> bool {
    let meaning = |text: &str| toml::from_str::<toml::Table>(text).ok();
    let mut marks = [before, after].map(|text| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains('#'));
        lines.map(|line| line.chars().filter(|c| !c.is_whitespace() && !",[]{}".contains(*c)).collect()).collect()
    });
    marks.iter_mut().for_each(|lines: &mut Vec<String>| lines.sort());
    let count = |text: &str| text.matches('#').count();
    meaning(before).is_some() && meaning(before) == meaning(after) && count(before) == count(after)
}

struct Writer {
    out: String,
}

impl Writer {
    /// One empty line, unless the text begins here.
    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// The values of a table, then the tables in it.
    fn table<'a>(&mut self, table: &'a Table, path: &mut Vec<&'a Name>, keys: &[Key]) {
        let mut entries: Vec<(&Name, &Item)> =
            table.iter().filter_map(|(name, item)| Some((table.key(name)?, item))).collect();
        let place = |name: &Name| keys.iter().position(|key| key.name == name.get()).unwrap_or(usize::MAX);
        entries.sort_by_key(|(name, _)| place(name));
        for (name, item) in &entries {
            match item {
                Item::Value(value) => self.value(&[name], value),
                Item::Table(inner) if inner.is_dotted() => self.dotted(inner, &mut vec![name]),
                _ => {}
            }
        }
        for (name, item) in entries {
            let inner = keys.iter().find(|key| key.name == name.get()).map_or(&[][..], |key| key.sort.keys());
            path.push(name);
            match item {
                Item::Table(table) if !table.is_dotted() => self.section(table, path, inner, ("[", "]")),
                Item::ArrayOfTables(tables) => self.sections(tables, path, inner),
                _ => {}
            }
            path.pop();
        }
    }

    fn sections<'a>(&mut self, tables: &'a ArrayOfTables, path: &mut Vec<&'a Name>, keys: &[Key]) {
        for table in tables {
            self.section(table, path, keys, ("[[", "]]"));
        }
    }

    fn section<'a>(&mut self, table: &'a Table, path: &mut Vec<&'a Name>, keys: &[Key], (open, close): (&str, &str)) {
        let before = comments(table.decor().prefix());
        // The names of clauses are the author's: what stands in each has the keys.
        let named = path.last().is_some_and(|name| name.get() == "clause") && path.len() == 1;
        if !table.is_implicit() || !before.is_empty() {
            self.blank();
            self.out.push_str(&before);
            let names: Vec<String> = path.iter().map(|name| name.display_repr().into_owned()).collect();
            let after = behind(table.decor().suffix());
            self.out.push_str(&format!("{open}{}{close}{after}\n", names.join(".")));
        }
        if named {
            self.named(table, path, keys);
        } else {
            self.table(table, path, keys);
        }
    }

    fn named<'a>(&mut self, table: &'a Table, path: &mut Vec<&'a Name>, keys: &[Key]) {
        for (name, item) in table.iter().filter_map(|(name, item)| Some((table.key(name)?, item))) {
            match item {
                Item::Value(value) => self.value(&[name], value),
                Item::Table(inner) if inner.is_dotted() => self.dotted(inner, &mut vec![name]),
                _ => {}
            }
        }
        for (name, item) in table.iter().filter_map(|(name, item)| Some((table.key(name)?, item))) {
            if let Item::Table(inner) = item
                && !inner.is_dotted()
            {
                path.push(name);
                self.section(inner, path, keys, ("[", "]"));
                path.pop();
            }
        }
    }

    /// `a.b = …`, as it was written.
    fn dotted<'a>(&mut self, table: &'a Table, names: &mut Vec<&'a Name>) {
        for (name, item) in table.iter().filter_map(|(name, item)| Some((table.key(name)?, item))) {
            names.push(name);
            match item {
                Item::Value(value) => self.value(names, value),
                Item::Table(inner) => self.dotted(inner, names),
                _ => {}
            }
            names.pop();
        }
    }

    fn value(&mut self, names: &[&Name], value: &Value) {
        for name in names {
            self.out.push_str(&comments(name.leaf_decor().prefix()));
        }
        let name: Vec<String> = names.iter().map(|name| name.display_repr().into_owned()).collect();
        let name = name.join(".");
        let after = behind(value.decor().suffix());
        let mut shown = plain(value);
        if let Value::Array(array) = value
            && !has_comments(array)
            && columns(&name) + 3 + columns(&shown) > WIDTH
        {
            shown = filled(array);
        }
        self.out.push_str(&format!("{name} = {shown}{after}\n"));
    }
}

/// A value on one line, or as it was written where that would lose something.
fn plain(value: &Value) -> String {
    let raw = || value.clone().decorated("", "").to_string();
    match value {
        Value::Array(array) if !has_comments(array) => {
            let items: Vec<String> = array.iter().map(plain).collect();
            format!("[{}]", items.join(", "))
        }
        Value::InlineTable(table) if !raw().contains(['#', '\n']) && !has_dots(table) => {
            let items: Vec<String> = table
                .iter()
                .filter_map(|(name, value)| Some(format!("{} = {}", table.key(name)?.display_repr(), plain(value))))
                .collect();
            if items.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", items.join(", ")) }
        }
        _ => raw(),
    }
}

fn has_dots(table: &InlineTable) -> bool {
    table.iter().any(|(_, value)| matches!(value, Value::InlineTable(inner) if inner.is_dotted()))
}

fn has_comments(array: &Array) -> bool {
    let marked = |text: Option<&RawString>| text.and_then(RawString::as_str).is_some_and(|text| text.contains('#'));
    marked(Some(array.trailing()))
        || array.iter().any(|value| {
            let inside = matches!(value, Value::Array(inner) if has_comments(inner));
            inside || marked(value.decor().prefix()) || marked(value.decor().suffix())
        })
}

/// An array on as few lines as fit the width.
fn filled(array: &Array) -> String {
    let mut lines = vec![String::new()];
    for item in array.iter().map(plain) {
        let long =
            lines.last().is_some_and(|line| !line.is_empty() && 4 + columns(line) + 1 + columns(&item) + 1 > WIDTH);
        if long {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(&item);
            line.push(',');
        }
    }
    let lines: Vec<String> = lines.into_iter().map(|line| format!("    {line}\n")).collect();
    format!("[\n{}]", lines.concat())
}

fn columns(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// Comments before something: without indentation, with no more than one empty line at a place.
fn comments(prefix: Option<&RawString>) -> String {
    let text = prefix.and_then(RawString::as_str).unwrap_or("");
    let mut pieces: Vec<&str> = text.split('\n').map(str::trim).collect();
    // The last piece is the indentation of what follows, unless the file ends in a comment.
    if pieces.last().is_some_and(|last| last.is_empty()) {
        pieces.pop();
    }
    let mut lines: Vec<&str> = Vec::new();
    for line in pieces {
        if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(line);
        }
    }
    lines.into_iter().map(|line| format!("{line}\n")).collect()
}

/// A comment behind something, on its line.
fn behind(suffix: Option<&RawString>) -> String {
    let text = suffix.and_then(RawString::as_str).unwrap_or("").trim();
    if text.is_empty() { String::new() } else { format!("  {text}") }
}
