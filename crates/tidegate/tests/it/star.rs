//! The template `warehouse` on a real Postgres, from the operational tables to the star: what goes wrong with simpler pipelines
//! does not go wrong here, whoever is killed or away meanwhile.

use std::mem::ManuallyDrop;
use std::thread;

use tidegate_stores::testing::postgres::{Database, Postgres};

use crate::place::{Place, Ran, repository};

/// Rows in an order that is not that of their keys, with gaps between them, and with everything that people write into fields.
const FIRST: &str = "
    INSERT INTO address VALUES (30, '1 Quay', NULL, '', 'Eden', '00123', 'Australia', '0800 1', now(), now()),
        (4, 'Line' || chr(13) || chr(10) || 'Break', '', NULL, 'Łódź', '99999', 'Poland', '0800 2', now(), now());
    INSERT INTO currency VALUES (3, 'EUR', now(), now()), (1, 'GBP', now(), now());
    INSERT INTO department VALUES (8, 'Finance', 'Leds', NULL, now(), now()), (2, 'Sales', NULL, NULL, now(), now());
    INSERT INTO design VALUES (7, now(), 'Oak Kite', '/usr', 'kite.json', now());
    INSERT INTO payment_type VALUES (1, 'SALES_RECEIPT', now(), now());
    INSERT INTO staff VALUES (5, 'Sean', 'D''Souza', 8, 's@example.org', now(), now()),
        (1, 'Ngaio', 'O\"Hara', 2, 'n@example.org', now(), now());
    INSERT INTO counterparty VALUES (9, 'Bobby''); DROP TABLE fact_payment; --', 30, NULL, '', now(), now());
    INSERT INTO sales_order VALUES
        (11, '2022-11-03 14:20:49.962', '2022-11-03 14:20:49.962', 7, 5, 9, 100, 3.10, 1, '2031-07-01', '1999-12-31', 4),
        (2, '2022-11-03 14:20:49.962', '2022-11-03 14:20:49.962', 7, 1, 9, 7, 2.00, 3, '2022-11-04', '2022-11-05', 30);
    INSERT INTO transaction VALUES (1, 'SALE', 11, NULL, now(), now());
    INSERT INTO payment VALUES (1, now(), now(), 1, 9, 310.00, 1, 1, true, '2022-11-05', 1, 2);";

/// The template with its databases in Postgres.
struct Star {
    place: Place,
    source: Database,
    warehouse: Database,
}

impl Star {
    fn new(source: &Postgres, warehouse: &Postgres) -> Self {
        let (source, warehouse) = (source.database(), warehouse.database());
        let place = Place::empty();
        place.run(&["new", "warehouse", "."]).ends(0);
        place.write(".env", format!("TOTESYS={}\nWAREHOUSE={}\n", source.url(), warehouse.url()));
        // Whoever is away is asked for seconds, and not for minutes; and so are manifests that wait for others.
        let file = place.read("tidegate.toml");
        let retry = "retry       = { attempts = 20 }";
        assert_eq!(file.matches(retry).count(), 2, "{file}");
        let file = file.replace(retry, "retry = { attempts = 9, base = \"10ms\" }");
        let file =
            file.replace("[function.extract]\n", "[function.extract]\nretry = { attempts = 2, base = \"10ms\" }\n");
        place.write("tidegate.toml", file);
        let schema = repository().join("crates/functions/tests/it/extract/totesys.sql");
        source.sql(&std::fs::read_to_string(schema).unwrap());
        source.sql(FIRST);
        Self { place, source, warehouse }
    }

    /// One that has been loaded once.
    fn loaded(server: &Postgres) -> Self {
        let star = Self::new(server, server);
        star.run().ends(0);
        star
    }

    fn run(&self) -> Ran {
        self.place.run(&["--env", "postgres", "run", "--once", "--now"])
    }

    /// Changes the source, and brings the change.
    fn change(&self, statements: &str) -> Ran {
        self.source.sql(statements);
        self.run()
    }

    fn asked(&self, query: &str) -> String {
        self.warehouse.sql(query)
    }

