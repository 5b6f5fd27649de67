//! Tables of a warehouse: made as a manifest declares them, or found as somebody else has made them and held against it.
//! Published columns stay as they are; what tidegate has to remember stands in companions beside them.

use tidegate_formats::manifest::{Reference, Role, TableEntry};
use tidegate_model::ErrorKind;

use super::ledger;
use super::session::{Dialect, ExistingColumn, Relation, Session, list, literal, matching, quoted};
use super::types::ColumnType;
use crate::{Error, Result};

/// The longest suffix or prefix of a companion.
const LONGEST_AFFIX: usize = "_versions".len();

/// A table as a manifest declares it, once it is known that a warehouse can have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) is_fact: bool,
    pub(super) key: Vec<String>,
    /// The column that numbers the versions of facts.
    pub(super) record: String,
    pub(super) columns: Vec<(String, ColumnType)>,
    pub(super) nullable: Vec<bool>,
    pub(super) references: Vec<Reference>,
}

impl Shape {
    /// The shape of a table.
    ///
    /// # Errors
    /// `Invalid` with what a warehouse cannot have.
    pub(super) fn of(table: &TableEntry, dialect: &dyn Dialect) -> Result<Self> {
        let invalid = |what: String| Error::new(ErrorKind::Invalid, what);
        let name = &table.name;
        if table.role == Role::Source {
            return Err(invalid(format!("`{name}` is a table of the source, neither a dimension nor a fact"))
                .help("let a function of kind `sql` make the star schema, and load what that writes"));
        }
        if table.key.is_empty() {
            return Err(invalid(format!("`{name}` has no key: nobody could tell a changed row from a new one"))
                .help("name its key in the statement that makes it"));
        }
        let mut columns = Vec::new();
        for column in &table.columns {
            let kind = ColumnType::parse(&column.data_type).ok_or_else(|| {
                invalid(format!(
                    "column `{}` of `{name}` is `{}`, a type no warehouse knows",
                    column.name, column.data_type
                ))
                .help("declare another in the statement that makes the table; decimals have at most 38 digits, seconds at most 6")
            })?;
            columns.push((column.name.clone(), kind));
        }
        let record = table.surrogate.clone().unwrap_or_else(|| "record_id".to_owned());
        let shape = Self {
            name: name.clone(),
            is_fact: table.role == Role::Fact,
            key: table.key.clone(),
            record,
            columns,
            nullable: table.columns.iter().map(|column| column.nullable).collect(),
            references: table.references.clone(),
        };
        shape.check_names(dialect)?;
        Ok(shape)
    }

    fn check_names(&self, dialect: &dyn Dialect) -> Result<()> {
        let refuse = |what: String| Err(Error::new(ErrorKind::Invalid, what));
        let longest = dialect.longest_name();
        let mut names = vec![(&self.name, longest - LONGEST_AFFIX)];
        let columns = self.columns.iter().map(|(name, _)| name);
        names.extend(columns.chain(self.is_fact.then_some(&self.record)).map(|name| (name, longest)));
        let mut seen: Vec<String> = Vec::new();
        for (index, (name, longest)) in names.into_iter().enumerate() {
            let is_ours = name.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("_tidegate_"));
            if name.is_empty() || name.contains('\0') || name.len() > longest || is_ours {
                return refuse(format!(
                    "no name of `{0}` may be empty, have a NUL or more than {longest} bytes, or begin with `_tidegate_`, \
                     as `{1}` does",
                    self.name.escape_debug(),
                    name.escape_debug()
                ));
            }
            if index > 0 {
                let name = name.to_lowercase();
                if seen.contains(&name) || (self.is_fact && BESIDE.contains(&name.as_str())) {
                    return refuse(format!("column `{name}` of `{}` is there twice, or taken by tidegate", self.name));
                }
                seen.push(name);
            }
        }
        let is_column = |name: &String| self.columns.iter().any(|(known, _)| known == name);
        let named = self.key.iter().chain(self.references.iter().flat_map(|reference| &reference.columns));
        match named.clone().find(|name| !is_column(name)) {
            Some(name) => refuse(format!("`{}` has no column `{name}`, which its key or a reference names", self.name)),
            None => Ok(()),
        }
    }

    /// The names of all columns.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The columns of the key, with their types.
    pub(super) fn key_columns(&self) -> Vec<(String, ColumnType)> {
        let kind = |name: &String| self.columns.iter().find(|(known, _)| known == name).cloned();
        self.key.iter().filter_map(kind).collect()
    }

    /// Facts that are gone.
    pub(super) fn deleted(&self) -> String {
        quoted(&format!("{}_deleted", self.name))
    }

    /// Versions that wait.
    pub(super) fn parked(&self) -> String {
        quoted(&parked_name(&self.name))
    }

    /// The latest version of each fact.
    pub(super) fn current(&self) -> String {
        quoted(&current_name(&self.name))
    }

    /// Whether each column must have a value, in their order.
    pub(super) fn must_be_there(&self) -> impl Iterator<Item = bool> {
        let columns = self.columns.iter().zip(&self.nullable);
        columns.map(|((name, _), is_nullable)| !is_nullable || self.is_key(name))
    }

    /// `name` is a key column.
    fn is_key(&self, name: &str) -> bool {
        self.key.iter().any(|key| key == name)
    }
}

