//! `sql`: manifests of an extract become manifests of star tables, over the real engine.

mod chain;
mod totesys;

use std::fs;

use tidegate_model::RunState;
use tidegate_stores::{FailureFilter, RunRecord};

use crate::harness::House;
use crate::profile_qc::objects;
use chain::{Chain, Change, PIPELINE};

const SALE: &[(&str, &str)] = &[
    ("id", "integer not null"),
    ("shop_id", "integer"),
    ("price", "numeric(10,2)"),
    ("day", "text"),
    ("note", "text"),
];
const SHOP: &[(&str, &str)] = &[("shop_id", "integer not null"), ("name", "text"), ("town_id", "integer")];
const TOWN: &[(&str, &str)] = &[("town_id", "integer not null"), ("town", "text")];

const FACT: &str = "-- Sales.\n--\n-- role: fact\n-- key: sale_id\n-- rows of: sale\n-- columns:\n--   sale_id integer not null\n\
    --   shop_id integer references dim_shop (shop_id)\n--   price numeric(10,2)\n--   day date not null\n--   note text\n\
    SELECT id AS sale_id, shop_id, price, day, note FROM changed_sale\n";
const DIM: &str = "-- role: dimension\n-- key: shop_id\n-- columns:\n--   shop_id integer not null\n--   name text\n--   town text\n\
    SELECT s.shop_id, s.name, t.town FROM shop s LEFT JOIN town t USING (town_id) ORDER BY s.shop_id\n";

fn house() -> (House, Chain) {
    let house = House::new(PIPELINE);
    house.write("star/fact_sale.sql", FACT);
    house.write("star/dim_shop.sql", DIM);
    (house, Chain::new("till"))
}

fn first(house: &House, chain: &mut Chain) {
    chain.put(
        house,
        &[
            Change::full("sale", &["id"], SALE, "1,1,2.50,2024-02-29,\n2,2,3.00,2024-03-01,\"\"\n"),
            Change::full("shop", &["shop_id"], SHOP, "1,Quay,1\n2,Pier,2\n"),
            Change::full("town", &["town_id"], TOWN, "1,Eden\n2,Hobart\n"),
        ],
    );
}

async fn succeeded(house: &House) -> RunRecord {
    let runs = house.run_once().await;
    assert_eq!(runs[0].state, RunState::Succeeded, "{:?}", runs[0].failure);
    runs.into_iter().next().expect("a run")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_either_side_of_a_join_rewrites_the_dimension_and_facts_are_only_what_changed() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    let run = succeeded(&house).await;
    assert_eq!(run.note.as_deref(), Some("manifest 1: 2 tables, 4 rows"));
    assert_eq!(chain.rows(&house, "fact_sale"), ["1,1,2.50,2024-02-29,", "2,2,3.00,2024-03-01,\"\""]);
    assert_eq!(chain.rows(&house, "dim_shop"), ["1,Quay,Eden", "2,Pier,Hobart"]);

    // Only the town has changed: the shops are written again, with the sales of nobody.
    chain.put(&house, &[Change::new("town", &["town_id"], TOWN, "2,Nipaluna\n")]);
    succeeded(&house).await;
    assert_eq!(chain.rows(&house, "dim_shop"), ["1,Quay,Eden", "2,Pier,Nipaluna"]);
    assert_eq!(chain.tables(&house), ["dim_shop"]);

    // A shop that is gone is gone from the full dimension; a sale that is gone is told by its key.
    chain.put(
        &house,
        &[
            Change::new("shop", &["shop_id"], SHOP, "3,Slip,1\n").gone("1\n"),
            Change::new("sale", &["id"], SALE, "2,3,3.50,2024-03-01,x\n").gone("1\n"),
        ],
    );
    let run = succeeded(&house).await;
    assert_eq!(run.note.as_deref(), Some("manifest 3: 2 tables, 3 rows, 1 gone"));
    assert_eq!(chain.rows(&house, "dim_shop"), ["2,Pier,Nipaluna", "3,Slip,Eden"]);
    assert_eq!(chain.rows(&house, "fact_sale"), ["2,3,3.50,2024-03-01,x"]);
    assert_eq!(chain.deleted(&house, "fact_sale"), ["1"]);
    let manifest = chain.output(&house);
    assert_eq!((manifest.sequence, manifest.of.as_str()), (3, "till"));
    assert!(manifest.previous.is_some_and(|key| house.path(&format!("buckets/processed/{key}")).is_file()));
}

