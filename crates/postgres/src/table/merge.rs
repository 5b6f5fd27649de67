//! From the staged rows into the table: turns, the key, what is new, what has changed and what has left.

use tidegate_model::{ErrorKind, ValueType};
use tidegate_stores::{Error, Load, LoadMode, LoadReport, OnDuplicate, Result};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::layout::{self, TableName, column, names};
use super::load::{STAGE, Transaction};
use crate::{quote, refused};

/// What the advisory lock of a table is taken by: its schema and name, as a number.
const TURN: &str = "hashtextextended('_tidegate_turn ' || quote_ident($1) || '.' || quote_ident($2), 0)";

/// True if no other load of the table has the turn; then it is ours until the transaction ends.
pub(super) async fn is_my_turn(client: &Client, name: &TableName) -> Result<bool> {
    let row =
        client.query_one(&format!("SELECT pg_try_advisory_xact_lock({TURN})"), &[&name.schema, &name.table]).await;
    Ok(row.map_err(|error| refused("the turn of a load was asked for", error))?.get(0))
}

/// Waits until the turn is ours.
async fn await_turn(client: &Client, name: &TableName) -> Result<()> {
    let turn = client.query_one(&format!("SELECT pg_advisory_xact_lock({TURN})"), &[&name.schema, &name.table]).await;
    turn.map(drop).map_err(|error| {
        if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
            let what = format!("another load of table `{}` has been at work for more than a minute", name.table);
            return Error::new(ErrorKind::Unavailable, what);
        }
        refused("the turn of a load was waited for", error)
    })
}

/// `a.key = b.key` for every key column.
pub(super) fn same_key(load: &Load, a: &str, b: &str) -> String {
    let equal = load.columns[..load.key_columns].iter().map(|(name, _)| format!("{a}.{0} = {b}.{0}", column(name)));
    equal.collect::<Vec<_>>().join(" AND ")
}

/// Builds the key over the rows of `place`, after it has dropped all but one row of every key; returns how many.
pub(super) async fn make_unique(transaction: &Transaction, place: &str) -> Result<u64> {
    let key = names("", &transaction.load.columns[..transaction.load.key_columns]);
    let unique = if place == STAGE {
        format!("CREATE UNIQUE INDEX ON {place} ({key})")
    } else {
        format!("ALTER TABLE {place} ADD PRIMARY KEY ({key})")
    };
    transaction.run("SAVEPOINT rows").await?;
    match transaction.connection.batch_execute(&unique).await {
        Ok(()) => {
            transaction.run("RELEASE SAVEPOINT rows").await?;
            return Ok(0);
        }
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {}
        // Once more, for the error in the words of a load.
        Err(_) => {
            transaction.run("ROLLBACK TO SAVEPOINT rows").await?;
            transaction.run(&unique).await?;
            return Ok(0);
        }
    }
    transaction.run("ROLLBACK TO SAVEPOINT rows").await?;
    let order = if transaction.load.on_duplicate == OnDuplicate::Last { "DESC" } else { "ASC" };
    let dropped = transaction
        .execute(&format!(
            "DELETE FROM {place} WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER \
             (PARTITION BY {key} ORDER BY ctid {order}) AS nth FROM {place}) AS numbered WHERE nth > 1)"
        ))
        .await?;
    transaction.run(&unique).await?;
    Ok(dropped)
}

/// Merges the staged rows into the table, which is made if it does not exist. True if the run has committed before: then
/// nothing was done, and the report is the one of then.
pub(super) async fn merge(transaction: &Transaction, duplicates: u64) -> Result<(LoadReport, bool)> {
    let (client, name, load) = (&transaction.connection, &transaction.name, &transaction.load);
    await_turn(client, name).await?;
    let mut report = LoadReport { duplicates, ..LoadReport::default() };
    match layout::layout(client, name).await? {
        None => {
            layout::create(client, name, load).await?;
            make_unique(transaction, &name.sql()).await?;
        }
        Some(layout) => {
            if let Some(known) = known_report(client, name, load).await? {
                return Ok((known, true));
            }
            layout::check_fit(&layout, load)?;
            layout::refuse_altered(client, STAGE, &layout, load).await?;
            layout::fit(client, name, &layout, load, &mut report).await?;
        }
    }
    merge_rows(transaction, &mut report).await?;
    Ok((report, false))
}

