//! The `ToteSys` star of the test kit: a small transformation for tests, from whole snapshots of the source to what each load
//! brings, and the histories that must come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::ToSpan;
use jiff::civil::Date;
use tidegate_formats::manifest::{Role, TableEntry};

use super::{Peer, delivery, gone, load, new, referring, rows, table, texts};
use crate::warehouse::Rows;

type Row = Vec<Option<String>>;

/// A CSV file by its header.
struct Sheet {
    header: Vec<String>,
    rows: Vec<Row>,
}

impl Sheet {
    fn read(folder: &Path, name: &str) -> Self {
        let text = fs::read_to_string(folder.join(format!("{name}.csv"))).expect("a file of the test kit");
        let mut rows = parse(&text);
        let header = rows.remove(0).into_iter().flatten().collect();
        Self { header, rows }
    }

    fn place(&self, column: &str) -> usize {
        self.header.iter().position(|name| name == column).expect("a column of the test kit")
    }

    /// The columns in this order.
    fn select(&self, columns: &str) -> Vec<Row> {
        let places: Vec<usize> = columns.split(' ').map(|column| self.place(column)).collect();
        self.rows.iter().map(|row| places.iter().map(|place| row[*place].clone()).collect()).collect()
    }

    /// Rows by the text of a column.
    fn by(&self, column: &str) -> BTreeMap<String, &Row> {
        let place = self.place(column);
        self.rows.iter().filter_map(|row| Some((row[place].clone()?, row))).collect()
    }
}

/// Rows of cells: NULL is nothing, the empty text is `""`.
fn parse(text: &str) -> Vec<Row> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Row::new(), String::new());
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => (is_quoted, was_quoted) = (!is_quoted, true),
            ',' | '\n' if !is_quoted => {
                let taken = std::mem::take(&mut cell);
                row.push(Some(taken).filter(|taken| was_quoted || !taken.is_empty()));
                was_quoted = false;
                if letter == '\n' {
                    rows.push(std::mem::take(&mut row));
                }
            }
            other => cell.push(other),
        }
    }
    rows
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Day and time of a stamp.
fn halves(stamp: Option<&String>) -> [Option<String>; 2] {
    let (day, time) = stamp.and_then(|stamp| stamp.split_once(' ')).expect("a stamp");
    [some(day), some(time)]
}

/// A fact's rows, with stamps cut in two: `created_at` and `last_updated` are the second and third column.
fn cut(rows: Vec<Row>) -> Vec<Row> {
    let cut = |row: Row| {
        let mut cut = vec![row[0].clone()];
        cut.extend(halves(row[1].as_ref()));
        cut.extend(halves(row[2].as_ref()));
        cut.extend(row[3..].iter().cloned());
        cut
    };
    rows.into_iter().map(cut).collect()
}

/// Each row with columns of the one that it refers to in place of the reference, which is at `place`.
fn joined(rows: Vec<Row>, place: usize, other: &Sheet, key: &str, columns: &str) -> Vec<Row> {
    let by = other.by(key);
    let places: Vec<usize> = columns.split(' ').map(|column| other.place(column)).collect();
    let join = |mut row: Row| {
        let to = by[row[place].as_ref().expect("a reference")];
        row.splice(place..=place, places.iter().map(|place| to[*place].clone()));
        row
    };
    rows.into_iter().map(join).collect()
}

const ADDRESS: &str = "address_line_1 address_line_2 district city postal_code country phone";

