//! Parquet for exports: typed columns, written a row group at a time, so that no more than one is held. Texts stay as they
//! are: nothing in a binary file is a formula or moves a terminal.

use std::sync::Arc;

use parquet::{
    basic::{Compression, ConvertedType, GzipLevel, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::{Type, TypePtr},
};

/// Most rows of a row group, and most bytes of text before one is written.
const MAX_ROWS: usize = 4_096;
const MAX_BYTES: usize = 8 << 20;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text, or nothing.
    Text,
    /// A whole number, or nothing.
    Whole,
    /// Yes or no, or nothing.
    Flag,
    /// A moment in UTC to the microsecond, or nothing.
    Time,
    /// A day, or nothing.
    Day,
    /// Texts in their order.
    Texts,
    /// Whole numbers in their order.
    Wholes,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Nothing,
    Text(String),
    /// A number, microseconds since 1970, or days since then.
    Whole(i64),
    Flag(bool),
    Texts(Vec<String>),
    Wholes(Vec<i64>),
}

impl Cell {
    /// A text, or nothing.
    pub(super) fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(text.into()))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Texts(texts) => texts.iter().map(String::len).sum(),
            Self::Wholes(numbers) => 8 * numbers.len(),
            Self::Nothing | Self::Whole(_) | Self::Flag(_) => 8,
        }
    }
}

/// A table that is being written.
pub(super) struct Table {
    kinds: Vec<Kind>,
    /// The rows of the group that is gathered, by column.
    columns: Vec<Vec<Cell>>,
    bytes: usize,
    writer: SerializedFileWriter<Vec<u8>>,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new(columns: &[(&str, Kind)]) -> Result<Self, ParquetError> {
        let fields: Result<Vec<TypePtr>, ParquetError> =
            columns.iter().map(|&(name, kind)| field(name, kind)).collect();
        let schema = Arc::new(Type::group_type_builder("rows").with_fields(fields?).build()?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::GZIP(GzipLevel::try_new(4)?))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_created_by(concat!("markwarden ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
        let kinds: Vec<Kind> = columns.iter().map(|(_, kind)| *kind).collect();
        Ok(Self { columns: vec![Vec::new(); kinds.len()], kinds, bytes: 0, writer })
    }

    /// Adds a row with a cell for each column. What is not of its column's kind is nothing.
    pub(super) fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        let mut row = row.into_iter();
        for column in &mut self.columns {
            let cell = row.next().unwrap_or(Cell::Nothing);
            self.bytes += cell.bytes();
            column.push(cell);
        }
    }

    /// Whether a row group is to be written.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES || self.columns.first().is_some_and(|column| column.len() >= MAX_ROWS)
    }

    /// Writes the rows that were gathered as a row group; returns the file's next bytes.
    pub(super) fn flush(&mut self) -> Result<Vec<u8>, ParquetError> {
        if self.columns.first().is_some_and(|column| !column.is_empty()) {
            let mut group = self.writer.next_row_group()?;
            for (kind, column) in self.kinds.iter().zip(&mut self.columns) {
                write(&mut group, *kind, &std::mem::take(column))?;
            }
            group.close()?;
            self.bytes = 0;
        }
        self.writer.flush()?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    /// Writes what is left and the file's end.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        let mut bytes = self.flush()?;
        self.writer.finish()?;
        bytes.append(self.writer.inner_mut());
        Ok(bytes)
    }
}

