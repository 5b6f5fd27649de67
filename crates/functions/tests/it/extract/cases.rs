//! The cases in which extractors by stamp lose rows, or alter them.

use std::collections::BTreeSet;

use tidegate_formats::manifest::Role;

use super::shop::Shop;

const ORDERS: &str = "CREATE TABLE orders (order_id integer PRIMARY KEY, units integer NOT NULL, note text,
    price numeric(10,2), last_updated timestamp(3) NOT NULL);
    INSERT INTO orders VALUES (1, 10, NULL, 3.98, '2026-01-01 10:00:00.123'),
                              (2, 20, '', 4.00, '2026-01-01 10:00:00.456'),
                              (30, 30, 'O''Neill, \"x\"', 2.50, '2026-01-01 10:00:01.789');";

#[tokio::test]
async fn a_first_run_writes_everything_and_a_second_nothing() {
    for mut shop in Shop::everywhere(ORDERS) {
        let manifest = shop.extract().await.expect("a manifest");
        assert_eq!((manifest.sequence, manifest.previous.as_deref(), manifest.of.as_str()), (1, None, "shop"));
        let orders = manifest.table("orders").expect("the table");
        assert_eq!((orders.role, orders.is_full, orders.rows()), (Role::Source, true, 3));
        assert_eq!(
            (orders.key.join(" "), &orders.stamp),
            ("order_id".to_owned(), &Some(vec!["last_updated".to_owned()]))
        );
        assert_eq!(
            shop.lines(&manifest, "orders"),
            [
                "1,10,,3.98,2026-01-01 10:00:00.123",
                "2,20,\"\",4.00,2026-01-01 10:00:00.456",
                "30,30,\"O'Neill, \"\"x\"\"\",2.50,2026-01-01 10:00:01.789"
            ]
        );
        let types: Vec<&str> = orders.columns.iter().map(|column| column.data_type.as_str()).collect();
        assert_eq!(&types[2..], ["text", "numeric(10,2)", "timestamp(3)"]);
        let objects = shop.objects().len();
        let (run, second) = shop.run().await;
        assert!(second.is_none(), "{second:?}");
        assert_eq!(shop.objects().len(), objects, "nothing is written, nothing is overwritten");
        assert!(format!("{run:?}").contains("nothing has changed in 1 tables"), "{run:?}");
    }
}