/// All rows of the star of one snapshot, by table.
fn star(folder: &Path) -> BTreeMap<&'static str, Vec<Row>> {
    let sheet = |name: &str| Sheet::read(folder, name);
    let (address, department) = (sheet("address"), sheet("department"));
    let mut star = BTreeMap::new();
    star.insert("dim_location", address.select(&format!("address_id {ADDRESS}")));
    star.insert("dim_design", sheet("design").select("design_id design_name file_location file_name"));
    star.insert("dim_payment_type", sheet("payment_type").select("payment_type_id payment_type_name"));
    star.insert(
        "dim_transaction",
        sheet("transaction").select("transaction_id transaction_type sales_order_id purchase_order_id"),
    );
    let staff = sheet("staff").select("staff_id first_name last_name department_id email_address");
    star.insert("dim_staff", joined(staff, 3, &department, "department_id", "department_name location"));
    let counterparty = sheet("counterparty").select("counterparty_id counterparty_legal_name legal_address_id");
    star.insert("dim_counterparty", joined(counterparty, 2, &address, "address_id", ADDRESS));
    let named = |mut row: Row| {
        let name = match row[1].as_deref() {
            Some("GBP") => "Pound Sterling",
            Some("USD") => "US Dollar",
            Some("EUR") => "Euro",
            _ => "Yen",
        };
        row.push(some(name));
        row
    };
    let currency = sheet("currency").select("currency_id currency_code");
    star.insert("dim_currency", currency.into_iter().map(named).collect());
    let sales = "sales_order_id created_at last_updated staff_id counterparty_id units_sold unit_price currency_id \
                 design_id agreed_payment_date agreed_delivery_date agreed_delivery_location_id";
    star.insert("fact_sales_order", cut(sheet("sales_order").select(sales)));
    let purchases = "purchase_order_id created_at last_updated staff_id counterparty_id item_code item_quantity \
                     item_unit_price currency_id agreed_delivery_date agreed_payment_date agreed_delivery_location_id";
    star.insert("fact_purchase_order", cut(sheet("purchase_order").select(purchases)));
    let payments = "payment_id created_at last_updated transaction_id counterparty_id payment_amount currency_id \
                    payment_type_id paid payment_date";
    star.insert("fact_payment", cut(sheet("payment").select(payments)));
    let days: BTreeSet<String> = FACTS
        .iter()
        .flat_map(|(name, days)| star[name].iter().flat_map(|row| days.iter().map(|day| row[*day].clone())))
        .flatten()
        .collect();
    let day = |text: Option<&String>| text.and_then(|text| text.parse::<Date>().ok()).expect("a day");
    let (first, last) = (day(days.first()), day(days.last()));
    let range = first.series(1.day()).take_while(|day| *day <= last);
    star.insert("dim_date", range.map(|day| date(&day.to_string())).collect());
    star
}

/// Facts, and which of their columns are days.
const FACTS: [(&str, &[usize]); 3] =
    [("fact_sales_order", &[1, 3, 11, 12]), ("fact_purchase_order", &[1, 3, 11, 12]), ("fact_payment", &[1, 3, 11])];

fn date(text: &str) -> Row {
    let day: Date = text.parse().expect("a day");
    let told = |format: &str| some(&day.strftime(format).to_string());
    let number = |number: i8| some(&number.to_string());
    vec![
        some(text),
        some(&day.year().to_string()),
        number(day.month()),
        number(day.day()),
        number(day.weekday().to_monday_one_offset()),
        told("%A"),
        told("%B"),
        number((day.month() - 1) / 3 + 1),
    ]
}

/// The tables of the star, dimensions first.
pub fn tables() -> Vec<TableEntry> {
    let typed = |name: &str, role: Role, columns: &str| {
        let columns: Vec<(&str, &str)> =
            columns.split(", ").map(|column| column.split_once(' ').expect("a name and a type")).collect();
        table(name, role, &columns)
    };
    let dim = |name: &str, columns: &str| typed(name, Role::Dimension, columns);
    let mut tables = vec![
        dim(
            "dim_date",
            "date_id date, year integer, month integer, day integer, day_of_week integer, day_name varchar, \
             month_name varchar, quarter integer",
        ),
        dim(
            "dim_staff",
            "staff_id integer, first_name varchar, last_name varchar, department_name varchar, location varchar, \
             email_address varchar",
        ),
        dim(
            "dim_location",
            "location_id integer, address_line_1 varchar, address_line_2 varchar?, district varchar?, city varchar, \
             postal_code varchar, country varchar, phone varchar",
        ),
        dim("dim_currency", "currency_id integer, currency_code varchar, currency_name varchar"),
        dim("dim_design", "design_id integer, design_name varchar, file_location varchar, file_name varchar"),
        dim(
            "dim_counterparty",
            "counterparty_id integer, counterparty_legal_name varchar, counterparty_legal_address_line_1 varchar, \
             counterparty_legal_address_line_2 varchar?, counterparty_legal_district varchar?, \
             counterparty_legal_city varchar, counterparty_legal_postal_code varchar, counterparty_legal_country varchar, \
             counterparty_legal_phone_number varchar",
        ),
        dim("dim_payment_type", "payment_type_id integer, payment_type_name varchar"),
        dim(
            "dim_transaction",
            "transaction_id integer, transaction_type varchar, sales_order_id integer?, purchase_order_id integer?",
        ),
    ];
    let stamps = "created_date date, created_time time(3), last_updated_date date, last_updated_time time(3)";
    let facts = [
        (
            "sales",
            format!(
                "sales_order_id integer, {stamps}, sales_staff_id integer, counterparty_id integer, units_sold integer, \
                 unit_price numeric(10,2), currency_id integer, design_id integer, agreed_payment_date date, \
                 agreed_delivery_date date, agreed_delivery_location_id integer"
            ),
            "fact_sales_order",
        ),
        (
            "purchase",
            format!(
                "purchase_order_id integer, {stamps}, staff_id integer, counterparty_id integer, item_code varchar, \
                 item_quantity integer, item_unit_price numeric(10,2), currency_id integer, agreed_delivery_date date, \
                 agreed_payment_date date, agreed_delivery_location_id integer"
            ),
            "fact_purchase_order",
        ),
        (
            "payment",
            format!(
                "payment_id integer, {stamps}, transaction_id integer, counterparty_id integer, \
                 payment_amount numeric(10,2), currency_id integer, payment_type_id integer, paid boolean, payment_date date"
            ),
            "fact_payment",
        ),
    ];
    for (short, columns, name) in facts {
        let mut fact = typed(name, Role::Fact, &columns);
        fact.surrogate = Some(format!("{short}_record_id"));
        fact.stamp = Some(vec!["last_updated_date".to_owned(), "last_updated_time".to_owned()]);
        for column in fact.columns.clone() {
            let to = match column.name.as_str() {
                name if name.ends_with("_date") => Some("dim_date"),
                "sales_staff_id" | "staff_id" => Some("dim_staff"),
                "agreed_delivery_location_id" => Some("dim_location"),
                "counterparty_id" => Some("dim_counterparty"),
                "currency_id" => Some("dim_currency"),
                "design_id" => Some("dim_design"),
                "transaction_id" => Some("dim_transaction"),
                "payment_type_id" => Some("dim_payment_type"),
                _ => None,
            };
            let to = to.and_then(|to| tables.iter().find(|table| table.name == to)).cloned();
            if let Some(to) = to {
                fact = referring(fact, &column.name, &to);
            }
        }
        tables.push(fact);
    }
    tables
}

