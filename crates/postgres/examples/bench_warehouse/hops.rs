//! Each hop of a first run by itself, and all of them together.

use std::fs;

use tidegate_stores::testing::postgres::Database;

use crate::Done;
use crate::place::{Bench, Place, Times, measured, tell, tell_rate, url};

/// Columns of a fact, without its number.
const COLUMNS: &str = "sales_order_id, created_date, created_time, last_updated_date, last_updated_time, sales_staff_id, \
    counterparty_id, units_sold, unit_price, currency_id, design_id, agreed_payment_date, agreed_delivery_date, \
    agreed_delivery_location_id";

const FACT: &str = "CREATE TABLE fact_sales_order (sales_record_id serial PRIMARY KEY, sales_order_id int NOT NULL, \
    created_date date NOT NULL, created_time time(3) NOT NULL, last_updated_date date NOT NULL, \
    last_updated_time time(3) NOT NULL, sales_staff_id int NOT NULL, counterparty_id int NOT NULL, units_sold int NOT NULL, \
    unit_price numeric(10,2) NOT NULL, currency_id int NOT NULL, design_id int NOT NULL, agreed_payment_date date NOT NULL, \
    agreed_delivery_date date NOT NULL, agreed_delivery_location_id int NOT NULL)";

/// The nine foreign keys of a fact: column, table, key.
const KEYS: &[(&str, &str, &str)] = &[
    ("created_date", "dim_date", "date_id"),
    ("last_updated_date", "dim_date", "date_id"),
    ("sales_staff_id", "dim_staff", "staff_id"),
    ("counterparty_id", "dim_counterparty", "counterparty_id"),
    ("currency_id", "dim_currency", "currency_id"),
    ("design_id", "dim_design", "design_id"),
    ("agreed_payment_date", "dim_date", "date_id"),
    ("agreed_delivery_date", "dim_date", "date_id"),
    ("agreed_delivery_location_id", "dim_location", "location_id"),
];

const EXTRACT: &str = r#"
[database.totesys]
url = "{source}"
[bucket.ingestion]
ignore = ["**/*.csv", "**/*.keys"]
[function.extract]
on = { every = "1s" }
run = "extract"
reads = ["totesys"]
into = ["ingestion"]
with = { tables = ["{tables}"] }
"#;

const TRANSFORM: &str = r#"
[bucket.ingestion]
ignore = ["**/*.csv", "**/*.keys"]
[bucket.processed]
ignore = ["**/*.parquet", "**/*.csv", "state/**"]
[function.transform]
on = { created = "ingestion", keys = "**/manifest.json" }
run = "sql"
reads = ["processed"]
into = ["processed"]
with = { statements = "star" }
concurrency = 1
"#;

const LOAD: &str = r#"
[database.warehouse]
url = "{warehouse}"
[bucket.processed]
ignore = ["**/*.parquet", "**/*.csv", "state/**"]
[function.load]
on = { created = "processed", keys = "**/manifest.json" }
run = "load"
into = ["warehouse"]
concurrency = 1
"#;

/// A pipeline of these functions.
pub(crate) fn pipeline_of(parts: &[&str]) -> String {
    let mut text = "[pipeline]\nname = \"bench\"\n".to_owned();
    for part in parts {
        for block in part.split("\n[") {
            // A bucket that two functions name stands there once.
            let block = block.trim();
            let head = block.lines().next().unwrap_or_default();
            if !block.is_empty() && !text.contains(head) {
                text.push_str(&format!("[{}\n", block.trim_start_matches('[')));
            }
        }
    }
    text
}

/// The function that extracts.
pub(crate) fn extract_of(source: &Database, tables: &str) -> String {
    EXTRACT.replace("{source}", &url(source)).replace("{tables}", tables)
}

fn load_of(warehouse: &Database) -> String {
    LOAD.replace("{warehouse}", &url(warehouse))
}

fn exported(bench: &Bench) -> Done<Place> {
    bench.place("export", &pipeline_of(&[&extract_of(bench.source(), "sales_order")]), |_| false)
}

