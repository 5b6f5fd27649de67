//! Warehouses: SQLite against the contract, and what is particular to it.

use std::sync::Arc;

use futures::FutureExt;
use tidegate_stores::testing::warehouse::{Peer, contract};
use tidegate_stores::warehouse::SqliteWarehouse;

fn peer(folder: &std::path::Path) -> Peer {
    let path = folder.join("deep/warehouse.db");
    let around = path.clone();
    let sql = move |sql: String| {
        let path = around.clone();
        async move {
            let connection = rusqlite::Connection::open(path).expect("a database");
            connection.execute_batch(&format!("PRAGMA foreign_keys = ON; {sql}")).expect("a statement");
        }
        .boxed()
    };
    Peer { warehouse: Arc::new(SqliteWarehouse::at(path)), sql: Box::new(sql) }
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    contract(&peer(folder.path())).await;
}
