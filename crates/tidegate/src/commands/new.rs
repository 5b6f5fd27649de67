//! `tidegate new TEMPLATE [DIR]`: a pipeline to begin with, commented, which works as it is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::exit::{Exit, Stop};
use crate::output::{Table, in_directory};
use crate::project::{FILE, Here, kind_specs};

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The template; without one they are listed.
    template: Option<String>,
    /// The directory, which is made if it is not there; else the one we are in.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Write a workflow for GitHub, too: it checks pull requests, and deploys to AWS when `main` moves.
    #[arg(long, requires = "template")]
    github: bool,
}

/// Where GitHub looks for it.
const WORKFLOW: &str = ".github/workflows/deploy.yml";
/// The workflow; version and repository of tidegate are left open.
static DEPLOY: &str = include_str!("../templates/github/deploy.yml");

/// A pipeline to begin with. Its name is a contract: docs, tests and users' scripts rely on it.
pub(crate) struct Template {
    /// What is typed.
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) summary: &'static str,
    /// Where data comes in first.
    pub(crate) entrance: Entrance,
    pipeline: &'static str,
    readme: &'static str,
    /// Further files, by their paths.
    files: &'static [(&'static str, &'static str)],
}

/// Where the data of a pipeline come in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entrance {
    /// Files are dropped into this bucket.
    Bucket(&'static str),
    /// They are looked for in this database, a SQLite file beside the pipeline file.
    #[cfg(feature = "sql")]
    Database(&'static str),
}

/// Every template.
pub(crate) static TEMPLATES: &[Template] = &[
    Template {
        name: "csv-to-table",
        summary: "a CSV that lands becomes rows of a table",
        entrance: Entrance::Bucket("incoming"),
        pipeline: include_str!("../templates/csv-to-table/tidegate.toml"),
        readme: include_str!("../templates/csv-to-table/README.md"),
        files: &[],
    },
    Template {
        name: "profiles",
        summary: "sensors' deployments become quality-controlled NetCDF, private and public",
        entrance: Entrance::Bucket("raw"),
        pipeline: include_str!("../templates/profiles/tidegate.toml"),
        readme: include_str!("../templates/profiles/README.md"),
        files: &[],
    },
    Template {
        name: "review",
        summary: "each hydrographic file of a store comes to a row of statistics",
        entrance: Entrance::Bucket("data"),
        pipeline: include_str!("../templates/review/tidegate.toml"),
        readme: include_str!("../templates/review/README.md"),
        files: &[],
    },
    Template {
        name: "bathymetry",
        summary: "files of WIBL loggers become B-12 GeoJSON, are checked and sent to the archive",
        entrance: Entrance::Bucket("incoming"),
        pipeline: include_str!("../templates/bathymetry/tidegate.toml"),
        readme: include_str!("../templates/bathymetry/README.md"),
        files: &[],
    },
    #[cfg(feature = "sql")]
    Template {
        name: "warehouse",
        summary: "an operational database becomes a star schema in a warehouse, every version kept",
        entrance: Entrance::Database("totesys.db"),
        pipeline: include_str!("../templates/warehouse/tidegate.toml"),
        readme: include_str!("../templates/warehouse/README.md"),
        files: STAR,
    },
];

/// The statements of the star schema, and questions to ask it.
#[cfg(feature = "sql")]
static STAR: &[(&str, &str)] = &[
    ("star/dim_counterparty.sql", include_str!("../templates/warehouse/star/dim_counterparty.sql")),
    ("star/dim_currency.sql", include_str!("../templates/warehouse/star/dim_currency.sql")),
    ("star/dim_date.sql", include_str!("../templates/warehouse/star/dim_date.sql")),
    ("star/dim_design.sql", include_str!("../templates/warehouse/star/dim_design.sql")),
    ("star/dim_location.sql", include_str!("../templates/warehouse/star/dim_location.sql")),
    ("star/dim_payment_type.sql", include_str!("../templates/warehouse/star/dim_payment_type.sql")),
    ("star/dim_staff.sql", include_str!("../templates/warehouse/star/dim_staff.sql")),
    ("star/dim_transaction.sql", include_str!("../templates/warehouse/star/dim_transaction.sql")),
    ("star/fact_payment.sql", include_str!("../templates/warehouse/star/fact_payment.sql")),
    ("star/fact_purchase_order.sql", include_str!("../templates/warehouse/star/fact_purchase_order.sql")),
    ("star/fact_sales_order.sql", include_str!("../templates/warehouse/star/fact_sales_order.sql")),
    ("charts/revenue-by-country.sql", include_str!("../templates/warehouse/charts/revenue-by-country.sql")),
    ("charts/revenue-by-currency.sql", include_str!("../templates/warehouse/charts/revenue-by-currency.sql")),
    ("charts/revenue-by-design.sql", include_str!("../templates/warehouse/charts/revenue-by-design.sql")),
    ("charts/revenue-by-month.sql", include_str!("../templates/warehouse/charts/revenue-by-month.sql")),
    ("charts/revenue-by-quarter.sql", include_str!("../templates/warehouse/charts/revenue-by-quarter.sql")),
    ("charts/revenue-by-staff.sql", include_str!("../templates/warehouse/charts/revenue-by-staff.sql")),
    ("charts/revenue-by-weekday.sql", include_str!("../templates/warehouse/charts/revenue-by-weekday.sql")),
    ("charts/revenue-per-sale.sql", include_str!("../templates/warehouse/charts/revenue-per-sale.sql")),
    ("charts/revenue-total.sql", include_str!("../templates/warehouse/charts/revenue-total.sql")),
];

/// Writes the template, or lists them.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let Some(name) = &args.template else { return list(here) };
    let template = TEMPLATES.iter().find(|template| template.name == name).ok_or_else(|| {
        let names: Vec<String> = TEMPLATES.iter().map(|template| template.name.to_owned()).collect();
        Stop::wrong(format!("there is no template `{name}`")).expected(crate::wiring::one_of(&names))
    })?;
    let dir = args.directory.as_ref().map_or_else(|| here.dir.clone(), |dir| here.under(dir));
    let workflow = args.github.then(|| dir.join(WORKFLOW));
    if let Some(path) = workflow.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
        return Err(Stop::wrong(format!("`{}` is there already, and is not replaced", path.display()))
            .help("leave out `--github`, or move it away"));
    }
    template.write(&dir)?;
    if let Some(path) = &workflow {
        write_workflow(path)?;
    }
    if here.printer.json {
        here.printer.document(
            &json!({ "template": template.name, "dir": dir, "pipeline": dir.join(FILE), "workflow": workflow }),
        )?;
        return Ok(Exit::Done);
    }
    here.printer.line(&dir.join(FILE).display().to_string())?;
    let change_dir = if dir == here.dir { String::new() } else { in_directory(&dir) };
    let first = match template.entrance {
        Entrance::Bucket(bucket) => format!("put a file into `{}`", dir.join("buckets").join(bucket).display()),
        #[cfg(feature = "sql")]
        Entrance::Database(file) => format!("put the database there as `{}`", dir.join(file).display()),
    };
    here.printer.hint(&format!("{first}, then: tidegate{change_dir} run --once"));
    if let Some(path) = workflow {
        here.printer.line(&path.display().to_string())?;
        here.printer.hint(&format!(
            "the policy of the role that deploys: tidegate{change_dir} synth aws --deploy-policy ACCOUNT/REGION"
        ));
    }
    Ok(Exit::Done)
}

