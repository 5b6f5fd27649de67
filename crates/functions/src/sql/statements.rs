//! A folder of statements: one file an output table, with what becomes of its rows declared in the comments above it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tidegate_formats::manifest::{ColumnEntry, Reference, Role};
use tidegate_formats::{SqlColumn, SqlType};
use tidegate_model::{ErrorKind, Failure, Place};
use tidegate_sql::Statement;

use crate::hash::hex;

/// Largest file of a statement, in bytes.
const LARGEST: u64 = 1 << 20;

/// A table that the transform gives.
#[derive(Debug, Clone)]
pub(super) struct OutputTable {
    /// Its name: that of the file.
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) key: Vec<String>,
    pub(super) stamp: Option<Vec<String>>,
    pub(super) surrogate: Option<String>,
    /// The source table whose rows are its rows: what is gone there is gone here.
    pub(super) rows_of: Option<String>,
    pub(super) entries: Vec<ColumnEntry>,
    pub(super) columns: Vec<SqlColumn>,
    pub(super) references: Vec<Reference>,
    pub(super) statement: Statement,
    /// What the statement names, by the name that it uses.
    pub(super) named: BTreeMap<String, Named>,
    /// Outputs that it names are in lower layers.
    pub(super) layer: usize,
    /// Hash of the file.
    pub(super) sha256: String,
}

/// A table that a statement names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    /// A source table, as it is now.
    Full(String),
    /// Its rows that are new or changed in this run.
    Changed(String),
    /// Keys of its rows that are gone since the last run.
    Deleted(String),
    /// The output itself, as the last run left it.
    Itself,
    /// Another output: of a dimension its rows, of a fact those that this run gives.
    Output(String),
}

impl Named {
    /// What `output` means by a name, beside the outputs that there are.
    fn of(name: &str, output: &str, outputs: &[&str]) -> Self {
        match (name.strip_prefix("changed_"), name.strip_prefix("deleted_")) {
            _ if name == output => Self::Itself,
            _ if outputs.contains(&name) => Self::Output(name.to_owned()),
            (Some(table), _) => Self::Changed(table.to_owned()),
            (_, Some(table)) => Self::Deleted(table.to_owned()),
            _ => Self::Full(name.to_owned()),
        }
    }
}

impl OutputTable {
    /// True if it names another output of this name.
    pub(super) fn names_output(&self, other: &str) -> bool {
        self.named.values().any(|named| matches!(named, Named::Output(name) if name == other))
    }
}

/// Reads every `.sql` file of a folder. Dimensions come before facts, each by name.
///
/// # Errors
/// `R1001` if the folder or a declaration cannot be read, `R1002` for a statement; the first there is.
pub(super) fn read_folder(folder: &Path, shown: &str) -> Result<Vec<OutputTable>, Failure> {
    let mut outputs = read_each(folder, shown)?.into_iter().collect::<Result<Vec<_>, _>>()?;
    find_layers(&mut outputs)?;
    outputs.sort_by(|one, other| (one.role == Role::Fact, &one.name).cmp(&(other.role == Role::Fact, &other.name)));
    Ok(outputs)
}

/// Everything for which a folder cannot be read.
pub(super) fn faults(folder: &Path, shown: &str) -> Vec<Failure> {
    let read = match read_each(folder, shown) {
        Ok(read) => read,
        Err(failure) => return vec![failure],
    };
    let (mut outputs, mut faults) = (Vec::new(), Vec::new());
    for read in read {
        match read {
            Ok(output) => outputs.push(output),
            Err(failure) => faults.push(failure),
        }
    }
    faults.extend(find_layers(&mut outputs).err());
    faults
}

