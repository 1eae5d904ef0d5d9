//! The table `queries`: its columns, and lines gathered into batches of it.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::error::ArrowError;
use serde_json::value::RawValue;

use crate::line::{Line, Number, Text};

/// A column of `queries`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name, the same as in the archive's Parquet files.
    pub name: &'static str,
    kind: Kind,
    /// What it says.
    pub says: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    Number,
    Flag,
    Text,
}

/// All columns. What a line does not say is NULL.
pub const COLUMNS: [Column; 25] = [
    column(TIME, Kind::Time, "arrival, UTC, to the microsecond"),
    column(WEIGHT, Kind::Number, "how many queries the line stands for: the log's sampling factor, else 1"),
    column("node", Kind::Text, "the server"),
    column("account_id", Kind::Text, "the client's account"),
    column("region", Kind::Text, "its region"),
    column("vpc_id", Kind::Text, "its VPC"),
    column("network", Kind::Text, "its network"),
    column("groups", Kind::Text, "the network's groups, with commas between"),
    column("view", Kind::Text, "its view"),
    column("srcaddr", Kind::Text, "its address"),
    column("srcport", Kind::Number, "its port"),
    column("transport", Kind::Text, "UDP or TCP"),
    column("query_name", Kind::Text, "QNAME in lower case, with its final dot"),
    column("query_type", Kind::Text, "QTYPE"),
    column("query_class", Kind::Text, "QCLASS"),
    column("rcode", Kind::Text, "RCODE"),
    column("answers", Kind::Text, "the answer section as JSON; NULL from Parquet"),
    column("route", Kind::Text, "the route that answered"),
    column("source", Kind::Text, "answer-cache, response-cache, stale, zone, forward, recurse or local"),
    column("upstream", Kind::Text, "who answered, or whose answer was cached: upstream@address"),
    column("dnssec_ok", Kind::Flag, "the query's DO bit"),
    column("checking_disabled", Kind::Flag, "its CD bit"),
    column("answer_size", Kind::Number, "octets of the response"),
    column("duration_us", Kind::Number, "from arrival to answer, in microseconds"),
    column("ede", Kind::Number, "extended error (RFC 8914)"),
];

/// The column of when.
pub const TIME: &str = "asked_at";
/// The column of how many.
pub const WEIGHT: &str = "weight";

const fn column(name: &'static str, kind: Kind, says: &'static str) -> Column {
    Column { name, kind, says }
}

impl Column {
    /// Its type.
    pub fn data_type(self) -> DataType {
        match self.kind {
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Number => DataType::Int64,
            Kind::Flag => DataType::Boolean,
            Kind::Text => DataType::Utf8,
        }
    }

    /// Its type's name in SQL.
    pub fn sql_type(self) -> &'static str {
        match self.kind {
            Kind::Time => "TIMESTAMP",
            Kind::Number => "BIGINT",
            Kind::Flag => "BOOLEAN",
            Kind::Text => "VARCHAR",
        }
    }
}

/// The columns of these names, in the table's order; time and weight are always among them.
pub fn pick(wanted: &[impl AsRef<str>]) -> Vec<Column> {
    let is_wanted = |column: &Column| {
        [TIME, WEIGHT].contains(&column.name) || wanted.iter().any(|name| name.as_ref() == column.name)
    };
    COLUMNS.into_iter().filter(is_wanted).collect()
}

/// The columns as a schema.
pub fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(column.name, column.data_type(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Lines, as columns.
pub struct Rows {
    columns: Vec<(Column, Builder)>,
    schema: SchemaRef,
    count: usize,
}

enum Builder {
    Time(TimestampMicrosecondBuilder),
    Number(Int64Builder),
    Flag(BooleanBuilder),
    Text(StringBuilder),
}

impl Rows {
    pub fn new(columns: &[Column]) -> Rows {
        let builder = |column: &Column| match column.kind {
            Kind::Time => Builder::Time(TimestampMicrosecondBuilder::new()),
            Kind::Number => Builder::Number(Int64Builder::new()),
            Kind::Flag => Builder::Flag(BooleanBuilder::new()),
            Kind::Text => Builder::Text(StringBuilder::new()),
        };
        let made = columns.iter().map(|column| (*column, builder(column))).collect();
        Rows { columns: made, schema: schema(columns), count: 0 }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// Adds a line.
    pub fn push(&mut self, time: i64, line: &Line<'_>) {
        self.count += 1;
        for (column, builder) in &mut self.columns {
            match builder {
                Builder::Time(times) => times.append_value(time),
                Builder::Number(numbers) => numbers.append_option(number(column.name, line)),
                Builder::Flag(flags) => flags.append_option(match column.name {
                    "dnssec_ok" => line.kakehashi.dnssec_ok,
                    _ => line.kakehashi.checking_disabled,
                }),
                Builder::Text(texts) => match text(column.name, line) {
                    Some(text) if !text.is_empty() => texts.append_value(text),
                    _ => texts.append_null(),
                },
            }
        }
    }

    /// What was gathered, and begins anew.
    pub fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.count = 0;
        let arrays = self.columns.iter_mut().map(|(_, builder)| -> ArrayRef {
            match builder {
                Builder::Time(times) => Arc::new(times.finish()),
                Builder::Number(numbers) => Arc::new(numbers.finish()),
                Builder::Flag(flags) => Arc::new(flags.finish()),
                Builder::Text(texts) => Arc::new(texts.finish()),
            }
        });
        RecordBatch::try_new(self.schema.clone(), arrays.collect())
    }
}

fn number(column: &str, line: &Line<'_>) -> Option<i64> {
    let Number(number) = match column {
        WEIGHT => return Some(line.weight()),
        "srcport" => line.srcport,
        "answer_size" => line.kakehashi.answer_size,
        "duration_us" => line.kakehashi.duration_us,
        _ => line.kakehashi.ede,
    };
    i64::try_from(number?).ok()
}

fn text<'l>(column: &str, line: &'l Line<'_>) -> Option<Cow<'l, str>> {
    let decision = &line.kakehashi;
    let Text(text) = match column {
        "query_name" => return Some(lower(&line.query_name.0)),
        "groups" => return decision.groups.map(joined),
        "answers" => return Some(Cow::Borrowed(line.answers?.get())),
        "node" => &decision.node,
        "account_id" => &line.account_id,
        "region" => &line.region,
        "vpc_id" => &line.vpc_id,
        "network" => &decision.network,
        "view" => &decision.view,
        "srcaddr" => &line.srcaddr,
        "transport" => &line.transport,
        "query_type" => &line.query_type,
        "query_class" => &line.query_class,
        "rcode" => &line.rcode,
        "route" => &decision.route,
        "source" => &decision.source,
        _ => &decision.upstream,
    };
    Some(Cow::Borrowed(text))
}

/// A name has one spelling: resolvers that mix the cases ask for the same.
pub fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|octet| octet.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// A JSON list of text, with commas between.
fn joined(list: &RawValue) -> Cow<'_, str> {
    let groups: Vec<Cow<'_, str>> = serde_json::from_str(list.get()).unwrap_or_default();
    Cow::Owned(groups.join(","))
}