fn field(name: &str, kind: Kind) -> Result<TypePtr, ParquetError> {
    let plain = |name: &str, repetition: Repetition| -> Result<TypePtr, ParquetError> {
        let text = || (Physical::BYTE_ARRAY, Some(LogicalType::String));
        let (physical, logical) = match kind {
            Kind::Text | Kind::Texts => text(),
            Kind::Whole | Kind::Wholes => (Physical::INT64, None),
            Kind::Flag => (Physical::BOOLEAN, None),
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
            Kind::Day => (Physical::INT32, Some(LogicalType::Date)),
        };
        let built = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        Ok(Arc::new(built.with_logical_type(logical).build()?))
    };
    if !matches!(kind, Kind::Texts | Kind::Wholes) {
        return plain(name, Repetition::OPTIONAL);
    }
    let element = plain("element", Repetition::REQUIRED)?;
    let list = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![element]);
    let outer = Type::group_type_builder(name)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::List))
        .with_converted_type(ConvertedType::LIST)
        .with_fields(vec![Arc::new(list.build()?)]);
    Ok(Arc::new(outer.build()?))
}

/// Writes a column: its values, and for each row whether there is one.
fn write(group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, kind: Kind, cells: &[Cell]) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    let bytes = |text: &String| ByteArray::from(text.as_bytes().to_vec());
    match kind {
        Kind::Text => {
            let (values, there) =
                each(cells, |cell| if let Cell::Text(text) = cell { Some(bytes(text)) } else { None });
            column.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
        }
        Kind::Whole | Kind::Time => {
            let (values, there) = each(cells, |cell| if let Cell::Whole(number) = cell { Some(*number) } else { None });
            column.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
        }
        Kind::Day => {
            let day = |cell: &Cell| if let Cell::Whole(number) = cell { i32::try_from(*number).ok() } else { None };
            let (values, there) = each(cells, day);
            column.typed::<Int32Type>().write_batch(&values, Some(&there), None)?;
        }
        Kind::Flag => {
            let (values, there) = each(cells, |cell| if let Cell::Flag(flag) = cell { Some(*flag) } else { None });
            column.typed::<BoolType>().write_batch(&values, Some(&there), None)?;
        }
        Kind::Texts => {
            let list = |cell: &Cell| {
                if let Cell::Texts(texts) = cell { texts.iter().map(bytes).collect() } else { Vec::new() }
            };
            let (values, there, again) = lists(cells, list);
            column.typed::<ByteArrayType>().write_batch(&values, Some(&there), Some(&again))?;
        }
        Kind::Wholes => {
            let list = |cell: &Cell| if let Cell::Wholes(numbers) = cell { numbers.clone() } else { Vec::new() };
            let (values, there, again) = lists(cells, list);
            column.typed::<Int64Type>().write_batch(&values, Some(&there), Some(&again))?;
        }
    }
    column.close()
}

fn each<T>(cells: &[Cell], value: impl Fn(&Cell) -> Option<T>) -> (Vec<T>, Vec<i16>) {
    let (mut values, mut there) = (Vec::with_capacity(cells.len()), Vec::with_capacity(cells.len()));
    for value in cells.iter().map(value) {
        there.push(i16::from(value.is_some()));
        values.extend(value);
    }
    (values, there)
}

