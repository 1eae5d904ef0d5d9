//! One line of the query log: to whom it belongs, and, for Parquet, all that it says.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::columns::{COLUMNS, Cell, From, Kind};

/// Whose query it was, and in which hour.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The AWS account; empty: unknown.
    pub account: String,
    /// The VPC; empty: unknown.
    pub vpc: String,
    /// Hours since 1970 in UTC.
    pub hour: i64,
}

/// What the owner is read from; the rest is only looked through.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    account_id: Option<String>,
    #[serde(default)]
    vpc_id: Option<String>,
    query_timestamp: String,
}

/// To whom a line belongs; `None`: it is not JSON of the schema.
pub fn owner(line: &[u8]) -> Option<Owner> {
    let Head { account_id, vpc_id, query_timestamp } = serde_json::from_slice(line).ok()?;
    let time: Timestamp = query_timestamp.parse().ok()?;
    Some(Owner {
        account: account_id.unwrap_or_default(),
        vpc: vpc_id.unwrap_or_default(),
        hour: time.as_second().div_euclid(3_600),
    })
}

/// All that a line says.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Microseconds since 1970.
    pub asked_at: i64,
    /// How many queries it stands for: the sampling factor of the log that it is from.
    pub weight: i64,
    /// One cell for each of [`COLUMNS`] that is a single value.
    pub cells: Vec<Cell>,
    /// RDATA, type and class of each answer.
    pub answers: Vec<[String; 3]>,
    /// The groups of the client's network.
    pub groups: Vec<String>,
}

/// The row of a line; `None`: it is not JSON of the schema.
pub fn row(line: &[u8]) -> Option<Row> {
    let mut top: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let mut inner = match top.remove("kakehashi") {
        Some(Value::Object(inner)) => inner,
        Some(_) => return None,
        None => Map::new(),
    };
    let second = text(top.remove("query_timestamp"))?;
    let exact = match inner.remove("timestamp") {
        Some(Value::String(exact)) => Some(exact),
        Some(_) => return None,
        None => None,
    };
    let asked_at = exact.unwrap_or(second).parse::<Timestamp>().ok()?.as_microsecond();
    let answers = top.remove("answers").map_or(Some(vec![]), answers)?;
    let groups = inner.remove("groups").map_or(Some(vec![]), texts)?;
    let weight = match inner.remove("sample") {
        None | Some(Value::Null) => 1,
        Some(factor) => factor.as_i64().filter(|factor| *factor > 0)?,
    };

    let mut cells = Vec::with_capacity(COLUMNS.len());
    for column in COLUMNS.iter().filter(|column| column.kind.is_cell()) {
        let value = match column.from {
            From::Top => top.remove(column.name),
            From::Inner => inner.remove(column.name),
            From::Rest => rest(&mut top, &mut inner),
        };
        cells.push(cell(value, column.kind)?);
    }
    Some(Row { asked_at, weight, cells, answers, groups })
}

/// What no column has.
fn rest(top: &mut Map<String, Value>, inner: &mut Map<String, Value>) -> Option<Value> {
    top.retain(|key, value| key != "srcids" || value.as_object().is_none_or(|ids| !ids.is_empty()));
    let mut all = std::mem::take(top);
    all.extend(std::mem::take(inner).into_iter().map(|(key, value)| (format!("kakehashi.{key}"), value)));
    (!all.is_empty()).then(|| Value::String(Value::Object(all).to_string()))
}

/// `None`: the value is not of the column's kind.
fn cell(value: Option<Value>, kind: Kind) -> Option<Cell> {
    let value = match value {
        None | Some(Value::Null) => return Some(Cell::Null),
        Some(value) => value,
    };
    match (kind, value) {
        (Kind::Text, Value::String(text)) => Some(Cell::Text(text)),
        (Kind::Flag, Value::Bool(flag)) => Some(Cell::Flag(flag)),
        (Kind::Short, Value::String(digits)) if digits.is_empty() => Some(Cell::Null),
        (Kind::Short, Value::String(digits)) => digits.parse().ok().map(Cell::Short),
        (Kind::Short, Value::Number(number)) => number.as_i64()?.try_into().ok().map(Cell::Short),
        (Kind::Long, Value::Number(number)) => number.as_i64().map(Cell::Long),
        _ => None,
    }
}

fn text(value: Option<Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn texts(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.into_iter().map(|value| text(Some(value))).collect(),
        _ => None,
    }
}

