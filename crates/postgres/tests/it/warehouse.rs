//! Warehouses in a real Postgres: the contract, the test kit, tables of somebody else, and a server that goes away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use tidegate_formats::manifest::Role;
use tidegate_model::ErrorKind;
use tidegate_postgres::{PostgresWarehouse, Server};
use tidegate_stores::testing::postgres::{Database, Postgres};
use tidegate_stores::testing::warehouse::{Peer, begun, contract, delivery, load, new, referring, rows, star, table};
use tidegate_stores::warehouse::Warehouse;

fn warehouse(url: &str) -> PostgresWarehouse {
    PostgresWarehouse::new(Server::parse(url, Path::new(".")).expect("a url"))
}

fn peer(database: &Arc<Database>, url: &str) -> Peer {
    let around = Arc::clone(database);
    let sql = move |sql: String| {
        let database = Arc::clone(&around);
        async move { tokio::task::spawn_blocking(move || database.sql(&sql)).await.expect("a statement") }.boxed()
    };
    let trial = PostgresWarehouse::trial(Server::parse(url, Path::new(".")).expect("a url"));
    Peer { warehouse: Arc::new(warehouse(url)), trial: Arc::new(trial), sql: Box::new(sql) }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn kit() -> Option<PathBuf> {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/totesys");
    if !kit.is_dir() {
        eprintln!("skipped: needs `../shared/data/totesys` beside the repository");
        return None;
    }
    Some(kit)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contract() {
    let Some(server) = Postgres::shared() else { return };
    let database = Arc::new(server.database());
    contract(&peer(&database, &database.url())).await;
}

/// A user who owns the tables, and is nothing else.
fn owner(database: &Database) -> String {
    database.sql(&format!("CREATE ROLE owner_{0} LOGIN; GRANT ALL ON SCHEMA public TO owner_{0}", database.name));
    database.url().replace("tide@", &format!("owner_{}@", database.name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_test_kits_changes_become_the_histories_that_are_expected() {
    let (Some(server), Some(kit)) = (Postgres::shared(), kit()) else { return };
    let database = Arc::new(server.database());
    star::equals_what_is_expected(&peer(&database, &database.url()), &kit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_tables_are_filled_by_a_user_who_only_owns_them_and_stay_as_they_are() {
    let (Some(server), Some(kit)) = (Postgres::shared(), kit()) else { return };
    let database = Arc::new(server.database());
    let url = owner(&database);
    let ddl = std::fs::read_to_string(kit.join("ddl/warehouse.sql")).expect("the published tables");
    database.sql(&format!("SET ROLE owner_{}; {ddl}", database.name));
    let layout = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns \
                  WHERE table_name LIKE 'dim\\_%' OR table_name IN ('fact_payment', 'fact_sales_order', 'fact_purchase_order') \
                  ORDER BY 1, ordinal_position";
    let keys = "SELECT conrelid::regclass, conname, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2";
    let before = (database.sql(layout), database.sql(keys));
    star::equals_what_is_expected(&peer(&database, &url), &kit).await;
    assert_eq!((database.sql(layout), database.sql(keys)), before);
    assert_eq!(before.1.lines().count(), 24);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_were_taken_off_for_many_rows_are_put_back() {
    let Some(server) = Postgres::shared() else { return };
    let database = Arc::new(server.database());
    let url = owner(&database);
    database.sql(&format!(
        "SET ROLE owner_{}; CREATE TABLE dim_d (id int PRIMARY KEY); \
         CREATE TABLE fact_f (f_id serial PRIMARY KEY, id int NOT NULL, d int NOT NULL CONSTRAINT \"the \"\"key\" REFERENCES dim_d)",
        database.name
    ));
    let dim = table("dim_d", Role::Dimension, &[("id", "integer")]);
    let mut fact = table("fact_f", Role::Fact, &[("id", "integer"), ("d", "integer")]);
    fact.surrogate = Some("f_id".to_owned());
    let numbers: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    let cells: Vec<[&str; 2]> = numbers.iter().map(|number| [number.as_str(), "1"]).collect();
    let many: Vec<&[&str]> = cells.iter().map(<[&str; 2]>::as_slice).collect();
    let warehouse = warehouse(&url);
    // The manifest does not know of the key: the rows are held against it all the same.
    let orphans = [(&dim, vec![new(&dim, &[&["2"]])]), (&fact, vec![new(&fact, &many)])];
    let error = tidegate_stores::testing::warehouse::try_load(&warehouse, delivery("d", 1), &orphans).await;
    assert_eq!(error.expect_err("rows without their dimension").kind, ErrorKind::Invalid);
    assert_eq!(database.sql("SELECT count(*) FROM fact_f"), "0");
    load(&warehouse, delivery("d", 1), &[(&dim, vec![new(&dim, &[&["1"]])]), (&fact, vec![new(&fact, &many)])]).await;
    let key = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f'";
    assert_eq!(database.sql(key), "the \"key|t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_key_to_another_column_does_not_stand_for_the_one_of_the_manifest() {
    let Some(server) = Postgres::shared() else { return };
    let database = Arc::new(server.database());
    let url = owner(&database);
    database.sql(&format!(
        "SET ROLE owner_{}; CREATE TABLE dim_d (id int PRIMARY KEY, code int NOT NULL UNIQUE); \
         CREATE TABLE fact_f (f_id serial PRIMARY KEY, id int NOT NULL, d int NOT NULL REFERENCES dim_d (code))",
        database.name
    ));
    let dim = table("dim_d", Role::Dimension, &[("id", "integer"), ("code", "integer")]);
    let mut fact = referring(table("fact_f", Role::Fact, &[("id", "integer"), ("d", "integer")]), "d", &dim);
    fact.surrogate = Some("f_id".to_owned());
    let numbers: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    let d = |id: usize| if id == 7 { "9" } else { "1" };
    let cells: Vec<[&str; 2]> = numbers.iter().enumerate().map(|(id, number)| [number.as_str(), d(id)]).collect();
    let many: Vec<&[&str]> = cells.iter().map(<[&str; 2]>::as_slice).collect();
    // 9 is a code, but the id of no row.
    let dims = new(&dim, &[&["1", "1"], &["2", "9"]]);
    let reports =
        load(&warehouse(&url), delivery("d", 1), &[(&dim, vec![dims]), (&fact, vec![new(&fact, &many)])]).await;
    assert_eq!((reports[1].inserted, reports[1].parked), (19_999, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_leaves_nothing_of_a_load() {
    let Some(server) = Postgres::own() else { return };
    let database = server.database();
    let warehouse = warehouse(&database.url());
    let dim = table("dim_d", Role::Dimension, &[("id", "integer"), ("name", "text")]);
    let some = new(&dim, &[&["1", "one"]]);
    let mut under_way = begun(&warehouse, delivery("d", 1)).await;
    let (rows_of, table_of, stopping) = (some.clone(), dim.clone(), server.clone());
    let work = move || {
        under_way.prepare(&table_of).expect("a table");
        under_way.load(&table_of, &mut [Ok(rows_of)].into_iter(), &mut |_| ()).expect("rows");
        stopping.stop();
        under_way.commit().expect_err("no server")
    };
    let error = tokio::task::spawn_blocking(work).await.expect("work");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert_eq!(warehouse.begin(delivery("d", 1)).await.err().expect("no server").kind, ErrorKind::Unavailable);
    server.start_again();
    assert_eq!(warehouse.loaded().await.expect("a server"), []);
    load(&warehouse, delivery("d", 1), &[(&dim, vec![some])]).await;
    assert_eq!(rows(&warehouse, &dim).await, [["1", "one"]]);
}