/// An extract that has forgotten what it knew brings a table in full, without a word of what went meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn facts_of_a_table_that_comes_in_full_are_all_there_are_unless_one_was_left_out() {
    let (house, mut chain) = house();
    let joined = "-- role: fact\n-- key: sale_id\n-- rows of: sale\n-- columns:\n--   sale_id integer not null\n--   name text\n\
                  SELECT id AS sale_id, name FROM changed_sale JOIN changed_shop USING (shop_id)\n";
    house.write("star/fact_joined.sql", joined);
    first(&house, &mut chain);
    succeeded(&house).await;
    let is_full = |chain: &Chain, table: &str| chain.output(&house).table(table).map(|table| table.is_full);
    chain.put(
        &house,
        &[
            Change::full("sale", &["id"], SALE, "2,2,3.00,2024-03-01,\n"),
            Change::new("shop", &["shop_id"], SHOP, "2,Jetty,2\n"),
        ],
    );
    succeeded(&house).await;
    assert_eq!(is_full(&chain, "fact_sale"), Some(true), "sale 1 is gone");
    assert_eq!(is_full(&chain, "fact_joined"), Some(false), "not all shops are here");
    chain.put(&house, &[Change::full("sale", &["id"], SALE, "2,2,3.00,soon,\n3,2,1.00,2024-03-02,\n")]);
    succeeded(&house).await;
    assert_eq!(is_full(&chain, "fact_sale"), Some(false), "sale 2 was left out, and is not gone");
    chain.put(&house, &[Change::full("sale", &["id"], SALE, "")]);
    succeeded(&house).await;
    assert_eq!(is_full(&chain, "fact_sale"), Some(true), "none is left, and that is told");
    assert_eq!(chain.rows(&house, "fact_sale"), [""; 0]);
}

/// A statement may name what others give: of a dimension all its rows whether it was made anew or not, of a fact what is new.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_reads_what_others_give() {
    let (house, mut chain) = house();
    let busy = "-- role: dimension\n-- key: town\n-- columns:\n--   town text not null\n--   sales bigint not null\n\
                SELECT s.town, count(f.sale_id) AS sales FROM dim_shop s LEFT JOIN fact_sale f USING (shop_id) \
                GROUP BY s.town ORDER BY s.town\n";
    // By its name it would come before those that it names.
    house.write("star/dim_busy.sql", busy);
    first(&house, &mut chain);
    succeeded(&house).await;
    assert_eq!(chain.rows(&house, "dim_busy"), ["Eden,1", "Hobart,1"]);

    // Only sales are new: the shops are those of before. The sale that is left out is none.
    chain.put(
        &house,
        &[Change::new("sale", &["id"], SALE, "3,2,1.00,2024-03-02,\n4,2,1.00,2024-03-02,\n5,1,1.00,soon,\n")],
    );
    succeeded(&house).await;
    assert_eq!(chain.tables(&house), ["dim_busy", "fact_sale"]);
    assert_eq!(chain.rows(&house, "dim_busy"), ["Eden,0", "Hobart,2"]);

    // Only a town is: the shops are made anew, and no sale is new.
    chain.put(&house, &[Change::new("town", &["town_id"], TOWN, "2,Nipaluna\n")]);
    succeeded(&house).await;
    assert_eq!(chain.tables(&house), ["dim_busy", "dim_shop"]);
    assert_eq!(chain.rows(&house, "dim_busy"), ["Eden,0", "Nipaluna,0"]);

    // And again only sales: of the shops, what the run before gave.
    chain.put(&house, &[Change::new("sale", &["id"], SALE, "6,2,1.00,2024-03-03,\n")]);
    succeeded(&house).await;
    assert_eq!(chain.rows(&house, "dim_busy"), ["Eden,0", "Nipaluna,1"]);

    // Nothing that it names is new.
    chain.put(&house, &[Change::new("other", &["id"], SALE, "1,2,1.00,2024-03-03,\n")]);
    succeeded(&house).await;
    assert_eq!(chain.tables(&house), [""; 0]);
}