fn answers(value: Value) -> Option<Vec<[String; 3]>> {
    let Value::Array(values) = value else { return None };
    values
        .into_iter()
        .map(|value| {
            let Value::Object(mut answer) = value else { return None };
            let mut part = |key| answer.remove(key).map_or(Some(String::new()), |value| text(Some(value)));
            let parts = [part("Rdata")?, part("Type")?, part("Class")?];
            // What no column has must not vanish.
            answer.is_empty().then_some(parts)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LINE: &str = r#"{"version":"1.100000","account_id":"123456789012","region":"r","vpc_id":"vpc-0","query_timestamp":"2026-11-24T01:59:59Z","query_name":"a.example.","query_type":"A","query_class":"IN","rcode":"NOERROR","answers":[{"Rdata":"192.0.2.1","Type":"A","Class":"IN"}],"srcaddr":"10.0.30.1","srcport":"5353","transport":"UDP","srcids":{},"kakehashi":{"node":"n","network":"w","groups":["vpc"],"view":"v","route":"r","source":"cache","upstream":null,"dnssec_ok":false,"checking_disabled":true,"answer_size":45,"duration_us":7,"ede":null,"timestamp":"2026-11-24T01:59:59.000042Z"}}"#;

    fn cell_of<'r>(row: &'r Row, name: &str) -> &'r Cell {
        let mut single = COLUMNS.iter().filter(|column| column.kind.is_cell());
        &row.cells[single.position(|column| column.name == name).unwrap()]
    }

    #[test]
    fn a_line_belongs_to_its_account_vpc_and_hour() {
        let owner = owner(LINE.as_bytes()).unwrap();
        assert_eq!((&owner.account[..], &owner.vpc[..]), ("123456789012", "vpc-0"));
        assert_eq!(owner.hour * 3_600, 1_795_482_000);
    }

    #[test]
    fn what_is_no_line_of_the_schema_has_no_owner() {
        for line in
            ["", "{", "[]", "7", r#"{"account_id":"1"}"#, r#"{"query_timestamp":"yesterday"}"#, "\u{0}"]
        {
            assert_eq!(owner(line.as_bytes()), None, "{line}");
            assert_eq!(row(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_row_has_all_that_the_line_says() {
        let row = row(LINE.as_bytes()).unwrap();
        assert_eq!(row.asked_at, 1_795_482_000_000_000 + 3_599_000_042);
        assert_eq!(row.answers, [["192.0.2.1", "A", "IN"].map(str::to_owned)]);
        assert_eq!(row.groups, ["vpc"]);
        assert_eq!(*cell_of(&row, "srcport"), Cell::Short(5353));
        assert_eq!(*cell_of(&row, "checking_disabled"), Cell::Flag(true));
        assert_eq!(*cell_of(&row, "duration_us"), Cell::Long(7));
        assert_eq!(*cell_of(&row, "upstream"), Cell::Null);
        assert_eq!(*cell_of(&row, "other"), Cell::Null);
    }

    #[test]
    fn a_line_stands_for_as_many_queries_as_its_sampling_says() {
        assert_eq!(row(LINE.as_bytes()).unwrap().weight, 1);
        let sampled = |factor: &str| {
            row(LINE.replace("\"ede\":null", &format!("\"ede\":null,\"sample\":{factor}")).as_bytes())
        };
        let row = sampled("100").unwrap();
        assert_eq!((row.weight, cell_of(&row, "other")), (100, &Cell::Null));
        assert_eq!(sampled("null").unwrap().weight, 1);
        assert!(["0", "-1", "1.5", "\"10\""].iter().all(|factor| sampled(factor).is_none()));
    }

    #[test]
    fn a_key_that_no_column_has_is_kept() {
        let line = LINE
            .replace("\"srcids\":{}", "\"srcids\":{\"instance\":\"i-1\"},\"firewall_rule_action\":\"BLOCK\"")
            .replace("\"node\":\"n\"", "\"node\":\"n\",\"sampled\":10");
        let row = row(line.as_bytes()).unwrap();
        let Cell::Text(other) = cell_of(&row, "other") else { panic!("nothing is kept") };
        let other: Value = serde_json::from_str(other).unwrap();
        let expected = serde_json::json!({
            "srcids": {"instance": "i-1"}, "firewall_rule_action": "BLOCK", "kakehashi.sampled": 10,
        });
        assert_eq!(other, expected);
    }

    #[test]
    fn a_value_of_another_kind_makes_no_row_rather_than_a_wrong_one() {
        for (from, to) in [
            ("\"srcport\":\"5353\"", "\"srcport\":\"many\""),
            ("\"answer_size\":45", "\"answer_size\":\"45 octets\""),
            ("\"groups\":[\"vpc\"]", "\"groups\":\"vpc\""),
            ("\"Class\":\"IN\"}", "\"Class\":\"IN\",\"TTL\":60}"),
        ] {
            let line = LINE.replace(from, to);
            assert!(line != LINE && row(line.as_bytes()).is_none(), "{to}");
        }
    }
}
