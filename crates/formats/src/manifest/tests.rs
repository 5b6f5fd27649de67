//! What is written is read back, and what is wrong is told.

use super::*;

fn column(name: &str, data_type: &str) -> ColumnEntry {
    ColumnEntry { name: name.to_owned(), data_type: data_type.to_owned(), nullable: false, values: Vec::new() }
}

fn object(key: &str) -> ObjectEntry {
    ObjectEntry { key: key.to_owned(), sha256: "0".repeat(64), size: 12, rows: 1 }
}

fn sample() -> Manifest {
    let columns = vec![column("staff_id", "integer"), column("department_id", "integer"), column("at", "timestamp(3)")];
    let schema = schema_hash(&columns);
    let staff = TableEntry {
        name: "staff".to_owned(),
        role: Role::Source,
        is_full: false,
        key: vec!["staff_id".to_owned()],
        stamp: Some(vec!["at".to_owned()]),
        surrogate: None,
        columns,
        references: vec![Reference {
            columns: vec!["department_id".to_owned()],
            table: "department".to_owned(),
            to: vec!["department_id".to_owned()],
        }],
        objects: vec![object("totesys/2026-01-02/030405.678-89abcdef/staff.csv")],
        deleted: vec![object("totesys/2026-01-02/030405.678-89abcdef/staff.deleted.csv")],
        schema,
    };
    Manifest {
        manifest: VERSION,
        of: "totesys".to_owned(),
        run: "89abcdef".to_owned(),
        sequence: 2,
        previous: Some("totesys/2026-01-01/000000.000-01234567/manifest.json".to_owned()),
        from: None,
        snapshot: "2026-01-02T03:04:05.678Z".to_owned(),
        anew: false,
        gone: Vec::new(),
        left_out: Vec::new(),
        tables: vec![staff],
        state: Some(serde_json::json!({ "a": 1 })),
    }
}

#[test]
fn what_is_written_is_read_back() {
    let manifest = sample();
    let bytes = manifest.to_json().expect("a good manifest");
    assert_eq!(Manifest::parse(&bytes).expect("read back"), manifest);
    let staff = manifest.table("staff").expect("the table");
    assert_eq!((staff.rows(), staff.deleted_rows()), (1, 1));
    assert_eq!(staff.column("at").map(|column| column.data_type.as_str()), Some("timestamp(3)"));
}

#[test]
fn another_version_is_told_before_its_fields_are_judged() {
    let error = Manifest::parse(br#"{"manifest": 2, "new": true}"#).expect_err("a newer one");
    assert_eq!(error.problem, Problem::Unsupported);
    assert!(error.message.contains("version 2"), "{error}");
}

#[test]
fn unknown_fields_are_refused_with_their_line() {
    let mut value = serde_json::to_value(sample()).expect("a value");
    value["tables"][0]["sort"] = serde_json::json!("desc");
    let text = serde_json::to_vec_pretty(&value).expect("text");
    let error = Manifest::parse(&text).expect_err("refused");
    assert!(error.message.contains("`sort`"), "{error}");
    assert!(error.line.is_some_and(|line| line > 20), "{error}");
}

#[test]
fn every_contradiction_is_told_with_its_table() {
    type Change = fn(&mut Manifest);
    let changes: &[(Change, &str)] = &[
        (|m| m.of.clear(), "`of`"),
        (|m| m.sequence = 0, "`sequence` is 0"),
        (|m| m.sequence = 1, "`sequence` is 1"),
        (|m| m.previous = None, "`sequence` is 2"),
        (|m| m.previous = Some("../x".to_owned()), "`previous` has the key `../x`"),
        (|m| m.snapshot = "yesterday".to_owned(), "`yesterday`"),
        (|m| m.tables.push(m.tables[0].clone()), "`staff` stands there twice"),
        (|m| m.tables[0].columns.clear(), "no column"),
        (|m| m.tables[0].columns.push(column("at", "date")), "column `at` stands there twice"),
        (|m| m.tables[0].key = vec!["id".to_owned()], "`id` is named"),
        (|m| m.tables[0].surrogate = Some("at".to_owned()), "surrogate `at`"),
        (|m| m.tables[0].references[0].to.clear(), "reference to `department`"),
        (|m| m.tables[0].key.clear(), "no key"),
        (|m| m.tables[0].objects[0].key = "/etc/passwd".to_owned(), "`/etc/passwd`"),
        (|m| m.tables[0].objects[0].sha256 = "F".repeat(64), "SHA-256"),
        (|m| m.tables[0].columns[0].nullable = true, "`schema` is"),
    ];
    for (change, told) in changes {
        let mut manifest = sample();
        change(&mut manifest);
        let error = manifest.to_json().expect_err(told);
        assert!(error.message.contains(told), "{told}: {error}");
        assert!(error.expected.is_some() && error.help.is_some(), "{told}");
    }
}

#[test]
fn the_hash_tells_columns_apart() {
    let of = |columns: &[ColumnEntry]| schema_hash(columns);
    let one = of(&[column("a", "text"), column("b", "text")]);
    assert_eq!(one, of(&[column("a", "text"), column("b", "text")]));
    assert_ne!(one, of(&[column("b", "text"), column("a", "text")]));
    assert_ne!(one, of(&[column("at", "ext"), column("b", "text")]));
    let words = |values: &[&str]| ColumnEntry {
        values: values.iter().map(|word| (*word).to_owned()).collect(),
        ..column("a", "text")
    };
    assert_ne!(of(&[words(&["x", "y"])]), of(&[words(&["xy"])]));
}
