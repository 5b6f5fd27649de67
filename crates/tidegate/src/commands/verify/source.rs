//! What the source has now. A table of the warehouse is compared with the table of the source that has its key, in the columns that
//! have the same names and types; of several, with the one that has its name, too: `dim_staff` is of `staff`. The others are named.

use tidegate_formats::manifest::{Role, TableEntry};
use tidegate_model::ErrorKind;
use tidegate_stores::Error;
use tidegate_stores::database::{SourceTable, Wanted};
use tidegate_stores::warehouse::{ColumnType, Loaded, Warehouse};

use super::compare::{State, Verdict, compare_columns, hash, typed};
use crate::exit::Stop;
use crate::project::Project;
use crate::wiring;

/// Compares each table that can be; tells what cannot.
pub(super) async fn compare(
    project: &Project,
    warehouse: &dyn Warehouse,
    last: &Loaded,
) -> Result<(Vec<Verdict>, Vec<String>), Stop> {
    let databases = wiring::open_databases(project)?;
    let Some(database) = databases.get(&last.of) else {
        return Ok((Vec::new(), vec![format!("the source: the pipeline file has no `[database.{}]`", last.of)]));
    };
    let mut snapshot = database.source()?.snapshot().await.map_err(not_there)?;
    let sources = snapshot.tables().await?;
    let (mut verdicts, mut others) = (Vec::new(), Vec::new());
    for entry in warehouse.tables().await? {
        let Some(source) = counterpart(&sources, &entry) else {
            others.push(format!(
                "`{}`: no table of `{}` has the key `{}`, or several have and none its name",
                entry.name,
                last.of,
                entry.key.join("`, `")
            ));
            continue;
        };
        let names = shared(&entry, source);
        let columns = typed(&entry, &names);
        let mut rows = CsvRows::new(source, &columns);
        let mut state = State::default();
        let keys = entry.key.len();
        let mut take = |bytes: &[u8]| {
            rows.take(bytes, &mut |row: &[Option<String>]| {
                let cells = || columns.iter().zip(row).map(|((_, kind), cell)| (*kind, cell.as_deref()));
                state.put(hash(cells().take(keys)), hash(cells()));
            });
            Ok(())
        };
        snapshot.rows(source, Wanted::All, &mut take).await?;
        let left_out: Vec<&str> = entry
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| !names.iter().any(|n| n == name))
            .collect();
        if !left_out.is_empty() {
            let told = left_out.join("`, `");
            others.push(format!("`{}` of `{}`: it has no such columns, or of other types", told, source.name));
        }
        let against = format!("`{}` of `{}` as it is now", source.name, last.of);
        let keeps_more = entry.role == Role::Dimension;
        verdicts.push(compare_columns(warehouse, &entry, columns, state, against, keeps_more).await?);
    }
    Ok((verdicts, others))
}

/// The table of the source that a table of the warehouse is of.
fn counterpart<'s>(sources: &'s [SourceTable], entry: &TableEntry) -> Option<&'s SourceTable> {
    let same: Vec<&SourceTable> =
        sources.iter().filter(|source| !source.key.is_empty() && source.key == entry.key).collect();
    let name = entry.name.split_once('_').map_or(entry.name.as_str(), |(_, name)| name);
    match same.as_slice() {
        [only] => Some(only),
        several => several.iter().copied().find(|source| source.name == name || source.name == entry.name),
    }
}

/// The pipeline file is right; it is the database that is not there just now.
fn not_there(mut error: Error) -> Error {
    if error.kind == ErrorKind::NotFound {
        error.kind = ErrorKind::Unavailable;
    }
    error
}

/// The columns that both have, with types of one sort.
fn shared(entry: &TableEntry, source: &SourceTable) -> Vec<String> {
    let sort = |kind: Option<ColumnType>| kind.map(sort_of);
    let has = |name: &str, data_type: &str| {
        source.columns.iter().any(|column| {
            column.name == name && sort(ColumnType::parse(&column.data_type)) == sort(ColumnType::parse(data_type))
        })
    };
    entry
        .columns
        .iter()
        .filter(|column| has(&column.name, &column.data_type))
        .map(|column| column.name.clone())
        .collect()
}

/// Cuts CSV into rows, and picks the wanted columns: NULL is nothing, the empty text is `""`.
struct CsvRows {
    places: Vec<usize>,
    cell: Vec<u8>,
    row: Vec<Option<String>>,
    is_quoted: bool,
    was_quoted: bool,
}

