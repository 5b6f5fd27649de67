//! Tables: the contract, and what is particular to Postgres.

use std::path::Path;

use tidegate_postgres::{PostgresTables, Server};
use tidegate_stores::testing::postgres::{Database, Postgres};
use tidegate_stores::testing::table::contract;

fn tables(database: &Database) -> PostgresTables {
    PostgresTables::new(Server::parse(&database.url(), Path::new("/")).unwrap())
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let Some(server) = Postgres::shared() else { return };
    contract(&tables(&server.database())).await;
}
