//! Runs statements over inputs, within limits.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use tidegate_model::{ErrorKind, Failure};

use crate::failure::{Slot, of_plan, of_run};
use crate::input::{Input, Provider};
use crate::{Statement, functions, timestamps};

/// Rows of a batch.
const BATCH: usize = 8192;

/// What statements may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Memory for what has to be kept while a statement runs (groups, sorted rows, the smaller side of joins), in bytes.
    pub memory: usize,
    /// A folder for what does not fit; it must be there.
    pub scratch: PathBuf,
}

/// Tables by name, and statements over them.
pub struct Session {
    context: SessionContext,
    slot: Slot,
}

impl Session {
    /// A session without tables.
    ///
    /// # Errors
    /// `R1004` if the scratch folder cannot be used.
    pub fn new(limits: &Limits) -> Result<Self, Failure> {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory)))
            .with_temp_file_path(&limits.scratch)
            .build_arc()
            .map_err(|error| of_run("a statement", &error, &Slot::default()))?;
        let mut config = config();
        config.options_mut().execution.sort_spill_reservation_bytes = (limits.memory / 8).min(10 << 20);
        Ok(Self::of(SessionContext::new_with_config_rt(config, runtime)))
    }

    /// A session in which statements are held against tables, and never run.
    pub(crate) fn without_files() -> Self {
        Self::of(SessionContext::new_with_config(config()))
    }

    fn of(context: SessionContext) -> Self {
        functions::register(&context);
        context.add_optimizer_rule(Arc::new(timestamps::OnWholeColumns));
        Self { context, slot: Slot::default() }
    }

    /// Adds a table, in place of one of the same name.
    ///
    /// # Errors
    /// `R1003` if it cannot be added.
    pub fn register(&self, name: &str, input: Input) -> Result<(), Failure> {
        let table = TableReference::bare(name);
        let failed = |error| of_plan(name, &error);
        self.context.deregister_table(table.clone()).map_err(failed)?;
        self.context.register_table(table, Arc::new(Provider { input, slot: self.slot.clone() })).map_err(failed)?;
        Ok(())
    }

    /// The columns that a statement gives, with the types that follow from its inputs; nothing is read.
    ///
    /// # Errors
    /// `R1003` with line and column if it names what is not there, or types do not fit.
    pub async fn columns(&self, statement: &Statement) -> Result<SchemaRef, Failure> {
        let plan = self.plan(statement).await?;
        Ok(Arc::clone(plan.schema().inner()))
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// As [`Session::columns`].
    pub async fn run(&self, statement: &Statement) -> Result<Rows, Failure> {
        let plan = self.plan(statement).await?;
        let state = self.context.state();
        let failed = |error| of_plan(&statement.name, &error);
        let physical = state.create_physical_plan(&plan).await.map_err(failed)?;
        let stream = execute_stream(physical, state.task_ctx()).map_err(failed)?;
        Ok(Rows { stream, name: statement.name.clone(), slot: self.slot.clone() })
    }

    /// The plan of a statement, or what DataFusion says against it.
    pub(crate) async fn try_plan(&self, statement: &Statement) -> Result<LogicalPlan, DataFusionError> {
        self.context.state().statement_to_plan(statement.parsed.clone()).await
    }

    async fn plan(&self, statement: &Statement) -> Result<LogicalPlan, Failure> {
        let failed = |error| of_plan(&statement.name, &error);
        let plan = self.try_plan(statement).await.map_err(failed)?;
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)
            .map_err(|error| Failure::new("R1002", ErrorKind::Invalid, format!("{}: {error}", statement.name)))?;
        Ok(plan)
    }
}

fn config() -> SessionConfig {
    // One partition: rows come in the same order each time, and inputs are read on threads of their own anyway.
    let mut config = SessionConfig::new().with_target_partitions(1).with_batch_size(BATCH);
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    config
}

/// What a statement gives, batch by batch.
pub struct Rows {
    stream: SendableRecordBatchStream,
    name: String,
    slot: Slot,
}

impl Rows {
    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next batch, or `None` at the end.
    ///
    /// # Errors
    /// What an input failed with; `R1004` if a row cannot be computed, `R1005` if the memory does not suffice.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, Failure>> {
        let batch = self.stream.next().await?;
        Some(batch.map_err(|error| of_run(&self.name, &error, &self.slot)))
    }
}