async fn merge_rows(transaction: &Transaction, report: &mut LoadReport) -> Result<()> {
    let load = &transaction.load;
    let (table, same_key) = (transaction.name.sql(), same_key(load, "staged", "kept"));
    let delete =
        format!("DELETE FROM {table} AS kept WHERE NOT EXISTS (SELECT FROM {STAGE} AS staged WHERE {same_key})");
    report.deleted = match &load.mode {
        LoadMode::Upsert => 0,
        LoadMode::Mirror { .. } => transaction.execute(&delete).await?,
        LoadMode::Part { of } => {
            let sql = format!("{delete} AND kept.{} = $1", column(&load.columns[0].0));
            let deleted = transaction.connection.execute(&sql, &[of]).await;
            deleted.map_err(|error| refused("the rows of an earlier content were to be deleted", error))?
        }
    };
    let rest = &load.columns[load.key_columns..];
    if !rest.is_empty() {
        let set = rest.iter().map(|(name, _)| format!("{0} = staged.{0}", column(name))).collect::<Vec<_>>().join(", ");
        let differs = rest.iter().map(differs).collect::<Vec<_>>().join(" OR ");
        report.updated = transaction
            .execute(&format!(
                "UPDATE {table} AS kept SET {set} FROM {STAGE} AS staged WHERE {same_key} AND ({differs})"
            ))
            .await?;
    }
    let (columns, staged) = (names("", &load.columns), names("staged.", &load.columns));
    report.inserted = transaction
        .execute(&format!(
            "INSERT INTO {table} ({columns}) SELECT {staged} FROM {STAGE} AS staged \
             WHERE NOT EXISTS (SELECT FROM {table} AS kept WHERE {same_key})"
        ))
        .await?;
    let row = transaction.connection.query_one(&format!("SELECT count(*) FROM {STAGE}"), &[]).await;
    let staged: i64 = row.map_err(|error| refused("the rows of a load were counted", error))?.get(0);
    report.unchanged = staged.unsigned_abs() - report.inserted - report.updated;
    Ok(())
}

/// True for a cell that is not what it was, to the last byte: 1.5 is not 1.50, whatever a collation or a number may say.
fn differs((name, value): &(String, ValueType)) -> String {
    let column = column(name);
    match value {
        ValueType::String => format!("kept.{column} COLLATE \"C\" IS DISTINCT FROM staged.{column} COLLATE \"C\""),
        ValueType::Decimal => format!("kept.{column}::text IS DISTINCT FROM staged.{column}::text"),
        _ => format!("kept.{column} IS DISTINCT FROM staged.{column}"),
    }
}

/// What the run reported when it loaded this table before.
async fn known_report(client: &Client, name: &TableName, load: &Load) -> Result<Option<LoadReport>> {
    let sql = format!("SELECT report FROM {}._tidegate_loads WHERE table_name = $1 AND run = $2", quote(&name.schema));
    let row = client.query_opt(&sql, &[&name.table, &load.run.to_string()]).await;
    let row = row.map_err(|error| refused("the notes of earlier loads were read", error))?;
    row.map(|row| serde_json::from_str(row.get(0)))
        .transpose()
        .map_err(|error| Error::caused(ErrorKind::Corrupt, "the note of an earlier load cannot be read", error))
}

/// Notes what the run reports, so that the same run again changes nothing.
pub(super) async fn note(transaction: &Transaction, report: &LoadReport) -> Result<()> {
    let text = serde_json::to_string(report)
        .map_err(|error| Error::caused(ErrorKind::Bug, "a load's report has no text", error))?;
    let (name, run) = (&transaction.name, transaction.load.run.to_string());
    let sql =
        format!("INSERT INTO {}._tidegate_loads (table_name, run, report) VALUES ($1, $2, $3)", quote(&name.schema));
    let noted = transaction.connection.execute(&sql, &[&name.table, &run, &text]).await;
    noted.map(drop).map_err(|error| refused("the load was to be noted", error))
}
