//! A warehouse in a Postgres database: rows come by binary COPY into a temporary table, and everything else is SQL inside the
//! server. No right is needed beyond those of the tables' owner.
//!
//! Large loads take the foreign keys off their table, and if it is new its own key, and put them back in the same transaction:
//! the server then holds all rows against them at once, instead of one after the other.

mod binary;

use arrow_array::ArrayRef;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use tidegate_formats::manifest::Reference;
use tidegate_model::ErrorKind;
use tidegate_stores::warehouse::session::{
    Dialect, ExistingColumn, Purpose, Relation, Session, Sessions, Suspended, WriteTo, quoted,
};
use tidegate_stores::warehouse::{ColumnType, SqlWarehouse, TextRow};
use tidegate_stores::{Error, Result};
use tokio::runtime::Handle;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::ToSql;

use crate::connection::{Connection, refused};
use crate::identifier::MAX_NAME;
use crate::server::Server;

/// A warehouse in Postgres.
pub type PostgresWarehouse = SqlWarehouse<Server>;

#[async_trait]
impl Sessions for Server {
    async fn open(&self, _: Purpose) -> Result<Option<Box<dyn Session>>> {
        let connection = self.connect().await?;
        Ok(Some(Box::new(PostgresSession { connection, runtime: Handle::current() })))
    }
}

/// A transaction on a connection of its own; when it is dropped, the connection closes and the server undoes the rest.
struct PostgresSession {
    connection: Connection,
    runtime: Handle,
}

impl PostgresSession {
    fn batch(&self, sql: &str) -> Result<()> {
        self.runtime.block_on(self.connection.batch_execute(sql)).map_err(|error| failed(sql, error))
    }
}

/// What the server says of a statement, and what the caller can do about it.
fn failed(sql: &str, error: tokio_postgres::Error) -> Error {
    // The statement says what was attempted; it holds no values.
    let what = sql.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    // The server shows rows in the details of constraints: they stay out of what people are told.
    if let Some(said) = error.as_db_error().filter(|said| said.code().code().starts_with("23")) {
        let column = said.column().map_or_else(String::new, |column| format!(" in column `{column}`"));
        let message = format!("the warehouse does not take the rows (`{what} …`): {}{column}", said.message());
        return Error::new(ErrorKind::Invalid, message);
    }
    refused(&format!("the warehouse failed at `{what} …`"), error)
}

