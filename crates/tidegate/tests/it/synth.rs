//! `tidegate synth aws`: the template and the explanation, as people and programs get them.

use serde_json::Value;

use crate::place::Place;

#[test]
fn every_template_of_ours_becomes_a_stack_as_it_is() {
    for name in ["csv-to-table", "profiles", "review", "bathymetry", "warehouse"] {
        let place = Place::empty();
        place.run(&["new", name]).ends(0);
        let shown = place.run(&["--json", "synth", "aws"]).ends(0);
        let template: Value = serde_json::from_str(&shown.out).unwrap();
        assert!(template["Resources"]["TidegateIntakeFunction"].is_object(), "{name}");
        assert!(shown.err.contains(&format!("stack `{name}`")), "{}", shown.err);
        place.run(&["synth", "aws", "--out", "stack.yaml"]).ends(0);
        assert_eq!(place.read("stack.yaml"), place.run(&["-q", "synth", "aws"]).ends(0).out, "{name}");
    }
}

#[test]
fn a_permission_is_explained_and_an_unknown_function_is_told() {
    let place = Place::empty();
    place.run(&["new", "csv-to-table"]).ends(0);
    let told = place.run(&["synth", "aws", "--explain", "load"]).ends(0).out;
    assert!(told.contains("put rows into table `people`") && told.contains("Everything else is refused."), "{told}");
    let told = place.run(&["--json", "synth", "aws", "--explain", "load"]).ends(0).out;
    let permissions = serde_json::from_str::<Value>(&told).unwrap()["permissions"].as_array().unwrap().len();
    assert!(permissions >= 6, "{told}");
    let told = place.run(&["synth", "aws", "--explain", "loud"]).ends(1).err;
    assert!(told.contains("there is no function `loud`") && told.contains("`tidegate-intake`"), "{told}");
}

#[test]
fn everything_that_aws_cannot_have_is_told_at_once_and_nothing_is_written() {
    let place = Place::empty();
    place.write(
        "tidegate.toml",
        "[pipeline]\nname = \"p\"\n[bucket.raw]\nurl = \"in\"\n[table.t]\n\
         [function.f]\non = { created = \"raw\" }\nrun = \"csv-to-table\"\ninto = \"t\"\n",
    );
    let ran = place.run(&["synth", "aws", "--out", "stack.yaml"]).ends(1);
    assert!(ran.err.contains("D0101") && ran.err.contains("D0102"), "{}", ran.err);
    assert!(!place.path("stack.yaml").exists());
}

#[test]
fn what_would_fail_there_because_of_a_file_beside_it_is_told_here() {
    let place = Place::empty();
    place.run(&["new", "warehouse"]).ends(0);
    place.write("star/dim_staff.sql", "-- role: dimension\n-- key: staff_id\nSELEKT 1");
    for command in [&["synth", "aws"][..], &["package"], &["deploy", "--yes"]] {
        let ran = place.run(command).ends(1);
        assert!(ran.err.contains("star/dim_staff.sql"), "{command:?}: {}", ran.err);
        assert!(ran.out.is_empty() && !place.path("program.zip").exists(), "{command:?}: {}", ran.out);
    }
}

#[test]
fn the_environment_aws_is_meant_unless_another_is_named() {
    let place = Place::empty();
    place.write(
        "tidegate.toml",
        "[pipeline]\nname = \"p\"\n[bucket.raw]\nurl = \"in\"\n[table.t]\nkey = { id = \"string\" }\n\
         [function.f]\non = { created = \"raw\" }\nrun = \"csv-to-table\"\ninto = \"t\"\n\
         [env.aws.bucket.raw]\nurl = \"s3://theirs/in\"\n[env.test.bucket.raw]\nurl = \"s3://tests\"\n",
    );
    let told = place.run(&["synth", "aws"]).ends(0);
    assert!(
        told.out.contains("theirs") && told.err.contains("stack `p`") && told.err.contains("EventBridge"),
        "{}",
        told.err
    );
    let told = place.run(&["--env", "test", "synth", "aws"]).ends(0);
    assert!(told.out.contains("tests") && told.err.contains("stack `p-test`"), "{}", told.err);
}

#[test]
fn terraform_makes_a_stack_of_the_same_template() {
    let place = Place::empty();
    place.run(&["new", "profiles"]).ends(0);
    place.run(&["synth", "terraform", "--out", "infra"]).ends(0).shows(&["infra/tidegate.tf.json"]);
    let program: Value = serde_json::from_str(&place.read("infra/tidegate.tf.json")).unwrap();
    let stack = &program["resource"]["aws_cloudformation_stack"]["pipeline"];
    assert_eq!(stack["name"], "profiles");
    let parameters = stack["parameters"].as_object().unwrap();
    assert_eq!(parameters.keys().collect::<Vec<_>>(), ["CodeBucket", "CodeKey", "Architecture", "MailFrom"]);
    for value in parameters.values() {
        let name = value.as_str().unwrap().trim_start_matches("${var.").trim_end_matches('}');
        assert!(program["variable"][name].is_object(), "{name} is declared");
    }
    let file = stack["template_body"].as_str().or(stack["template_url"].as_str()).unwrap();
    assert!(file.contains("stack.") || file.contains("aws_s3_object"), "{file}");
}