#[tokio::test]
async fn what_has_changed_is_found_in_a_large_table_too() {
    // 120,001 rows in more than 64 MiB: Postgres is asked for them over two connections, and for what they come to in two halves.
    // The key is not the first column.
    let orders = format!(
        "CREATE TABLE orders (note text NOT NULL, order_id bigint PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT -20000 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO orders SELECT '{}', i FROM n;",
        "x, ".repeat(230)
    );
    for mut shop in Shop::everywhere(&orders) {
        // Most rows are of one transaction, some of others, the last of 12,288 keys among them.
        shop.sql("UPDATE orders SET note = 'other' WHERE order_id % 1000 = 7");
        shop.sql("UPDATE orders SET note = 'another' WHERE order_id IN (12287, 24574, 24575, 24576)");
        let manifest = shop.extract().await.expect("a manifest");
        let table = manifest.table("orders").expect("the table");
        assert_eq!(table.rows(), 120_001);
        let text = shop.text(&table.objects[0]);
        let ids = text.lines().skip(1).filter_map(|line| line.rsplit(',').next()?.parse::<i64>().ok());
        assert!(ids.eq(-20_000..=100_000), "in the order of the key, whichever connection they came over");
        let (run, second) = shop.run().await;
        assert!(second.is_none(), "what was computed here is what the database says: {run:?}");
        shop.sql("UPDATE orders SET note = 'first' WHERE order_id = -20000");
        shop.sql("UPDATE orders SET note = 'last' WHERE order_id = 99999");
        shop.sql("INSERT INTO orders VALUES ('new', 200000)");
        shop.sql("DELETE FROM orders WHERE order_id = 50");
        let manifest = shop.extract().await.expect("a manifest");
        assert_eq!(shop.lines(&manifest, "orders"), ["first,-20000", "last,99999", "new,200000"]);
        assert_eq!(shop.deleted(&manifest, "orders"), ["50"]);
        assert!(shop.run().await.1.is_none());
        // Something in each of many slices, and one slice without rows.
        shop.sql("UPDATE orders SET note = 'many' WHERE order_id % 4096 = 5");
        shop.sql("DELETE FROM orders WHERE order_id BETWEEN 4096 AND 8191");
        let manifest = shop.extract().await.expect("a manifest");
        let many = (5..=100_000).step_by(4096).filter(|id| *id != 4101).map(|id| format!("many,{id}"));
        assert_eq!(shop.lines(&manifest, "orders"), many.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
        assert!(shop.deleted(&manifest, "orders").into_iter().eq((4096..=8191).map(|id| id.to_string())));
        assert!(shop.run().await.1.is_none());
    }
}

#[tokio::test]
async fn ties_silent_edits_inserts_in_gaps_and_deletes_are_found() {
    for mut shop in Shop::everywhere(ORDERS) {
        shop.extract().await.expect("a manifest");
        // Another row with the stamp of the watermark; an edit under the same stamp; an older stamp; a row in a gap; a delete.
        shop.sql("INSERT INTO orders VALUES (31, 1, 'tie', 1, '2026-01-01 10:00:01.789')");
        shop.sql("UPDATE orders SET units = 31 WHERE order_id = 30");
        shop.sql("INSERT INTO orders VALUES (5, 1, 'late', 1, '2025-12-31 00:00:00.001'), (9000000, 1, 'far', 1, '2020-01-01')");
        shop.sql("DELETE FROM orders WHERE order_id = 2");
        let manifest = shop.extract().await.expect("a manifest");
        let orders = manifest.table("orders").expect("the table");
        assert!(!orders.is_full && manifest.sequence == 2 && manifest.previous.is_some());
        let ids: Vec<String> = shop
            .lines(&manifest, "orders")
            .iter()
            .map(|line| line.split(',').next().unwrap_or("").to_owned())
            .collect();
        assert_eq!(ids.join(" "), "30 31 5 9000000", "and not the first, which is as it was");
        assert_eq!(shop.deleted(&manifest, "orders"), ["2"]);
        assert_eq!(shop.replayed(), shop.afresh().await);
        assert!(shop.extract().await.is_none());
        shop.sql("DELETE FROM orders");
        let manifest = shop.extract().await.expect("a manifest");
        assert_eq!(shop.deleted(&manifest, "orders").len(), 5);
        assert_eq!(shop.replayed(), shop.afresh().await);
    }
}

#[tokio::test]
async fn keys_that_the_database_orders_regardless_of_case_are_compared_all_the_same() {
    let mut shop = Shop::sqlite(
        "CREATE TABLE word (word TEXT COLLATE NOCASE PRIMARY KEY, count INTEGER);
         INSERT INTO word VALUES ('a', 1), ('B', 2), ('c', 3), ('D', 4)",
        "",
    );
    shop.extract().await.expect("a manifest");
    shop.sql("DELETE FROM word WHERE word = 'a'");
    let manifest = shop.extract().await.expect("a manifest");
    assert_eq!((shop.deleted(&manifest, "word").join(" "), shop.lines(&manifest, "word").len()), ("a".to_owned(), 0));
    assert_eq!(shop.replayed(), shop.afresh().await);
}

#[tokio::test]
async fn a_row_that_commits_after_a_run_with_an_older_stamp_is_found() {
    let Some(mut shop) = Shop::postgres(ORDERS, "") else { return };
    shop.extract().await.expect("a manifest");
    let database = shop.postgres.as_ref().expect("a server");
    let server = tidegate_postgres::Server::parse(&database.url(), std::path::Path::new("/")).expect("a url");
    let slow = server.connect().await.expect("a connection");
    let begun =
        "BEGIN; SAVEPOINT s; UPDATE orders SET units = 11, last_updated = '2026-01-01 11:00:00' WHERE order_id = 1";
    slow.batch_execute(begun).await.expect("it is open");
    shop.sql("UPDATE orders SET units = 21, last_updated = '2026-01-01 11:00:01' WHERE order_id = 2");
    let manifest = shop.extract().await.expect("a manifest");
    assert_eq!(shop.lines(&manifest, "orders"), ["2,21,\"\",4.00,2026-01-01 11:00:01"]);
    slow.batch_execute("COMMIT").await.expect("it is over");
    let manifest = shop.extract().await.expect("a manifest");
    assert_eq!(shop.lines(&manifest, "orders"), ["1,11,,3.98,2026-01-01 11:00:00"]);
    assert!(shop.extract().await.is_none());
}

#[tokio::test]
async fn a_foreign_key_that_is_nulled_by_a_delete_is_found() {
    let schema = "CREATE TABLE sales (id integer PRIMARY KEY, last_updated timestamp(3));
        CREATE TABLE transaction_ (id integer PRIMARY KEY, sale integer UNIQUE REFERENCES sales (id) ON DELETE SET NULL,
                                   last_updated timestamp(3));
        INSERT INTO sales VALUES (7, '2026-01-01 00:00:00'); INSERT INTO transaction_ VALUES (1, 7, '2026-01-01 00:00:00');";
    for mut shop in Shop::everywhere(schema) {
        let first = shop.extract().await.expect("a manifest");
        let reference = &first.table("transaction_").expect("the table").references[0];
        assert_eq!(
            (reference.columns.join(""), reference.table.as_str(), reference.to.join("")),
            ("sale".to_owned(), "sales", "id".to_owned())
        );
        let pragma = if shop.postgres.is_none() { "PRAGMA foreign_keys = ON;" } else { "" };
        shop.sql(&format!("{pragma} DELETE FROM sales WHERE id = 7"));
        let manifest = shop.extract().await.expect("a manifest");
        assert_eq!(shop.deleted(&manifest, "sales"), ["7"]);
        assert_eq!(shop.lines(&manifest, "transaction_"), ["1,,2026-01-01 00:00:00"]);
        assert_eq!(shop.replayed(), shop.afresh().await);
    }
}

#[tokio::test]
async fn a_widened_numeric_and_a_new_column_bring_the_whole_table_with_every_digit() {
    let Some(mut shop) = Shop::postgres(ORDERS, "") else { return };
    shop.extract().await.expect("a manifest");
    shop.sql(
        "ALTER TABLE orders ALTER price TYPE numeric(12,4); UPDATE orders SET price = 3.1234 WHERE order_id = 1;
              ALTER TABLE orders ADD extra text NOT NULL DEFAULT ''",
    );
    let manifest = shop.extract().await.expect("a manifest");
    let orders = manifest.table("orders").expect("the table");
    assert!(orders.is_full);
    assert_eq!(orders.column("price").map(|column| column.data_type.as_str()), Some("numeric(12,4)"));
    assert_eq!(shop.lines(&manifest, "orders")[0], "1,10,,3.1234,2026-01-01 10:00:00.123,\"\"");
    assert!(shop.extract().await.is_none());
    shop.sql("UPDATE orders SET extra = NULLIF('', 'x') WHERE order_id = 2");
    assert!(!shop.extract().await.expect("a manifest").tables[0].is_full);
}

#[tokio::test]
async fn a_column_that_is_dropped_and_added_again_brings_the_whole_table() {
    for mut shop in Shop::everywhere(ORDERS) {
        shop.extract().await.expect("a manifest");
        // No row is written for it, and the columns have the names and types that they had.
        shop.sql("ALTER TABLE orders DROP COLUMN note");
        shop.sql("ALTER TABLE orders ADD COLUMN note text");
        shop.extract().await.expect("a manifest");
        shop.sql("ALTER TABLE orders DROP COLUMN note");
        shop.sql("ALTER TABLE orders ADD COLUMN note text DEFAULT 'none'");
        let manifest = shop.extract().await.expect("a manifest");
        let lines = shop.lines(&manifest, "orders");
        assert!(lines.len() == 3 && lines.iter().all(|line| line.ends_with(",none")), "{lines:?}");
        assert!(shop.extract().await.is_none());
    }
}

#[tokio::test]
async fn hostile_names_and_values_are_only_names_and_values() {
    let schema =
        "CREATE TABLE \"or\"\"ders; DROP TABLE x; --\" (\"id\"\"; --\" integer PRIMARY KEY, \"se'lect, \" text);
        CREATE TABLE \"../../up/.\" (\"key\" text PRIMARY KEY, value text);
        CREATE TABLE \"transaction\" (\"order\" integer, \"group\" text, PRIMARY KEY (\"group\", \"order\"));
        INSERT INTO \"or\"\"ders; DROP TABLE x; --\" VALUES (1, '''); DROP TABLE x; --');
        INSERT INTO \"../../up/.\" VALUES ('''; DROP TABLE x; --', 'a'), ('é,\"\n', 'NULL'), ('', '');
        INSERT INTO \"transaction\" VALUES (10, 'a'), (9, 'a'), (1, 'B'), (-3, 'ä');";
    for mut shop in Shop::everywhere(schema) {
        let first = shop.extract().await.expect("a manifest");
        assert_eq!(first.tables.len(), 3);
        shop.sql("UPDATE \"or\"\"ders; DROP TABLE x; --\" SET \"se'lect, \" = '\\'");
        shop.sql("UPDATE \"../../up/.\" SET value = 'b''' WHERE \"key\" <> ''");
        shop.sql("DELETE FROM \"transaction\" WHERE \"order\" = 9; INSERT INTO \"transaction\" VALUES (11, 'a')");
        let second = shop.extract().await.expect("a manifest");
        assert_eq!(second.table("../../up/.").map(|table| table.rows()), Some(2));
        assert_eq!(shop.deleted(&second, "transaction"), ["a,9"]);
        shop.sql("DELETE FROM \"../../up/.\" WHERE value = 'b'''");
        let third = shop.extract().await.expect("a manifest");
        assert_eq!(third.tables[0].deleted_rows(), 2);
        assert_eq!(shop.replayed(), shop.afresh().await);
        for object in shop.objects() {
            let below = object.strip_prefix(shop.house.path("buckets/ingestion/shop")).expect("it stays in its bucket");
            assert_eq!(below.components().count(), 3, "{below:?}");
        }
    }
}

#[tokio::test]
async fn a_table_without_key_is_written_whole_when_it_differs() {
    let schema =
        "CREATE TABLE log (line text); INSERT INTO log VALUES ('a'), ('a'), (NULL); CREATE VIEW seen AS SELECT 1;";
    for mut shop in Shop::everywhere(schema) {
        let first = shop.extract().await.expect("a manifest");
        assert_eq!((first.tables.len(), first.tables[0].rows(), first.tables[0].key.len()), (1, 3, 0));
        assert!(shop.extract().await.is_none());
        shop.sql("UPDATE log SET line = 'b' WHERE line = 'a'");
        let second = shop.extract().await.expect("a manifest");
        assert!(second.tables[0].is_full && second.tables[0].rows() == 3);
    }
}

#[tokio::test]
async fn the_database_keeps_its_types_texts_and_order() {
    let schema = "CREATE TYPE \"Payment Type\" AS ENUM ('SALE', 'RE''FUND');
        CREATE TABLE kinds (id integer PRIMARY KEY, kind \"Payment Type\", is_paid boolean, code char(3), day date,
            at time(3), moment timestamptz, exact numeric, tags text[], id_text uuid UNIQUE, big bigint, gone integer);
        ALTER TABLE kinds DROP gone;
        INSERT INTO kinds VALUES (2, 'RE''FUND', true, 'ab', '2026-02-03', '04:05:06.7', '2026-01-01 00:00:00+13', 1e-20,
            '{\"a,b\",NULL}', '00000000-0000-0000-0000-000000000001', 9223372036854775807);
        INSERT INTO kinds (id, is_paid) VALUES (1, false);
        CREATE TABLE parts (id integer, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE parts_26 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        INSERT INTO parts VALUES (1, '2026-05-05');";
    let Some(mut shop) = Shop::postgres(schema, "") else { return };
    let manifest = shop.extract().await.expect("a manifest");
    assert_eq!(
        shop.lines(&manifest, "kinds"),
        [
            "1,,false,,,,,,,,",
            "2,RE'FUND,true,ab,2026-02-03,04:05:06.7,2025-12-31 11:00:00+00,0.00000000000000000001,\"{\"\"a,b\"\",NULL}\",\
         00000000-0000-0000-0000-000000000001,9223372036854775807"
        ]
    );
    let kinds = manifest.table("kinds").expect("the table");
    assert_eq!(
        kinds.column("kind").map(|column| column.values.clone()),
        Some(vec!["SALE".to_owned(), "RE'FUND".to_owned()])
    );
    assert_eq!(shop.lines(&manifest, "parts"), ["1,2026-05-05"]);
    shop.sql("UPDATE parts SET day = '2026-06-06'; UPDATE kinds SET kind = 'SALE', code = 'abc' WHERE id = 2");
    let manifest = shop.extract().await.expect("a manifest");
    assert_eq!(
        (shop.lines(&manifest, "parts").join(""), shop.deleted(&manifest, "parts").join("")),
        ("1,2026-06-06".to_owned(), "1,2026-05-05".to_owned())
    );
    assert_eq!(shop.replayed(), shop.afresh().await);
}

#[tokio::test]
async fn what_only_tidies_up_changes_nothing() {
    let Some(mut shop) = Shop::postgres(ORDERS, "") else { return };
    shop.extract().await.expect("a manifest");
    for statement in
        ["VACUUM (FREEZE) orders", "VACUUM FULL orders", "CLUSTER orders USING orders_pkey", "ANALYZE orders"]
    {
        shop.sql(statement);
        assert!(shop.extract().await.is_none(), "{statement}");
    }
    shop.sql("BEGIN; UPDATE orders SET units = 0; ROLLBACK; SELECT * FROM orders FOR UPDATE");
    assert!(shop.extract().await.is_none());
}

#[tokio::test]
async fn a_preview_tells_and_writes_nothing() {
    let mut shop = Shop::sqlite(ORDERS, "preview = true");
    let (run, manifest) = shop.run().await;
    assert!(manifest.is_none() && shop.objects().is_empty());
    let note = "preview, nothing written: 1 of 1 tables: orders 3 in full";
    assert!(format!("{run:?}").contains(note), "{run:?}");
}

#[tokio::test]
async fn many_rows_in_any_order_are_told_apart_slice_by_slice() {
    let schema = "CREATE TABLE things (id integer PRIMARY KEY, n integer); CREATE TABLE words (word text PRIMARY KEY, n integer);";
    for mut shop in Shop::everywhere(schema) {
        // Physical order is the reverse of the key's, with gaps and negative keys.
        let numbers = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 12000)";
        shop.sql(&format!("INSERT INTO things {numbers} SELECT 20000 - 3 * i, i FROM s"));
        shop.sql(&format!("INSERT INTO words {numbers} SELECT 'w' || (i * 7919 % 12007), i FROM s"));
        shop.extract().await.expect("a manifest");
        shop.sql("UPDATE things SET n = -n WHERE id % 1000 = 1; DELETE FROM things WHERE id BETWEEN -5000 AND -4900");
        shop.sql("UPDATE words SET n = -n WHERE n % 1000 = 1; DELETE FROM words WHERE n % 5000 = 7");
        shop.sql("INSERT INTO things SELECT 1000000, 1; INSERT INTO words SELECT '', 1");
        let manifest = shop.extract().await.expect("a manifest");
        let counts = |name: &str| manifest.table(name).map(|table| (table.is_full, table.rows(), table.deleted_rows()));
        assert_eq!(counts("words"), Some((false, 13, 3)));
        let (is_full, changed, deleted) = counts("things").expect("the table");
        assert!(!is_full && changed < 50 && deleted > 30, "{changed} {deleted}");
        assert_eq!(shop.replayed(), shop.afresh().await);
        assert!(shop.extract().await.is_none());
    }
}
