//! What stands in a terminal of 80 columns: it fits, it is coloured, and nothing from outside commands it.
#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::io::Read;
use std::process::Stdio;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::place::Place;

/// Runs a command in a terminal of 80 columns; returns what stood there, and the exit code.
fn in_terminal(place: &Place, args: &[&str], settings: &[(&str, &str)]) -> (String, i32) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty()).unwrap();
    tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let terminal = || Stdio::from(OpenOptions::new().read(true).write(true).open(&name).unwrap());
    let mut command = place.command(args);
    command.env("TERM", "xterm-256color").envs(settings.iter().copied());
    let mut child = command.stdin(terminal()).stdout(terminal()).stderr(terminal()).spawn().unwrap();
    drop(command);
    drop(theirs);
    let mut shown = Vec::new();
    // Once nobody has the other side any more, Linux answers with an error where others tell the end.
    let _ = std::fs::File::from(ours).read_to_end(&mut shown);
    let code = child.wait().unwrap().code().unwrap_or(-1);
    (String::from_utf8(shown).unwrap().replace("\r\n", "\n"), code)
}

/// The text without colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        let code = &rest[at + 2..];
        let end = code.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        assert_eq!(&code[end..=end], "m", "nothing but colours: {text:?}");
        rest = &code[end + 1..];
    }
    plain + rest
}

fn place() -> Place {
    let place = Place::people();
    let long = "a/very/long/way/to/an/object/that/does/not/fit/into/eighty/columns/together/with/the/rest.csv";
    place.write(&format!("buckets/incoming/{long}"), "id,name\n1,Ann\n2\n");
    place.write("buckets/incoming/other.csv", b"id,name\n1,Caf\xe9\n");
    // A name that would clear the screen.
    place.write("buckets/incoming/\u{9b}2J.txt", "x");
    place
}

#[test]
fn everything_fits_into_80_columns() {
    let place = place();
    let (shown, code) = in_terminal(&place, &["run", "--once"], &[]);
    assert_eq!(code, 3, "{shown}");
    let id = place.json(&["failures"])["failures"][0]["id"].as_str().unwrap().to_owned();
    let commands = [
        &["status"][..],
        &["runs"],
        &["failures"],
        &["failures", "show", &id],
        &["check"],
        &["table", "list"],
        &["--help"],
    ];
    for args in commands {
        let (text, code) = in_terminal(&place, args, &[]);
        assert_eq!(code, 0, "{args:?}: {text}");
        for line in plain(&text).lines() {
            assert!(line.chars().count() <= 80, "{args:?}: {line}");
        }
    }
    // The log and the name of an object stand whole: they are to be copied.
    for line in plain(&shown).lines().filter(|line| !(line.contains("WARN") || line.starts_with("incoming/a/very"))) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let place = place();
    let (shown, _) = in_terminal(&place, &["run", "--once"], &[]);
    assert!(shown.contains("\u{1b}[31m") && shown.contains("\u{1b}[32m"), "{shown:?}");
    for settings in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        for args in [&["failures"][..], &["status"], &["trace", "incoming/none"], &["check"]] {
            let (shown, _) = in_terminal(&place, args, &settings);
            assert!(!shown.contains('\u{1b}'), "{args:?}: {shown:?}");
        }
    }
}

#[test]
fn names_from_outside_cannot_command_the_terminal() {
    let place = place();
    for args in [&["run", "--once"][..], &["failures"], &["runs"]] {
        let (shown, _) = in_terminal(&place, args, &[("NO_COLOR", "1")]);
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{args:?}: {shown:?}");
    }
}

#[test]
fn a_backfill_shows_its_progress_and_then_its_sums() {
    let place = place();
    let (shown, code) = in_terminal(&place, &["backfill", "load"], &[]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("3 objects: 2 queued") || shown.contains("2 objects: 2 queued"), "{shown:?}");
}
