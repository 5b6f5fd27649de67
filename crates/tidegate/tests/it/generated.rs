//! Documents that are generated from the code equal the code; `TIDEGATE_BLESS=1` writes them anew.

use std::fs;
use std::process::Command;

use crate::place::{Place, repository};

/// Compares a file of the repository with what it should be.
#[track_caller]
fn golden(path: &str, expected: &str) {
    let path = repository().join(path);
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "`{}` is not what the code says; bless it: TIDEGATE_BLESS=1 cargo test -p tidegate generated",
        path.display()
    );
}

fn help(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).args(args).arg("--help").output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A name stands at the third column; further ones are continued descriptions.
    let names =
        list.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next().filter(|_| !line.starts_with("   ")));
    names.map(str::to_owned).collect()
}

#[test]
fn the_command_line_reference_is_what_help_says() {
    let main = help(&[]);
    let mut page = format!(
        "# The command line\n\nGenerated from `--help`; do not edit. What `--json` prints is told in [json.md](json.md).\n\n```text\n{main}```\n"
    );
    let mut rest: Vec<Vec<String>> = commands(&main).into_iter().map(|name| vec![name]).collect();
    assert!(rest.len() > 10, "{main}");
    rest.reverse();
    while let Some(path) = rest.pop() {
        let args: Vec<&str> = path.iter().map(String::as_str).collect();
        let text = help(&args);
        // What every command takes is told once.
        let text = text.split("\nEverywhere:").next().unwrap().trim_end().to_owned();
        page.push_str(&format!("\n## tidegate {}\n\n```text\n{text}\n```\n", path.join(" ")));
        for name in commands(&text).into_iter().rev() {
            rest.push([path.clone(), vec![name]].concat());
        }
    }
    golden("docs/guide/command-line.md", &page);
}

#[test]
fn the_schema_in_the_repository_is_what_the_binary_prints() {
    let schema = Place::empty().run(&["schema"]).ends(0).out;
    serde_json::from_str::<serde_json::Value>(&schema).unwrap();
    golden("docs/tidegate.schema.json", &schema);
}

#[test]
fn the_reference_of_the_pipeline_file_is_what_the_tables_say() {
    let kinds: Vec<_> = tidegate_functions::catalog().iter().map(|kind| kind.spec).collect();
    golden("docs/pipeline-file.md", &tidegate_model::reference(&kinds));
}

#[test]
fn the_documented_views_of_the_state_database_are_those_it_has() {
    let place = Place::people();
    place.write("buckets/incoming/a.csv", "id,name\n1,Ann\n2\n");
    place.run(&["run", "--once"]).ends(3);
    let database = rusqlite::Connection::open(place.path(".tidegate/state.db")).unwrap();
    let strings = |sql: &str| -> Vec<String> {
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let page = fs::read_to_string(repository().join("docs/state-database.md")).unwrap();
    let mut documented: Vec<(String, Vec<String>)> = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## `") {
            documented.push((heading.split('`').next().unwrap().to_owned(), Vec::new()));
        } else if let (Some(row), Some((_, columns))) = (line.strip_prefix("| `"), documented.last_mut()) {
            let names = row.split(" | ").next().unwrap().split(", ");
            columns.extend(names.map(|name| name.trim_matches(['`', ' ']).to_owned()));
        }
    }
    let views = strings("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name");
    let mut names: Vec<&str> = documented.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(views, names);
    for (view, mut columns) in documented {
        columns.sort();
        assert_eq!(strings(&format!("SELECT name FROM pragma_table_info('{view}') ORDER BY name")), columns, "{view}");
    }
    // The examples are SQL that this database understands, and the views have what the run left.
    for example in page.split("```sql\n").nth(1).unwrap().split("```").next().unwrap().split(";\n") {
        database.prepare(example).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
    assert_eq!(strings("SELECT state || rejected FROM runs"), ["succeeded1"]);
    assert_eq!(strings("SELECT line || code FROM rejects"), ["3R0108"]);
}
