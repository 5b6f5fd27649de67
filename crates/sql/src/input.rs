//! A named table of a session: columns that are known beforehand, and batches that are read when a statement asks for them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::stream::{RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter};
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use tidegate_model::{ErrorKind, Failure};
use tokio::sync::mpsc::Sender;

use crate::failure::Slot;

/// Batches on their way; they are pulled on a thread of their own.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, Failure>> + Send>;

/// Opens the batches from the beginning, with these columns only (positions in the schema, ascending or not).
type Open = Arc<dyn Fn(&[usize]) -> Result<Batches, Failure> + Send + Sync>;

/// A table that statements may name.
#[derive(Clone)]
pub struct Input {
    schema: SchemaRef,
    open: Open,
}

impl Input {
    /// A table with these columns. `open` is called whenever a statement reads it, with the positions of the columns that
    /// it needs, and gives batches of those columns in that order. It may block.
    pub fn new(schema: SchemaRef, open: impl Fn(&[usize]) -> Result<Batches, Failure> + Send + Sync + 'static) -> Self {
        Self { schema, open: Arc::new(open) }
    }

    /// A table of these batches.
    pub fn of_batches(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self::new(schema, move |columns| {
            let (batches, columns) = (batches.clone(), columns.to_vec());
            Ok(Box::new(
                batches.into_iter().map(move |batch| batch.project(&columns).map_err(crate::failure::of_arrow)),
            ))
        })
    }

    /// Its batches from the beginning, with these columns only, in this order. May block.
    ///
    /// # Errors
    /// What `open` fails with.
    pub fn batches(&self, columns: &[usize]) -> Result<Batches, Failure> {
        (self.open)(columns)
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// An input as DataFusion asks for it.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) input: Input,
    pub(crate) slot: Slot,
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.input.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let all = || (0..self.input.schema.fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.input.schema.project(&columns)?);
        let scan = Scan { schema: Arc::clone(&schema), columns, input: self.input.clone(), slot: self.slot.clone() };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(scan)], None, [], false, limit)?))
    }
}

/// One reading of an input.
#[derive(Debug)]
struct Scan {
    schema: SchemaRef,
    columns: Vec<usize>,
    input: Input,
    slot: Slot,
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Reads on a thread of its own: readers wait for each other when tables are joined, and a pool that is bounded could be
    /// full of those that wait.
    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), 2);
        let (sender, slot) = (builder.tx(), self.slot.clone());
        let (open, columns) = (Arc::clone(&self.input.open), self.columns.clone());
        let read = move |sender: &Sender<_>| {
            let batches = match open(&columns) {
                Ok(batches) => batches,
                Err(failure) => Box::new(std::iter::once(Err(failure))),
            };
            for batch in batches {
                let batch = batch.map_err(|failure| slot.keep(failure));
                let is_last = batch.is_err();
                // If nobody asks for more, a limit was reached, or the statement has failed elsewhere.
                if sender.blocking_send(batch).is_err() || is_last {
                    return;
                }
            }
        };
        let panicked = self.slot.clone();
        let work = move || {
            // A stream that only ends would look as if these were all rows.
            if catch_unwind(AssertUnwindSafe(|| read(&sender))).is_err() {
                let failure = Failure::new("R0011", ErrorKind::Bug, "the reader of a table panicked");
                // Nobody is there to be told if the statement has ended meanwhile.
                let _ = sender.blocking_send(Err(panicked.keep(failure)));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("tidegate-sql".to_owned()).spawn(work) {
            let reason = format!("the system gives no threads: {error}");
            let failure =
                Failure::new("R1004", ErrorKind::Unavailable, reason).help("wait until other programs have ended");
            let failed = self.slot.keep(failure);
            return Box::pin(RecordBatchStreamAdapter::new(
                Arc::clone(&self.schema),
                futures::stream::once(async move { Err(failed) }),
            ));
        }
        builder.build()
    }
}