/// All rows of a table as CSV, beside `\copy`.
pub(crate) fn export(bench: &Bench) -> Done {
    let place = exported(bench)?;
    let (mut ours, mut peer) = (Times::default(), Times::default());
    let file = bench.file("peer.csv");
    for _ in 0..bench.rounds {
        place.forget(&[])?;
        ours.add(place.run()?);
        peer.add(measured(&mut bench.psql(bench.source(), &[&format!("\\copy sales_order to '{file}' csv header")]))?);
        let sizes = [fs::metadata(place.object("ingestion", "sales_order.csv")?)?.len(), fs::metadata(&file)?.len()];
        assert_eq!(sizes[0], sizes[1], "both have written the same rows");
    }
    let note = "peer psql copy to csv, which neither syncs nor hashes";
    bench.keep_hop(&peer);
    tell_rate("warehouse_export", bench.rows, &ours, &peer, note);
    tell("warehouse_export_memory", ours.memory(), Some(peer.memory()), "MiB", "peak resident; peer psql");
    fs::remove_file(file)?;
    Ok(())
}

/// CSV of one run to typed Parquet, beside DuckDB and pandas.
pub(crate) fn parquet(bench: &Bench) -> Done {
    let from = exported(bench)?;
    from.run()?;
    let csv = from.object("ingestion", "sales_order.csv")?.display().to_string();
    let place = bench.place("keyed", &pipeline_of(&[TRANSFORM]), |table| table == "fact_sales_order")?;
    place.take("ingestion", &from)?;
    let (mut ours, mut duckdb) = (Times::default(), Times::default());
    let file = bench.file("peer.parquet");
    for _ in 0..bench.rounds {
        place.forget(&["ingestion"])?;
        ours.add(place.run()?);
        bench.peer(&["parquet", &csv, &file]).into_iter().for_each(|ran| duckdb.add(ran));
    }
    let megabytes = |path: &std::path::Path| fs::metadata(path).map_or(0, |found| found.len() / 1_000_000);
    let sizes = [megabytes(&place.object("processed", "fact_sales_order.parquet")?), megabytes(file.as_ref())];
    let note = format!("peer DuckDB, 2 threads; files of {} and {} MB", sizes[0], sizes[1]);
    bench.keep_hop(&duckdb);
    tell_rate("warehouse_parquet", bench.rows, &ours, &duckdb, &note);
    tell("warehouse_parquet_memory", ours.memory(), Some(duckdb.memory()), "MiB", "peak resident; peer DuckDB");
    let (some, mut pandas) = (bench.rows / 10, Times::default());
    bench.peer(&["pandas", &csv, &file, &some.to_string()]).into_iter().for_each(|ran| pandas.add(ran));
    tell_rate(
        "warehouse_parquet_pandas",
        some,
        &pandas,
        &Times::default(),
        "the way of the pipeline before: read_csv to to_parquet",
    );
    Ok(())
}

/// Parquet into a table with a key, and into one with nine foreign keys.
pub(crate) fn load(bench: &Bench) -> Done {
    let from = exported(bench)?;
    from.run()?;
    keyed(bench, &from)?;
    with_foreign_keys(bench)
}

fn keyed(bench: &Bench, from: &Place) -> Done {
    let made = bench.place("keyed", &pipeline_of(&[TRANSFORM]), |table| table == "fact_sales_order")?;
    let statement = made.folder.join("star/fact_sales_order.sql");
    let text = fs::read_to_string(&statement)?;
    let without = |line: &str| line.split(" references ").next().unwrap_or(line).trim_end().to_owned();
    fs::write(statement, text.lines().map(without).collect::<Vec<_>>().join("\n"))?;
    made.take("ingestion", from)?;
    made.run()?;
    let parquet = made.object("processed", "fact_sales_order.parquet")?.display().to_string();
    let (mut ours, mut duckdb, mut psql) = (Times::default(), Times::default(), Times::default());
    let file = bench.file("fact.csv");
    for round in 0..bench.rounds {
        let database = bench.server.database();
        let place = bench.place("load", &pipeline_of(&[&load_of(&database)]), |_| false)?;
        place.take("processed", &made)?;
        ours.add(place.run()?);
        expect(bench, &database)?;
        if round == 0 {
            measured(&mut bench.psql(&database, &[&format!("\\copy fact_sales_order ({COLUMNS}) to '{file}' csv")]))?;
        }
        drop(database);
        let database = bench.server.database();
        let copy = format!("\\copy fact_sales_order ({COLUMNS}) from '{file}' csv");
        psql.add(measured(&mut bench.psql(&database, &["BEGIN", FACT, &copy, "COMMIT"]))?);
        expect(bench, &database)?;
        drop(database);
        let database = bench.server.database();
        database.sql(FACT);
        bench.peer(&["load", &parquet, &url(&database)]).into_iter().for_each(|ran| duckdb.add(ran));
    }
    if duckdb.median().is_some() {
        tell_rate("warehouse_load_keyed", bench.rows, &ours, &duckdb, "peer DuckDB, into a table with a serial key");
    }
    tell_rate(
        "warehouse_load_keyed_psql",
        bench.rows,
        &ours,
        &psql,
        "peer psql copy from csv, into a table made in the same transaction",
    );
    tell("warehouse_load_memory", ours.memory(), None, "MiB", "peak resident");
    Ok(())
}