/// A statement may come later than those that it names, and facts are not gone because others that it names have nothing new.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_statement_finds_what_others_gave_before() {
    let (house, mut chain) = house();
    let stock = "-- role: fact\n-- key: shop_id\n-- columns:\n--   shop_id integer not null\n--   name text\n\
                 SELECT shop_id, name FROM shop\n";
    let sold = "-- role: fact\n-- key: sale_id\n-- columns:\n--   sale_id integer not null\n--   name text\n\
                SELECT c.id AS sale_id, s.name FROM changed_sale c JOIN fact_stock s USING (shop_id) ORDER BY c.id\n";
    house.write("star/fact_stock.sql", stock);
    house.write("star/fact_sold.sql", sold);
    first(&house, &mut chain);
    succeeded(&house).await;
    assert_eq!(chain.rows(&house, "fact_sold"), ["1,Quay", "2,Pier"]);

    let listed = "-- role: dimension\n-- key: town\n-- columns:\n--   town text not null\n\
                  SELECT DISTINCT town FROM dim_shop ORDER BY town\n";
    house.write("star/dim_listed.sql", listed);
    chain.put(&house, &[Change::full("sale", &["id"], SALE, "2,2,3.00,2024-03-01,\n")]);
    succeeded(&house).await;
    assert_eq!(chain.rows(&house, "dim_listed"), ["Eden", "Hobart"]);
    let manifest = chain.output(&house);
    assert!(
        manifest.table("fact_sold").is_none(),
        "no stock is new, so of what was sold nothing is known: {manifest:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_changes_are_compacted_and_nothing_is_lost() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    succeeded(&house).await;
    for step in 0..20 {
        let row = format!("{},Shop {step},1\n", 10 + step % 7);
        let change = Change::new("shop", &["shop_id"], SHOP, &row);
        chain.put(&house, &[if step == 13 { change.gone("12\n") } else { change }]);
        succeeded(&house).await;
    }
    let expected = ["1,Quay,Eden", "2,Pier,Hobart", "10,Shop 14,Eden", "11,Shop 15,Eden", "12,Shop 16,Eden"];
    let rows = chain.rows(&house, "dim_shop");
    assert_eq!(rows[..5], expected);
    assert_eq!(rows.len(), 9);
    let state = fs::read_to_string(house.path("buckets/processed/state/till/0000000021/state.json")).expect("a state");
    let is_of_first = |line: &str| line.contains("/0000000001/") && line.contains("/shop.");
    assert!(state.contains("/shop.base.parquet") && !state.lines().any(is_of_first), "a new base was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_convert_are_dead_letters_and_the_rest_goes_on() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    chain.put(
        &house,
        &[Change::new(
            "sale",
            &["id"],
            SALE,
            "3,1,1.00,soon,\"a \"\"b\"\"\nc\"\n4,1,1.005,2024-01-01,\n5,1,9.99,2024-01-02,\n6,,1,,z\n7,1,1,2023-02-29,\n",
        )],
    );
    let run = succeeded(&house).await;
    assert_eq!(run.note.as_deref(), Some("manifest 2: 1 tables, 1 rows; 4 left out"));
    assert_eq!(chain.rows(&house, "fact_sale"), ["5,1,9.99,2024-01-02,"]);
    let letters = fs::read_to_string(house.path(&chain.path("processed", "fact_sale.rejected.csv"))).expect("letters");
    assert!(letters.starts_with("code,reason,sale_id,shop_id,price,day,note\nR1021,"), "{letters}");
    assert!(letters.contains(",3,1,1.00,soon,\"a \"\"b\"\"\nc\"\n") && letters.contains("R1022,"), "{letters}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_comes_too_early_waits_for_the_one_before() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    let early = house.path(&chain.path("ingestion", "manifest.json"));
    let kept = fs::read(&early).expect("a manifest");
    fs::remove_file(&early).expect("it is hidden");
    chain.put(&house, &[Change::new("town", &["town_id"], TOWN, "2,Nipaluna\n")]);
    let runs = house.run_once().await;
    let failure = runs[0].failure.as_ref().expect("it has to wait");
    assert_eq!(failure.code, "R1013");
    assert!(failure.kind.is_retryable() && !house.path("buckets/processed/till").exists());
    // Both at once, in whatever order they are seen.
    fs::write(&early, kept).expect("it comes");
    let late = house.path(&chain.path("ingestion", "manifest.json"));
    let text = fs::read_to_string(&late).expect("a manifest");
    fs::write(&late, format!("{text} ")).expect("it comes again");
    let runs = house.run_once().await;
    assert_eq!(runs.iter().filter(|run| run.state == RunState::Succeeded).count(), 2, "{runs:#?}");
    assert_eq!(chain.rows(&house, "dim_shop"), ["1,Quay,Eden", "2,Pier,Nipaluna"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_comes_again_changes_nothing() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    succeeded(&house).await;
    let manifest = house.path(&chain.path("processed", "manifest.json"));
    let before = fs::read(&manifest).expect("a manifest");
    // The same content at a new time is a new version of the object, and so a new event.
    let again = house.path(&chain.path("ingestion", "manifest.json"));
    let text = fs::read_to_string(&again).expect("a manifest");
    fs::write(&again, format!("{text} ")).expect("it comes again");
    let run = succeeded(&house).await;
    assert_eq!(run.note.as_deref(), Some("it was transformed already"));
    assert_eq!(fs::read(&manifest).expect("a manifest"), before);

    // Killed between the state and the manifest: what was made is made once more, the state stays.
    fs::remove_file(&manifest).expect("it is gone");
    fs::write(&again, format!("{text}  ")).expect("it comes again");
    succeeded(&house).await;
    assert_eq!(chain.rows(&house, "dim_shop"), ["1,Quay,Eden", "2,Pier,Hobart"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_what_its_manifest_says_stops_the_run() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    let object = house.path(&chain.path("ingestion", "shop.csv"));
    let text = fs::read_to_string(&object).expect("an object");
    fs::write(&object, text.replace("Quay", "Quai")).expect("it is forged");
    let runs = house.run_once().await;
    let failure = runs[0].failure.as_ref().expect("a failure");
    assert_eq!(failure.code, "R1011");
    assert!(failure.reason.contains("shop.csv"), "{failure}");
    assert_eq!(objects(&house, "processed"), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_may_come_and_widen_but_not_narrow_or_be_missed() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    let wider = [("shop_id", "bigint not null"), ("name", "text"), ("town_id", "integer"), ("opened", "date")];
    chain.put(&house, &[Change::new("shop", &["shop_id"], &wider, "2,Pier,1,2024-01-01\n")]);
    succeeded(&house).await;
    assert_eq!(chain.rows(&house, "dim_shop"), ["1,Quay,Eden", "2,Pier,Eden"]);

    let narrower = [("shop_id", "bigint not null"), ("name", "integer"), ("town_id", "integer")];
    chain.put(&house, &[Change::new("shop", &["shop_id"], &narrower, "2,7,1\n")]);
    let runs = house.run_once().await;
    let failure = runs[0].failure.as_ref().expect("a failure");
    assert_eq!(failure.code, "R1015");
    assert!(failure.reason.contains("`shop.name`"), "{failure}");

    let (house, mut chain) = self::house();
    first(&house, &mut chain);
    chain.put(
        &house,
        &[Change::full("town", &["town_id"], &[("town_id", "integer not null"), ("city", "text")], "1,Eden\n")],
    );
    let runs = house.run_once().await;
    let failure = runs[0].failure.as_ref().expect("a failure");
    assert_eq!(failure.code, "R1003");
    assert!(failure.reason.starts_with("star/dim_shop.sql:7:") && failure.reason.contains("town"), "{failure}");
    assert_eq!((failure.place.object.as_deref(), failure.place.line), (Some("star/dim_shop.sql"), Some(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_whose_key_is_another_column_now_stops_until_the_statement_has_been_looked_at() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    succeeded(&house).await;
    chain.put(&house, &[Change::full("sale", &["shop_id"], SALE, "1,1,2.50,2024-02-29,\n2,2,3.00,2024-03-01,\"\"\n")]);
    let runs = house.run_once().await;
    let failure = runs[0].failure.as_ref().expect("a failure");
    assert!(failure.code == "R1006" && failure.reason.contains("was `id` and is `shop_id` now"), "{failure}");
    house.write("star/fact_sale.sql", FACT.replace("-- rows of: sale\n", ""));
    assert_eq!(retried(&house).await[0].state, RunState::Succeeded);
}

/// A town by another name of its column, which no statement knows.
const CITY: &[(&str, &str)] = &[("town_id", "integer not null"), ("city", "text")];

async fn retried(house: &House) -> Vec<RunRecord> {
    house.engine.retry(FailureFilter::default()).await.expect("a retry");
    house.run_once().await
}

fn notes(runs: &[RunRecord]) -> Vec<&str> {
    runs.iter().map(|run| run.note.as_deref().unwrap_or("-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_manifest_that_failed_nothing_waits_in_vain_and_mended_statements_take_all() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    chain.put(&house, &[Change::full("town", &["town_id"], CITY, "1,Eden\n2,Nipaluna\n")]);
    let failed = house.run_once().await.remove(0);
    assert_eq!((failed.state, failed.failure.as_ref().map(|it| it.code.as_str())), (RunState::Failed, Some("R1003")));
    for row in ["3,Slip,1\n", "4,Wharf,2\n"] {
        chain.put(&house, &[Change::new("shop", &["shop_id"], SHOP, row)]);
    }
    // Those behind it end at their first attempt, and name the one that holds them up.
    let runs = house.run_once().await;
    for run in &runs[..2] {
        let failure = run.failure.as_ref().expect("it cannot pass");
        assert_eq!((run.state, run.attempts, failure.code.as_str()), (RunState::Failed, 1, "R1013"));
        let id = &failed.run.to_string()[..8];
        assert!(failure.reason.contains(&format!("run {id}")) && failure.reason.contains("R1003"), "{failure}");
        assert!(failure.help.as_ref().is_some_and(|help| help.contains("failures retry")), "{failure}");
    }
    house.write("star/dim_shop.sql", DIM.replace("t.town", "t.city AS town"));
    let runs = retried(&house).await;
    assert!(runs.iter().all(|run| run.state == RunState::Succeeded), "{runs:#?}");
    assert_eq!(chain.rows(&house, "dim_shop"), ["1,Quay,Eden", "2,Pier,Nipaluna", "3,Slip,Eden", "4,Wharf,Nipaluna"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_begins_anew_goes_around_one_that_can_never_pass() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    succeeded(&house).await;
    chain.put(&house, &[Change::full("town", &["town_id"], CITY, "2,Nipaluna\n")]);
    // The column is brought back; the statements shall stay as they are.
    chain.put(&house, &[Change::full("town", &["town_id"], TOWN, "1,Eden\n2,Nipaluna\n")]);
    let runs = house.run_once().await;
    assert_eq!(runs.iter().filter(|run| run.state == RunState::Failed).count(), 2, "{runs:#?}");
    chain.put_anew(
        &house,
        &[
            Change::full("sale", &["id"], SALE, "2,2,3.00,2024-03-01,\"\"\n9,1,1.00,2024-03-02,\n"),
            Change::full("shop", &["shop_id"], SHOP, "1,Quay,1\n3,Slip,2\n"),
            Change::full("town", &["town_id"], TOWN, "1,Eden\n2,Nipaluna\n"),
        ],
    );
    let run = succeeded(&house).await;
    assert_eq!(run.note.as_deref(), Some("manifest 4: 2 tables, 4 rows"));
    assert_eq!(chain.rows(&house, "dim_shop"), ["1,Quay,Eden", "3,Slip,Nipaluna"]);
    assert_eq!(chain.rows(&house, "fact_sale"), ["2,2,3.00,2024-03-01,\"\"", "9,1,1.00,2024-03-02,"]);
    let output = chain.output(&house);
    assert!(output.anew && output.table("fact_sale").is_some_and(|fact| fact.is_full), "{output:?}");
    assert!(output.previous.is_some_and(|key| key.contains("000001.000")), "it follows the last that was made");
    // What could not pass is put aside, and what comes now goes on.
    let runs = retried(&house).await;
    let aside = notes(&runs).into_iter().filter(|note| note.contains("put aside: manifest 4 holds everything")).count();
    assert_eq!(aside, 2, "{runs:#?}");
    chain.put(&house, &[Change::new("sale", &["id"], SALE, "10,3,2.00,2024-03-03,\n")]);
    succeeded(&house).await;
    assert_eq!(chain.rows(&house, "fact_sale"), ["10,3,2.00,2024-03-03,"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_table_that_is_gone_from_the_source_stay_and_it_is_told() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    succeeded(&house).await;
    chain.put_gone(&house, &[Change::new("shop", &["shop_id"], SHOP, "3,Slip,2\n")], &["town"]);
    let run = succeeded(&house).await;
    let note = "manifest 2: 1 tables, 3 rows; table `town` is gone from the source, its rows stay";
    assert_eq!(run.note.as_deref(), Some(note));
    assert_eq!(chain.rows(&house, "dim_shop"), ["1,Quay,Eden", "2,Pier,Hobart", "3,Slip,Hobart"]);
    assert_eq!(chain.output(&house).gone, ["town"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_manifest_with_the_number_of_one_that_was_transformed_is_refused() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    succeeded(&house).await;
    // Two extracts have written at once: both manifests are number 2.
    chain.put(&house, &[Change::new("shop", &["shop_id"], SHOP, "3,Slip,2\n")]);
    let key = chain.path("ingestion", "manifest.json");
    let other = key.replace("0123abcd", "fedcba98");
    fs::create_dir_all(house.path(&other).parent().expect("a folder")).expect("a folder");
    fs::copy(house.path(&key), house.path(&other)).expect("a copy");
    let runs = house.run_once().await;
    let failed: Vec<_> = runs.iter().filter_map(|run| run.failure.as_ref()).collect();
    assert_eq!((failed.len(), failed[0].code.as_str()), (1, "R1010"), "{runs:#?}");
    let manifests = |folder: &str| house.path(&folder.replace("ingestion", "processed")).exists();
    assert!(manifests(&key) != manifests(&other), "one of them was made, and not the other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_not_kept_is_found_in_the_manifests_before() {
    let (house, mut chain) = house();
    first(&house, &mut chain);
    chain.put(&house, &[Change::new("sale", &["id"], SALE, "3,1,1.00,2024-01-02,\n").gone("1\n")]);
    succeeded(&house).await;
    house.write(
        "star/dim_sum.sql",
        "-- role: dimension\n-- key: shop_id\n-- columns:\n--   shop_id integer\n--   total numeric(20,2)\n\
         SELECT shop_id, sum(price) AS total FROM sale GROUP BY shop_id ORDER BY shop_id\n",
    );
    chain.put(&house, &[Change::new("town", &["town_id"], TOWN, "2,Nipaluna\n")]);
    succeeded(&house).await;
    // A table that nobody has named so far is known all the same.
    assert_eq!(chain.tables(&house), ["dim_shop", "dim_sum"]);
    assert_eq!(chain.rows(&house, "dim_sum"), ["1,1.00", "2,3.00"]);
}

#[test]
fn a_pipeline_that_could_not_keep_its_state_is_refused() {
    let code = House::refused(&PIPELINE.replace(", \"processed\"]", "]"));
    assert_eq!(code, "R1001");
    assert_eq!(House::refused(&PIPELINE.replace("\"star\"", "\"../star\"")), "R1001");
}