    /// The warehouse is what the manifests and the source say.
    fn is_right(&self) {
        let ran = self.place.run(&["--env", "postgres", "verify", "--source"]).ends(0);
        assert!(!ran.out.contains("differs"), "{ran:?}");
    }
}

#[test]
fn joins_texts_dates_and_decimals_are_what_they_were() {
    let Some(server) = Postgres::shared() else { return };
    let star = Star::loaded(&server);
    // Each by its key, in whatever order the rows lie: department and address are never taken by position.
    assert_eq!(
        star.asked("SELECT staff_id, last_name, department_name, location FROM dim_staff ORDER BY staff_id"),
        "1|O\"Hara|Sales|unknown\n5|D'Souza|Finance|Leds"
    );
    let party =
        "SELECT counterparty_legal_name, counterparty_legal_city, counterparty_legal_postal_code FROM dim_counterparty";
    assert_eq!(star.asked(party), "Bobby'); DROP TABLE fact_payment; --|Eden|00123");
    let empty = "SELECT location_id, address_line_2 IS NULL, address_line_2 = '', district IS NULL FROM dim_location ORDER BY 1";
    assert_eq!(star.asked(empty), "4|f|t|t\n30|t||f");
    // Days outside of any decade that somebody thought of have their row, and the calendar no gap.
    let days = "SELECT min(date_id), max(date_id), count(*) = max(date_id) - min(date_id) + 1 FROM dim_date";
    assert_eq!(star.asked(days), "1999-12-31|2031-07-01|t");
    let sale = "SELECT unit_price, created_time, agreed_payment_date FROM fact_sales_order WHERE sales_order_id = 11";
    assert_eq!(star.asked(sale), "3.10|14:20:49.962|1999-12-31");
    assert_eq!(star.asked("SELECT count(*) FROM fact_payment"), "1");
    star.is_right();
}

#[test]
fn what_changes_between_runs_arrives_and_a_repeated_run_adds_nothing() {
    let Some(server) = Postgres::shared() else { return };
    let star = Star::loaded(&server);
    // The second run, which others let fall into the gap of their watermark; no stamp is moved by any of these.
    star.change(
        "UPDATE department SET location = 'Leeds' WHERE department_id = 8;
         UPDATE address SET city = 'Twofold Bay' WHERE address_id = 30;
         INSERT INTO currency VALUES (7, 'JPY', now(), now()), (8, 'ZZZ', now(), now());
         UPDATE sales_order SET units_sold = 101 WHERE sales_order_id = 11;",
    )
    .ends(0);
    assert_eq!(star.asked("SELECT location FROM dim_staff WHERE staff_id = 5"), "Leeds");
    assert_eq!(star.asked("SELECT city FROM dim_location WHERE location_id = 30"), "Twofold Bay");
    assert_eq!(star.asked("SELECT counterparty_legal_city FROM dim_counterparty"), "Twofold Bay");
    let names = "SELECT currency_code, currency_name FROM dim_currency WHERE currency_id > 3 ORDER BY 1";
    assert!(star.asked(names).starts_with("JPY|Yen\nZZZ|"), "{}", star.asked(names));
    let versions = "SELECT units_sold FROM fact_sales_order WHERE sales_order_id = 11 ORDER BY sales_record_id";
    assert_eq!(star.asked(versions), "100\n101");
    star.is_right();

    // A deletion, and the reference that it nulls without a stamp; both are told, and what was stays.
    star.change("DELETE FROM payment; DELETE FROM sales_order WHERE sales_order_id = 11;").ends(0);
    assert_eq!(star.asked("SELECT count(*) FROM current_fact_sales_order"), "1");
    assert_eq!(star.asked(versions), "100\n101");
    assert_eq!(star.asked("SELECT sales_order_id IS NULL FROM dim_transaction"), "t");
    assert_eq!(star.asked("SELECT count(*) FROM fact_sales_order_deleted"), "1");
    star.is_right();

    // Every event once more: nothing is added anywhere.
    let counts = "SELECT (SELECT count(*) FROM fact_sales_order), (SELECT count(*) FROM _tidegate_runs),
                         (SELECT count(*) FROM fact_sales_order_history), (SELECT count(*) FROM dim_date)";
    let before = star.asked(counts);
    for function in ["transform", "load"] {
        star.place.run(&["--env", "postgres", "backfill", function, "--again"]).ends(0).shows(&["3 queued"]);
    }
    star.place.run(&["--env", "postgres", "run", "--once"]).ends(0);
    assert_eq!(star.asked(counts), before);
    star.is_right();
}

