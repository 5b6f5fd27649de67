//! What a database must be able to do so that a warehouse can be kept in it: one transaction in SQL, and a fast way for
//! rows. What is done in that transaction is the same everywhere; see the files beside this one.

use arrow_array::ArrayRef;
use async_trait::async_trait;
use tidegate_formats::manifest::Reference;

use super::types::ColumnType;
use crate::Result;

/// How a database says what others say too.
pub trait Dialect: Sync {
    /// The type of a column, as `CREATE TABLE` takes it.
    fn declared(&self, kind: ColumnType) -> String;

    /// True if a column that is declared like this keeps every value of `wanted` exactly.
    fn fits(&self, declared: &str, wanted: ColumnType) -> bool;

    /// Parameter number `index`, from 1: a text.
    fn parameter(&self, index: usize) -> String;

    /// What stands behind the name of a column that numbers rows by itself.
    fn serial(&self) -> &'static str;

    /// What tells the order in which rows came into a table without key.
    fn position(&self) -> &'static str;

    /// What stands behind the closing parenthesis of `CREATE TABLE`.
    fn after_table(&self) -> &'static str;

    /// What a foreign key may refer to: only tables that are there, or any.
    fn refers_ahead(&self) -> bool;

    /// Most bytes that a name may have.
    fn longest_name(&self) -> usize;
}

/// A table or view that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// True if rows can be written into it.
    pub is_table: bool,
    /// Its columns, in its order.
    pub columns: Vec<ExistingColumn>,
}

/// A column that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingColumn {
    /// Its name.
    pub name: String,
    /// Its type as the database writes it.
    pub declared: String,
    /// True if it may be NULL.
    pub is_nullable: bool,
    /// True if the database fills it when an insert does not name it.
    pub has_default: bool,
}

/// Where rows are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteTo<'t> {
    /// A temporary table, whose columns are those of the rows.
    Temporary(&'t str),
    /// A table of the warehouse that has no row yet.
    Empty {
        /// Its name.
        table: &'t str,
        /// True if this transaction made it.
        is_new: bool,
    },
}

/// What was taken off a table, as the statements that put it back and hold all rows against it at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspended {
    /// Of its own key.
    pub keys: Vec<String>,
    /// Of its foreign keys, each with what it holds.
    pub references: Vec<(Reference, String)>,
}

/// A row as texts; `None` is NULL.
pub type TextRow = [Option<String>];

/// One transaction in a database. Its calls block, and are made from a blocking thread. Dropping it undoes everything that
/// was not committed.
pub trait Session: Send {
    /// How the database speaks.
    fn dialect(&self) -> &'static dyn Dialect;

    /// Begins the transaction; with `writes` no other writer of this warehouse gets beyond this call before it ends.
    ///
    /// # Errors
    /// `Unavailable`.
    fn begin(&mut self, writes: bool) -> Result<()>;

    /// Runs a statement; tells how many rows it changed.
    ///
    /// # Errors
    /// `Invalid` if a value does not fit its column or a key, `Unavailable`, `Denied`.
    fn execute(&mut self, sql: &str, parameters: &[&str]) -> Result<u64>;

    /// Hands over each row of a query, whose columns are texts, as it comes.
    ///
    /// # Errors
    /// As [`Session::execute`], and what `take` returns.
    fn each(&mut self, sql: &str, parameters: &[&str], take: &mut dyn FnMut(&TextRow) -> Result<()>) -> Result<()>;

    /// The table or view of this name; `None` if there is none.
    ///
    /// # Errors
    /// `Unavailable`.
    fn describe(&mut self, name: &str) -> Result<Option<Relation>>;

    /// Adds rows to a table, batch by batch, and tells how many; each batch has an array for each of these columns, in the
    /// form that [`ColumnType::exact`] gives.
    ///
    /// # Errors
    /// As [`Session::execute`], and what the batches say.
    fn write(
        &mut self,
        to: WriteTo<'_>,
        columns: &[(String, ColumnType)],
        batches: &mut dyn Iterator<Item = Result<Vec<ArrayRef>>>,
    ) -> Result<u64>;

