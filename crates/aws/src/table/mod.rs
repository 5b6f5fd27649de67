//! Tables in DynamoDB: the seam `stores::Tables`, hop 7 for rows on AWS.
//!
//! Rows that are written are checked (`encode.rs`) and kept on disk (`spool.rs`), their keys sorted (`keys.rs`); a commit
//! (`commit.rs`) looks up what is there (`lookup.rs`), and sends batches (`writer.rs`, `batch.rs`, `wire.rs`). What a table's columns
//! are stands in the state table (`layout.rs`).

mod batch;
mod commit;
mod encode;
mod item;
mod keys;
mod layout;
mod load;
mod lookup;
mod number;
mod pace;
mod place;
mod scan;
mod seen;
mod sorter;
mod spool;
mod wire;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tidegate_model::ValueType;
use tidegate_stores::{Load, Result, Table, TableLoad, Tables, table};

use self::layout::Named;
use self::place::{Place, run};
use self::writer::Patience;
use crate::Client;

/// The DynamoDB table that a table of the pipeline is.
pub type NameOf = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// The tables of one account and region.
pub struct DynamoTables {
    place: Arc<Place>,
}

impl DynamoTables {
    /// The tables that `name_of` names; what is noted about them is in `state_table`. Nothing is called before it is needed, and
    /// no table is ever made: they are the stack's, or somebody's.
    pub fn new(client: &Client, state_table: String, name_of: NameOf) -> Self {
        Self { place: Arc::new(Place::new(client, state_table, name_of)) }
    }

    /// The same, but loads of these tables use at most so many write units a second each.
    #[must_use]
    pub fn paced(self, most: BTreeMap<String, u32>) -> Self {
        match Arc::try_unwrap(self.place) {
            Ok(mut place) => {
                place.most = most;
                Self { place: Arc::new(place) }
            }
            Err(place) => Self { place },
        }
    }

    /// The same, but with less patience: at most so many requests in a row without an answer, giving up when nothing was taken
    /// for so long because too much is asked, and no wait longer than a twentieth of that.
    #[must_use]
    pub fn giving_up_after(self, failures: u32, throttled: Duration) -> Self {
        match Arc::try_unwrap(self.place) {
            Ok(mut place) => {
                let longest = place.patience.longest.min(throttled / 20);
                place.patience = Patience { failures, throttled, longest, ..place.patience };
                Self { place: Arc::new(place) }
            }
            Err(place) => Self { place },
        }
    }
}

#[async_trait]
impl Tables for DynamoTables {
    async fn table(&self, name: &str) -> Result<Arc<dyn Table>> {
        table::check_name("table", name)?;
        let (place, dynamo) = (Arc::clone(&self.place), (self.place.name_of)(name));
        Ok(Arc::new(DynamoTable(Named { place, name: name.to_owned(), dynamo })))
    }
}

/// One table.
struct DynamoTable(Named);

#[async_trait]
impl Table for DynamoTable {
    async fn load(&self, load: Load) -> Result<Box<dyn TableLoad>> {
        table::check_load(&load)?;
        let table = self.0.clone();
        let load = run(&self.0.place, |_| load::DynamoLoad::begin(table, load)).await?;
        Ok(Box::new(load))
    }

    async fn columns(&self) -> Result<Option<(Vec<(String, ValueType)>, usize)>> {
        let table = self.0.clone();
        let layout = run(&self.0.place, |_| async move { table.layout().await }).await?;
        Ok(layout.map(|layout| (layout.columns, layout.key_columns)))
    }

    async fn count(&self) -> Result<u64> {
        let table = self.0.clone();
        run(&self.0.place, |_| async move {
            match table.layout().await? {
                Some(_) => scan::count(&table).await,
                None => Ok(0),
            }
        })
        .await
    }

    async fn scan(
        &self,
        key: Option<Vec<String>>,
        take: &mut (dyn FnMut(RecordBatch) -> Result<()> + Send),
    ) -> Result<()> {
        let table = self.0.clone();
        let (batches, mut read) = tokio::sync::mpsc::channel(2);
        let scan = run(&self.0.place, |_| async move { scan::scan(&table, key, &batches).await });
        let mut scan = std::pin::pin!(scan);
        loop {
            tokio::select! {
                biased;
                batch = read.recv() => match batch {
                    Some(batch) => take(batch)?,
                    None => return scan.await,
                },
                ended = &mut scan => {
                    ended?;
                    while let Some(batch) = read.recv().await {
                        take(batch)?;
                    }
                    return Ok(());
                }
            }
        }
    }
}
