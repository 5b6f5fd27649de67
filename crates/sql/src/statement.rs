//! One SELECT: read, held to what is allowed, and asked for the tables that it names.

use std::collections::BTreeSet;

use datafusion::common::{DataFusionError, TableReference};
use datafusion::sql::parser;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast;
use tidegate_model::{ErrorKind, Failure};

/// Longest text of a statement, in bytes.
const LONGEST: usize = 1 << 18;

/// A SELECT that may be run.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(crate) name: String,
    pub(crate) parsed: parser::Statement,
    tables: BTreeSet<String>,
}

impl Statement {
    /// Reads a text that is exactly one SELECT; `name` is what failures call it, such as the name of its file. Comments may
    /// stand anywhere.
    ///
    /// # Errors
    /// `R1002` with line and column: no SQL, or anything but one plain SELECT.
    pub fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        if text.len() > LONGEST {
            let reason = format!("{name}: a statement of more than {} kB", LONGEST >> 10);
            return Err(Failure::new("R1002", ErrorKind::Invalid, reason).expected("one SELECT that people can read"));
        }
        let failed = |error: DataFusionError| crate::failure::of_text(name, &error);
        let mut parsed = parser::DFParser::parse_sql(text).map_err(failed)?;
        let (Some(statement), None) = (parsed.pop_front(), parsed.pop_front()) else {
            return Err(refused(name, "a file has one statement, and here are none or several"));
        };
        if !is_select(&statement) {
            return Err(refused(name, "only SELECT is allowed: a statement changes nothing"));
        }
        let (tables, _) = resolve_table_references(&statement, true).map_err(failed)?;
        let mut names = BTreeSet::new();
        for table in tables {
            match table {
                TableReference::Bare { table } => names.insert(table.to_string()),
                qualified => {
                    let reason = format!("`{qualified}` is the name of a table elsewhere");
                    return Err(refused(name, &reason));
                }
            };
        }
        Ok(Self { name: name.to_owned(), parsed: statement, tables: names })
    }

    /// What failures call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tables that it names: not those that its own `WITH` makes.
    pub fn tables(&self) -> &BTreeSet<String> {
        &self.tables
    }
}

fn is_select(statement: &parser::Statement) -> bool {
    let parser::Statement::Statement(statement) = statement else { return false };
    matches!(statement.as_ref(), ast::Statement::Query(query) if query.locks.is_empty() && is_plain(&query.body))
}

fn is_plain(body: &ast::SetExpr) -> bool {
    match body {
        ast::SetExpr::Select(select) => select.into.is_none(),
        ast::SetExpr::Query(query) => is_plain(&query.body),
        ast::SetExpr::SetOperation { left, right, .. } => is_plain(left) && is_plain(right),
        ast::SetExpr::Values(_) => true,
        _ => false,
    }
}

fn refused(name: &str, reason: &str) -> Failure {
    Failure::new("R1002", ErrorKind::Invalid, format!("{name}: {reason}"))
        .expected("one SELECT over the tables of the run, by their bare names")
        .help("give each output a file of its own; what to do with the rows is declared above the statement")
}