fn with_foreign_keys(bench: &Bench) -> Done {
    let source = bench.source();
    let made = bench.place("star", &pipeline_of(&[&extract_of(source, "*"), TRANSFORM]), |_| true)?;
    made.run()?;
    let (mut ours, mut psql) = (Times::default(), Times::default());
    let file = bench.file("fact.csv");
    for _ in 0..bench.rounds {
        let database = bench.server.database();
        let place = bench.place("load", &pipeline_of(&[&load_of(&database)]), |_| false)?;
        place.take("processed", &made)?;
        ours.add(place.run()?);
        expect(bench, &database)?;
        assert_eq!(
            database.sql(
                "SELECT count(*) FROM pg_constraint WHERE conrelid = 'fact_sales_order'::regclass \
                                 AND contype = 'f' AND convalidated"
            ),
            "9"
        );
        // The peer finds the dimensions there already.
        database.sql("DROP TABLE fact_sales_order CASCADE");
        let copy = format!("\\copy fact_sales_order ({COLUMNS}) from '{file}' csv");
        let keys: Vec<String> = KEYS
            .iter()
            .map(|(column, table, key)| {
                format!("ALTER TABLE fact_sales_order ADD FOREIGN KEY ({column}) REFERENCES {table} ({key})")
            })
            .collect();
        let commands = ["BEGIN", FACT, &copy].into_iter().chain(keys.iter().map(String::as_str)).chain(["COMMIT"]);
        psql.add(measured(&mut bench.psql(&database, &commands.collect::<Vec<_>>()))?);
        expect(bench, &database)?;
    }
    let note = "peer psql copy from csv, keys added after it in the same transaction; ours loads all dimensions, too";
    bench.keep_hop(&psql);
    tell_rate("warehouse_load_foreign_keys", bench.rows, &ours, &psql, note);
    Ok(())
}

/// All hops of a first run.
pub(crate) fn pipeline(bench: &Bench) -> Done {
    let mut ours = Times::default();
    for _ in 0..bench.rounds {
        let database = bench.server.database();
        let parts = [&extract_of(bench.source(), "*"), TRANSFORM, &load_of(&database)];
        let place = bench.place("pipeline", &pipeline_of(&parts), |_| true)?;
        ours.add(place.run()?);
        expect(bench, &database)?;
    }
    let note = format!(
        "from the source to the warehouse with nine foreign keys; {} rows, {}; peers: export and load by psql, Parquet by DuckDB",
        bench.rows,
        ours.spread()
    );
    tell("warehouse_pipeline", ours.median().unwrap_or(0.0), bench.hops_of_peers(), "s", &note);
    tell("warehouse_pipeline_memory", ours.memory(), None, "MiB", "peak resident");
    Ok(())
}

/// A figure for rows that did not arrive is worth nothing.
fn expect(bench: &Bench, database: &Database) -> Done {
    let rows = database.sql("SELECT count(*) FROM fact_sales_order");
    if rows == bench.rows.to_string() {
        Ok(())
    } else {
        Err(format!("the warehouse has {rows} of {} rows", bench.rows).into())
    }
}
