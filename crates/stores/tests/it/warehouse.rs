//! Warehouses: SQLite against the contract, and what is particular to it.

use std::sync::Arc;

use futures::FutureExt;
use tidegate_stores::testing::warehouse::{Peer, contract, star};
use tidegate_stores::warehouse::SqliteWarehouse;

fn peer(folder: &std::path::Path) -> Peer {
    let path = folder.join("deep/warehouse.db");
    let around = path.clone();
    let sql = move |sql: String| {
        let path = around.clone();
        async move {
            let connection = rusqlite::Connection::open(path).expect("a database");
            connection.pragma_update(None, "foreign_keys", true).expect("a setting");
            let mut statement = connection.prepare(&sql).expect("a statement");
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("a statement that runs");
            rows.collect::<Result<Vec<String>, _>>().expect("rows").join("\n")
        }
        .boxed()
    };
    Peer {
        warehouse: Arc::new(SqliteWarehouse::at(path.clone())),
        trial: Arc::new(SqliteWarehouse::tried_at(path)),
        sql: Box::new(sql),
    }
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    contract(&peer(folder.path())).await;
}

#[tokio::test]
async fn the_test_kits_changes_become_the_histories_that_are_expected() {
    let kit = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/totesys");
    if !kit.is_dir() {
        eprintln!("skipped: needs `../shared/data/totesys` beside the repository");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    star::equals_what_is_expected(&peer(folder.path()), &kit).await;
}