/// Columns that companions and views of a fact have beside the fact's own.
const BESIDE: &[&str] = &[
    "parked_id",
    "parked_reason",
    "parked_state",
    "parked_run",
    "parked_at",
    "deleted_at",
    "deleted_run",
    "history_operation",
    "history_run",
    "history_seen_at",
];

/// The view with the latest version of each fact.
pub(super) fn current_name(fact: &str) -> String {
    format!("current_{fact}")
}

/// The table of versions that wait.
pub(super) fn parked_name(fact: &str) -> String {
    format!("{fact}_parked")
}

/// The view with all that became of each fact.
pub(super) fn history_name(fact: &str) -> String {
    format!("{fact}_history")
}

/// What a table is once rows may come.
pub(super) struct Prepared {
    /// Columns that it was given.
    pub(super) added: Vec<String>,
    /// True if it was made.
    pub(super) is_new: bool,
}

/// Makes the table with its companions, or finds that it fits.
///
/// # Errors
/// `Invalid` with all that does not fit.
pub(super) fn prepare(session: &mut dyn Session, shape: &Shape) -> Result<Prepared> {
    let (mut added, mut is_new) = (Vec::new(), false);
    let mut columns: Vec<String> = match session.describe(&shape.name)? {
        None => {
            create(session, shape)?;
            is_new = true;
            shape.names()
        }
        Some(relation) => {
            added = missing_columns(session.dialect(), shape, &relation)?;
            for name in &added {
                let declared = declared(session.dialect(), shape, name);
                let table = quoted(&shape.name);
                session.execute(&format!("ALTER TABLE {table} ADD COLUMN {} {declared}", quoted(name)), &[])?;
            }
            relation.columns.into_iter().map(|column| column.name).chain(added.iter().cloned()).collect()
        }
    };
    if shape.is_fact {
        columns.retain(|name| *name != shape.record);
        make_companions(session, shape, &added, &columns)?;
    }
    Ok(Prepared { added, is_new })
}

fn declared(dialect: &dyn Dialect, shape: &Shape, name: &str) -> String {
    let kind = shape.columns.iter().find(|(known, _)| known == name).map_or(ColumnType::Text, |(_, kind)| *kind);
    dialect.declared(kind)
}