/// Reads every `.sql` file of a folder, or says why it cannot be used.
fn read_each(folder: &Path, shown: &str) -> Result<Vec<Result<OutputTable, Failure>>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new("R1001", ErrorKind::Invalid, format!("the statements in `{shown}` cannot be read: {error}"))
            .expected("a folder of `.sql` files beside the pipeline file")
            .help("`tidegate new warehouse` writes one as an example")
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_sql = path.extension().is_some_and(|extension| extension == "sql");
        let (Some(stem), true) = (path.file_stem().and_then(|stem| stem.to_str()), is_sql) else { continue };
        files.push((stem.to_owned(), path));
    }
    files.sort();
    if files.is_empty() {
        let reason = format!("`{shown}` has no `.sql` file");
        return Err(Failure::new("R1001", ErrorKind::Invalid, reason).expected("one file for each output table"));
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let read_one = |(name, path): &(String, PathBuf)| {
        let shown = format!("{shown}/{name}.sql");
        if path.metadata().map_err(unreadable)?.len() > LARGEST {
            return Err(wrong(&shown, 1, "it is larger than any statement", "at most 1 MB"));
        }
        let text = String::from_utf8(std::fs::read(path).map_err(unreadable)?).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
            wrong(&shown, line, "a byte that is not UTF-8 text", "UTF-8: save it so in your editor")
        })?;
        read(name, &shown, &text, &names)
    };
    Ok(files.iter().map(read_one).collect())
}

/// Finds for each output how many others have to be made one after the other before it.
fn find_layers(outputs: &mut [OutputTable]) -> Result<(), Failure> {
    let mut left: Vec<usize> = (0..outputs.len()).collect();
    for layer in 0.. {
        let waits = |at: &usize| left.iter().any(|other| outputs[*at].names_output(&outputs[*other].name));
        let (waiting, ready): (Vec<usize>, Vec<usize>) = left.iter().partition(|at| waits(at));
        if ready.is_empty() {
            break;
        }
        ready.into_iter().for_each(|at| outputs[at].layer = layer);
        left = waiting;
    }
    let Some(first) = left.first() else { return Ok(()) };
    let names: Vec<&str> = left.iter().map(|at| outputs[*at].statement.name()).collect();
    let reason = format!("these statements wait for each other: {}", names.join(", "));
    Err(Failure::new("R1002", ErrorKind::Invalid, reason)
        .at(Place { object: Some(outputs[*first].statement.name().to_owned()), ..Place::default() })
        .expected("outputs that can be made one after the other")
        .help("let one of them name the tables of the source instead"))
}

