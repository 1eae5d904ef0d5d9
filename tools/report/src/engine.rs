//! The query engine over what was read: DataFusion, within bounded memory.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::catalog::MemTable;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::options::ParquetReadOptions;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use tokio::runtime::Runtime;

use crate::table;

/// What sorting and grouping may hold in memory; beyond it they go to disk.
const MEMORY: usize = 192 << 20;

/// The table's name.
const TABLE: &str = "queries";

/// Answers questions in SQL.
pub struct Engine {
    runtime: Runtime,
    context: SessionContext,
}

impl Engine {
    /// Over no rows: to see what a question needs. `scratch` is for what does not fit into memory.
    pub fn new(scratch: &Path) -> Result<Engine> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(cores).build()?;
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY)))
            .with_temp_file_path(scratch)
            .build_arc()?;
        let config = SessionConfig::new().with_target_partitions(cores).with_information_schema(true);
        let context = SessionContext::new_with_config_rt(config, environment);
        let empty = MemTable::try_new(table::schema(&table::COLUMNS), vec![vec![]])?;
        context.register_table(TABLE, Arc::new(empty))?;
        Ok(Engine { runtime, context })
    }

    /// The columns of `queries` that a question reads.
    pub fn columns(&self, sql: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let plan = self.runtime.block_on(self.context.sql_with_options(sql, only_questions()))?;
        plan.into_optimized_plan()?.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                names.extend(scan.projected_schema.fields().iter().map(|field| field.name().clone()));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(names)
    }

    /// Lets the rows of a folder of Parquet files be the table.
    pub fn open(&self, folder: &Path) -> Result<()> {
        let folder =
            folder.to_str().ok_or_else(|| DataFusionError::Plan("a folder that is no text".into()))?;
        self.context.deregister_table(TABLE)?;
        self.runtime.block_on(self.context.register_parquet(TABLE, folder, ParquetReadOptions::default()))
    }

    /// Asks; gives the answer as it is, its columns even if it has no rows.
    pub fn ask(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        self.runtime.block_on(async {
            let found = self.context.sql_with_options(sql, only_questions()).await?;
            let schema = Arc::new(found.schema().as_arrow().clone());
            Ok((schema, found.collect().await?))
        })
    }

    /// Asks; gives the rows in plain types.
    pub fn rows(&self, sql: &str) -> Result<Found> {
        let (_, batches) = self.ask(sql)?;
        let plain = |array: &ArrayRef| -> Result<ArrayRef> {
            Ok(match array.data_type() {
                DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => cast(array, &DataType::Utf8)?,
                _ => cast(array, &DataType::Int64)?,
            })
        };
        let batches = batches.iter().map(|batch| batch.columns().iter().map(plain).collect());
        Ok(Found(batches.collect::<Result<_>>()?))
    }
}

/// The engine reads the logs; it makes no tables and writes no files.
fn only_questions() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// An answer's rows.
pub struct Found(Vec<Vec<ArrayRef>>);

impl Found {
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.iter().flat_map(|columns| {
            let count = columns.first().map_or(0, Array::len);
            (0..count).map(move |at| Row { columns, at })
        })
    }
}

/// One row, its fields by their position. What is NULL or of another type is empty or 0.
#[derive(Clone, Copy)]
pub struct Row<'f> {
    columns: &'f [ArrayRef],
    at: usize,
}

impl<'f> Row<'f> {
    pub fn text(self, column: usize) -> &'f str {
        let texts = self.columns.get(column).and_then(|array| array.as_string_opt::<i32>());
        texts.filter(|texts| texts.is_valid(self.at)).map_or("", |texts| texts.value(self.at))
    }

    pub fn number(self, column: usize) -> i64 {
        let numbers = self.columns.get(column).and_then(|array| array.as_primitive_opt::<Int64Type>());
        numbers.filter(|numbers| numbers.is_valid(self.at)).map_or(0, |numbers| numbers.value(self.at))
    }

    /// A number that is never less than 0.
    pub fn count(self, column: usize) -> u64 {
        self.number(column).max(0).unsigned_abs()
    }
}
