//! `tidegate report`: pages that are complete in themselves. Of a review: a table to sort, a map of the stations, what failed
//! and why. Of bathymetry: what was contributed ([`bathymetry`]).

mod bathymetry;
mod page;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use tidegate_model::ErrorKind;
use tidegate_stores::{FailureFilter, Page};

use crate::draft;
use crate::exit::{Exit, Stop};
use crate::output::counted;
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
    /// What the files under review come to: a table, a map of the stations, failures by reason.
    Review(Review),
    /// What loggers have contributed: files, soundings and nautical miles, by vessel and month.
    Bathymetry(bathymetry::Contributions),
}

#[derive(Debug, clap::Args)]
struct Review {
    /// The table that `summarise` writes; needed only if there are several.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// The page, which is replaced once all of it is written.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
}

/// Failures that the page lists; beyond, it says how many there are.
const MOST_FAILURES: u64 = 10_000;

/// One file of the table, as the page shows it.
#[derive(Debug, Default)]
struct File {
    name: String,
    kind: String,
    observations: Option<i64>,
    seed: Option<i64>,
    profiles: Option<i64>,
    stations: Option<i64>,
    time: [String; 2],
    /// `lat_min`, `lat_max`, `lon_min`, `lon_max`, `pres_min`, `pres_max`.
    extents: [Option<f64>; 6],
    findings: serde_json::Value,
    refused: serde_json::Value,
    /// Longitude and latitude of its casts.
    positions: Vec<(f64, f64)>,
}

/// Writes the page.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let review = match &args.what {
        What::Review(review) => review,
        What::Bathymetry(contributions) => return bathymetry::run(here, contributions),
    };
    let project = Project::open(here)?;
    let name = table_of(&project, "summarise", review.table.as_deref(), "review")?;
    let history = wiring::open_history(&project)?;
    let (files, failures) = wiring::ask(async {
        let tables = wiring::open_tables(&project).await?;
        let table = tables.get(&name).ok_or_else(|| Stop::wrong(format!("there is no table `{name}`")))?;
        let mut files = Vec::new();
        if table.columns().await?.is_some() {
            let mut take = |batch: RecordBatch| {
                files.extend((0..batch.num_rows()).map(|row| File::of(&batch, row)));
                Ok(())
            };
            table.scan(None, &mut take).await?;
        }
        let failures = history.failures(FailureFilter::default(), Page::first(MOST_FAILURES)).await?;
        Ok::<_, Stop>((files, failures))
    })??;
    let html = page::html(&project.pipeline.name, &files, &failures, jiff::Timestamp::now());
    write_page(&review.out, &html)?;
    if here.printer.json {
        here.printer.document(&serde_json::json!({
            "out": review.out, "files": files.len(), "failures": failures.len(), "bytes": html.len(),
        }))?;
    } else {
        here.printer.remark(&format!(
            "{} and {} in `{}`",
            counted(files.len() as u64, "file"),
            counted(failures.len() as u64, "failure"),
            review.out.display()
        ));
    }
    Ok(Exit::Done)
}

/// The table that functions of this kind write: the one that was asked for, or the only one.
fn table_of(project: &Project, kind: &str, asked: Option<&str>, template: &str) -> Result<String, Stop> {
    let pipeline = &project.pipeline;
    let of_kind = pipeline.functions.iter().filter(|function| function.kind == kind);
    let written: BTreeSet<&String> =
        of_kind.flat_map(|function| &function.into).filter(|name| pipeline.tables.contains_key(*name)).collect();
    let expected = || wiring::one_of(written.iter().copied());
    match (asked, written.iter().collect::<Vec<_>>().as_slice()) {
        (_, []) => {
            let what =
                format!("no function of this pipeline runs `{kind}` into a table, so there is nothing to report");
            Err(Stop::new(ErrorKind::NotFound, what)
                .help(format!("`-C DIR` names the directory of another pipeline; `tidegate new {template}` makes one")))
        }
        (Some(asked), [..]) if written.iter().any(|name| *name == asked) => Ok(asked.to_owned()),
        (Some(asked), [..]) => {
            let what = format!("`{kind}` writes no table `{asked}` in this pipeline");
            Err(Stop::new(ErrorKind::NotFound, what).expected(expected()))
        }
        (None, [only]) => Ok((**only).clone()),
        (None, _) => Err(Stop::wrong(format!("functions of this pipeline write several tables with `{kind}`"))
            .expected(format!("`--table` with {}", expected()))),
    }
}

/// Writes a page in place of what is there, once all of it is written.
fn write_page(out: &Path, html: &str) -> Result<(), Stop> {
    let unwritable = |error: &std::io::Error| Stop::file("written", out, error);
    let mut file = draft::beside(out).map_err(|error| unwritable(&error))?;
    file.write_all(html.as_bytes()).map_err(|error| unwritable(&error))?;
    file.persist(out).map_err(|error| unwritable(&error.error))?;
    Ok(())
}

impl File {
    /// A row of the table; what it does not have stays empty.
    fn of(batch: &RecordBatch, row: usize) -> Self {
        let column = |name: &str| batch.column_by_name(name).filter(|column| column.is_valid(row));
        let text = |name: &str| match column(name) {
            Some(column) if *column.data_type() == DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
            _ => String::new(),
        };
        let whole =
            |name: &str| column(name).and_then(|column| Some(column.as_primitive_opt::<Int64Type>()?.value(row)));
        let real =
            |name: &str| column(name).and_then(|column| Some(column.as_primitive_opt::<Float64Type>()?.value(row)));
        let json = |name: &str| serde_json::from_str(&text(name)).unwrap_or_default();
        let casts: serde_json::Value = json("casts");
        let degrees = |cast: &serde_json::Value, name: &str| cast[name].as_str()?.trim().parse::<f64>().ok();
        let positions = casts.as_array().into_iter().flatten().filter_map(|cast| {
            let (longitude, latitude) = (degrees(cast, "longitude")?, degrees(cast, "latitude")?);
            (latitude.abs() <= 90.0 && longitude.abs() <= 360.0).then_some((longitude, latitude))
        });
        Self {
            name: text("filename"),
            kind: text("kind"),
            observations: whole("observations"),
            seed: whole("observations_seed"),
            profiles: whole("profiles"),
            stations: whole("stations"),
            time: [text("time_min"), text("time_max")],
            extents: ["lat_min", "lat_max", "lon_min", "lon_max", "pres_min", "pres_max"].map(real),
            findings: json("findings"),
            refused: json("refused"),
            positions: positions.collect(),
        }
    }
}
