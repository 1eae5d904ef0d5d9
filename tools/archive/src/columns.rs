//! The Parquet form: SCHEMA.md's table, and rows written by it, column after column.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use crate::line::Row;

/// A column.
pub struct Column {
    /// What it is called, in the line too where it comes from there.
    pub name: &'static str,
    /// What is in it.
    pub kind: Kind,
    /// Where in the line it is.
    pub from: From,
}

/// What is in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// When the query was answered.
    Time,
    /// A string.
    Text,
    /// 32 bits.
    Short,
    /// 64 bits.
    Long,
    /// Yes or no.
    Flag,
    /// A list of strings.
    Texts,
    /// The list of answers.
    Answers,
    /// How many queries the row stands for; there is always one.
    Weight,
}

impl Kind {
    /// Whether it is one [`Cell`] of a row, which may be null.
    pub fn is_cell(self) -> bool {
        matches!(self, Kind::Text | Kind::Short | Kind::Long | Kind::Flag)
    }
}

/// Where in a line a column's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At its top.
    Top,
    /// In `kakehashi`.
    Inner,
    /// All that no other column takes; must be the last.
    Rest,
}

const fn column(name: &'static str, kind: Kind, from: From) -> Column {
    Column { name, kind, from }
}

/// The columns, in the order of SCHEMA.md.
pub const COLUMNS: [Column; 28] = [
    column("asked_at", Kind::Time, From::Inner),
    column("version", Kind::Text, From::Top),
    column("account_id", Kind::Text, From::Top),
    column("region", Kind::Text, From::Top),
    column("vpc_id", Kind::Text, From::Top),
    column("query_name", Kind::Text, From::Top),
    column("query_type", Kind::Text, From::Top),
    column("query_class", Kind::Text, From::Top),
    column("rcode", Kind::Text, From::Top),
    column("answers", Kind::Answers, From::Top),
    column("srcaddr", Kind::Text, From::Top),
    column("srcport", Kind::Short, From::Top),
    column("transport", Kind::Text, From::Top),
    column("node", Kind::Text, From::Inner),
    column("network", Kind::Text, From::Inner),
    column("groups", Kind::Texts, From::Inner),
    column("view", Kind::Text, From::Inner),
    column("route", Kind::Text, From::Inner),
    column("source", Kind::Text, From::Inner),
    column("upstream", Kind::Text, From::Inner),
    column("dnssec_ok", Kind::Flag, From::Inner),
    column("checking_disabled", Kind::Flag, From::Inner),
    column("answer_size", Kind::Long, From::Inner),
    column("duration_us", Kind::Long, From::Inner),
    column("ede", Kind::Short, From::Inner),
    column("answers_omitted", Kind::Short, From::Inner),
    column("weight", Kind::Weight, From::Inner),
    column("other", Kind::Text, From::Rest),
];

/// A single value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// None.
    Null,
    /// Of [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Short`].
    Short(i32),
    /// Of [`Kind::Long`].
    Long(i64),
    /// Of [`Kind::Flag`].
    Flag(bool),
}

/// A Parquet file that is being written.
pub struct Writer<W: Write + Send>(SerializedFileWriter<W>);

