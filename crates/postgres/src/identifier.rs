//! Names as SQL has them. Whatever a table or a column is called, it is quoted, never pasted.

use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

/// Longest name in bytes. Postgres cuts longer ones off without a word, so that two names could become one.
pub const MAX_NAME: usize = 63;

/// Columns that every table has already.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// `name` as an SQL identifier, whatever stands in it.
///
/// ```
/// assert_eq!(tidegate_postgres::quote("the \"order\""), "\"the \"\"order\"\"\"");
/// ```
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Refuses a name that Postgres cannot keep as it is; `what` is what it names: `table`, `column`.
///
/// # Errors
/// `Invalid`, with the remedy.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let shown = name.escape_debug();
    let refused = |why: &str, help: String| {
        Err(Error::new(ErrorKind::Invalid, format!("no {what} in Postgres can be called `{shown}`: {why}")).help(help))
    };
    if name.is_empty() {
        return refused("it has no letters", format!("give the {what} a name"));
    }
    if name.len() > MAX_NAME {
        let why = format!("the name has {} bytes, and Postgres cuts names off after {MAX_NAME}", name.len());
        return refused(&why, format!("give the {what} a shorter name"));
    }
    if name.contains('\0') {
        return refused("it has a NUL in it", format!("give the {what} another name"));
    }
    if what == "column" && SYSTEM_COLUMNS.contains(&name) {
        return refused("every table has a column of that name, for Postgres itself", "rename the column".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_or_refused_with_its_remedy() {
        for name in ["people", "a\"b", "x'); DROP TABLE t; --", " ", "Ünï ☃", &"x".repeat(MAX_NAME)] {
            check_name("column", name).unwrap();
        }
        for (name, why) in [
            ("", "no letters"),
            ("é".repeat(32).as_str(), "64 bytes"),
            ("a\0b", "a NUL"),
            ("ctid", "for Postgres itself"),
        ] {
            let error = check_name("column", name).unwrap_err();
            assert!(error.kind == ErrorKind::Invalid && error.to_string().contains(why), "{error}");
            assert!(error.help.is_some());
        }
        check_name("table", "ctid").unwrap();
    }
}
