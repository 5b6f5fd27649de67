//! Statements through the public face: what they may say, what they give, how they fail.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type};
use arrow_array::{Array, Date32Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use tidegate_model::{ErrorKind, Failure};
use tidegate_sql::{Input, Limits, Session, Statement};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int32, true),
        Field::new("code", DataType::Utf8, true),
        Field::new("day", DataType::Date32, true),
    ]))
}

fn batch(rows: &[(i32, &str, i32)]) -> RecordBatch {
    let ids: Int32Array = rows.iter().map(|row| Some(row.0)).collect();
    let codes: StringArray = rows.iter().map(|row| Some(row.1)).collect();
    let days: Date32Array = rows.iter().map(|row| Some(row.2)).collect();
    RecordBatch::try_new(schema(), vec![Arc::new(ids), Arc::new(codes), Arc::new(days)]).expect("a batch")
}

/// A session with the table `sale`, and the folder for what does not fit into `memory`.
fn session(memory: usize) -> (Session, tempfile::TempDir) {
    let scratch = tempfile::tempdir().expect("a folder");
    let limits = Limits { memory, scratch: scratch.path().to_owned() };
    let session = Session::new(&limits).expect("a session");
    let batches = vec![batch(&[(1, "GBP", 10), (2, "JPY", 12)]), batch(&[(3, "ZZZ", 12)])];
    session.register("sale", Input::of_batches(schema(), batches)).expect("a table");
    (session, scratch)
}

async fn run(session: &Session, text: &str) -> Result<Vec<RecordBatch>, Failure> {
    let statement = Statement::parse("star/x.sql", text)?;
    let mut rows = session.run(&statement).await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch?);
    }
    Ok(batches)
}

#[test]
fn only_a_plain_select_is_a_statement() {
    for text in [
        "",
        "SELECT 1; SELECT 2",
        "DELETE FROM sale",
        "INSERT INTO sale VALUES (1)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY sale TO '/tmp/x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN SELECT 1",
        "SELECT * INTO t FROM sale",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM sale FOR UPDATE",
        "SELECT id FROM sale WHERE",
    ] {
        let failure = Statement::parse("star/x.sql", text).expect_err(text);
        assert_eq!((failure.code.as_str(), failure.kind), ("R1002", ErrorKind::Invalid), "{text}");
        assert!(failure.expected.is_some() && failure.reason.starts_with("star/x.sql"), "{failure}");
    }
    let statement = "-- told\nWITH new AS (SELECT * FROM changed_sale)\nSELECT n.id FROM new n JOIN \"Day\" d ON d.id = n.id \
                     WHERE n.id IN (SELECT id FROM other)";
    let statement = Statement::parse("star/x.sql", statement).expect("a statement");
    let tables: Vec<&str> = statement.tables().iter().map(String::as_str).collect();
    assert_eq!(tables, ["Day", "changed_sale", "other"]);
}

#[test]
fn a_mistake_is_told_with_line_and_column() {
    let failure = Statement::parse("star/x.sql", "SELECT id\nFROM sale WHERE\n").expect_err("it is cut");
    assert!(failure.reason.starts_with("star/x.sql:"), "{failure}");
    let failure = Statement::parse("star/x.sql", "SELECT id,\n  , day FROM sale").expect_err("a comma too many");
    assert!(failure.reason.starts_with("star/x.sql:2:3: "), "{failure}");
}

#[tokio::test]
async fn what_is_not_there_is_told_with_line_and_column() {
    let (session, _scratch) = session(1 << 20);
    let failure = run(&session, "SELECT id,\n  price FROM sale").await.expect_err("no such column");
    assert_eq!(failure.code, "R1003");
    assert!(failure.reason.starts_with("star/x.sql:2:3: ") && failure.reason.contains("price"), "{failure}");
    let failure = run(&session, "SELECT id FROM sales").await.expect_err("no such table");
    assert!(failure.code == "R1003" && failure.reason.contains("sales"), "{failure}");
    for text in ["SELECT now()", "SELECT random()", "SELECT uuid()", "SELECT current_date", "SELECT current_timestamp"]
    {
        let failure = run(&session, text).await.expect_err(text);
        assert_eq!(failure.code, "R1003", "{text}: {failure}");
    }
    for text in ["SELECT * FROM '/etc/passwd'", "SELECT * FROM read_csv('/etc/passwd')"] {
        assert!(run(&session, text).await.is_err(), "{text}");
    }
}

