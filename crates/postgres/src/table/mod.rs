//! Tables in Postgres: the seam `stores::Tables` by COPY.
//!
//! A load has a connection and a transaction to itself. Rows go over the line by binary COPY, either straight into a table
//! that does not exist yet, whose key is built at the end, or into a temporary table, from which short statements merge
//! them; `load.rs` tells how. Loads of one table take turns at the merge, by an advisory lock.

mod encode;
mod layout;
mod load;
mod merge;
mod place;
mod scan;

use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tidegate_model::ValueType;
use tidegate_stores::{Load, Result, Table, TableLoad, Tables, table};

use self::place::{Place, run};
use crate::{Server, check_name, refused};

/// The tables of one database: those of the schema that is first in the connection's `search_path`.
pub struct PostgresTables {
    place: Arc<Place>,
}

impl PostgresTables {
    /// The tables of the database that `server` names. Nothing is connected before the first call that needs it.
    pub fn new(server: Server) -> Self {
        Self { place: Arc::new(Place::new(server)) }
    }
}

#[async_trait]
impl Tables for PostgresTables {
    async fn table(&self, name: &str) -> Result<Arc<dyn Table>> {
        table::check_name("table", name)?;
        check_name("table", name)?;
        Ok(Arc::new(PostgresTable { place: Arc::clone(&self.place), name: name.to_owned() }))
    }
}

/// One table of the database.
struct PostgresTable {
    place: Arc<Place>,
    name: String,
}

#[async_trait]
impl Table for PostgresTable {
    async fn load(&self, load: Load) -> Result<Box<dyn TableLoad>> {
        table::check_load(&load)?;
        layout::check_columns(&load)?;
        let name = self.name.clone();
        let load = run(&self.place, |place| load::PostgresLoad::begin(place, name, load)).await?;
        Ok(Box::new(load))
    }

    async fn columns(&self) -> Result<Option<(Vec<(String, ValueType)>, usize)>> {
        let name = self.name.clone();
        run(&self.place, |place| async move {
            let connection = place.connection().await?;
            let name = layout::place(&connection, &name).await?;
            let layout = layout::layout(&connection, &name).await?;
            place.keep(connection);
            Ok(layout.map(|layout| (layout.columns, layout.key_columns)))
        })
        .await
    }

    async fn count(&self) -> Result<u64> {
        let name = self.name.clone();
        run(&self.place, |place| async move {
            let connection = place.connection().await?;
            let name = layout::place(&connection, &name).await?;
            let mut count = 0;
            if layout::layout(&connection, &name).await?.is_some() {
                let sql = format!("SELECT count(*) FROM {}", name.sql());
                let row = connection.query_one(&sql, &[]).await;
                let rows: i64 = row.map_err(|error| refused("the rows were to be counted", error))?.get(0);
                count = rows.unsigned_abs();
            }
            place.keep(connection);
            Ok(count)
        })
        .await
    }

    async fn scan(
        &self,
        key: Option<Vec<String>>,
        take: &mut (dyn FnMut(RecordBatch) -> Result<()> + Send),
    ) -> Result<()> {
        let name = self.name.clone();
        let (batches, mut read) = tokio::sync::mpsc::channel(2);
        let scan = run(&self.place, |place| async move {
            let connection = place.connection().await?;
            scan::scan(&connection, &name, key, &batches).await?;
            if !batches.is_closed() {
                place.keep(connection);
            }
            Ok(())
        });
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
