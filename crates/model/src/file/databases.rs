//! `[database.NAME]`: where the databases are that functions extract from or load into.

use std::collections::BTreeMap;
use std::ops::Range;

use super::raw::{RawDatabase, RawEnvironment, RawFile};
use super::report::{Problem, Report, Spanned, quote};
use crate::{Database, Setting};

const URLS: &str = "no `url` (the SQLite database `NAME.db`), `sqlite:PATH` or `postgres://user@host:5432/name`";

/// The databases, with the overrides of `environment`.
pub(super) fn check(
    file: &RawFile<'_>,
    environment: Option<&RawEnvironment>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Database> {
    let overrides = file.environments.iter().flat_map(|environment| &environment.databases);
    for database in file.databases.iter().chain(overrides) {
        if let Some(Spanned { value: Setting::Plain(url), span }) = &database.url {
            check_url(url, span, report);
        }
    }
    let named = |raw: &RawDatabase| {
        let mut overrides = environment.iter().flat_map(|environment| &environment.databases);
        let over = overrides.find(|over| over.name.value == raw.name.value);
        let url = over.and_then(|over| over.url.as_ref()).or(raw.url.as_ref());
        let name = raw.name.value.clone();
        (name.clone(), Database { name, url: url.map(|url| url.value.clone()) })
    };
    file.databases.iter().map(named).collect()
}

fn check_url(url: &str, span: &Range<usize>, report: &mut Report<'_>) {
    let postgres = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    // What may hold a password is not repeated in a message.
    if postgres.is_some_and(has_password) {
        let problem = Problem::error("P0211", "a password stands in the `url` of a database")
            .label("everyone who reads the file reads this")
            .expected("`url = { secret = \"name\" }`, with the whole url in the environment or in `.env`")
            .help("take it out, and change it if the file was shared");
        return report.at(span, problem);
    }
    let is_known = match (postgres, url.strip_prefix("sqlite:")) {
        (Some(rest), _) => !rest.is_empty(),
        (None, Some(path)) => !path.trim().is_empty() && !path.contains(char::is_control),
        (None, None) => false,
    };
    if !is_known {
        let shown = if url.contains('@') { "this".to_owned() } else { quote(url) };
        let problem = Problem::error("P0210", format!("{shown} is no place that is known"))
            .label("databases are in SQLite or Postgres")
            .expected(URLS);
        report.at(span, problem);
    }
}

/// True if a url of Postgres, from behind its `://`, has a password, before its host or among its parameters.
pub(super) fn has_password(rest: &str) -> bool {
    let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = before.split('/').next().unwrap_or("");
    // A password may hold a slash that should have been written otherwise; what is before the last `@` is the login.
    let login = before.rsplit_once('@').or_else(|| authority.rsplit_once('@')).map(|(login, _)| login);
    login.is_some_and(|login| login.contains(':')) || parameters.split('&').any(|part| part.starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_wherever_it_stands() {
        for url in ["u:p@host/db", "u:p/q@host/db", "host/db?password=p", "u@host/db?sslmode=require&password=p"] {
            assert!(has_password(url), "{url}");
        }
        for url in ["u@host/db", "host:5432/db", "u@host:5432/db?sslmode=require", "/db"] {
            assert!(!has_password(url), "{url}");
        }
    }
}