#[tokio::test]
async fn the_functions_of_our_own_do_what_they_say() {
    let (session, _scratch) = session(1 << 20);
    let batches = run(&session, "SELECT coalesce(iso_4217_name(code), code) AS name FROM sale ORDER BY id").await;
    let names: Vec<String> = batches
        .expect("rows")
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(names, ["Pound Sterling", "Yen", "ZZZ"]);

    let text = "SELECT strict_date(t) AS day FROM (VALUES ('2024-02-29'), ('2023-02-29'), ('2024-2-9'), ('soon'), (NULL)) v(t)";
    let batches = run(&session, text).await.expect("rows");
    let days = batches[0].column(0).as_primitive::<Date32Type>();
    assert_eq!(days.iter().collect::<Vec<_>>(), [Some(19_782), None, None, None, None]);

    let batches = run(&session, "SELECT unnest(days(min(day), max(day))) AS day FROM sale").await.expect("rows");
    let days = batches[0].column(0).as_primitive::<Date32Type>();
    assert_eq!(days.values(), &[10, 11, 12]);
}

#[tokio::test]
async fn dates_and_times_of_timestamps_are_those_of_the_general_cast() {
    let (session, _scratch) = session(1 << 20);
    let day = 86_400_000_000;
    let micros: TimestampMicrosecondArray =
        [Some(0), Some(-1), Some(day - 1), Some(-day), None, Some(1_709_209_845_123_456), Some(-8_000_000_000_000_001)]
            .into_iter()
            .collect();
    let schema = Schema::new(vec![Field::new("t", micros.data_type().clone(), true)]);
    let rows = RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::new(micros)]).expect("a batch");
    session.register("moment", Input::of_batches(Arc::new(schema), vec![rows])).expect("a table");
    // What may fail is cast as always.
    let values = ["t", "CAST(t AS timestamp(9))", "CAST(t AS timestamp(3))"];
    for (value, part) in values.into_iter().flat_map(|value| [(value, "date"), (value, "time")]) {
        let text = format!("SELECT CAST({value} AS {part}), TRY_CAST({value} AS {part}) AS general FROM moment");
        let batches = run(&session, &text).await.expect("rows");
        assert_eq!(batches[0].column(0).as_ref(), batches[0].column(1).as_ref(), "{value} {part}");
        assert_eq!(batches[0].column(0).len(), 7);
    }
    let text = "SELECT CAST(t AS date) AS day, count(*) AS moments FROM moment WHERE CAST(t AS date) >= DATE '1969-12-31' \
                GROUP BY CAST(t AS date) ORDER BY day";
    let batches = run(&session, text).await.expect("rows");
    assert_eq!(batches[0].column(0).as_primitive::<Date32Type>().values(), &[-1, 0, 19_782]);
    assert_eq!(batches[0].column(1).as_primitive::<Int64Type>().values(), &[2, 2, 1]);
}

#[tokio::test]
async fn only_the_columns_that_are_needed_are_read() {
    let (session, _scratch) = session(1 << 20);
    let input = Input::new(schema(), |wanted| {
        assert_eq!(wanted, [2], "only `day` is needed");
        let batch = batch(&[(1, "GBP", 7)]).project(wanted).expect("a column");
        Ok(Box::new(std::iter::once(Ok(batch))))
    });
    session.register("narrow", input).expect("a table");
    let batches = run(&session, "SELECT max(day) AS last FROM narrow").await.expect("rows");
    assert_eq!(batches[0].column(0).as_primitive::<Date32Type>().value(0), 7);
}

#[tokio::test]
async fn the_failure_of_an_input_is_the_failure_of_the_statement() {
    let (session, _scratch) = session(1 << 20);
    let failing = Input::new(schema(), |_| Err(Failure::new("R1011", ErrorKind::Corrupt, "it is another")));
    session.register("broken", failing).expect("a table");
    let failure =
        run(&session, "SELECT count(*) FROM broken JOIN sale USING (id)").await.expect_err("it cannot be read");
    assert_eq!((failure.code.as_str(), failure.kind), ("R1011", ErrorKind::Corrupt));
    let failure = run(&session, "SELECT 1 / (id - 1) AS x FROM sale").await.expect_err("a division by zero");
    assert_eq!(failure.code, "R1004");
}

/// Two million rows in many groups and in order, in 24 MB: more than the limit of the pool.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_into_memory_is_sorted_on_disk() {
    let (session, _scratch) = session(24 << 20);
    let one = Arc::new(Schema::new(vec![Field::new("id", DataType::Int32, true)]));
    let columns = Arc::clone(&one);
    let many = Input::new(Arc::clone(&one), move |wanted| {
        let columns = Arc::new(columns.project(wanted).expect("columns"));
        Ok(Box::new((0..250).map(move |part: i32| {
            let ids: Int32Array =
                (0..8000).map(|row| Some((part * 8000 + row).wrapping_mul(48_271) & 0x7fff_ffff)).collect();
            Ok(RecordBatch::try_new(Arc::clone(&columns), vec![Arc::new(ids)]).expect("a batch"))
        })))
    });
    session.register("many", many).expect("a table");
    let statement = Statement::parse("x", "SELECT id, concat('row ', id) AS name FROM many ORDER BY id").expect("one");
    let mut rows = session.run(&statement).await.expect("rows");
    let (mut count, mut last) = (0, i32::MIN);
    while let Some(batch) = rows.next().await {
        let batch = batch.expect("a batch");
        for id in batch.column(0).as_primitive::<Int32Type>().values() {
            assert!(last <= *id);
            last = *id;
        }
        count += batch.num_rows();
    }
    assert_eq!(count, 2_000_000);
    let batches = run(&session, "SELECT count(*) AS n FROM (SELECT id FROM many GROUP BY id)").await.expect("rows");
    assert!(batches[0].column(0).as_primitive::<Int64Type>().value(0) > 1_000_000);
    assert!(!batches[0].column(0).is_null(0));
}