/// Reads one file; `outputs` are the names of all.
fn read(name: &str, shown: &str, text: &str, outputs: &[&str]) -> Result<OutputTable, Failure> {
    let declared = Declared::read(shown, text)?;
    let list = |word: &str| -> Option<Vec<String>> {
        let (_, value) = declared.words.get(word)?;
        Some(value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
    };
    let one = |word: &str| list(word).and_then(|list| list.into_iter().next());
    let role = match one("role").as_deref() {
        Some("dimension") => Role::Dimension,
        Some("fact") => Role::Fact,
        _ => {
            let line = declared.words.get("role").map_or(1, |(line, _)| *line);
            return Err(wrong(shown, line, "`role` says not what the table is", "`role: dimension` or `role: fact`"));
        }
    };
    let key = list("key").unwrap_or_default();
    for (word, names) in [("key", Some(&key)), ("stamp", list("stamp").as_ref())] {
        let line = declared.words.get(word).map_or(1, |(line, _)| *line);
        for name in names.into_iter().flatten() {
            if !declared.columns.iter().any(|column| column.name == *name) {
                return Err(wrong(shown, line, &format!("`{word}` names `{name}`"), "names of `columns:` only"));
            }
        }
    }
    if key.is_empty() || declared.columns.is_empty() {
        return Err(wrong(
            shown,
            1,
            "it declares no key, or no columns",
            "`key:` and `columns:` in the comments on top",
        ));
    }
    let entry = |column: &SqlColumn, data_type: &String| ColumnEntry {
        name: column.name.clone(),
        data_type: data_type.clone(),
        nullable: column.nullable,
        values: Vec::new(),
    };
    let statement = Statement::parse(shown, text)?;
    let of = |table: &String| (table.clone(), Named::of(table, name, outputs));
    Ok(OutputTable {
        name: name.to_owned(),
        named: statement.tables().iter().map(of).collect(),
        layer: 0,
        role,
        key,
        stamp: list("stamp"),
        surrogate: one("surrogate"),
        rows_of: one("rows of"),
        entries: declared.columns.iter().zip(&declared.types).map(|(column, name)| entry(column, name)).collect(),
        columns: declared.columns,
        references: declared.references,
        statement,
        sha256: hex(&Sha256::digest(text)),
    })
}

/// Words that may stand before a colon.
const WORDS: [&str; 6] = ["role", "key", "stamp", "surrogate", "rows of", "columns"];

/// What the comments on top declare.
#[derive(Default)]
struct Declared {
    words: BTreeMap<String, (u64, String)>,
    columns: Vec<SqlColumn>,
    types: Vec<String>,
    references: Vec<Reference>,
}

impl Declared {
    fn read(shown: &str, text: &str) -> Result<Self, Failure> {
        let mut declared = Self::default();
        let mut is_in_columns = false;
        for (number, line) in (1..).zip(text.lines()) {
            let Some(comment) = line.trim_start().strip_prefix("--") else {
                if line.trim().is_empty() { continue } else { break }
            };
            let content = comment.trim();
            if content.is_empty() {
                is_in_columns = false;
            } else if is_in_columns && comment.starts_with("   ") {
                declared.column(shown, number, content)?;
            } else if let Some((word, value)) = entry(content) {
                is_in_columns = word == "columns";
                if !WORDS.contains(&word) {
                    let expected = format!("one of {}", WORDS.map(|word| format!("`{word}:`")).join(", "));
                    return Err(wrong(shown, number, &format!("`{word}:` is nothing that can be declared"), &expected));
                }
                declared.words.insert(word.to_owned(), (number, value.trim().to_owned()));
            }
        }
        Ok(declared)
    }

    /// `name type [not null] [references table (column, …)]`
    fn column(&mut self, shown: &str, line: u64, text: &str) -> Result<(), Failure> {
        let form = "`name type`, `not null` if a value must be there, `references table (column)` for a foreign key";
        let (declaration, reference) = match text.split_once(" references ") {
            Some((declaration, reference)) => (declaration.trim(), Some(reference.trim())),
            None => (text, None),
        };
        let (declaration, nullable) = match declaration.strip_suffix("not null") {
            Some(declaration) => (declaration.trim(), false),
            None => (declaration, true),
        };
        let Some((name, data_type)) = declaration.split_once(char::is_whitespace) else {
            return Err(wrong(shown, line, &format!("`{text}` declares no column"), form));
        };
        let data_type = data_type.trim();
        let Some(sql_type) = SqlType::parse(data_type) else {
            let expected = "integer, bigint, smallint, numeric(p,s), text, varchar(n), boolean, date, time(3), timestamp(3), \
                            timestamp(3) with time zone, real or double precision; at most 38 digits, and 6 of a second";
            return Err(wrong(shown, line, &format!("`{data_type}` is no type of a column"), expected));
        };
        if let Some(reference) = reference {
            let to = reference
                .split_once('(')
                .and_then(|(table, rest)| Some((table.trim(), rest.strip_suffix(')')?.trim())));
            let Some((table, to)) = to else {
                return Err(wrong(shown, line, &format!("`references {reference}` names no column"), form));
            };
            self.references.push(Reference {
                columns: vec![name.to_owned()],
                table: table.to_owned(),
                to: vec![to.to_owned()],
            });
        }
        self.columns.push(SqlColumn { name: name.to_owned(), sql_type, nullable });
        self.types.push(data_type.to_owned());
        Ok(())
    }
}

/// `word: value`, where the word is small letters only: prose does not begin so.
fn entry(content: &str) -> Option<(&str, &str)> {
    let (word, value) = content.split_once(':')?;
    let is_word = word.bytes().all(|byte| byte.is_ascii_lowercase()) || word == "rows of";
    is_word.then_some((word, value))
}

fn wrong(shown: &str, line: u64, what: &str, expected: &str) -> Failure {
    Failure::new("R1001", ErrorKind::Invalid, format!("{shown}:{line}: {what}"))
        .at(Place { object: Some(shown.to_owned()), line: Some(line), ..Place::default() })
        .expected(expected)
        .help("`tidegate explain R1001` shows a whole declaration")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACT: &str = "-- Sales, version by version: what was agreed.\n--\n-- role: fact\n-- key: id\n-- stamp: day\n\
                        -- rows of: sale\n-- columns:\n--   id  integer not null\n--   day date not null references dim_date (date_id)\n\
                        --   price numeric(10, 2)\n--\nSELECT id, day, price FROM changed_sale JOIN rate USING (day)\n";

    #[test]
    fn a_declaration_is_read() {
        let fact = read("fact_sale", "star/fact_sale.sql", FACT, &["fact_sale"]).expect("a table");
        assert_eq!(fact.role, Role::Fact);
        assert_eq!(fact.rows_of.as_deref(), Some("sale"));
        assert_eq!(fact.entries[2].data_type, "numeric(10, 2)");
        assert_eq!(fact.references[0].table, "dim_date");
        let named: Vec<Named> = fact.named.into_values().collect();
        assert_eq!(named, [Named::Changed("sale".to_owned()), Named::Full("rate".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (from, to, place) in [
            ("role: fact", "role: measure", ":3:"),
            ("stamp: day", "stmap: day", ":5:"),
            ("key: id", "key: ident", ":4:"),
            ("numeric(10, 2)", "money", ":10:"),
            ("dim_date (date_id)", "dim_date", ":9:"),
            ("SELECT id", "DELETE id", ":12:"),
        ] {
            let failure = read("fact_sale", "star/fact_sale.sql", &FACT.replace(from, to), &[]).expect_err(to);
            assert!(failure.reason.contains(place), "{to}: {failure}");
            assert!(failure.expected.is_some(), "{to}");
        }
    }

    #[test]
    fn every_file_that_cannot_be_used_is_told_with_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
        write("dim_a.sql", b"-- role: dimension\n-- key: stra\xdfe\n");
        write("dim_b.sql", b"SELECT 1");
        write("notes.txt", b"\xff");
        let told: Vec<String> = faults(folder.path(), "star").into_iter().map(|failure| failure.reason).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with("star/dim_a.sql:2: a byte that is not UTF-8")
                && told[1].starts_with("star/dim_b.sql:1:"),
            "{told:?}"
        );
    }

    #[test]
    fn outputs_come_behind_those_that_they_name() {
        let names = ["dim_a", "dim_b", "fact_c"];
        let all = |from: [&str; 3]| -> Vec<OutputTable> {
            let text = |from: &str| {
                format!("-- role: dimension\n-- key: id\n-- columns:\n--   id integer\nSELECT id FROM {from}")
            };
            let read =
                |(name, from): (&&str, &str)| read(name, &format!("{name}.sql"), &text(from), &names).expect(from);
            names.iter().zip(from).map(read).collect()
        };
        let mut outputs = all(["fact_c JOIN dim_b USING (id)", "fact_c", "changed_fact_c"]);
        find_layers(&mut outputs).expect("an order");
        assert_eq!(outputs.iter().map(|output| output.layer).collect::<Vec<_>>(), [2, 1, 0]);
        let failure = find_layers(&mut all(["dim_b", "dim_a", "dim_a"])).expect_err("a circle");
        assert!(failure.reason.ends_with("dim_a.sql, dim_b.sql, fact_c.sql"), "{failure}");
    }
}