impl<W: Write + Send> Writer<W> {
    /// Begins one.
    pub fn new(sink: W) -> Result<Self> {
        let schema = Arc::new(parse_message_type(&schema())?);
        let by_time = vec![SortingColumn { column_idx: 0, descending: false, nulls_first: false }];
        let properties = WriterProperties::builder()
            .set_created_by(concat!("kakehashi-archive ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_sorting_columns(Some(by_time))
            // Neighbours in time differ by little, and hardly two are the same.
            .set_column_dictionary_enabled(ColumnPath::from("asked_at"), false)
            .set_column_encoding(ColumnPath::from("asked_at"), Encoding::DELTA_BINARY_PACKED)
            .build();
        Ok(Self(SerializedFileWriter::new(sink, schema, Arc::new(properties))?))
    }

    /// Writes a row group, sorted by time.
    pub fn rows(&mut self, rows: &mut [Row]) -> Result<()> {
        rows.sort_by_key(|row| row.asked_at);
        let mut group = self.0.next_row_group()?;
        let mut nth = 0;
        for column in &COLUMNS {
            match column.kind {
                Kind::Time => numbers(&mut group, rows, |row| row.asked_at)?,
                Kind::Weight => numbers(&mut group, rows, |row| row.weight)?,
                Kind::Answers => answers(&mut group, rows)?,
                Kind::Texts => {
                    list(&mut group, rows, |row| {
                        row.groups.iter().map(|group| group.as_str().into()).collect()
                    })?;
                }
                Kind::Text | Kind::Short | Kind::Long | Kind::Flag => {
                    singles(&mut group, rows, nth, column.kind)?;
                    nth += 1;
                }
            }
        }
        group.close()?;
        Ok(())
    }

    /// Writes what ends a file; gives back what it was written to.
    pub fn finish(self) -> Result<W> {
        self.0.into_inner()
    }
}

/// The columns in Parquet's own language.
fn schema() -> String {
    const PART: &str = "REQUIRED BYTE_ARRAY";
    let fields = COLUMNS.iter().map(|Column { name, kind, .. }| match kind {
        Kind::Time => format!("REQUIRED INT64 {name} (TIMESTAMP(MICROS,true));"),
        Kind::Text => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
        Kind::Short => format!("OPTIONAL INT32 {name};"),
        Kind::Long => format!("OPTIONAL INT64 {name};"),
        Kind::Weight => format!("REQUIRED INT64 {name};"),
        Kind::Flag => format!("OPTIONAL BOOLEAN {name};"),
        Kind::Texts => {
            format!("REQUIRED GROUP {name} (LIST) {{ REPEATED GROUP list {{ {PART} element (STRING); }} }}")
        }
        Kind::Answers => format!(
            "REQUIRED GROUP {name} (LIST) {{ REPEATED GROUP list {{ REQUIRED GROUP element {{ \
             {PART} rdata (STRING); {PART} type (STRING); {PART} class (STRING); }} }} }}"
        ),
    });
    format!("message query_log {{ {} }}", fields.collect::<Vec<_>>().join(" "))
}

type Group<'g, W> = SerializedRowGroupWriter<'g, W>;

fn numbers<W: Write + Send>(group: &mut Group<'_, W>, rows: &[Row], of: fn(&Row) -> i64) -> Result<()> {
    let values: Vec<i64> = rows.iter().map(of).collect();
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<Int64Type>().write_batch(&values, None, None)?;
    column.close()
}

fn singles<W: Write + Send>(group: &mut Group<'_, W>, rows: &[Row], nth: usize, kind: Kind) -> Result<()> {
    let cells = || rows.iter().map(move |row| &row.cells[nth]);
    let there: Vec<i16> = cells().map(|cell| i16::from(*cell != Cell::Null)).collect();
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    match kind {
        Kind::Short => {
            let short = |cell: &Cell| if let Cell::Short(value) = cell { Some(*value) } else { None };
            let values: Vec<i32> = cells().filter_map(short).collect();
            column.typed::<Int32Type>().write_batch(&values, Some(&there), None)?;
        }
        Kind::Long => {
            let long = |cell: &Cell| if let Cell::Long(value) = cell { Some(*value) } else { None };
            let values: Vec<i64> = cells().filter_map(long).collect();
            column.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
        }
        Kind::Flag => {
            let flag = |cell: &Cell| if let Cell::Flag(value) = cell { Some(*value) } else { None };
            let values: Vec<bool> = cells().filter_map(flag).collect();
            column.typed::<BoolType>().write_batch(&values, Some(&there), None)?;
        }
        Kind::Text | Kind::Time | Kind::Texts | Kind::Answers | Kind::Weight => {
            let text =
                |cell: &Cell| if let Cell::Text(text) = cell { Some(text.as_str().into()) } else { None };
            let values: Vec<ByteArray> = cells().filter_map(text).collect();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
        }
    }
    column.close()
}

fn answers<W: Write + Send>(group: &mut Group<'_, W>, rows: &[Row]) -> Result<()> {
    for part in 0..3 {
        list(group, rows, |row| row.answers.iter().map(|answer| answer[part].as_str().into()).collect())?;
    }
    Ok(())
}

/// One leaf of a list: its level is 1 where there is an element; it repeats at 1 but for the first of a row.
fn list<W: Write + Send>(
    group: &mut Group<'_, W>,
    rows: &[Row],
    elements: impl Fn(&Row) -> Vec<ByteArray>,
) -> Result<()> {
    let (mut values, mut there, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let elements = elements(row);
        there.extend(std::iter::repeat_n(i16::from(!elements.is_empty()), elements.len().max(1)));
        repeated.push(0);
        repeated.extend(std::iter::repeat_n(1, elements.len().saturating_sub(1)));
        values.extend(elements);
    }
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<ByteArrayType>().write_batch(&values, Some(&there), Some(&repeated))?;
    column.close()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_columns_are_those_of_the_schema_page() {
        let page = include_str!("../SCHEMA.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let written: Vec<&str> = rows.map(|(name, _)| name).collect();
        let columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(written, columns);
    }

    #[test]
    fn an_empty_file_is_a_whole_one() {
        let file = Writer::new(Vec::new()).unwrap().finish().unwrap();
        assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    }
}
