//! From a file's header to the table's columns: names, key, types.

use std::collections::HashMap;

use tidegate_formats::csv::Record;
use tidegate_model::{self as model, ErrorKind, Failure, Place, ValueType};
use tidegate_stores::table::{MAX_COLUMNS, widens};

use super::infer::Seen;
use super::options::{KeyFrom, Options};

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// A field of the record.
    Field(usize),
    /// A hash of several fields.
    Hash(Vec<usize>),
    /// The number of the row.
    RowNumber,
    /// Nowhere: the table has the column, the file has not.
    Nothing,
}

/// A column of the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name in the table.
    pub(super) name: String,
    /// Its name in the file, for people.
    pub(super) header: String,
    /// Its type.
    pub(super) value: ValueType,
    /// Where its values come from.
    pub(super) from: From,
    /// True if its type is decided by its values.
    pub(super) is_inferred: bool,
}

/// What the file's header means for the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Columns of the load, key columns first.
    pub(super) columns: Vec<Column>,
    /// How many are the key.
    pub(super) key_columns: usize,
    /// Names of the file's columns.
    pub(super) header: Vec<String>,
    /// Fields of the header line: after the named columns there may be unnamed ones, in which nothing may stand.
    pub(super) width: usize,
    /// What people should know, for the run's note.
    pub(super) remarks: Vec<String>,
}

/// What the pipeline file and the database say of the table.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Key and declared columns of the pipeline file.
    pub(super) key: Vec<(String, ValueType)>,
    pub(super) declared: Vec<(String, ValueType)>,
    /// Columns of the table as it is.
    pub(super) existing: Vec<(String, ValueType)>,
}

impl Known {
    pub(super) fn new(spec: &model::Table, existing: Option<(Vec<(String, ValueType)>, usize)>) -> Self {
        let (existing, key_columns) = existing.unwrap_or_default();
        let mut key: Vec<_> = spec.key.iter().map(|key| (key.name.clone(), key.value)).collect();
        if key.is_empty() {
            key = existing[..key_columns].to_vec();
        }
        Self { key, declared: spec.columns.clone(), existing }
    }
}

impl Plan {
    /// Reads the header.
    ///
    /// # Errors
    /// `R0103` for a header that names no columns properly, `R0104` if the key cannot be made of it, `R0114` if a declared
    /// type contradicts the table.
    pub(super) fn new(header: Record<'_>, known: &Known, options: &Options) -> Result<Self, Failure> {
        let line = header.line();
        let mut remarks = Vec::new();
        let names = names(header, known, &mut remarks)?;
        let mut columns = key(&names, known, options).map_err(|failure| failure.at_line(line))?;
        let key_columns = columns.len();
        for (index, name) in names.iter().enumerate() {
            if columns[..key_columns].iter().any(|column| column.from == From::Field(index)) {
                continue;
            }
            if let Some(taken) = columns[..key_columns].iter().find(|column| column.name == *name) {
                return Err(taken_by_key(taken, index, line));
            }
            columns.push(column(name, index, known, options)?);
        }
        for (name, value) in &known.existing {
            let is_loaded = columns.iter().any(|column| column.name == *name);
            if options.mirror.is_some() && !is_loaded {
                columns.push(Column { from: From::Nothing, ..new_column(name, name, *value, 0) });
            }
        }
        if columns.len() > MAX_COLUMNS {
            let reason = format!("the header has {} columns, more than a table can have", names.len());
            return Err(Failure::new("R0103", ErrorKind::Invalid, reason)
                .at_line(line)
                .expected(format!("at most {MAX_COLUMNS}")));
        }
        for (name, _) in options.columns.iter().filter(|(name, _)| !names.contains(name)) {
            remarks.push(format!("no column `{name}` in the file, though `columns` declares it"));
        }
        Ok(Self { columns, key_columns, header: names, width: header.len(), remarks })
    }

    /// Fields whose type is decided by their values.
    pub(super) fn inferred_fields(&self) -> Vec<usize> {
        let field = |column: &Column| match column.from {
            From::Field(index) if column.is_inferred => Some(index),
            _ => None,
        };
        self.columns.iter().filter_map(field).collect()
    }

