//! An operational database for `warehouse`, and two batches of changes to it: new orders, edits that move no stamp, an address
//! and a department that move, deletions, a text date that is none, and names that were meant to do harm.

use std::io;
use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use super::{Demo, Numbers};

pub(super) const DEMO: Demo =
    Demo { template: "warehouse", fill, later: &[first_batch, second_batch], look: &["status", "runs", "failures"] };

/// The eleven tables, as the live database has them.
const SCHEMA: &str = "
CREATE TABLE address (address_id integer PRIMARY KEY, address_line_1 text NOT NULL, address_line_2 text, district text,
  city text NOT NULL, postal_code text NOT NULL, country text NOT NULL, phone text NOT NULL,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE counterparty (counterparty_id integer PRIMARY KEY, counterparty_legal_name text NOT NULL,
  legal_address_id integer NOT NULL REFERENCES address, commercial_contact text, delivery_contact text,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE currency (currency_id integer PRIMARY KEY, currency_code varchar(3) NOT NULL,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE department (department_id integer PRIMARY KEY, department_name text NOT NULL, location text, manager text,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE design (design_id integer PRIMARY KEY, created_at timestamp(3) NOT NULL, design_name text NOT NULL,
  file_location text NOT NULL, file_name text NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE payment_type (payment_type_id integer PRIMARY KEY, payment_type_name text NOT NULL,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE staff (staff_id integer PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL,
  department_id integer NOT NULL REFERENCES department, email_address text NOT NULL,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE sales_order (sales_order_id integer PRIMARY KEY, created_at timestamp(3) NOT NULL,
  last_updated timestamp(3) NOT NULL, design_id integer NOT NULL, staff_id integer NOT NULL,
  counterparty_id integer NOT NULL, units_sold integer NOT NULL, unit_price numeric(10,2) NOT NULL,
  currency_id integer NOT NULL, agreed_delivery_date text NOT NULL, agreed_payment_date text NOT NULL,
  agreed_delivery_location_id integer NOT NULL);
CREATE TABLE purchase_order (purchase_order_id integer PRIMARY KEY, created_at timestamp(3) NOT NULL,
  last_updated timestamp(3) NOT NULL, staff_id integer NOT NULL, counterparty_id integer NOT NULL, item_code text NOT NULL,
  item_quantity integer NOT NULL, item_unit_price numeric(10,2) NOT NULL, currency_id integer NOT NULL,
  agreed_delivery_date text NOT NULL, agreed_payment_date text NOT NULL, agreed_delivery_location_id integer NOT NULL);
CREATE TABLE \"transaction\" (transaction_id integer PRIMARY KEY, transaction_type text NOT NULL, sales_order_id integer,
  purchase_order_id integer, created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE payment (payment_id integer PRIMARY KEY, created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL,
  transaction_id integer NOT NULL, counterparty_id integer NOT NULL, payment_amount numeric(10,2) NOT NULL,
  currency_id integer NOT NULL, payment_type_id integer NOT NULL, paid boolean NOT NULL, payment_date text NOT NULL,
  company_ac_number integer NOT NULL, counterparty_ac_number integer NOT NULL);";

const BORN: &str = "2022-11-03 14:20:49.962";
const ADDRESSES: i64 = 12;
const PARTIES: i64 = 8;
const STAFF: i64 = 9;
const DESIGNS: i64 = 20;
const DEPARTMENTS: [(&str, Option<&str>); 4] =
    [("Sales", Some("Manchester")), ("Purchasing", Some("Leds")), ("Dispatch", None), ("Finance", Some("Leeds"))];
const FIRST_NAMES: [&str; 9] = ["Mirela", "Jonas", "Zoë", "Björn", "Ana", "Liu", "Sean", "Ngaio", "Otto"];
const LAST_NAMES: [&str; 5] = ["O'Hara", "Grünwald", "van der Meer", "D\"Arcy", "Ihimaera, jr."];
const PARTY_NAMES: [&str; 8] = [
    "Petrov & Daughters",
    "Harbour Toys",
    "Ihimaera Imports",
    "Nordlys AS",
    "Bay Traders",
    "Łódź Games",
    "Quayside Gifts",
    "Fern & Sons",
];
const STUFFS: [&str; 5] = ["Oak", "Copper", "Linen", "Granite", "Bamboo"];
const THINGS: [&str; 4] = ["Kite", "Drum", "Puzzle", "Sailboat"];
const CITIES: [(&str, &str); 4] =
    [("Eden", "Australia"), ("Port Chalmers", "New Zealand"), ("Klaksvík", "Faroe Islands"), ("Łódź", "Poland")];

/// Stuffs and things of which designs are: the last one has the name of the first, as such databases have it.
fn designs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let pairs = STUFFS.into_iter().flat_map(|stuff| THINGS.map(|thing| (stuff, thing)));
    pairs.take(19).chain([(STUFFS[0], THINGS[0])])
}

fn fill(dir: &Path) -> io::Result<()> {
    in_one_step(dir, |step, numbers| {
        step.execute_batch(SCHEMA)?;
        parties(step, numbers)?;
        for (id, (stuff, thing)) in (1..=DESIGNS).zip(designs()) {
            let name = format!("{stuff} {thing}");
            let file = format!("{}-{}-{id:03}.json", stuff.to_lowercase(), thing.to_lowercase());
            step.execute(
                "INSERT INTO design VALUES (?1, ?2, ?3, '/usr/share', ?4, ?2)",
                params![id, BORN, name, file],
            )?;
        }
        for id in 1..=300 {
            sale(step, numbers, id * 2, "2024-05-01 09:00:00.250")?;
        }
        for id in 1..=100 {
            let day = format!("2024-06-{:02}", 1 + numbers.below(30));
            let values =
                params![id, BORN, 1 + id % STAFF, 1 + id % PARTIES, format!("IT-{id:05}"), 1 + id, 1 + id % 3, day];
            step.execute(
                "INSERT INTO purchase_order VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, 12.5, ?7, ?8, ?8, 1)",
                values,
            )?;
        }
        Ok(())
    })
}

/// Addresses and whoever is at them, with what people write into such fields.
fn parties(step: &Transaction<'_>, numbers: &mut Numbers) -> rusqlite::Result<()> {
    for id in 1..=ADDRESSES {
        let line = if id == 7 { "1 Line\r\nBreak \"Quay\"".to_owned() } else { format!("{id} Alder Way") };
        let second = (id % 3 == 0).then_some(if id == 9 { "" } else { "Flat 2" });
        let code = format!("{:05}", numbers.below(100_000));
        let (city, country) = numbers.pick(&CITIES);
        step.execute(
            "INSERT INTO address VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, '0800 001', ?7, ?7)",
            params![id, line, second, city, code, country, BORN],
        )?;
    }
    for id in 1..=PARTIES {
        let name = if id == 5 {
            "Bobby'); DROP TABLE fact_payment; --".to_owned()
        } else {
            PARTY_NAMES[usize::try_from(id - 1).unwrap_or(0) % PARTY_NAMES.len()].to_owned()
        };
        step.execute(
            "INSERT INTO counterparty VALUES (?1, ?2, ?3, NULL, '', ?4, ?4)",
            params![id, name, 1 + id % ADDRESSES, BORN],
        )?;
    }
    for (id, code) in (1..).zip(["GBP", "USD", "EUR"]) {
        step.execute("INSERT INTO currency VALUES (?1, ?2, ?3, ?3)", params![id, code, BORN])?;
    }
    for (id, (name, place)) in (1..).zip(DEPARTMENTS) {
        step.execute("INSERT INTO department VALUES (?1, ?2, ?3, NULL, ?4, ?4)", params![id, name, place, BORN])?;
    }
    for (id, name) in (1..).zip(["SALES_RECEIPT", "SALES_REFUND", "PURCHASE_PAYMENT", "PURCHASE_REFUND"]) {
        step.execute("INSERT INTO payment_type VALUES (?1, ?2, ?3, ?3)", params![id, name, BORN])?;
    }
    for (id, first) in (1..=STAFF).zip(FIRST_NAMES) {
        let last = numbers.pick(&LAST_NAMES);
        step.execute(
            "INSERT INTO staff VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
            params![id, first, last, 1 + id % 4, format!("staff{id}@example.org"), BORN],
        )?;
    }
    Ok(())
}

/// A sale with its transaction and payment.
fn sale(step: &Transaction<'_>, numbers: &mut Numbers, id: i64, at: &str) -> rusqlite::Result<()> {
    let any = |numbers: &mut Numbers, below: i64| 1 + i64::try_from(numbers.below(below.unsigned_abs())).unwrap_or(0);
    let (delivery, payment) = (any(numbers, 28), any(numbers, 28));
    let day = |day: i64| format!("2024-06-{day:02}");
    let (design, staff, party, place) =
        (any(numbers, DESIGNS), any(numbers, STAFF), any(numbers, PARTIES), any(numbers, ADDRESSES));
    let (units, cents, currency) = (any(numbers, 99_000), 200 + any(numbers, 200), any(numbers, 3));
    let price = format!("{}.{:02}", cents / 100, cents % 100);
    step.execute(
        "INSERT INTO sales_order VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![id, at, design, staff, party, units, price, currency, day(delivery), day(payment), place],
    )?;
    step.execute("INSERT INTO \"transaction\" VALUES (?1, 'SALE', ?1, NULL, ?2, ?2)", params![id, at])?;
    let amount = format!("{}.{:02}", units * cents / 100, units * cents % 100);
    step.execute(
        "INSERT INTO payment VALUES (?1, ?2, ?2, ?1, ?3, ?4, ?5, 1, false, ?6, 12345678, 87654321)",
        params![id, at, party, amount, currency, day(payment)],
    )?;
    Ok(())
}

fn first_batch(dir: &Path) -> io::Result<()> {
    in_one_step(dir, |step, numbers| {
        for id in 601..=640 {
            sale(step, numbers, id, "2024-05-02 09:05:00.000")?;
        }
        // Many rows at one instant, and an edit by hand that forgets the stamp.
        step.execute_batch(
            "UPDATE sales_order SET units_sold = units_sold + 1, last_updated = '2024-05-02 09:05:00.250'
               WHERE sales_order_id % 37 = 1;
             UPDATE payment SET paid = true, last_updated = '2024-05-02 09:05:30.000' WHERE payment_id % 29 = 0;
             UPDATE address SET phone = '0800 002' WHERE address_id = 2;
             UPDATE department SET location = 'Leeds', last_updated = '2024-05-02 09:05:00.000' WHERE department_id = 2;
             INSERT INTO currency VALUES (4, 'JPY', '2024-05-02 09:05:00.000', '2024-05-02 09:05:00.000');
             UPDATE sales_order SET agreed_delivery_date = '2024-02-30', last_updated = '2024-05-02 09:06:00.000'
               WHERE sales_order_id = 100;",
        )
    })
}

fn second_batch(dir: &Path) -> io::Result<()> {
    in_one_step(dir, |step, _| {
        step.execute_batch(
            "UPDATE \"transaction\" SET sales_order_id = NULL WHERE sales_order_id IN (42, 84, 126);
             DELETE FROM sales_order WHERE sales_order_id IN (42, 84, 126);
             UPDATE sales_order SET agreed_delivery_date = '2024-07-01', last_updated = '2024-05-02 09:11:00.000'
               WHERE sales_order_id = 100;
             INSERT INTO currency VALUES (5, 'ZZZ', '2024-05-02 09:10:00.000', '2024-05-02 09:10:00.000');",
        )
    })
}

/// Works on the database in one transaction.
fn in_one_step(
    dir: &Path,
    work: impl FnOnce(&Transaction<'_>, &mut Numbers) -> rusqlite::Result<()>,
) -> io::Result<()> {
    let run = || -> rusqlite::Result<()> {
        let mut database = Connection::open(dir.join("totesys.db"))?;
        let step = database.transaction()?;
        work(&step, &mut Numbers(20_241_103))?;
        step.commit()
    };
    run().map_err(io::Error::other)
}
