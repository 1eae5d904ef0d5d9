//! The answer to a question in SQL: a table for the terminal, or JSON.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::Value;

use crate::escape;
use crate::words::{Align, grid};

/// As a table of text; what came from the network is made harmless.
pub fn table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let fields = schema.fields();
    let head: Vec<(String, Align)> = fields
        .iter()
        .map(|field| {
            let align = if field.data_type().is_numeric() { Align::Right } else { Align::Left };
            (escape::terminal(field.name()), align)
        })
        .collect();
    let mut rows = Vec::new();
    for_each_row(batches, |texts| {
        rows.push(
            texts.into_iter().map(|text| escape::terminal(&text.unwrap_or_else(|| "NULL".into()))).collect(),
        );
    })?;
    let head: Vec<(&str, Align)> = head.iter().map(|(name, align)| (name.as_str(), *align)).collect();
    let count = rows.len();
    Ok(format!("{}({count} {})\n", grid(&head, &rows), if count == 1 { "row" } else { "rows" }))
}

/// As a JSON list of one object a row.
pub fn json(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let mut rows = Vec::new();
    for_each_row(batches, |texts| {
        let fields = schema.fields().iter().zip(texts);
        let object = fields.map(|(field, text)| (field.name().clone(), value(field.data_type(), text)));
        rows.push(Value::Object(object.collect()));
    })?;
    let mut text =
        serde_json::to_string_pretty(&rows).map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
    text.push('\n');
    Ok(text)
}

fn value(kind: &DataType, text: Option<String>) -> Value {
    let Some(text) = text else { return Value::Null };
    if kind.is_numeric() || *kind == DataType::Boolean {
        // What JSON has no number for (NaN) stays text.
        return serde_json::from_str(&text).unwrap_or(Value::String(text));
    }
    Value::String(text)
}

fn for_each_row(
    batches: &[RecordBatch],
    mut each: impl FnMut(Vec<Option<String>>),
) -> Result<(), ArrowError> {
    let options = FormatOptions::default();
    for batch in batches {
        let columns = batch.columns();
        let formatters = columns.iter().map(|array| ArrayFormatter::try_new(array.as_ref(), &options));
        let formatters = formatters.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells = formatters.iter().zip(columns);
            each(
                cells.map(|(cell, array)| array.is_valid(row).then(|| cell.value(row).to_string())).collect(),
            );
        }
    }
    Ok(())
}