impl Session for PostgresSession {
    fn dialect(&self) -> &'static dyn Dialect {
        &Postgres
    }

    fn begin(&mut self, writes: bool) -> Result<()> {
        self.batch("SET TIME ZONE 'UTC'; SET client_min_messages = warning; SET DateStyle = ISO")?;
        if writes {
            // One load after the other, whatever tables there are: the lock is on a name, and goes with the transaction.
            // A load is a few large statements, for which compiling takes longer than it saves, and sorting wants room.
            self.batch(
                "SET lock_timeout = '60s'; BEGIN; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'; \
                 SELECT pg_advisory_xact_lock(hashtext('_tidegate_runs'), hashtext(current_schema()))",
            )
        } else {
            self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        }
    }

    fn execute(&mut self, sql: &str, parameters: &[&str]) -> Result<u64> {
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
        self.runtime.block_on(self.connection.execute(sql, &parameters)).map_err(|error| failed(sql, error))
    }

    fn each(&mut self, sql: &str, parameters: &[&str], take: &mut dyn FnMut(&TextRow) -> Result<()>) -> Result<()> {
        let (connection, runtime) = (&self.connection, &self.runtime);
        // Rows are handed over outside of the runtime: whoever takes them may block.
        if parameters.is_empty() {
            let rows = runtime.block_on(connection.simple_query_raw(sql)).map_err(|error| failed(sql, error))?;
            let mut rows = Box::pin(rows);
            while let Some(message) = runtime.block_on(rows.try_next()).map_err(|error| failed(sql, error))? {
                if let SimpleQueryMessage::Row(row) = message {
                    let texts = (0..row.len()).map(|index| row.get(index).map(str::to_owned));
                    take(&texts.collect::<Vec<_>>())?;
                }
            }
            return Ok(());
        }
        let rows = runtime.block_on(connection.query_raw(sql, parameters)).map_err(|error| failed(sql, error))?;
        let mut rows = Box::pin(rows);
        while let Some(row) = runtime.block_on(rows.try_next()).map_err(|error| failed(sql, error))? {
            let texts = (0..row.len()).map(|index| row.try_get::<_, Option<String>>(index));
            take(&texts.collect::<Result<Vec<_>, _>>().map_err(|error| failed(sql, error))?)?;
        }
        Ok(())
    }

    fn describe(&mut self, name: &str) -> Result<Option<Relation>> {
        let relation = quoted(name);
        let session: &mut dyn Session = self;
        let kind = "SELECT c.relkind::text FROM pg_class AS c WHERE c.oid = to_regclass($1::text) \
                    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
        let Some(kind) = session.rows(kind, &[&relation])?.into_iter().flatten().next().flatten() else {
            return Ok(None);
        };
        let columns = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull::text, \
                       (a.atthasdef OR a.attidentity <> '')::text FROM pg_attribute AS a \
                       WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
        let columns = session.rows(columns, &[&relation])?.into_iter().map(|row| {
            let mut texts = row.into_iter();
            let mut text = || texts.next().flatten().unwrap_or_default();
            ExistingColumn {
                name: text(),
                declared: text(),
                is_nullable: text() != "true",
                has_default: text() == "true",
            }
        });
        Ok(Some(Relation { is_table: matches!(kind.as_str(), "r" | "p"), columns: columns.collect() }))
    }

    fn write(
        &mut self,
        to: WriteTo<'_>,
        columns: &[(String, ColumnType)],
        batches: &mut dyn Iterator<Item = Result<Vec<ArrayRef>>>,
    ) -> Result<u64> {
        let (table, options) = match to {
            WriteTo::Temporary(table) => (format!("pg_temp.{}", quoted(table)), ""),
            // Nobody can see a table before its transaction commits: its rows need no mark that they are visible.
            WriteTo::Empty { table, is_new: true } => (quoted(table), ", FREEZE"),
            WriteTo::Empty { table, is_new: false } => (quoted(table), ""),
        };
        let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        let sql = format!("COPY {table} ({}) FROM STDIN (FORMAT binary{options})", names.join(", "));
        let (connection, runtime) = (&self.connection, &self.runtime);
        let mut encoder = binary::Encoder::new(columns)?;
        let copy = runtime.block_on(connection.copy_in(&sql)).map_err(|error| failed(&sql, error))?;
        let mut copy = Box::pin(copy);
        let mut feed = |bytes: Bytes| runtime.block_on(copy.as_mut().feed(bytes)).map_err(|error| failed(&sql, error));
        // Batches are asked for outside of the runtime: whoever gives them may block.
        for arrays in batches {
            let arrays = arrays?;
            let mut rows = encoder.rows(&arrays);
            while let Some(bytes) = rows.next()? {
                feed(bytes)?;
            }
        }
        feed(encoder.finish())?;
        runtime.block_on(copy.as_mut().finish()).map_err(|error| failed(&sql, error))
    }

    fn numbered(&mut self, table: &str, record: &str, last: u64) -> Result<()> {
        let sql = "SELECT setval(pg_get_serial_sequence($1::text, $2::text), $3::text::bigint)";
        self.execute(sql, &[&quoted(table), record, &last.to_string()]).map(drop)
    }

    fn written(&mut self, table: &str, _: &[String]) -> Result<()> {
        self.batch(&format!("ANALYZE pg_temp.{}", quoted(table)))
    }

    fn suspend(&mut self, table: &str, is_new: bool) -> Result<Option<Suspended>> {
        let relation = quoted(table);
        let session: &mut dyn Session = self;
        // Keys that others refer to stay, and so does everything if the tables are somebody else's.
        let constraints = session.rows(
            "SELECT k.contype::text, k.conname::text, pg_get_constraintdef(k.oid), coalesce(target.relname, '')::text, \
             (k.convalidated AND pg_has_role(c.relowner, 'USAGE'))::text, \
             (SELECT string_agg(a.attname::text, E'\\n' ORDER BY p.place) FROM unnest(k.conkey) WITH ORDINALITY AS p(number, place) \
              JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = p.number), \
             (SELECT string_agg(a.attname::text, E'\\n' ORDER BY p.place) FROM unnest(k.confkey) WITH ORDINALITY AS p(number, place) \
              JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = p.number) \
             FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid LEFT JOIN pg_class AS target ON target.oid = k.confrelid \
             WHERE k.conrelid = to_regclass($1::text) AND (k.contype = 'f' OR k.contype = 'p' AND NOT EXISTS \
             (SELECT 1 FROM pg_constraint AS other WHERE other.confrelid = k.conrelid)) ORDER BY k.conname",
            &[&relation],
        )?;
        let mut suspended = Suspended::default();
        let mut drops = Vec::new();
        for row in constraints {
            let [Some(kind), Some(name), Some(definition), Some(table), Some(can), Some(columns), to] = row.as_slice()
            else {
                continue;
            };
            if kind == "p" && !is_new {
                continue;
            }
            if can != "true" {
                return Ok(None);
            }
            let name = quoted(name);
            drops.push(format!("ALTER TABLE {relation} DROP CONSTRAINT {name}"));
            let restore = format!("ALTER TABLE {relation} ADD CONSTRAINT {name} {definition}");
            match kind.as_str() {
                "p" => suspended.keys.push(restore),
                _ => {
                    let names = |lines: &str| lines.lines().map(str::to_owned).collect();
                    let to = names(to.as_deref().unwrap_or_default());
                    suspended
                        .references
                        .push((Reference { columns: names(columns), table: table.clone(), to }, restore));
                }
            }
        }
        for drop in drops {
            session.execute(&drop, &[])?;
        }
        // To hold all rows against a key is one long loop, for which compiling is worth it where the server can.
        self.batch("SET LOCAL jit = on; SET LOCAL jit_optimize_above_cost = 100000")?;
        Ok(Some(suspended))
    }

    fn commit(&mut self) -> Result<()> {
        self.batch("COMMIT")
    }
}