/// Writes the workflow for GitHub.
fn write_workflow(path: &Path) -> Result<(), Stop> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| Stop::file("made", folder, &error))?;
    let text =
        DEPLOY.replace("{version}", env!("CARGO_PKG_VERSION")).replace("{repository}", env!("CARGO_PKG_REPOSITORY"));
    super::package::write(path, text.as_bytes())
}

fn list(here: &Here) -> Result<Exit, Stop> {
    if here.printer.json {
        let all = TEMPLATES.iter().map(|template| json!({ "name": template.name, "summary": template.summary }));
        here.printer.document(&all.collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["TEMPLATE", "WHAT IT DOES"]);
    for template in TEMPLATES {
        table.row(vec![template.name.into(), template.summary.into()]);
    }
    here.printer.table(&table)?;
    here.printer.hint(&format!("tidegate new {}", TEMPLATES[0].name));
    Ok(Exit::Done)
}

impl Template {
    /// Writes the pipeline file, what goes with it, and the folders of its buckets. Nothing that is there is replaced.
    ///
    /// # Errors
    /// If there is a pipeline file already, or the directory cannot be written.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Stop> {
        let entrance = match self.entrance {
            Entrance::Bucket(bucket) => dir.join("buckets").join(bucket),
            #[cfg(feature = "sql")]
            Entrance::Database(_) => dir.to_owned(),
        };
        let path = dir.join(FILE);
        if path.symlink_metadata().is_ok() {
            return Err(Stop::wrong(format!("`{}` is there already, and is not replaced", path.display()))
                .help(format!("name another directory: `tidegate new {} DIR`", self.name)));
        }
        fs::create_dir_all(&entrance).map_err(|error| Stop::file("made", &entrance, &error))?;
        let write = |path: &Path, text: &str| {
            let file = fs::OpenOptions::new().write(true).create_new(true).open(path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
        };
        for (name, text) in [("README.md", self.readme)].iter().chain(self.files) {
            let path = dir.join(name);
            let folder = path.parent().unwrap_or(dir);
            fs::create_dir_all(folder).map_err(|error| Stop::file("made", folder, &error))?;
            match write(&path, text) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(Stop::file("written", &path, &error));
                }
                _ => {}
            }
        }
        write(&path, self.pipeline).map_err(|error| Stop::file("written", &path, &error))?;
        let checked = tidegate_model::check(FILE, self.pipeline, None, &kind_specs(), tidegate_formats::NAMES);
        let buckets = checked.pipeline.iter().flat_map(|pipeline| pipeline.buckets.values());
        for bucket in buckets.filter(|bucket| bucket.url.is_none()) {
            let folder = dir.join("buckets").join(&bucket.name);
            fs::create_dir_all(&folder).map_err(|error| Stop::file("made", &folder, &error))?;
        }
        Ok(())
    }
}