/// Values, for each place whether there is one, and whether it goes on with the row before.
fn lists<T>(cells: &[Cell], value: impl Fn(&Cell) -> Vec<T>) -> (Vec<T>, Vec<i16>, Vec<i16>) {
    let (mut values, mut there, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for list in cells.iter().map(value) {
        if list.is_empty() {
            there.push(0);
            again.push(0);
        }
        for (at, value) in list.into_iter().enumerate() {
            there.push(1);
            again.push(i16::from(at > 0));
            values.push(value);
        }
    }
    (values, there, again)
}

#[cfg(test)]
mod tests {
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::Field,
    };
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: [(&str, Kind); 7] = [
        ("text", Kind::Text),
        ("whole", Kind::Whole),
        ("flag", Kind::Flag),
        ("time", Kind::Time),
        ("day", Kind::Day),
        ("texts", Kind::Texts),
        ("wholes", Kind::Wholes),
    ];

    fn read(bytes: Vec<u8>) -> (usize, Vec<Vec<Cell>>) {
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let cell = |field: &Field| match field {
            Field::Null => Cell::Nothing,
            Field::Str(text) => Cell::Text(text.clone()),
            Field::Long(number) | Field::TimestampMicros(number) => Cell::Whole(*number),
            Field::Date(day) => Cell::Whole(i64::from(*day)),
            Field::Bool(flag) => Cell::Flag(*flag),
            Field::ListInternal(list) => {
                let texts: Option<Vec<String>> = list
                    .elements()
                    .iter()
                    .map(|one| if let Field::Str(text) = one { Some(text.clone()) } else { None })
                    .collect();
                let wholes: Option<Vec<i64>> = list
                    .elements()
                    .iter()
                    .map(|one| if let Field::Long(number) = one { Some(*number) } else { None })
                    .collect();
                if list.elements().is_empty() {
                    Cell::Nothing
                } else {
                    texts.map(Cell::Texts).or(wholes.map(Cell::Wholes)).unwrap()
                }
            }
            other => panic!("{other:?}"),
        };
        let rows = reader.get_row_iter(None).unwrap();
        let rows = rows.map(|row| row.unwrap().get_column_iter().map(|(_, field)| cell(field)).collect());
        (reader.metadata().num_row_groups(), rows.collect())
    }

    #[test]
    fn row_groups_are_bounded_by_rows_and_by_bytes() {
        let mut table = Table::new(&[("text", Kind::Text)]).unwrap();
        let (mut bytes, mut groups) = (Vec::new(), 0);
        for n in 0..10_000 {
            table.push([Cell::Text(n.to_string())]);
            if table.is_full() {
                bytes.extend(table.flush().unwrap());
                groups += 1;
            }
        }
        table.push([Cell::Text("长".repeat(MAX_BYTES / 3 + 1))]);
        assert!(table.is_full(), "one long text fills a group");
        bytes.extend(table.finish().unwrap());
        let (written, rows) = read(bytes);
        assert_eq!((written, rows.len()), (groups + 1, 10_001));
        assert!(groups >= 2);
    }

    #[test]
    fn a_table_without_rows_is_a_file_too() {
        assert_eq!(read(Table::new(&COLUMNS).unwrap().finish().unwrap()), (0, Vec::new()));
    }

    fn row() -> impl Strategy<Value = Vec<Cell>> {
        let text = prop_oneof![
            Just("=1+1".to_owned()),
            Just("\u{202e}\u{1b}[31m'\"".to_owned()),
            any::<String>().prop_map(|text| text.chars().take(20).collect())
        ];
        let texts = prop::collection::vec(text.clone(), 0..4);
        let wholes = prop::collection::vec(any::<i64>(), 0..4);
        (
            prop::option::of(text),
            prop::option::of(any::<i64>()),
            prop::option::of(any::<bool>()),
            any::<i32>(),
            texts,
            wholes,
        )
            .prop_map(|(text, whole, flag, day, texts, wholes)| {
                vec![
                    text.map_or(Cell::Nothing, Cell::Text),
                    whole.map_or(Cell::Nothing, Cell::Whole),
                    flag.map_or(Cell::Nothing, Cell::Flag),
                    whole.map_or(Cell::Nothing, Cell::Whole),
                    Cell::Whole(i64::from(day)),
                    if texts.is_empty() { Cell::Nothing } else { Cell::Texts(texts) },
                    if wholes.is_empty() { Cell::Nothing } else { Cell::Wholes(wholes) },
                ]
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_to_the_letter(rows in prop::collection::vec(row(), 0..20), cut in 0_usize..20) {
            let mut table = Table::new(&COLUMNS).unwrap();
            let mut bytes = Vec::new();
            for (at, row) in rows.iter().enumerate() {
                if at == cut {
                    bytes.extend(table.flush().unwrap());
                }
                table.push(row.clone());
            }
            bytes.extend(table.finish().unwrap());
            prop_assert_eq!(read(bytes).1, rows);
        }
    }
}
