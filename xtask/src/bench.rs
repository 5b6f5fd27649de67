//! `cargo x bench`: measures what is promised, beside a peer and the disk of the moment, and stores it.
//!
//! A family is either a file here that drives the release binary, or an example program of a crate that prints one JSON
//! line a figure (`bench/README.md` tells both forms). Ours and the peer's runs alternate, so that a busy minute hits both.

mod backfill_list;
mod bootstrap;
pub(crate) mod busy;
mod csv_import;
mod figure;
mod idle;
mod json;
mod probe;
mod recover;
mod review;
mod start;

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use figure::{Figure, table};
use probe::Fsync;

use crate::services;
use crate::shell::{self, Outcome};

/// A family of figures that are taken together.
struct Family {
    name: &'static str,
    summary: &'static str,
    /// Whether the cores are kept busy, as durable figures need.
    busy: bool,
    source: Source,
}

/// Where the figures come from.
enum Source {
    /// A file here, which runs the binary.
    Here(fn(&Bench) -> Outcome<Vec<Figure>>),
    /// An example program of a package, which prints them.
    Example { package: &'static str, example: &'static str },
    /// The same with these parts of it as arguments, beside the servers and peers under `target/services`.
    Beside { package: &'static str, example: &'static str, parts: &'static [&'static str] },
}

const FAMILIES: &[Family] = &[
    Family {
        name: "csv-import",
        summary: "a CSV of 1,000,000 rows becomes a table: `run --once` beside `sqlite3 .import`, and its memory",
        busy: false,
        source: Source::Here(csv_import::run),
    },
    Family {
        name: "queue",
        summary: "admit and enqueue, lease and settle, file lands to function starts",
        busy: true,
        source: Source::Example { package: "tidegate-engine", example: "bench_queue" },
    },
    Family {
        name: "profile-qc",
        summary: "quality control: rows/s of a long file, a short one, 10,000 through the engine, memory of 1 GB (2 GB of disk)",
        busy: true,
        source: Source::Example { package: "tidegate-functions", example: "profile_qc" },
    },
    Family {
        name: "picture",
        summary: "the picture of a deployment of 41,000 rows, as SVG and as PNG",
        busy: false,
        source: Source::Example { package: "tidegate-plots", example: "bench_picture" },
    },
    Family {
        name: "exchange",
        summary: "bottle files and archives of casts, parsed and aggregated in process, beside pandas and cchdo.hydro",
        busy: false,
        source: Source::Beside { package: "tidegate-formats", example: "bench_exchange", parts: &[] },
    },
    Family {
        name: "review",
        summary: "10,000 objects of mixed kinds through the engine: rate, processors, memory, and a kill -9 half way",
        busy: false,
        source: Source::Here(review::run),
    },
    Family {
        name: "wibl",
        summary: "a logger's file of 110 hours to GeoJSON, and its memory; one of 10 hours, beside Python; 1,000 of 1 MB through the engine (3 GB of disk)",
        busy: false,
        source: Source::Beside { package: "tidegate-functions", example: "bench_wibl", parts: &[] },
    },
    Family {
        name: "warehouse",
        summary: "5,000,000 rows from Postgres to a star schema in Postgres, hop by hop and ticks, beside psql and DuckDB (10 GB of disk)",
        busy: false,
        source: Source::Beside { package: "tidegate-postgres", example: "bench_warehouse", parts: &[] },
    },
    Family {
        name: "csv-import-postgres",
        summary: "a CSV of 1,000,000 rows becomes a table in Postgres: `run --once` beside `psql \\copy`",
        busy: false,
        source: Source::Beside { package: "tidegate-postgres", example: "bench_warehouse", parts: &["table"] },
    },
    Family {
        name: "aws",
        summary: "a CSV of 1,000,000 rows into DynamoDB: `csv-to-table` into a server that does nothing, beside boto3 and the SDK; into moto",
        busy: false,
        source: Source::Beside { package: "tidegate-aws", example: "bench_dynamo", parts: &[] },
    },
    Family {
        name: "start",
        summary: "`--help`, and `check` of a file with 100 functions, from process start to exit",
        busy: false,
        source: Source::Here(start::run),
    },
    Family {
        name: "bootstrap",
        summary: "started as a Lambda function: process start to the first question for a call, and the size of the zip",
        busy: false,
        source: Source::Here(bootstrap::run),
    },
    Family {
        name: "idle",
        summary: "processor time and memory of `run` while nothing lands",
        busy: false,
        source: Source::Here(idle::run),
    },
    Family {
        name: "recover",
        summary: "1,000,000 queued runs, kill -9, restart: time to the first call (minutes, needs 2 GB of disk)",
        busy: false,
        source: Source::Here(recover::run),
    },
    Family {
        name: "backfill-list",
        summary: "`backfill --dry-run` over 100,000 objects",
        busy: false,
        source: Source::Here(backfill_list::run),
    },
];

/// The pipeline that most families run: each CSV becomes rows of a table.
const LOAD_PEOPLE: &str = r#"[pipeline]
name = "bench"

[bucket.incoming]

[table.people]
key = { uuid = "string" }

[function.load]
on = { created = "incoming", keys = "**/*.csv" }
run = "csv-to-table"
into = "people"
"#;

/// What a family gets: the binary, and an empty folder on the repository's disk.
pub(crate) struct Bench {
    /// The release binary.
    pub(crate) binary: PathBuf,
    /// Its scratch folder.
    pub(crate) folder: PathBuf,
    /// The disk at this moment.
    pub(crate) fsync: Fsync,
}

