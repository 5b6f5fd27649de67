//! Buckets, tables and databases of a pipeline, each by its url.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_model::{Bucket, ErrorKind, Setting};
use tidegate_stores::bucket::{self, OpenBucket, Surroundings};
use tidegate_stores::database::sqlite::SqliteDatabase;
use tidegate_stores::table::SqliteTables;
use tidegate_stores::warehouse::Warehouse;
use tidegate_stores::{Database, Table, Tables};

use crate::exit::Stop;
use crate::project::Project;
use crate::secrets::Secrets;

/// Opens all buckets of a pipeline.
///
/// # Errors
/// The first that cannot be opened.
pub(crate) fn open_buckets(project: &Project) -> Result<BTreeMap<String, OpenBucket>, Stop> {
    let open = |bucket: &Bucket| Ok((bucket.name.clone(), open_bucket(project, &bucket.name)?));
    project.open_buckets().map(open).collect()
}

/// Opens one bucket.
///
/// # Errors
/// If there is none of this name, or it cannot be opened.
pub(crate) fn open_bucket(project: &Project, name: &str) -> Result<OpenBucket, Stop> {
    let bucket = project.pipeline.buckets.get(name).ok_or_else(|| {
        Stop::new(ErrorKind::NotFound, format!("there is no bucket `{name}` in this pipeline"))
            .expected(one_of(project.pipeline.buckets.keys()))
            .help(format!("add a section `[bucket.{name}]` to `tidegate.toml`, or name another"))
    })?;
    let secrets = Secrets::of(project);
    let secret = |name: &str| secrets.value(name);
    let mut variables: BTreeMap<String, String> =
        std::env::vars().filter(|(name, _)| name.starts_with("AWS_")).collect();
    if let Some(aws) = &project.aws {
        aws.complete(&mut variables);
    }
    let surroundings = Surroundings::new(&project.dir, &secret, &variables);
    let surroundings = match &project.aws {
        Some(aws) => aws.lend_credentials(surroundings),
        None => surroundings,
    };
    Ok(bucket::open(bucket, &surroundings)?)
}

/// Opens all tables of a pipeline.
///
/// # Errors
/// What cannot be opened.
pub(crate) async fn open_tables(project: &Project) -> Result<BTreeMap<String, Arc<dyn Table>>, Stop> {
    let secrets = Secrets::of(project);
    let mut places: BTreeMap<Option<String>, Arc<dyn Tables>> = BTreeMap::new();
    let mut tables = BTreeMap::new();
    for table in project.open_tables() {
        let name = &table.name;
        let url = match &table.url {
            None => None,
            Some(Setting::Plain(url)) => Some(url.clone()),
            Some(Setting::Secret(name)) => Some(secrets.value(name)?),
        };
        let place = match places.entry(url) {
            Entry::Occupied(place) => place.into_mut(),
            Entry::Vacant(place) => {
                let opened: Arc<dyn Tables> = match place.key() {
                    None => Arc::new(SqliteTables::new(project.tables_path())),
                    Some(url) => remote_tables(project, name, url)?,
                };
                place.insert(opened)
            }
        };
        tables.insert(name.clone(), place.table(name).await?);
    }
    Ok(tables)
}

/// Tables behind a url, which may hold a password: no message repeats it.
fn remote_tables(project: &Project, name: &str, url: &str) -> Result<Arc<dyn Tables>, Stop> {
    let help = format!("give `[table.{name}]` a `url` that begins with `postgres://`, or none");
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => postgres_tables(project, url),
        Some("dynamodb") => match &project.aws {
            Some(aws) => Ok(aws.tables(project)),
            None => {
                let stop = Stop::wrong(format!("table `{name}` is in DynamoDB, and this environment is not on AWS"));
                Err(stop.help("say `--env aws`, or give the table another `url` in this environment"))
            }
        },
        _ => Err(Stop::wrong(format!("the `url` of table `{name}` is no place that is known")).help(help)),
    }
}

#[cfg(feature = "postgres")]
fn postgres_tables(project: &Project, url: &str) -> Result<Arc<dyn Tables>, Stop> {
    use tidegate_postgres::{PostgresTables, Server};

    Ok(Arc::new(PostgresTables::new(Server::parse(url, &project.dir)?)))
}

#[cfg(not(feature = "postgres"))]
fn postgres_tables(_: &Project, _: &str) -> Result<Arc<dyn Tables>, Stop> {
    Err(Stop::wrong("this tidegate was built without Postgres")
        .help("leave `url` out of the table, or use another build"))
}

/// Prepares all databases of a pipeline. None is reached yet.
///
/// # Errors
/// A url whose secret has no value, and a place that this program was built without.
pub(crate) fn open_databases(project: &Project) -> Result<BTreeMap<String, Arc<dyn Database>>, Stop> {
    let secrets = Secrets::of(project);
    let open = |database: &tidegate_model::Database| -> Result<Arc<dyn Database>, Stop> {
        let url = match &database.url {
            None => format!("sqlite:{}.db", database.name),
            Some(Setting::Plain(url)) => url.clone(),
            Some(Setting::Secret(name)) => secrets.value(name)?,
        };
        match url.strip_prefix("sqlite:") {
            Some(path) => Ok(Arc::new(SqliteDatabase::new(project.dir.join(path)))),
            None => postgres(project, &database.name, &url),
        }
    };
    project.open_databases().map(|database| Ok((database.name.clone(), open(database)?))).collect()
}

/// The warehouse of this name, or else the only one that functions load into; and its name.
///
/// # Errors
/// If there is none, or several; if it cannot be opened.
pub(crate) fn open_warehouse(project: &Project, name: Option<&str>) -> Result<(String, Arc<dyn Warehouse>), Stop> {
    let loads = project.pipeline.functions.iter().filter(|function| function.kind == "load");
    let written: BTreeSet<&String> = loads.flat_map(|function| &function.grants.write_databases).collect();
    let name = match (name, written.iter().collect::<Vec<_>>().as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => (**only).clone(),
        (None, []) => return Err(Stop::wrong("no function of this pipeline loads into a warehouse")),
        (None, _) => {
            let stop = Stop::wrong("functions of this pipeline load into several warehouses");
            return Err(stop.expected(format!("`--warehouse` with {}", one_of(written.iter().copied()))));
        }
    };
    let databases = open_databases(project)?;
    let database = databases.get(&name).ok_or_else(|| {
        Stop::new(ErrorKind::NotFound, format!("there is no database `{name}` in this pipeline"))
            .expected(one_of(databases.keys()))
    })?;
    Ok((name, database.warehouse()?))
}

/// A database that is no SQLite file. Its url may hold a password, so no message repeats it.
#[cfg(feature = "postgres")]
fn postgres(project: &Project, _: &str, url: &str) -> Result<Arc<dyn Database>, Stop> {
    use tidegate_postgres::{PostgresDatabase, Server};

    Ok(Arc::new(PostgresDatabase::new(Server::parse(url, &project.dir)?)))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &Project, name: &str, _: &str) -> Result<Arc<dyn Database>, Stop> {
    Err(Stop::wrong(format!("database `{name}` is no SQLite database, and this tidegate was built without Postgres"))
        .help("give its `url` as `sqlite:PATH`"))
}

/// The names as a sentence has them: "`a`, `b` or `c`".
pub(crate) fn one_of<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "none: there is none".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