    /// Decides the types that were open.
    pub(super) fn decide(&mut self, known: &Known, seen: &HashMap<usize, Seen>) {
        for column in self.columns.iter_mut().filter(|column| column.is_inferred) {
            if let From::Field(index) = column.from {
                let existing = type_of(&known.existing, &column.name);
                column.value = seen.get(&index).copied().unwrap_or(Seen::Nothing).column_type(existing);
            }
        }
    }

    /// Name and type of every column, as a load wants them.
    pub(super) fn load_columns(&self) -> Vec<(String, ValueType)> {
        self.columns.iter().map(|column| (column.name.clone(), column.value)).collect()
    }
}

fn new_column(name: &str, header: &str, value: ValueType, field: usize) -> Column {
    let from = From::Field(field);
    Column { name: name.to_owned(), header: header.to_owned(), value, from, is_inferred: false }
}

fn type_of(columns: &[(String, ValueType)], name: &str) -> Option<ValueType> {
    columns.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
}

/// The header's names without the blanks around them: ` ABN` in one export is `ABN` in the next. Unnamed columns at the end
/// are left out, repeated names are numbered; a first column without a name takes that of the key, as tables do whose rows
/// are numbered.
fn names(header: Record<'_>, known: &Known, remarks: &mut Vec<String>) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    while names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    let bad = |index: usize, what: &str| {
        let reason = format!("column {} of the header {what}", index + 1);
        Failure::new("R0103", ErrorKind::Invalid, reason).at_line(header.line())
    };
    if names.is_empty() {
        return Err(bad(0, "has no name").expected("a first line with the names of the columns"));
    }
    if let [(key, _)] = known.key.as_slice()
        && names[0].is_empty()
        && !names.contains(key)
    {
        names[0].clone_from(key);
    }
    if let Some(index) = names.iter().position(String::is_empty) {
        return Err(bad(index, "has no name").expected("a name for every column"));
    }
    if let Some(index) = names.iter().position(|name| name.chars().any(|c| c == '\0')) {
        return Err(bad(index, "has a NUL in its name"));
    }
    for index in 1..names.len() {
        if !names[..index].contains(&names[index]) {
            continue;
        }
        let name = names[index].clone();
        let numbered = (2..).map(|number| format!("{name} ({number})")).find(|numbered| !names.contains(numbered));
        names[index] = numbered.expect("there are more numbers than columns");
        remarks.push(format!("`{name}` stands twice in the header: the later one is `{}`", names[index]));
    }
    Ok(names)
}

fn key(names: &[String], known: &Known, options: &Options) -> Result<Vec<Column>, Failure> {
    let from_file = |fields: &[usize]| -> Vec<Column> {
        let field = |(position, field): (usize, &usize)| match known.key.get(position) {
            Some((name, value)) => new_column(name, &names[*field], *value, *field),
            None => new_column(&names[*field], &names[*field], ValueType::String, *field),
        };
        fields.iter().enumerate().map(field).collect()
    };
    match &options.key_from {
        KeyFrom::Table => {
            let found: Vec<Option<usize>> = known.key.iter().map(|(name, _)| find(names, name)).collect();
            match (found.iter().copied().collect::<Option<Vec<_>>>(), known.key.len()) {
                (_, 0) => Ok(from_file(&[0])),
                (Some(fields), _) => Ok(from_file(&fields)),
                // The first column is the key, whatever it is called.
                (None, 1) => Ok(from_file(&[0])),
                (None, _) => {
                    let missing = known.key.iter().zip(&found).filter(|(_, found)| found.is_none());
                    let missing: Vec<&str> = missing.map(|((name, _), _)| name.as_str()).collect();
                    Err(no_such_column(&missing, names)
                        .help("name the columns that are the key: `key_from = [\"…\", \"…\"]`"))
                }
            }
        }
        KeyFrom::RowNumber => row_number(names, known),
        KeyFrom::Columns(wanted) => {
            let missing: Vec<&str> =
                wanted.iter().filter(|name| find(names, name).is_none()).map(String::as_str).collect();
            if !missing.is_empty() {
                return Err(no_such_column(&missing, names));
            }
            let fields: Vec<usize> = wanted.iter().filter_map(|name| find(names, name)).collect();
            match (known.key.as_slice(), fields.len()) {
                ([], _) => Ok(from_file(&fields)),
                (key, count) if key.len() == count => Ok(from_file(&fields)),
                ([(name, ValueType::String)], _) => {
                    Ok(vec![Column { from: From::Hash(fields), ..new_column(name, name, ValueType::String, 0) }])
                }
                ([(name, _)], _) => {
                    Err(key_failure(format!("the table's key `{name}` is an integer, but several columns make a text"))
                        .help(format!("declare it as `{name} = \"string\"`")))
                }
                (key, count) => {
                    Err(key_failure(format!("`key_from` has {count} columns, but the table's key has {}", key.len())))
                }
            }
        }
    }
}