fn create(session: &mut dyn Session, shape: &Shape) -> Result<()> {
    let dialect = session.dialect();
    let mut parts = Vec::new();
    if shape.is_fact {
        parts.push(format!("{} {}", quoted(&shape.record), dialect.serial()));
    }
    for ((name, kind), must_be_there) in shape.columns.iter().zip(shape.must_be_there()) {
        let not_null = if must_be_there { " NOT NULL" } else { "" };
        parts.push(format!("{} {}{not_null}", quoted(name), dialect.declared(*kind)));
    }
    if !shape.is_fact {
        parts.push(format!("PRIMARY KEY ({})", list("", &shape.key)));
    }
    for reference in &shape.references {
        if dialect.refers_ahead() || session.describe(&reference.table)?.is_some() {
            let (columns, to) = (list("", &reference.columns), list("", &reference.to));
            parts.push(format!("FOREIGN KEY ({columns}) REFERENCES {} ({to})", quoted(&reference.table)));
        }
    }
    let sql = format!("CREATE TABLE {} ({}){}", quoted(&shape.name), parts.join(", "), dialect.after_table());
    session.execute(&sql, &[])?;
    Ok(())
}

/// The columns that the table lacks and can be given.
fn missing_columns(dialect: &dyn Dialect, shape: &Shape, relation: &Relation) -> Result<Vec<String>> {
    let table = quoted(&shape.name);
    let (mut wrong, mut added, mut remedies) = (Vec::new(), Vec::new(), Vec::new());
    if !relation.is_table {
        wrong.push("it is no table".to_owned());
    }
    for ((name, kind), is_nullable) in shape.columns.iter().zip(&shape.nullable) {
        let declared = dialect.declared(*kind);
        match find(relation, name) {
            None if *is_nullable && !shape.is_key(name) => added.push(name.clone()),
            None => {
                wrong.push(format!("it has no column `{name}`, and rows that are there would have no value in it"));
                remedies.push(format!("ALTER TABLE {table} ADD COLUMN {} {declared}", quoted(name)));
            }
            Some(column) if !dialect.fits(&column.declared, *kind) => {
                wrong.push(format!(
                    "column `{name}` is {}, which does not hold every {declared} as it is",
                    column.declared
                ));
                remedies.push(format!("ALTER TABLE {table} ALTER COLUMN {} TYPE {declared}", quoted(name)));
            }
            Some(_) => {}
        }
    }
    for column in &relation.columns {
        let is_known = shape.columns.iter().any(|(name, _)| *name == column.name);
        let is_filled = is_known || column.is_nullable || column.has_default;
        if shape.is_fact && column.name == shape.record && !column.has_default {
            wrong.push(format!("column `{}` does not number rows by itself ({})", column.name, dialect.serial()));
        } else if !is_filled {
            wrong.push(format!("column `{}` must have a value, and the manifest has none for it", column.name));
        }
    }
    if shape.is_fact && find(relation, &shape.record).is_none() {
        wrong.push(format!("it has no column `{}` that numbers versions ({})", shape.record, dialect.serial()));
    }
    if wrong.is_empty() {
        return Ok(added);
    }
    let error = Error::new(ErrorKind::Invalid, format!("table `{}` does not fit: {}", shape.name, wrong.join("; ")));
    Err(error.help(if remedies.is_empty() {
        "change the table, or rename it: it is then made anew".to_owned()
    } else {
        format!("for example: {} (views of it first go, and are made again by the next load)", remedies.join("; "))
    }))
}

fn find<'r>(relation: &'r Relation, name: &str) -> Option<&'r ExistingColumn> {
    relation.columns.iter().find(|column| column.name == name)
}