#[test]
fn names_and_values_are_only_names_and_values() {
    let Some(server) = Postgres::shared() else { return };
    let star = Star::new(&server, &server);
    star.source.sql(
        "CREATE TABLE \"or/ders\"\"; DROP TABLE staff; --\" (\"id'); --\" integer PRIMARY KEY, \"dr\"\"op\" text);
         INSERT INTO \"or/ders\"\"; DROP TABLE staff; --\" VALUES (1, '''); DROP TABLE dim_staff; --'), (2, '\"; --')",
    );
    let statement = "-- role: dimension\n-- key: no\n-- columns:\n--   no integer not null\n--   it's; integer\n--   text text\n\
        SELECT \"id'); --\" AS no, 1 AS \"it's;\", \"dr\"\"op\" AS text FROM \"or/ders\"\"; DROP TABLE staff; --\"\n";
    star.place.write("star/dim_\"; DROP TABLE dim_staff; --.sql", statement);
    star.run().ends(0);
    star.source.sql("UPDATE staff SET first_name = ''' || (SELECT 1) || '''");
    star.source.sql("UPDATE \"or/ders\"\"; DROP TABLE staff; --\" SET \"dr\"\"op\" = '$1' WHERE \"id'); --\" = 2");
    star.run().ends(0);
    let rows = "SELECT no, \"it's;\", text FROM \"dim_\"\"; DROP TABLE dim_staff; --\" ORDER BY 1";
    assert_eq!(star.asked(rows), "1|1|'); DROP TABLE dim_staff; --\n2|1|$1");
    assert_eq!(star.asked("SELECT DISTINCT first_name FROM dim_staff"), "' || (SELECT 1) || '");
    assert_eq!(star.source.sql("SELECT count(*) FROM staff"), "2");
    star.is_right();
}

/// Whether a hop is reached, by what is there and how many objects of its kind there were before.
type IsReached<'h> = &'h dyn Fn(&Place, usize) -> bool;

#[test]
fn killed_at_any_hop_it_goes_on_where_it_was() {
    let Some(server) = Postgres::shared() else { return };
    let star = Star::new(&server, &server);
    let has = |place: &Place, folder: &str, ending: &str| found(&place.path(folder), ending);
    let hops: [(&str, IsReached<'_>); 5] = [
        ("it has begun", &|place, _| place.path(".tidegate/state.db").exists()),
        ("objects of the extract are there", &|place, before| has(place, "buckets/ingestion", ".keys") > before),
        ("its manifest is there", &|place, before| has(place, "buckets/ingestion", "manifest.json") > before),
        ("a state is there", &|place, before| has(place, "buckets/processed", "state.json") > before),
        ("the star is there", &|place, before| has(place, "buckets/processed/totesys", "manifest.json") > before),
    ];
    for (round, (hop, is_reached)) in hops.into_iter().enumerate() {
        star.source.sql(&format!(
            "INSERT INTO sales_order SELECT 100 + {round} * 1000 + i, now(), now(), 7, 5, 9, i, 2.50, 1, '2023-01-01', '2023-01-02', 4
               FROM generate_series(1, 500) AS i;
             UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 2;"
        ));
        let before = match hop {
            "objects of the extract are there" => has(&star.place, "buckets/ingestion", ".keys"),
            "its manifest is there" => has(&star.place, "buckets/ingestion", "manifest.json"),
            "a state is there" => has(&star.place, "buckets/processed", "state.json"),
            _ => has(&star.place, "buckets/processed/totesys", "manifest.json"),
        };
        let running = star.place.start(&["--env", "postgres", "run", "--once", "--now"]);
        star.place.wait_until(hop, |place| is_reached(place, before));
        // It is killed, and cannot do anything about it.
        drop(running);
    }
    star.run().ends(0);
    let counts = "SELECT count(*), count(DISTINCT sales_order_id) FROM current_fact_sales_order";
    assert_eq!(star.asked(counts), "2502|2502");
    assert_eq!(star.asked("SELECT count(*) FROM fact_sales_order WHERE sales_order_id > 100"), "2500");
    let last = "SELECT units_sold FROM current_fact_sales_order WHERE sales_order_id = 2";
    assert_eq!(star.asked(last), "12");
    star.is_right();
}

/// How many files below a folder have this ending.
fn found(folder: &std::path::Path, ending: &str) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        count +=
            if path.is_dir() { found(&path, ending) } else { usize::from(path.to_string_lossy().ends_with(ending)) };
    }
    count
}

