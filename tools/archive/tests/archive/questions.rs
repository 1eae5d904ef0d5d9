//! What SCHEMA.md says can be asked, asked: the same SQL over both forms, by DuckDB.

use serde_json::{Value, json};

use crate::place::{Place, Ran, json as parsed, lines, weight};
use crate::python::Python;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/SCHEMA.md");
const QUERIES: usize = 7_000;

fn archive(format: &str) -> Place {
    let place = Place::new(&format!("to = \"./archive\"\nformat = \"{format}\""));
    place.roll("20261124-020000", lines(0..QUERIES));
    let Ran { ok, said } = place.run(&["--once"]);
    assert!(ok, "{said}");
    place
}

fn answers(python: &Python, format: &str) -> Value {
    let place = archive(format);
    let form = if format == "parquet" { "parquet" } else { "json" };
    parsed(&python.peer(&["ask", place.path("archive").to_str().unwrap(), form, SCHEMA]))
}

#[test]
fn the_same_questions_have_the_same_answers_in_every_form() {
    let Some(python) = Python::find() else { return };
    let of_parquet = answers(&python, "parquet");
    assert_eq!(of_parquet, answers(&python, "json-gzip"));
    assert_eq!(of_parquet, answers(&python, "json-zstd"));

    // The first client's queries for the name that every tenth query is for.
    let asked = (0..QUERIES).filter(|nth| nth % 3 == 0 && nth % 10 == 0).count();
    assert_eq!(of_parquet[0].as_array().unwrap().len(), asked);
    // About a third of the queries each, those that sampled lines stand for included, half of them from the cache.
    let third = |account: usize| -> usize { (0..QUERIES).filter(|nth| nth % 3 == account).map(weight).sum() };
    let accounts = of_parquet[1].as_array().unwrap();
    assert_eq!(accounts.len(), 3);
    for (row, (id, account)) in accounts.iter().zip([("123456789012", 0), ("", 2), ("210987654321", 1)]) {
        assert_eq!((&row[0], &row[1]), (&json!(id), &json!(third(account))), "{accounts:?}");
    }
    // Every seventh does not exist; the name that is asked for most stands first.
    let most: usize = (0..QUERIES).filter(|nth| nth % 7 == 0 && nth % 10 == 0).map(weight).sum();
    assert_eq!(of_parquet[2][0], json!(["planning.manufacturing.technova.internal.", most, 3]));
    let forwarded: usize = (3_600..QUERIES).filter(|nth| nth % 4 == 1).map(weight).sum();
    assert_eq!(
        (&of_parquet[3][0][0], &of_parquet[3][0][1]),
        (&json!("onprem-dc@192.168.1.10:53"), &json!(forwarded))
    );
}

#[test]
fn the_columns_are_of_the_documented_types_and_in_order_of_time() {
    let Some(python) = Python::find() else { return };
    let place = archive("parquet");
    let read = parsed(&python.peer(&["columns", place.path("archive").to_str().unwrap()]));
    let page = std::fs::read_to_string(SCHEMA).unwrap();
    let mut columns = 0;
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let expected = match cells[3] {
            "timestamp" => "TIMESTAMP WITH TIME ZONE",
            "string" => "VARCHAR",
            "int" => "INTEGER",
            "bigint" => "BIGINT",
            "boolean" => "BOOLEAN",
            "array<string>" => "VARCHAR[]",
            _ => "STRUCT(rdata VARCHAR, \"type\" VARCHAR, \"class\" VARCHAR)[]",
        };
        assert_eq!(read["columns"][cells[1]], expected, "{row}");
        columns += 1;
    }
    assert_eq!(read["columns"].as_object().unwrap().len(), columns);
    assert_eq!(read["out_of_order"], 0);
    assert_eq!(read["compression"], json!(["ZSTD"]));
    assert_eq!(read["dictionaries"], 6, "one a piece");
}
