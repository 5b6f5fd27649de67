//! `tidegate package`: what is in the zip, what is not, and that it is the same each time.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use tidegate_formats::zip::Archive;

use crate::place::Place;

/// A program as far as `package` looks: the head of one for this processor.
fn program(machine: u8) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01".to_vec();
    bytes.resize(18, 0);
    bytes.extend([machine, 0]);
    bytes.resize(5_000, 7);
    bytes
}

fn names(place: &Place) -> Vec<String> {
    let mut file = File::open(place.path("program.zip")).unwrap();
    Archive::open(&mut file).unwrap().entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn it_holds_the_program_and_what_belongs_to_the_pipeline_and_nothing_else() {
    let place = Place::people();
    let elsewhere = tempfile::tempdir().unwrap();
    let built = elsewhere.path().join("tidegate");
    fs::write(&built, program(62)).unwrap();
    for (name, content) in [
        ("star/dim.sql", "SELECT 1"),
        ("buckets/incoming/private.csv", "id,name\n1,Ann\n"),
        (".env", "DB=secret"),
        (".tidegate/state.db", "x"),
        ("tables.db", "x"),
    ] {
        place.write(name, content);
    }
    let args = ["package", "--program", built.to_str().unwrap(), "--json"];
    let first: Value = serde_json::from_str(&place.run(&args).ends(0).out).unwrap();
    assert_eq!(first["architecture"], "x86_64");
    assert_eq!(names(&place), ["bootstrap", "star/dim.sql", "tidegate.toml"]);
    // The zip of the first time lies there now, and is not packed into the second.
    let second: Value = serde_json::from_str(&place.run(&args).ends(0).out).unwrap();
    assert_eq!(first["sha256"], second["sha256"], "the same bytes");
    let mut file = File::open(place.path("program.zip")).unwrap();
    let archive = Archive::open(&mut file).unwrap();
    let mut content = Vec::new();
    archive.member(&archive.entries[0], &mut file).unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, program(62));
}

#[test]
fn what_is_unpacked_can_be_run() {
    let place = Place::people();
    place.run(&["package", "--program", "/bin/true"]).ends(0);
    let unpacked = place.path("unpacked");
    // As an unpacker on Unix does it: the mode of each member is that of its file.
    let unzip = "import sys, zipfile, os\n\
                 archive = zipfile.ZipFile(sys.argv[1])\n\
                 for member in archive.infolist():\n\
                 \x20   assert member.create_system == 3\n\
                 \x20   os.chmod(archive.extract(member, sys.argv[2]), member.external_attr >> 16)\n";
    let status =
        Command::new("python3").args(["-c", unzip]).arg(place.path("program.zip")).arg(&unpacked).status().unwrap();
    assert!(status.success());
    let mode = |name: &str| fs::metadata(unpacked.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("bootstrap"), mode("tidegate.toml")), (0o755, 0o644));
    assert!(Command::new(unpacked.join("bootstrap")).status().unwrap().success());
}

#[test]
fn a_program_that_lambda_cannot_start_is_refused() {
    let place = Place::people();
    place.write("script.sh", "#!/bin/sh\n");
    let told = place.run(&["package", "--program", "script.sh"]).ends(1).err;
    assert!(told.contains("no program that Lambda can start"), "{told}");
    assert!(!place.path("program.zip").exists());
    place.write("arm", program(183));
    let told = place.json(&["package", "--program", "arm"]);
    assert_eq!(told["architecture"], "arm64");
    assert!(!told["files"].as_array().unwrap().iter().any(|name| name == "arm"), "it is in there once");
}