/// What each of the four snapshots of the kit brings: tables with changed rows and keys that are gone.
///
/// # Panics
/// If the kit is not as it was.
pub fn deliveries(kit: &Path) -> Vec<Vec<(TableEntry, Vec<Rows>)>> {
    let mut known: BTreeMap<&str, BTreeMap<String, Row>> = BTreeMap::new();
    let mut deliveries = Vec::new();
    for folder in ["base", "after_batch_1", "after_batch_2", "after_batch_3"] {
        let snapshot = star(&kit.join(folder));
        let mut brought = Vec::new();
        for table in tables() {
            let (name, now) = snapshot.get_key_value(table.name.as_str()).expect("a table of the star");
            let now: BTreeMap<String, Row> =
                now.iter().map(|row| (row[0].clone().expect("a key"), row.clone())).collect();
            let before = known.entry(name).or_default();
            let changed: Vec<&Row> =
                now.iter().filter(|(key, row)| before.get(*key) != Some(*row)).map(|(_, row)| row).collect();
            let keys: Vec<&str> = before.keys().filter(|key| !now.contains_key(*key)).map(String::as_str).collect();
            let mut rows: Vec<Rows> = changed.chunks(500).map(|rows| batch(&table, rows)).collect();
            if !keys.is_empty() && table.role == Role::Fact {
                rows.push(gone(&table, &keys));
            }
            if !rows.is_empty() {
                brought.push((table, rows));
            }
            *before = now;
        }
        deliveries.push(brought);
    }
    deliveries
}

fn batch(table: &TableEntry, rows: &[&Row]) -> Rows {
    // No cell of the kit is a dash.
    let cells: Vec<Vec<&str>> =
        rows.iter().map(|row| row.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect()).collect();
    let cells: Vec<&[&str]> = cells.iter().map(Vec::as_slice).collect();
    if cells.is_empty() { Rows::New(texts(&[], &[])) } else { new(table, &cells) }
}