    /// Tells the database up to which number the rows of a table have been numbered by whoever wrote them.
    ///
    /// # Errors
    /// As [`Session::execute`].
    fn numbered(&mut self, table: &str, record: &str, last: u64) -> Result<()>;

    /// Tells the database that a temporary table has all its rows, and by which columns they will be looked for.
    ///
    /// # Errors
    /// As [`Session::execute`].
    fn written(&mut self, table: &str, key: &[String]) -> Result<()>;

    /// Takes off a table what would be held against each row, before many rows come: foreign keys, and if the table is new
    /// its own key. `None` if that cannot be done; the table is then as it was.
    ///
    /// # Errors
    /// As [`Session::execute`].
    fn suspend(&mut self, table: &str, is_new: bool) -> Result<Option<Suspended>>;

    /// Once this completes, all of it will be found after any crash.
    ///
    /// # Errors
    /// `Unavailable`: all of it is there, or nothing.
    fn commit(&mut self) -> Result<()>;
}

impl dyn Session + '_ {
    /// All rows of a query that has few.
    ///
    /// # Errors
    /// As [`Session::each`].
    pub fn rows(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<Vec<Option<String>>>> {
        let mut rows = Vec::new();
        self.each(sql, parameters, &mut |row| {
            rows.push(row.to_vec());
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first number that a query gives; nought if it gives none.
    ///
    /// # Errors
    /// As [`Session::each`].
    pub fn number(&mut self, sql: &str, parameters: &[&str]) -> Result<u64> {
        let rows = self.rows(sql, parameters)?;
        let first = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
        Ok(first.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Runs statements of which all are done, or none: if one is refused, the transaction goes on without them.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn attempt<'s>(&mut self, statements: impl Iterator<Item = &'s str>) -> Result<()> {
        self.execute("SAVEPOINT _tidegate_attempt", &[])?;
        for statement in statements {
            if let Err(refusal) = self.execute(statement, &[]) {
                self.execute("ROLLBACK TO SAVEPOINT _tidegate_attempt", &[])?;
                self.execute("RELEASE SAVEPOINT _tidegate_attempt", &[])?;
                return Err(refusal);
            }
        }
        self.execute("RELEASE SAVEPOINT _tidegate_attempt", &[])?;
        Ok(())
    }

    /// True if the query gives a row.
    ///
    /// # Errors
    /// As [`Session::each`].
    pub fn is_there(&mut self, sql: &str) -> Result<bool> {
        Ok(!self.rows(sql, &[])?.is_empty())
    }
}

/// Where sessions come from.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// A session with nothing begun; `None` if it is only to read, and there is no database yet.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`.
    async fn open(&self, purpose: Purpose) -> Result<Option<Box<dyn Session>>>;
}

/// What a session is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To read.
    Read,
    /// To load; where there is no database it is made.
    Load,
    /// To load, and undo that; where there is no database, one that goes with the session.
    Try,
}

/// A name as SQL takes it, whatever stands in it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL takes it where no parameter may stand: in the definition of a view.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The names, quoted, behind `prefix`.
pub(super) fn list(prefix: &str, names: &[String]) -> String {
    names.iter().map(|name| format!("{prefix}{}", quoted(name))).collect::<Vec<_>>().join(", ")
}

/// That the columns are equal on both sides, NULL being equal to NULL.
pub(super) fn same(left: &str, right: &str, names: &[String]) -> String {
    let equal = |name: &String| {
        let name = quoted(name);
        format!("{left}.{name} IS NOT DISTINCT FROM {right}.{name}")
    };
    if names.is_empty() { "1 = 1".to_owned() } else { names.iter().map(equal).collect::<Vec<_>>().join(" AND ") }
}

/// That the columns, which are never NULL, are equal on both sides.
pub(super) fn matching(left: &str, right: &str, names: &[String]) -> String {
    let equal = |name: &String| format!("{left}.{0} = {right}.{0}", quoted(name));
    names.iter().map(equal).collect::<Vec<_>>().join(" AND ")
}