impl Bench {
    /// A command line of the binary for the pipeline in `folder`.
    pub(crate) fn tidegate(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = shell::program(&self.binary, &["-C"]);
        command.arg(&self.folder).args(arguments);
        command
    }

    /// Writes the pipeline file.
    pub(crate) fn pipeline(&self, text: &str) -> Outcome {
        write(&self.folder.join("tidegate.toml"), text)
    }
}

/// Runs the task.
pub(crate) fn run(names: &[String]) -> Outcome {
    if names.iter().any(|name| name == "--list") {
        for family in FAMILIES {
            println!("{:<19} {}", family.name, family.summary);
        }
        return Ok(());
    }
    // `--warehouse` is `warehouse`.
    let names: Vec<&str> = names.iter().map(|name| name.trim_start_matches("--")).collect();
    if let Some(stranger) = names.iter().find(|name| FAMILIES.iter().all(|family| family.name != **name)) {
        return Err(format!("there is no bench `{stranger}`; `cargo x bench --list` lists them"));
    }
    let chosen = FAMILIES.iter().filter(|family| names.is_empty() || names.contains(&family.name));
    shell::run(&mut shell::cargo(&["build", "--release", "--package", "tidegate"]))?;
    let mut all = Vec::new();
    let mut failed = Vec::new();
    for family in chosen {
        println!("\n{}: {}", family.name, family.summary);
        match measure(family) {
            Ok(figures) => {
                print!("{}", table(&figures));
                store(family.name, &figures)?;
                all.extend(figures);
            }
            Err(message) => {
                println!("error: {message}");
                failed.push(family.name);
            }
        }
    }
    let held = all.iter().filter(|figure| figure.held() == Some(true)).count();
    let missed = all.iter().filter(|figure| figure.held() == Some(false)).count();
    println!("\n{held} aims held, {missed} missed");
    if failed.is_empty() { Ok(()) } else { Err(format!("not measured: {}", failed.join(", "))) }
}

fn measure(family: &Family) -> Outcome<Vec<Figure>> {
    let folder = shell::target().join("bench").join(family.name);
    let failed = |error: std::io::Error| format!("`{}` could not be made anew: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    let figures = match family.source {
        Source::Here(run) => {
            let _busy = family.busy.then(busy::Busy::start).transpose()?;
            let fsync = Fsync::measure(&folder)?;
            run(&Bench { binary: shell::target().join("release/tidegate"), folder: folder.clone(), fsync })
        }
        Source::Example { package, example } => printed(family, &folder, package, example, &[]),
        Source::Beside { package, example, parts } => {
            services::set_up()?;
            services::set_up_peers()?;
            printed(family, &folder, package, example, parts)
        }
    }?;
    // What was measured on is large and can be made again.
    fs::remove_dir_all(&folder).map_err(failed)?;
    if figures.is_empty() { Err("it gave no figure".to_owned()) } else { Ok(figures) }
}

/// The figures that an example program prints.
fn printed(family: &Family, folder: &Path, package: &str, example: &str, parts: &[&str]) -> Outcome<Vec<Figure>> {
    // Beside the program, so that what they share has the same features and is not built once more.
    let packages = ["--package", "tidegate", "--package", package];
    let build = ["build", "--release"].into_iter().chain(packages).chain(["--example", example]);
    shell::run(&mut shell::cargo(&build.collect::<Vec<_>>()))?;
    let _busy = family.busy.then(busy::Busy::start).transpose()?;
    let mut program = shell::program(shell::target().join("release/examples").join(example), parts);
    program.env("TIDEGATE_TEST_SERVICES", services::directory());
    shell::announce(&program);
    let fsync = Fsync::measure(folder)?;
    let lines = shell::read(program.current_dir(folder))?;
    let with_fsync = |figure: Figure| Figure { fsync: figure.fsync.or(Some(fsync)), ..figure };
    Ok(lines.lines().filter_map(Figure::parse).map(with_fsync).collect())
}

/// Stores the figures as `bench/results/<date>-<name>.json`, with what they were taken on; the latest of a day stands.
pub(crate) fn store(name: &str, figures: &[Figure]) -> Outcome {
    let said = |program: &str, arguments: &[&str]| {
        shell::read(&mut shell::program(program, arguments))
            .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
    };
    let date = said("date", &["-u", "+%F"]);
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1)).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = |value: &str| json::Value::Text(value.to_owned());
    let head = json::write(&[
        ("bench", text(name)),
        ("date", text(&date)),
        ("commit", text(&said("git", &["describe", "--always", "--dirty"]))),
        ("rustc", text(&said("rustc", &["--version"]))),
        ("machine", text(&format!("{} with {model}", shell::count(cores, "core")))),
        ("kernel", text(&said("uname", &["-sr"]))),
    ]);
    let lines: Vec<String> = figures.iter().map(|figure| format!("  {}", figure.to_json())).collect();
    let document = format!("{},\n \"figures\": [\n{}\n]}}\n", head.trim_end_matches('}'), lines.join(",\n"));
    let path = shell::root().join("bench/results").join(format!("{date}-{name}.json"));
    write(&path, &document)
}

/// Writes a file and the folders that lead to it.
fn write(path: &Path, text: &str) -> Outcome {
    let failed = |error: std::io::Error| format!("`{}` could not be written: {error}", path.display());
    fs::create_dir_all(path.parent().expect("every file here stands in a folder")).map_err(failed)?;
    fs::write(path, text).map_err(failed)
}
