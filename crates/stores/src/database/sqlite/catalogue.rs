//! Which tables a SQLite database has, and what their columns are.

use rusqlite::Connection;

use super::super::{SourceColumn, SourceReference, SourceTable};
use crate::Result;

/// The tables that are no views, no virtual tables, and not SQLite's own; sorted by name.
pub(super) fn tables(connection: &Connection) -> Result<Vec<SourceTable>> {
    let mut statement = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    names.into_iter().map(|name| table(connection, name)).collect()
}

fn table(connection: &Connection, name: String) -> Result<SourceTable> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1 ORDER BY cid",
    )?;
    let rows = statement.query_map([&name], |row| {
        let (column, declared): (String, String) = (row.get(0)?, row.get(1)?);
        let (is_required, place_in_key): (bool, i64) = (row.get(2)?, row.get(3)?);
        let is_rowid = place_in_key > 0 && declared.eq_ignore_ascii_case("integer");
        let data_type = sql_type(&declared);
        let nullable = !(is_required || is_rowid);
        Ok((SourceColumn { name: column, data_type, nullable, values: Vec::new() }, place_in_key))
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let mut key: Vec<(i64, &SourceColumn)> =
        rows.iter().filter(|(_, place)| *place > 0).map(|(column, place)| (*place, column)).collect();
    key.sort_by_key(|(place, _)| *place);
    let is_usable = key.iter().all(|(_, column)| can_be_key(&column.data_type));
    let key = if is_usable { key.into_iter().map(|(_, column)| column.name.clone()).collect() } else { Vec::new() };
    let references = references(connection, &name)?;
    Ok(SourceTable {
        name,
        columns: rows.into_iter().map(|(column, _)| column).collect(),
        key,
        references,
        shape: String::new(),
        written: None,
    })
}

/// Keys are compared by their text, so it must be the same text in every place.
fn can_be_key(data_type: &str) -> bool {
    let is_text = data_type == "text" || ["varchar", "char"].iter().any(|word| data_type.starts_with(word));
    is_text || matches!(data_type, "bigint" | "date") || data_type.starts_with("timestamp")
}

fn references(connection: &Connection, table: &str) -> Result<Vec<SourceReference>> {
    let mut statement = connection.prepare(
        "SELECT key.id, key.\"table\", key.\"from\", coalesce(key.\"to\", target.name)
         FROM pragma_foreign_key_list(?1, 'main') AS key
         LEFT JOIN pragma_table_info(key.\"table\", 'main') AS target ON key.\"to\" IS NULL AND target.pk = key.seq + 1
         ORDER BY key.id, key.seq",
    )?;
    let mut rows = statement.query([table])?;
    let mut found: Vec<(i64, SourceReference)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, target, from, to): (i64, String, String, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        // A reference to a table that is not there refers to nothing.
        let Some(to) = to else { continue };
        match found.last_mut().filter(|(last, _)| *last == id) {
            Some((_, reference)) => {
                reference.columns.push(from);
                reference.to.push(to);
            }
            None => found.push((id, SourceReference { columns: vec![from], table: target, to: vec![to] })),
        }
    }
    // SQLite lists the latest first.
    Ok(found.into_iter().rev().map(|(_, reference)| reference).collect())
}

/// The SQL name of a declared type, by which other databases know it. SQLite itself holds whatever it is given.
fn sql_type(declared: &str) -> String {
    let declared = declared.trim().to_ascii_lowercase();
    let (word, length) = match declared.split_once('(') {
        Some((word, rest)) => (word.trim(), Some(rest.trim_end_matches(')').replace(' ', ""))),
        None => (declared.as_str(), None),
    };
    let with_length = |word: &str| match &length {
        Some(length) => format!("{word}({length})"),
        None => word.to_owned(),
    };
    match word {
        "numeric" | "decimal" => with_length("numeric"),
        "bool" | "boolean" => "boolean".to_owned(),
        "date" | "time" => with_length(word),
        "timestamp" | "datetime" => with_length("timestamp"),
        "varchar" | "character varying" | "nvarchar" => with_length("varchar"),
        "char" | "character" | "nchar" => with_length("char"),
        "" | "any" => "text".to_owned(),
        _ if word.contains("int") => "bigint".to_owned(),
        _ if word.contains("blob") => "bytea".to_owned(),
        _ if ["real", "floa", "doub"].iter().any(|part| word.contains(part)) => "double precision".to_owned(),
        _ => "text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_have_names_that_others_know() {
        for (declared, expected) in [
            ("INTEGER", "bigint"),
            ("int", "bigint"),
            ("NUMERIC(10, 2)", "numeric(10,2)"),
            ("DATETIME", "timestamp"),
            ("timestamp(3)", "timestamp(3)"),
            ("VARCHAR(3)", "varchar(3)"),
            ("TEXT", "text"),
            ("", "text"),
            ("BOOLEAN", "boolean"),
            ("DOUBLE PRECISION", "double precision"),
            ("BLOB", "bytea"),
        ] {
            assert_eq!(sql_type(declared), expected, "{declared}");
        }
    }

    #[test]
    fn tables_keys_and_references_are_found() {
        let connection = Connection::open_in_memory().expect("a database");
        connection
            .execute_batch(
                "CREATE TABLE staff (staff_id INTEGER PRIMARY KEY, department_id INT NOT NULL REFERENCES department);
                 CREATE TABLE department (department_id INTEGER PRIMARY KEY, name TEXT);
                 CREATE TABLE \"or\"\"der\" (b TEXT, a TEXT, PRIMARY KEY (a, b));
                 CREATE TABLE heap (x, y REAL PRIMARY KEY);
                 CREATE VIEW v AS SELECT 1;",
            )
            .expect("tables");
        let tables = tables(&connection).expect("a catalogue");
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["department", "heap", "or\"der", "staff"]);
        assert_eq!(tables[2].key, ["a", "b"]);
        assert!(tables[1].key.is_empty(), "a key of floats is no key");
        assert_eq!(tables[3].integer_key(), Some("staff_id"));
        assert_eq!(tables[3].references[0].table, "department");
        assert_eq!(tables[3].references[0].to, ["department_id"]);
        assert!(!tables[3].columns[1].nullable && !tables[3].columns[0].nullable && tables[0].columns[1].nullable);
    }
}