/// How Postgres says it.
struct Postgres;

impl Dialect for Postgres {
    fn declared(&self, kind: ColumnType) -> String {
        match kind {
            ColumnType::Integer(2) => "smallint".to_owned(),
            ColumnType::Integer(4) => "integer".to_owned(),
            ColumnType::Integer(_) => "bigint".to_owned(),
            ColumnType::Text => "text".to_owned(),
            ColumnType::ShortText(length) => format!("varchar({length})"),
            ColumnType::Numeric(digits, scale) => format!("numeric({digits},{scale})"),
            ColumnType::AnyNumeric => "numeric".to_owned(),
            ColumnType::Boolean => "boolean".to_owned(),
            ColumnType::Date => "date".to_owned(),
            ColumnType::Time(6) => "time".to_owned(),
            ColumnType::Time(digits) => format!("time({digits})"),
            ColumnType::Timestamp(6) => "timestamp".to_owned(),
            ColumnType::Timestamp(digits) => format!("timestamp({digits})"),
            ColumnType::Moment(6) => "timestamptz".to_owned(),
            ColumnType::Moment(digits) => format!("timestamptz({digits})"),
            ColumnType::Real(4) => "real".to_owned(),
            ColumnType::Real(_) => "double precision".to_owned(),
            ColumnType::Bytes => "bytea".to_owned(),
        }
    }

    fn fits(&self, declared: &str, wanted: ColumnType) -> bool {
        ColumnType::parse(declared).is_some_and(|has| has.holds(wanted))
    }

    fn parameter(&self, index: usize) -> String {
        format!("${index}::text")
    }

    fn serial(&self) -> &'static str {
        "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
    }

    fn position(&self) -> &'static str {
        "ctid"
    }

    fn after_table(&self) -> &'static str {
        ""
    }

    fn refers_ahead(&self) -> bool {
        false
    }

    fn longest_name(&self) -> usize {
        MAX_NAME
    }
}