/// Columns that a statement gets beside those of `sale`, and what it gives.
async fn run_loosely(text: &str) -> Result<(Vec<String>, Vec<RecordBatch>), Failure> {
    let (session, _scratch) = session(1 << 24);
    let statement = Statement::parse("columns", text)?;
    let input = Input::of_batches(schema(), vec![batch(&[(1, "GBP", 10), (2, "JPY", 12)])]);
    let find = |name: &str| (name == "Id [1]").then_some(0);
    let lacking = session.register_for(&statement, "object", &input, &find).await?;
    let mut rows = session.run(&statement).await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch?);
    }
    Ok((lacking, batches))
}

#[tokio::test]
async fn columns_that_a_table_lacks_are_null_and_told() {
    let (lacking, batches) = run_loosely(
        "SELECT max(ID) AS id, max(\"Id [1]\") AS twin, max(OXYGEN) AS most, count(salt) AS n FROM object o",
    )
    .await
    .expect("a row");
    assert_eq!(lacking, ["oxygen", "salt"]);
    let row = &batches[0];
    assert_eq!(
        (row.column(0).as_primitive::<Int32Type>().value(0), row.column(1).as_primitive::<Int32Type>().value(0)),
        (2, 2)
    );
    assert!(row.column(2).is_null(0) && *row.column(2).data_type() == DataType::Float64);
    assert_eq!(row.column(3).as_primitive::<Int64Type>().value(0), 0);
    for (text, expected) in [
        ("SELECT upper(title) AS t FROM object", vec!["title"]),
        (
            "SELECT avg(depth) AS d, max(strict_date(day_of)) AS t, max(depth) FILTER (WHERE object.flag = 2) AS f FROM object",
            vec!["depth", "day_of", "flag"],
        ),
        (
            "WITH t AS (SELECT salt AS s FROM object) SELECT max(s) AS s FROM t WHERE s > (SELECT avg(salt) FROM object)",
            vec!["salt"],
        ),
        (
            "SELECT code, row_number() OVER (PARTITION BY cruise ORDER BY id) AS n FROM object ORDER BY n",
            vec!["cruise"],
        ),
        (
            "SELECT o.code AS code, max(o.\"Salt [PSU]\") AS s FROM object o GROUP BY o.code HAVING count(*) > 0",
            vec!["Salt [PSU]"],
        ),
    ] {
        let (lacking, _) = run_loosely(text).await.unwrap_or_else(|failure| panic!("{text}: {failure}"));
        let mut lacking: Vec<&str> = lacking.iter().map(String::as_str).collect();
        let mut expected = expected;
        lacking.sort_unstable();
        expected.sort_unstable();
        assert_eq!(lacking, expected, "{text}");
    }
    let failure =
        run_loosely("WITH t AS (SELECT id FROM object)\nSELECT nothing FROM t").await.expect_err("no column of t");
    assert_eq!((failure.code.as_str(), failure.place.line), ("R1003", Some(2)), "{failure}");
    assert!(failure.reason.contains("nothing"), "{failure}");
}

#[test]
fn a_statement_is_checked_before_there_is_a_table() {
    let check = |text: &str| Statement::parse("columns", text)?.check("object");
    assert_eq!(check("SELECT max(CTDPRS) AS deepest, count(*) AS n FROM object").expect("columns"), ["deepest", "n"]);
    assert_eq!(
        check("SELECT avg(a) AS a, max(upper(b)) AS b, min(strict_date(c)) AS c, max(d - e) AS d FROM object WHERE f")
            .expect("columns")
            .len(),
        4
    );
    assert_eq!(check("SELECT count(*) AS n FROM (SELECT * FROM object)").expect("columns"), ["n"]);
    for (text, told) in [
        ("SELECT maximum(a) AS a\nFROM object", "maximum"),
        ("SELECT a FROM other", "other"),
        ("SELECT * FROM object", "`*`"),
        ("SELECT *, 1 AS one FROM object", "`*`"),
        ("SELECT random() AS a FROM object", "random"),
        ("SELECT a, max(b) AS b FROM object", "a"),
    ] {
        let failure = check(text).expect_err(text);
        assert_eq!((failure.code.as_str(), failure.kind), ("R1003", ErrorKind::Invalid), "{text}");
        assert!(failure.reason.starts_with("columns:") && failure.reason.contains(told), "{failure}");
    }
}