fn make_companions(session: &mut dyn Session, shape: &Shape, added: &[String], columns: &[String]) -> Result<()> {
    let dialect = session.dialect();
    let moment = dialect.declared(ColumnType::Moment(6));
    let text = dialect.declared(ColumnType::Text);
    let record = quoted(&shape.record);
    let typed = |columns: &[(String, ColumnType)]| -> String {
        let column = |(name, kind): &(String, ColumnType)| format!("{} {}, ", quoted(name), dialect.declared(*kind));
        columns.iter().map(column).collect()
    };
    let after = dialect.after_table();
    let number = dialect.declared(ColumnType::Integer(8));
    if session.describe(&parked_name(&shape.name))?.is_none() {
        let statements = [
            format!(
                "CREATE TABLE {} ({record} {number} PRIMARY KEY, {}deleted_at {moment} NOT NULL, deleted_run {text} NOT NULL){after}",
                shape.deleted(),
                typed(&shape.key_columns())
            ),
            format!(
                "CREATE TABLE {} (parked_id {}, {}parked_reason {text} NOT NULL, parked_state {text} NOT NULL, \
                 parked_run {text} NOT NULL, parked_at {moment} NOT NULL){after}",
                shape.parked(),
                dialect.serial(),
                typed(&shape.columns)
            ),
        ];
        for sql in statements {
            session.execute(&sql, &[])?;
        }
    }
    for name in added {
        let declared = declared(dialect, shape, name);
        session.execute(&format!("ALTER TABLE {} ADD COLUMN {} {declared}", shape.parked(), quoted(name)), &[])?;
    }
    make_views(session, shape, !added.is_empty(), columns)
}

/// Makes the index by which versions of a fact are found; many rows are there before it is.
pub(super) fn make_index(session: &mut dyn Session, shape: &Shape) -> Result<()> {
    let (index, table) = (quoted(&format!("{}_versions", shape.name)), quoted(&shape.name));
    let (key, record) = (list("", &shape.key), quoted(&shape.record));
    session.execute(&format!("CREATE INDEX IF NOT EXISTS {index} ON {table} ({key}, {record})"), &[])?;
    Ok(())
}

fn make_views(session: &mut dyn Session, shape: &Shape, is_changed: bool, columns: &[String]) -> Result<()> {
    let views =
        [(history_name(&shape.name), history(shape, columns)), (current_name(&shape.name), current(shape, columns))];
    for (name, definition) in views {
        let is_there = session.describe(&name)?.is_some();
        if is_there && is_changed {
            session.execute(&format!("DROP VIEW {}", quoted(&name)), &[])?;
        }
        if !is_there || is_changed {
            session.execute(&format!("CREATE VIEW {} AS {definition}", quoted(&name)), &[])?;
        }
    }
    Ok(())
}

/// The latest version of each fact, unless it is gone.
fn current(shape: &Shape, columns: &[String]) -> String {
    let record = quoted(&shape.record);
    format!(
        "SELECT f.{record}, {columns} FROM {table} AS f \
         WHERE NOT EXISTS (SELECT 1 FROM {table} AS later WHERE {same_fact} AND later.{record} > f.{record}) \
         AND NOT EXISTS (SELECT 1 FROM {deleted} AS d WHERE d.{record} = f.{record})",
        columns = list("f.", columns),
        table = quoted(&shape.name),
        same_fact = matching("later", "f", &shape.key),
        deleted = shape.deleted(),
    )
}

/// Every version with what happened, and every deletion with the last version.
fn history(shape: &Shape, columns: &[String]) -> String {
    let record = quoted(&shape.record);
    format!(
        "SELECT f.{record}, CASE WHEN earlier.{record} IS NULL OR gone.{record} IS NOT NULL THEN 'I' ELSE 'U' END \
         AS history_operation, l.run AS history_run, l.snapshot AS history_seen_at, {columns} FROM {table} AS f \
         LEFT JOIN {table} AS earlier ON earlier.{record} = \
         (SELECT max(e.{record}) FROM {table} AS e WHERE {same_fact} AND e.{record} < f.{record}) \
         LEFT JOIN {deleted} AS gone ON gone.{record} = earlier.{record} \
         LEFT JOIN {loads} AS l ON l.table_name = {name} AND f.{record} BETWEEN l.first_record AND l.last_record \
         UNION ALL SELECT f.{record}, 'D', d.deleted_run, d.deleted_at, {columns} FROM {deleted} AS d \
         JOIN {table} AS f ON f.{record} = d.{record}",
        columns = list("f.", columns),
        table = quoted(&shape.name),
        same_fact = matching("e", "f", &shape.key),
        deleted = shape.deleted(),
        loads = ledger::LOADS,
        name = literal(&shape.name),
    )
}
