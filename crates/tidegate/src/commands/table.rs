//! `tidegate table`: which tables there are, one row of one, or all of it as CSV, JSON or Parquet.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::json;
use tidegate_formats::{csv, json as json_format};
use tidegate_model::{ErrorKind, ValueType};
use tidegate_stores::{Error as StoreError, Table};

use super::export::{Destination, Format, Sheet, unwritable};
use crate::exit::{Exit, Stop};
use crate::output::{self, counted, shown};
use crate::project::{Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the tables.
    List,
    /// Show one row.
    Get {
        /// The table.
        name: String,
        /// Its key; one value for each key column.
        #[arg(required = true)]
        key: Vec<String>,
    },
    /// Write all rows, in the order of the key.
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Export {
    /// The table.
    name: String,
    /// As what.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Into this file, which is replaced once everything is written; else to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Lists, shows or exports.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    wiring::ask(async {
        match &args.what {
            What::List => list(here, &project).await,
            What::Get { name, key } => get(here, &project, name, key).await,
            What::Export(export) => write_all(here, &project, export).await,
        }
    })?
}

async fn list(here: &Here, project: &Project) -> Result<Exit, Stop> {
    let mut table = output::Table::new(&["TABLE", "#ROWS", "#COLUMNS", "KEY"]);
    let mut documents = Vec::new();
    for (name, opened) in wiring::open_tables(project).await? {
        let rows = opened.count().await?;
        let (columns, key) = opened.columns().await?.unwrap_or_default();
        let key_names: Vec<&str> = columns.iter().take(key).map(|(name, _)| name.as_str()).collect();
        table.row(vec![name.as_str().into(), rows.into(), (columns.len() as u64).into(), key_names.join(", ").into()]);
        let columns = columns.iter().map(|(name, value)| json!({ "name": name, "type": value })).collect::<Vec<_>>();
        documents.push(json!({ "name": name, "rows": rows, "key": key_names, "columns": columns }));
    }
    if here.printer.json {
        here.printer.document(&documents)?;
    } else if documents.is_empty() {
        here.printer.remark("this pipeline has no tables");
    } else {
        here.printer.table(&table)?;
    }
    Ok(Exit::Done)
}

/// The table, its columns, and how many of them are the key.
async fn existing(project: &Project, name: &str) -> Result<(Arc<dyn Table>, Columns), Stop> {
    let tables = wiring::open_tables(project).await?;
    let table = tables.get(name).ok_or_else(|| {
        Stop::new(ErrorKind::NotFound, format!("there is no table `{name}` in this pipeline"))
            .expected(wiring::one_of(tables.keys()))
    })?;
    let columns = table.columns().await?.ok_or_else(|| {
        Stop::new(ErrorKind::NotFound, format!("table `{name}` does not exist yet: nothing was loaded into it"))
            .help("`tidegate status` shows whether its function has run, `tidegate run --once` lets it")
    })?;
    Ok((Arc::clone(table), columns))
}

type Columns = (Vec<(String, ValueType)>, usize);

async fn get(here: &Here, project: &Project, name: &str, key: &[String]) -> Result<Exit, Stop> {
    let (table, (columns, key_columns)) = existing(project, name).await?;
    if key.len() != key_columns {
        let names: Vec<String> = columns.into_iter().take(key_columns).map(|(name, _)| name).collect();
        let stop = Stop::wrong(format!("table `{name}` has {}", counted(key_columns as u64, "key column")));
        return Err(stop.expected(format!("a value for each: {}", names.join(", "))));
    }
    let mut row = None;
    let mut take = |batch: RecordBatch| {
        row = Some(batch).filter(|batch| batch.num_rows() > 0);
        Ok(())
    };
    table.scan(Some(key.to_vec()), &mut take).await?;
    let Some(row) = row else {
        return Err(Stop::new(ErrorKind::NotFound, format!("table `{name}` has no row `{}`", key.join(" "))));
    };
    if here.printer.json {
        let mut line = Vec::new();
        let mut writer = json_format::Writer::new(&mut line, json_format::Layout::Lines);
        writer.write_batch(&row).and_then(|()| writer.finish()).map_err(unwritable)?;
        here.printer.text(&String::from_utf8_lossy(&line))?;
        return Ok(Exit::Done);
    }
    let mut text = Vec::new();
    let mut writer = csv::Writer::new(&mut text);
    writer.write_batch(&row).and_then(|()| writer.finish()).map_err(unwritable)?;
    let options = csv::Options { delimiter: csv::Delimiter::Is(b','), ..csv::Options::default() };
    let mut reader = csv::Reader::new(text.as_slice(), &options).map_err(unwritable)?;
    let values: Vec<String> =
        reader.read().map_err(unwritable)?.iter().flat_map(csv::Record::iter).map(str::to_owned).collect();
    let widest = columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for ((name, _), value) in columns.iter().zip(values) {
        here.printer.line(&format!("{:<widest$}  {}", shown(name), shown(&value)))?;
    }
    Ok(Exit::Done)
}

async fn write_all(here: &Here, project: &Project, export: &Export) -> Result<Exit, Stop> {
    let (table, columns) = existing(project, &export.name).await?;
    let destination = Destination::open(export.out.as_deref(), export.format, &export.name)?;
    let rows = write_rows(table.as_ref(), &columns, export.format, destination.writer()).await?;
    destination.keep(&here.printer, rows)?;
    Ok(Exit::Done)
}

/// Writes all rows; returns how many.
async fn write_rows(
    table: &dyn Table,
    columns: &Columns,
    format: Format,
    output: impl Write + Send,
) -> Result<u64, Stop> {
    let mut sheet = Sheet::begin(format, output, &schema(columns)).map_err(unwritable)?;
    let mut rows = 0;
    let mut failure = None;
    let mut take = |batch: RecordBatch| {
        rows += batch.num_rows() as u64;
        sheet.write(&batch).map_err(|error| {
            failure = Some(error);
            StoreError::new(ErrorKind::Unavailable, "the export cannot be written")
        })
    };
    let scanned = table.scan(None, &mut take).await;
    match failure {
        Some(error) => Err(unwritable(error)),
        None => {
            scanned?;
            sheet.finish().map_err(unwritable)?;
            Ok(rows)
        }
    }
}

/// The columns as the batches of a scan have them.
fn schema((columns, _): &Columns) -> SchemaRef {
    let fields = columns.iter().map(|(name, value)| {
        let data_type = match value {
            ValueType::Integer => DataType::Int64,
            ValueType::Real => DataType::Float64,
            ValueType::Boolean => DataType::Boolean,
            ValueType::String | ValueType::Decimal | ValueType::Date | ValueType::Timestamp => DataType::Utf8,
        };
        Field::new(name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
