//! Parquet files of the archive → batches of `queries`, column by column, by their names.
//!
//! Columns that a file lacks are NULL, so an older or newer archive is read too.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray, new_null_array,
};
use datafusion::arrow::compute::{cast, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use crate::line::believable;
use crate::period::Period;
use crate::table::{self, Column, TIME, WEIGHT};

/// Keys of a line that the archive has no column for, as JSON: in the first archives the sampling factor was one.
const OTHER: &str = "other";
const SAMPLE: &str = "kakehashi.sample";

/// Reads a file; `keep` gets each batch of the period with how many rows beside it were outside, and says whether to go on.
pub fn read(
    path: &Path,
    columns: &[Column],
    period: &Period,
    keep: &mut dyn FnMut(&RecordBatch, usize) -> bool,
) -> Result<(), ParquetError> {
    let file = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let is_wanted = |name: &str| name == OTHER || columns.iter().any(|column| column.name == name);
    let roots = file.schema().fields().iter().enumerate();
    let wanted: Vec<usize> = roots.filter(|(_, field)| is_wanted(field.name())).map(|(at, _)| at).collect();
    let projection = ProjectionMask::roots(file.parquet_schema(), wanted);
    if file.schema().column_with_name(TIME).is_none() {
        return Err(ParquetError::General(format!("no column {TIME}: this is no query log")));
    }
    for batch in file.with_projection(projection).with_batch_size(8192).build()? {
        let rows = shaped(&batch?, columns)?;
        let inside = holds(&rows, period);
        let kept = filter_record_batch(&rows, &inside)?;
        if !keep(&kept, rows.num_rows() - kept.num_rows()) {
            break;
        }
    }
    Ok(())
}

fn holds(rows: &RecordBatch, period: &Period) -> BooleanArray {
    let times = rows.column_by_name(TIME).map(AsArray::as_primitive::<TimestampMicrosecondType>);
    times.into_iter().flatten().map(|time| Some(time.is_some_and(|time| period.holds(time)))).collect()
}

fn shaped(batch: &RecordBatch, columns: &[Column]) -> Result<RecordBatch, ArrowError> {
    let arrays = columns.iter().map(|column| shaped_column(batch, *column)).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(table::schema(columns), arrays)
}

fn shaped_column(batch: &RecordBatch, column: Column) -> Result<ArrayRef, ArrowError> {
    let found = batch.column_by_name(column.name);
    match (column.name, found) {
        (WEIGHT, Some(factors)) => {
            let factors = cast(factors, &DataType::Int64)?;
            let factors = factors.as_primitive::<Int64Type>().iter();
            Ok(Arc::new(factors.map(|factor| Some(believable(factor.unwrap_or(1)))).collect::<Int64Array>()))
        }
        (WEIGHT, None) => Ok(Arc::new(weights(batch)?)),
        ("groups", Some(lists)) if lists.as_list_opt::<i32>().is_some() => joined(lists.as_list()),
        (_, Some(list)) if list.data_type().is_nested() => {
            Ok(new_null_array(&column.data_type(), batch.num_rows()))
        }
        ("query_name", Some(names)) => {
            let names = cast(names, &DataType::Utf8)?;
            Ok(Arc::new(
                names.as_string::<i32>().iter().map(|name| name.map(table::lower)).collect::<StringArray>(),
            ))
        }
        (_, Some(array)) => {
            let array = cast(array, &column.data_type())?;
            if column.data_type() == DataType::Utf8 { Ok(known(array.as_string())) } else { Ok(array) }
        }
        (_, None) => Ok(new_null_array(&column.data_type(), batch.num_rows())),
    }
}

/// Empty text is what the log writes for the unknown.
fn known(texts: &StringArray) -> ArrayRef {
    Arc::new(texts.iter().map(|text| text.filter(|text| !text.is_empty())).collect::<StringArray>())
}

fn joined(lists: &ListArray) -> Result<ArrayRef, ArrowError> {
    let words = |list: ArrayRef| -> Result<Option<String>, ArrowError> {
        let list = cast(&list, &DataType::Utf8)?;
        let words: Vec<&str> = list.as_string::<i32>().iter().flatten().collect();
        Ok(Some(words.join(",")).filter(|words| !words.is_empty()))
    };
    let texts = lists.iter().map(|list| list.map_or(Ok(None), words)).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(StringArray::from(texts)))
}

fn weights(batch: &RecordBatch) -> Result<Int64Array, ArrowError> {
    let Some(other) = batch.column_by_name(OTHER) else {
        return Ok(Int64Array::from(vec![1; batch.num_rows()]));
    };
    let other = cast(other, &DataType::Utf8)?;
    Ok(other.as_string::<i32>().iter().map(|keys| Some(keys.map_or(1, weight))).collect())
}

fn weight(keys: &str) -> i64 {
    let keys: serde_json::Value = serde_json::from_str(keys).unwrap_or_default();
    believable(keys.get(SAMPLE).and_then(serde_json::Value::as_i64).unwrap_or(1))
}