/// Holds a lock on a table until the server ends.
fn locked(database: &Database, table: &str) -> thread::JoinHandle<String> {
    // The database is dropped by its owner.
    let other = ManuallyDrop::new(Database { server: database.server.clone(), name: database.name.clone() });
    let statements = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600);");
    thread::spawn(move || other.sql(&statements))
}

fn waits_for_lock(database: &Database) -> bool {
    database.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"
}

fn is_locked(database: &Database, table: &str) -> bool {
    let query = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = ";
    database.sql(&format!("{query}'{table}'::regclass")) != "0"
}

#[test]
fn a_source_that_goes_away_in_the_middle_is_taken_up_again() {
    let (Some(source), Some(warehouse)) = (Postgres::own(), Postgres::shared()) else { return };
    let star = Star::new(&source, &warehouse);
    star.run().ends(0);
    star.source.sql("UPDATE sales_order SET units_sold = 1; UPDATE staff SET first_name = 'Ana'");
    // The extract has begun its snapshot, and comes no further than this table.
    let lock = locked(&star.source, "staff");
    star.place.wait_until("the table is locked", |_| is_locked(&star.source, "staff"));
    let running = star.place.start(&["--env", "postgres", "run", "--once", "--now"]);
    star.place.wait_until("the extract waits", |_| waits_for_lock(&star.source));
    source.stop();
    lock.join().unwrap_err();
    running.end().ends(3).shows(&["R0901"]);
    star.place.run(&["--env", "postgres", "failures"]).shows(&["extract", "R0901"]);
    source.start_again();
    // The tick that failed is taken again, without waiting for the next one.
    star.place.run(&["--env", "postgres", "run", "--once"]).ends(0);
    assert_eq!(star.asked("SELECT DISTINCT first_name FROM dim_staff"), "Ana");
    assert_eq!(star.asked("SELECT count(*), max(units_sold) FROM fact_sales_order"), "4|100");
    star.is_right();
}

#[test]
fn a_warehouse_that_goes_away_in_the_middle_of_a_load_has_all_of_it_or_nothing() {
    let (Some(source), Some(warehouse)) = (Postgres::shared(), Postgres::own()) else { return };
    let star = Star::new(&source, &warehouse);
    star.run().ends(0);
    star.source.sql("UPDATE sales_order SET units_sold = 1; UPDATE staff SET first_name = 'Ana'");
    let lock = locked(&star.warehouse, "fact_sales_order");
    star.place.wait_until("the table is locked", |_| is_locked(&star.warehouse, "fact_sales_order"));
    let running = star.place.start(&["--env", "postgres", "run", "--once", "--now"]);
    star.place.wait_until("the load waits", |_| waits_for_lock(&star.warehouse));
    warehouse.stop();
    lock.join().unwrap_err();
    running.end().ends(3).shows(&["R1108"]);
    warehouse.start_again();
    // Dimensions come first in a load: they are as they were, like everything else.
    assert_eq!(star.asked("SELECT count(*) FROM dim_staff WHERE first_name = 'Ana'"), "0");
    star.place.run(&["--env", "postgres", "failures", "retry"]).ends(0);
    star.place.run(&["--env", "postgres", "run", "--once"]).ends(0);
    assert_eq!(star.asked("SELECT DISTINCT first_name FROM dim_staff"), "Ana");
    assert_eq!(star.asked("SELECT count(*) FROM fact_sales_order"), "4");
    star.is_right();
}