fn row_number(names: &[String], known: &Known) -> Result<Vec<Column>, Failure> {
    let name = match known.key.as_slice() {
        [] => "row_number",
        [(name, ValueType::Integer)] => name,
        _ => {
            return Err(key_failure("the table's key is not one integer, as a row number is".to_owned())
                .expected("a key such as `key = { user_id = \"integer\" }`"));
        }
    };
    if names.iter().any(|header| header == name) {
        return Err(key_failure(format!("the file has a column `{name}`, which the row number would replace"))
            .help("leave `key_from` out to use that column as the key, or rename one of them"));
    }
    Ok(vec![Column { from: From::RowNumber, ..new_column(name, name, ValueType::Integer, 0) }])
}

/// The column of this name; or else the only one that differs in nothing but case and blanks around it.
fn find(names: &[String], wanted: &str) -> Option<usize> {
    let simple = |name: &str| name.trim().to_lowercase();
    let exact = names.iter().position(|name| name == wanted);
    exact.or_else(|| {
        let mut alike = names.iter().enumerate().filter(|(_, name)| simple(name) == simple(wanted));
        alike.next().filter(|_| alike.next().is_none()).map(|(index, _)| index)
    })
}

fn column(name: &str, field: usize, known: &Known, options: &Options) -> Result<Column, Failure> {
    let existing = type_of(&known.existing, name);
    let declared = type_of(&options.columns, name).or_else(|| type_of(&known.declared, name));
    if let (Some(declared), Some(existing)) = (declared, existing)
        && declared != existing
        && !widens(existing, declared)
    {
        let (declared, existing) = (declared.as_str(), existing.as_str());
        let reason = format!("column `{name}` is declared {declared}, but the table has it as {existing}");
        return Err(Failure::new("R0114", ErrorKind::Invalid, reason)
            .at(Place { column: Some(name.to_owned()), ..Place::default() })
            .help(format!("declare it `{existing}` or `string`, or load into a new table")));
    }
    let is_number = matches!(existing, None | Some(ValueType::Integer | ValueType::Real));
    Ok(Column {
        is_inferred: declared.is_none() && options.infer && is_number,
        ..new_column(name, name, declared.or(existing).unwrap_or(ValueType::String), field)
    })
}

fn taken_by_key(key: &Column, index: usize, line: u64) -> Failure {
    let reason = format!(
        "column {} of the header is called `{}`, but the key of that name is made of something else",
        index + 1,
        key.name
    );
    key_failure(reason).at_line(line).help("rename that column, or make it the key: `key_from`")
}

fn key_failure(reason: String) -> Failure {
    Failure::new("R0104", ErrorKind::Invalid, reason)
}

fn no_such_column(missing: &[&str], names: &[String]) -> Failure {
    let shown: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
    let more = if names.len() > shown.len() { ", …" } else { "" };
    key_failure(format!("the file has no column `{}`, which the key is made of", missing.join("`, `")))
        .expected(format!("one of its columns: `{}`{more}", shown.join("`, `")))
        .help("correct `key_from` in the pipeline file, or the header of this file")
}