/// Runs each chart of the template and holds what was sold in total against what is expected.
async fn charts_run(peer: &Peer, kit: &Path) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidegate/src/templates/warehouse/charts");
    let mut charts = 0;
    for file in fs::read_dir(folder).expect("the charts") {
        let path = file.expect("a file").path();
        let chart = fs::read_to_string(&path).expect("a chart");
        let rows =
            (peer.sql)(format!("SELECT CAST(count(*) AS text) FROM ({}) AS c", chart.trim_end_matches([';', '\n'])))
                .await;
        assert_ne!(rows, "0", "{}", path.display());
        // Amounts are exact to the cent, and keep their zeros.
        if !path.ends_with("revenue-per-sale.sql") {
            let inner = chart.trim_end_matches([';', '\n']);
            let sql = format!("SELECT CAST(count(*) AS text) FROM ({inner}) AS c WHERE revenue NOT LIKE '%_.__'");
            assert_eq!((peer.sql)(sql).await, "0", "{}", path.display());
        }
        charts += 1;
        if path.ends_with("revenue-total.sql") {
            let sum = format!(
                "SELECT CAST(sum(CAST(revenue AS numeric)) AS text) FROM ({}) AS c",
                chart.trim_end_matches([';', '\n'])
            );
            let found: f64 = (peer.sql)(sum).await.parse().expect("a number");
            let orders = Sheet::read(&kit.join("after_batch_3"), "sales_order").select("units_sold unit_price");
            let number =
                |cell: &Option<String>| cell.as_deref().and_then(|cell| cell.parse::<f64>().ok()).expect("a number");
            let wanted: f64 = orders.iter().map(|row| number(&row[0]) * number(&row[1])).sum();
            assert!((found - wanted).abs() < 0.01, "{found} {wanted}");
        }
    }
    assert_eq!(charts, 9);
}

/// Loads the kit, each manifest twice and one too early, and holds dimensions and histories against what is expected.
///
/// # Panics
/// If anything differs.
pub async fn equals_what_is_expected(peer: &Peer, kit: &Path) {
    let warehouse = peer.warehouse.as_ref();
    let deliveries = deliveries(kit);
    for (index, tables) in deliveries.iter().enumerate() {
        let sequence = index as u64 + 1;
        let tables: Vec<(&TableEntry, Vec<Rows>)> = tables.iter().map(|(table, rows)| (table, rows.clone())).collect();
        let early = super::try_load(warehouse, delivery("totesys", sequence + 1), &tables).await;
        assert!(early.is_err(), "manifest {} came too early and was loaded", sequence + 1);
        let reports = load(warehouse, delivery("totesys", sequence), &tables).await;
        let again = load(warehouse, delivery("totesys", sequence), &tables).await;
        assert_eq!(reports, again);
        assert!(reports.iter().all(|report| report.parked == 0), "{reports:#?}");
    }
    charts_run(peer, kit).await;
    for table in tables() {
        let expected = kit.join("expected");
        if table.role == Role::Fact {
            let mut wanted = lines(&expected.join(format!("{}_history.csv", table.name)));
            let mut found = history(peer, &table).await;
            wanted.sort();
            found.sort();
            assert_eq!(found.len(), wanted.len(), "{}", table.name);
            let differ: Vec<_> = found.iter().zip(&wanted).filter(|(found, wanted)| found != wanted).take(3).collect();
            assert!(differ.is_empty(), "{}: found and wanted: {differ:#?}", table.name);
        } else {
            let text = fs::read_to_string(expected.join(format!("{}.csv", table.name))).expect("a file of the kit");
            let wanted = parse(&text).into_iter().skip(1).map(|row| {
                // The oracle writes NULL as `\N`, and the empty text as nothing.
                row.into_iter().map(|cell| match cell.as_deref() {
                    Some("\\N") => "-".to_owned(),
                    other => other.unwrap_or_default().to_owned(),
                })
            });
            let mut wanted: Vec<Vec<String>> = wanted.map(Iterator::collect).collect();
            wanted.sort();
            assert_eq!(rows(warehouse, &table).await, wanted, "{}", table.name);
        }
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a file of the kit");
    // The oracle writes whole seconds with three noughts, the source without.
    text.lines().skip(1).map(|line| line.replace(".000,", ",")).collect()
}

/// The history of all facts as lines of the oracle: tick, what happened, the columns.
async fn history(peer: &Peer, table: &TableEntry) -> Vec<String> {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| match column.data_type.as_str() {
            "boolean" => format!("CASE WHEN {} THEN 't' ELSE 'f' END", column.name),
            _ => format!("CAST({} AS text)", column.name),
        })
        .collect();
    let sql = format!(
        "SELECT history_run || ',' || history_operation || ',' || {} FROM {}_history",
        columns.join(" || ',' || "),
        table.name
    );
    let told = (peer.sql)(sql).await;
    let tick = |line: &str| {
        let (run, rest) = line.split_once(',').expect("a run");
        let sequence: u64 = run.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a number");
        format!("{},{rest}", sequence - 1)
    };
    told.lines().map(tick).collect()
}
