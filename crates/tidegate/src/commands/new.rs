//! `tidegate new TEMPLATE [DIR]`: a pipeline to begin with, commented, which works as it is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::exit::{Exit, Stop};
use crate::output::Table;
use crate::project::{FILE, Here};

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The template; without one they are listed.
    template: Option<String>,
    /// The directory, which is made if it is not there; else the one we are in.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// A pipeline to begin with. Its name is a contract: docs, tests and users' scripts rely on it.
pub(crate) struct Template {
    /// What is typed.
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) summary: &'static str,
    /// The bucket that files are dropped into first.
    pub(crate) entrance: &'static str,
    pipeline: &'static str,
    readme: &'static str,
}

/// Every template.
pub(crate) static TEMPLATES: &[Template] = &[
    Template {
        name: "csv-to-table",
        summary: "a CSV that lands becomes rows of a table",
        entrance: "incoming",
        pipeline: include_str!("../templates/csv-to-table/tidegate.toml"),
        readme: include_str!("../templates/csv-to-table/README.md"),
    },
    Template {
        name: "profiles",
        summary: "sensors' deployments become quality-controlled NetCDF, private and public",
        entrance: "raw",
        pipeline: include_str!("../templates/profiles/tidegate.toml"),
        readme: include_str!("../templates/profiles/README.md"),
    },
    Template {
        name: "review",
        summary: "each hydrographic file of a store comes to a row of statistics",
        entrance: "data",
        pipeline: include_str!("../templates/review/tidegate.toml"),
        readme: include_str!("../templates/review/README.md"),
    },
    Template {
        name: "bathymetry",
        summary: "files of WIBL loggers become B-12 GeoJSON, are checked and sent to the archive",
        entrance: "incoming",
        pipeline: include_str!("../templates/bathymetry/tidegate.toml"),
        readme: include_str!("../templates/bathymetry/README.md"),
    },
];

/// Writes the template, or lists them.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let Some(name) = &args.template else { return list(here) };
    let template = TEMPLATES.iter().find(|template| template.name == name).ok_or_else(|| {
        let names: Vec<String> = TEMPLATES.iter().map(|template| template.name.to_owned()).collect();
        Stop::wrong(format!("there is no template `{name}`")).expected(crate::wiring::one_of(&names))
    })?;
    let dir = args.directory.as_ref().map_or_else(|| here.dir.clone(), |dir| here.under(dir));
    template.write(&dir)?;
    if here.printer.json {
        here.printer.document(&json!({ "template": template.name, "dir": dir, "pipeline": dir.join(FILE) }))?;
        return Ok(Exit::Done);
    }
    here.printer.line(&dir.join(FILE).display().to_string())?;
    let into = dir.join("buckets").join(template.entrance);
    let change_dir = if dir == here.dir { String::new() } else { format!(" -C {}", dir.display()) };
    here.printer.hint(&format!("put a file into `{}`, then: tidegate{change_dir} run --once", into.display()));
    Ok(Exit::Done)
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
    /// Writes the pipeline file, a README and the entrance bucket. Nothing that is there is replaced.
    ///
    /// # Errors
    /// If there is a pipeline file already, or the directory cannot be written.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Stop> {
        let entrance = dir.join("buckets").join(self.entrance);
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
        match write(&dir.join("README.md"), self.readme) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Stop::file("written", &dir.join("README.md"), &error));
            }
            _ => {}
        }
        write(&path, self.pipeline).map_err(|error| Stop::file("written", &path, &error))
    }
}
