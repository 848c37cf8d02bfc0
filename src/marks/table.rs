//! Marks from the rows of a table, whatever it was read from; each row a mark, or what is wrong with it.

use std::collections::HashMap;

use super::{
    columns::Columns,
    import::{MAX_MARKS, mark},
};
use crate::model::{Mark, MarkId};

/// A row of a table: its number in the file, counted from 1, and its cells.
pub type TableRow = (u64, Vec<String>);

/// A row that is no mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongRow {
    /// Its number in the file.
    pub row: u64,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub help: &'static str,
}

/// What a table holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// The marks, each with the number of its row.
    pub marks: Vec<(u64, Mark)>,
    /// Rows that are none.
    pub wrong: Vec<WrongRow>,
}

/// Reads the rows below a header as marks; one without an id is named by its office and number. The same id twice is a mistake of the second; rows beyond a million marks are
/// mistakes too.
pub fn import_rows(columns: &Columns, rows: &[TableRow]) -> Table {
    let mut table = Table::default();
    let mut seen: HashMap<String, u64> = HashMap::new();
    for (row, cells) in rows.iter().filter(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty())) {
        let read = if table.marks.len() >= MAX_MARKS {
            Err((format!("more than {MAX_MARKS} marks"), "split the file"))
        } else if cells.iter().skip(columns.facts().len()).any(|cell| !cell.trim().is_empty()) {
            Err((
                format!("the row has {} cells, the header {}", cells.len(), columns.facts().len()),
                "is a separator missing or too much?",
            ))
        } else {
            mark(&|fact| columns.cell(cells, fact), cells.iter().map(String::as_str))
        };
        let read = read.and_then(|mut mark| {
            if columns.cell(cells, "id").is_empty() {
                name_by_office(&mut mark);
            }
            match seen.insert(mark.id.as_str().to_owned(), *row) {
                Some(first) => {
                    let what = format!("the mark `{}` stood before, in row {first}", mark.id);
                    Err((what, "give every mark its own id, or its own number"))
                }
                None => Ok(mark),
            }
        });
        match read {
            Ok(mark) => table.marks.push((*row, mark)),
            Err((what, help)) => table.wrong.push(WrongRow { row: *row, what, help }),
        }
    }
    table
}

/// Names a mark by its office and number, so that the same one never comes twice; one without a number keeps its name.
pub fn name_by_office(mark: &mut Mark) {
    if !mark.number.is_empty() {
        let named = format!("{}-{}", mark.jurisdiction, mark.number);
        mark.id = MarkId::new(named.trim_start_matches('-')).unwrap_or_else(|_| mark.id.clone());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(cells: &[&[&str]]) -> Vec<TableRow> {
        (2..).zip(cells).map(|(row, cells)| (row, cells.iter().map(|cell| (*cell).to_owned()).collect())).collect()
    }

    #[test]
    fn good_rows_are_marks_and_wrong_ones_say_what_is_wrong() {
        let header = ["编号", "商标名称", "类别", "有效期至"].map(str::to_owned);
        let columns = Columns::guess(&header);
        let rows = rows(&[
            &["a", "云雀", "25；18", "2030-01-01 00:00:00"],
            &["b", "", "25"],
            &["", "", ""],
            &["c", "栖木", "99"],
            &["a", "鹿鸣"],
            &["d", "鹿鸣", "1", "", "x"],
        ]);
        let table = import_rows(&columns, &rows);
        assert_eq!(table.marks.len(), 1);
        assert_eq!(table.marks[0].1.nice_classes, [25, 18]);
        assert_eq!(table.marks[0].1.expires_on.map(|day| day.to_string()).as_deref(), Some("2030-01-01"));
        assert_eq!(table.wrong.iter().map(|wrong| wrong.row).collect::<Vec<_>>(), [3, 5, 6, 7]);
        assert!(table.wrong[2].what.contains("row 2"), "{:?}", table.wrong[2]);
    }

    proptest! {
        #[test]
        fn any_cells_are_marks_or_mistakes(
            cells in prop::collection::vec(prop::collection::vec("\\PC{0,12}", 0..6), 0..6),
            facts in prop::collection::vec(prop::option::of(prop::sample::select(&super::super::COLUMNS[..])), 0..5),
        ) {
            let rows: Vec<TableRow> = (1..).zip(cells).collect();
            let filled = rows.iter().filter(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty())).count();
            let table = import_rows(&Columns::of(facts), &rows);
            prop_assert_eq!(table.marks.len() + table.wrong.len(), filled);
        }
    }
}
