//! Which tables a Postgres database has, and what their columns are.

use std::collections::BTreeMap;

use tidegate_stores::Result;
use tidegate_stores::database::{SourceColumn, SourceReference, SourceTable};
use tokio_postgres::Row;

use crate::connection::{Connection, refused};
use crate::identifier::quote;

/// How a table is named in SQL, and the types of its columns as casts take them.
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) types: BTreeMap<String, String>,
}

/// Tables and partitioned tables on the search path, of no extension; their columns in order. A column that is dropped and added again
/// has another number, and no row is written anew for it; nor for another word of an enumeration within an array or a domain, or
/// another part of a composite type.
const COLUMNS: &str = "
SELECT c.relname::text, n.nspname::text, a.attname::text, a.attnotnull,
       format_type(a.atttypid, a.atttypmod),
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
       a.attnum::text || CASE WHEN t.typelem <> 0 OR t.typtype IN ('d', 'c') THEN coalesce(
         (SELECT string_agg('=' || e.enumlabel, '' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
          WHERE e.enumtypid IN (t.typelem, t.typbasetype)), '') || coalesce(
         (SELECT string_agg('.' || f.attname || ':' || f.atttypid, '' ORDER BY f.attnum) FROM pg_catalog.pg_attribute f
          WHERE f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped), '') ELSE '' END,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid)
         + pg_catalog.pg_stat_get_tuples_deleted(c.oid)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND pg_catalog.pg_table_is_visible(c.oid)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname::text COLLATE \"C\", a.attnum";

/// Primary keys, column by column.
const KEYS: &str = "
SELECT c.relname::text, a.attname::text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
WHERE i.indisprimary AND pg_catalog.pg_table_is_visible(c.oid) AND k.place <= i.indnkeyatts
ORDER BY c.relname::text, k.place";

/// Foreign keys, column by column.
const REFERENCES: &str = "
SELECT c.relname::text, f.conname::text, target.relname::text, a.attname::text, b.attname::text
FROM pg_catalog.pg_constraint f
JOIN pg_catalog.pg_class c ON c.oid = f.conrelid
JOIN pg_catalog.pg_class target ON target.oid = f.confrelid
CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(from_number, to_number, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.from_number
JOIN pg_catalog.pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.to_number
WHERE f.contype = 'f' AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY c.relname::text, f.conname::text, k.place";

/// The tables, sorted by name.
pub(super) async fn tables(connection: &Connection) -> Result<Vec<(SourceTable, Relation)>> {
    let ask = async |sql: &str| {
        connection.query(sql, &[]).await.map_err(|error| refused("the catalogue cannot be read", error))
    };
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in ask(KEYS).await? {
        keys.entry(row.get(0)).or_default().push(row.get(1));
    }
    let mut references = references(&ask(REFERENCES).await?);
    let mut tables: Vec<(SourceTable, Relation)> = Vec::new();
    for row in ask(COLUMNS).await? {
        let name: String = row.get(0);
        if tables.last().is_none_or(|(table, _)| table.name != name) {
            let schema: String = row.get(1);
            let relation = Relation { name: format!("{}.{}", quote(&schema), quote(&name)), types: BTreeMap::new() };
            let written: Option<i64> = row.get(8);
            let table = SourceTable {
                key: keys.remove(&name).unwrap_or_default(),
                references: references.remove(&name).unwrap_or_default(),
                columns: Vec::new(),
                shape: String::new(),
                written: written.map(i64::cast_unsigned),
                name,
            };
            tables.push((table, relation));
        }
        if let Some((table, relation)) = tables.last_mut() {
            let column = column(&row);
            table.shape.push_str(&format!(" {}", row.get::<_, String>(7)));
            relation.types.insert(column.name.clone(), row.get(4));
            table.columns.push(column);
        }
    }
    Ok(tables)
}

fn column(row: &Row) -> SourceColumn {
    let (of_column, of_domain): (String, Option<String>) = (row.get(4), row.get(5));
    let values: Option<Vec<String>> = row.get(6);
    let required: bool = row.get(3);
    let data_type = match &values {
        Some(_) => "text".to_owned(),
        None => sql_type(&of_domain.unwrap_or(of_column)),
    };
    SourceColumn { name: row.get(2), data_type, nullable: !required, values: values.unwrap_or_default() }
}

fn references(rows: &[Row]) -> BTreeMap<String, Vec<SourceReference>> {
    let mut found: BTreeMap<String, Vec<SourceReference>> = BTreeMap::new();
    let mut last = None;
    for row in rows {
        let (table, constraint): (String, String) = (row.get(0), row.get(1));
        let of_table = found.entry(table.clone()).or_default();
        let is_more = last.as_ref() == Some(&(table.clone(), constraint.clone()));
        match of_table.last_mut().filter(|_| is_more) {
            Some(reference) => {
                reference.columns.push(row.get(3));
                reference.to.push(row.get(4));
            }
            None => {
                of_table.push(SourceReference { columns: vec![row.get(3)], table: row.get(2), to: vec![row.get(4)] });
            }
        }
        last = Some((table, constraint));
    }
    found
}

/// Postgres's name of a type in the shorter form of manifests.
fn sql_type(name: &str) -> String {
    let shorter = |name: &str| {
        let rest = name.strip_prefix("timestamp").or_else(|| name.strip_prefix("time"));
        match (rest, name.strip_suffix(" with time zone"), name.strip_suffix(" without time zone")) {
            (Some(_), Some(with), _) => {
                let (word, digits) = with.split_at(with.find('(').unwrap_or(with.len()));
                format!("{word}tz{digits}")
            }
            (Some(_), _, Some(without)) => without.to_owned(),
            _ => name.replacen("character varying", "varchar", 1).replacen("character", "char", 1),
        }
    };
    match name.strip_suffix("[]") {
        Some(element) => format!("{}[]", shorter(element)),
        None => shorter(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_short_names() {
        for (name, expected) in [
            ("integer", "integer"),
            ("numeric(10,2)", "numeric(10,2)"),
            ("character varying(3)", "varchar(3)"),
            ("character(2)", "char(2)"),
            ("timestamp(3) without time zone", "timestamp(3)"),
            ("timestamp without time zone", "timestamp"),
            ("timestamp(3) with time zone", "timestamptz(3)"),
            ("time with time zone", "timetz"),
            ("character varying[]", "varchar[]"),
            ("double precision", "double precision"),
        ] {
            assert_eq!(sql_type(name), expected, "{name}");
        }
    }
}