impl CsvRows {
    fn new(source: &SourceTable, columns: &[(String, ColumnType)]) -> Self {
        let place = |(name, _): &(String, ColumnType)| source.columns.iter().position(|column| column.name == *name);
        let places = columns.iter().filter_map(place).collect();
        Self { places, cell: Vec::new(), row: Vec::new(), is_quoted: false, was_quoted: false }
    }

    fn take(&mut self, bytes: &[u8], each: &mut dyn FnMut(&[Option<String>])) {
        for byte in bytes {
            match byte {
                // A quote within quotes stands twice: the second opens again what the first closed.
                b'"' => {
                    if !self.is_quoted && self.was_quoted {
                        self.cell.push(b'"');
                    }
                    (self.is_quoted, self.was_quoted) = (!self.is_quoted, true);
                }
                b',' | b'\n' if !self.is_quoted => {
                    let text = String::from_utf8_lossy(&self.cell).into_owned();
                    self.row.push(Some(text).filter(|text| self.was_quoted || !text.is_empty()));
                    self.cell.clear();
                    self.was_quoted = false;
                    if *byte == b'\n' {
                        let picked: Vec<Option<String>> =
                            self.places.iter().map(|place| self.row.get(*place).cloned().flatten()).collect();
                        each(&picked);
                        self.row.clear();
                    }
                }
                other => self.cell.push(*other),
            }
        }
    }
}

/// A word for types whose values are written alike.
fn sort_of(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer(_) => "integer",
        ColumnType::Text | ColumnType::ShortText(_) => "text",
        ColumnType::Numeric(..) | ColumnType::AnyNumeric => "numeric",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
        ColumnType::Time(_) => "time",
        ColumnType::Timestamp(_) => "timestamp",
        ColumnType::Moment(_) => "moment",
        ColumnType::Real(_) => "real",
        ColumnType::Bytes => "bytes",
    }
}

#[cfg(test)]
mod tests {
    use tidegate_stores::database::SourceColumn;

    use super::*;

    #[test]
    fn of_several_tables_with_a_key_of_one_name_the_one_is_meant_that_has_the_name() {
        let source = |name: &str, key: &str| SourceTable {
            name: name.to_owned(),
            columns: Vec::new(),
            key: vec![key.to_owned()],
            references: Vec::new(),
            shape: String::new(),
            written: None,
        };
        let sources = [source("customer", "id"), source("product", "id"), source("staff", "staff_id")];
        for (name, key, expected) in [
            ("dim_product", "id", Some("product")),
            ("product", "id", Some("product")),
            ("dim_item", "id", None),
            ("dim_people", "staff_id", Some("staff")),
            ("dim_date", "date_id", None),
        ] {
            let entry = TableEntry {
                name: name.to_owned(),
                role: Role::Dimension,
                is_full: true,
                key: vec![key.to_owned()],
                stamp: None,
                surrogate: None,
                columns: Vec::new(),
                references: Vec::new(),
                objects: Vec::new(),
                deleted: Vec::new(),
                schema: String::new(),
            };
            assert_eq!(counterpart(&sources, &entry).map(|source| source.name.as_str()), expected, "{name}");
        }
    }

    #[test]
    fn csv_is_cut_wherever_its_bytes_are() {
        let column = |name: &str| SourceColumn {
            name: name.to_owned(),
            data_type: "text".to_owned(),
            nullable: true,
            values: Vec::new(),
        };
        let source = SourceTable {
            name: "t".to_owned(),
            columns: ["a", "b", "c"].map(column).to_vec(),
            key: vec!["a".to_owned()],
            references: Vec::new(),
            shape: String::new(),
            written: None,
        };
        let columns = [("c".to_owned(), ColumnType::Text), ("a".to_owned(), ColumnType::Text)];
        let text = "1,x,\"say \"\"hi\"\",\n\"\n2,,\"\"\n\"\"\"\",é,\n";
        for size in 1..text.len() {
            let mut rows = CsvRows::new(&source, &columns);
            let mut found = Vec::new();
            for bytes in text.as_bytes().chunks(size) {
                rows.take(bytes, &mut |row| found.push(row.to_vec()));
            }
            let some = |text: &str| Some(text.to_owned());
            let wanted = [vec![some("say \"hi\",\n"), some("1")], vec![some(""), some("2")], vec![None, some("\"")]];
            assert_eq!(found, wanted, "in pieces of {size}");
        }
    }
}
