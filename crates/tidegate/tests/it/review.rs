//! The review of a store: what failed as a sheet, the page as people look at it, and a kill in the midst of the work.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::place::Place;

/// The demo's review, which has been run.
fn reviewed() -> Place {
    let place = Place::empty();
    place.run(&["demo", "--keep", "demo"]).ends(0);
    place
}

#[test]
fn the_failure_log_is_one_command_in_three_formats() {
    let place = reviewed();
    let sheet = place.run(&["-C", "demo/review", "failures", "list", "--format", "csv"]).ends(0).out;
    let mut lines = sheet.lines();
    let header = "id,at,verdict,function,object,code,member,line,column,byte,reason,expected,help,attempts";
    assert_eq!(lines.next(), Some(header));
    let find = |word: &str| sheet.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{word}: {sheet}"));
    assert!(find("data/77WW20240501_ct1.zip").contains(",failed,ctd,data/77WW20240501_ct1.zip,R0603,"));
    assert!(find("data/notes").contains(",failed,,data/notes,R0001,"));
    let cut = find("part refused");
    assert!(cut.contains("data/77YY20240305_ct1.zip,R0605,77YY20240305_00003_00001_ct1.csv,"), "{cut}");
    let said = place.run(&["-C", "demo/review", "failures", "--format", "json", "--out", "failures.json"]).ends(0);
    said.says(&["3 rows in `failures.json`"]);
    let rows: serde_json::Value = serde_json::from_str(&place.read("failures.json")).unwrap();
    assert!(rows.as_array().unwrap().iter().all(|row| row["code"].is_string() && row["reason"].is_string()), "{rows}");
    place.run(&["-C", "demo/review", "failures", "--format", "parquet", "--out", "failures.parquet"]).ends(0);
    assert!(fs::read(place.path("failures.parquet")).unwrap().starts_with(b"PAR1"));
    let some = place.run(&["-C", "demo/review", "failures", "--code", "R0603", "--out", "some.csv"]).ends(0);
    some.says(&["1 row in `some.csv`"]);
}

/// The page that a browser makes of a file; `None`, with a word, where there is no browser.
#[expect(clippy::print_stderr, reason = "people are told what was not tested")]
fn in_browser(page: &Path) -> Option<String> {
    let profile = tempfile::tempdir().unwrap();
    let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(|name| {
        let mut command = Command::new(name);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=5000"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg(format!("file://{}", page.display())).output().ok()
    });
    match browser {
        Some(output) => Some(String::from_utf8(output.stdout).unwrap()),
        None => {
            eprintln!("skipped: needs Chromium");
            None
        }
    }
}

#[test]
fn the_page_is_complete_in_itself_and_its_table_is_sorted_by_a_click() {
    let place = reviewed();
    place.run(&["-C", "demo/review", "report", "review", "--out", "report.html"]).ends(0);
    let page = place.read("report.html");
    for outside in ["src=", "href=", "<link", "@import", "url(", "fetch(", "<iframe"] {
        assert!(!page.contains(outside), "the page asks for something else: {outside}");
    }
    for part in ["<svg", "<table", "<h2>Stations</h2>", "<h2>Failures</h2>", "R0603", "R0001", "77XX20240110_ct1.zip"] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    // A click on the heading `Observations`, and another one; the order after each is put where the test finds it.
    let script = "<script>(function(){var b=document.querySelectorAll('th button')[2],o=[];for(var i=0;i<2;i++){b.click();\
        o.push(Array.from(document.querySelectorAll('table')[0].tBodies[0].rows).map(function(r){\
        return r.cells[2].dataset.v}).join(' '))}document.title='SORTED '+o.join('|')})()</script></body>";
    place.write("clicked.html", page.replace("</body>", script));
    let Some(shown) = in_browser(&place.path("clicked.html")) else { return };
    let title = shown.split("<title>SORTED ").nth(1).and_then(|rest| rest.split("</title>").next());
    let orders: Vec<Vec<u64>> = title
        .unwrap_or_else(|| panic!("the script did not run: {shown}"))
        .split('|')
        .map(|order| order.split(' ').map(|number| number.parse().unwrap()).collect())
        .collect();
    assert!(orders[0].len() >= 5 && orders[0].is_sorted(), "{orders:?}");
    assert!(orders[1].iter().rev().is_sorted(), "{orders:?}");
}

#[test]
fn a_page_that_there_is_nothing_for_says_what_is_missing() {
    let place = Place::empty();
    place.run(&["new", "csv-to-table", "people"]).ends(0);
    for (page, kind) in [("review", "summarise"), ("bathymetry", "wibl-process")] {
        let ran = place.run(&["-C", "people", "report", page]).ends(1);
        let ran = ran.says(&[&format!("no function of this pipeline runs `{kind}`"), &format!("tidegate new {page}")]);
        assert!(!ran.err.contains("--table"), "no table of this pipeline would do: {ran:?}");
    }
    place.run(&["new", "review", "hydro"]).ends(0);
    let ran = place.run(&["-C", "hydro", "report", "review", "--table", "history"]).ends(1);
    ran.says(&["`summarise` writes no table `history`", "`statistics`"]);
    let file = place.read("hydro/tidegate.toml").replace("statistics", "all_files");
    place.write("hydro/tidegate.toml", file);
    place.run(&["-C", "hydro", "run", "--once"]).ends(0);
    place.run(&["-C", "hydro", "report", "review"]).ends(0).says(&["0 files and 0 failures"]);
}

/// Objects of mixed kinds.
const OBJECTS: usize = 240;

fn object(number: usize) -> (String, String) {
    match number % 3 {
        0 => (
            format!("{number:03}_hy1.csv"),
            format!(
                "BOTTLE,20240101TEST\nEXPOCODE,STNNBR,CASTNO,SAMPNO,DATE,TIME,LATITUDE,LONGITUDE,CTDPRS\n,,,,,,,,DBAR\n\
                 99ZZ,{number},1,1,20240101,0100,-30.5,179.9,5.5\nEND_DATA\n"
            ),
        ),
        1 => (format!("{number:03}.csv"), format!("a,b\n1,{number}\n")),
        _ => (
            format!("{number:03}_ct1.csv"),
            format!(
                "CTD,20240101TEST\nNUMBER_HEADERS = 7\nEXPOCODE = 99ZZ\nSTNNBR = {number}\nCASTNO = 2\nDATE = 20240101\n\
                 LATITUDE = -30.5\nLONGITUDE = 170.25\nCTDPRS\nDBAR\n2\nEND_DATA\n"
            ),
        ),
    }
}

fn succeeded(place: &Place) -> u64 {
    let status = place.json(&["-C", "hydro", "status"]);
    status["functions"].as_array().unwrap().iter().filter_map(|function| function["succeeded"].as_u64()).sum()
}

#[test]
fn a_killed_review_goes_on_where_it_was_and_does_nothing_twice() {
    let place = Place::empty();
    place.run(&["new", "review", "hydro"]).ends(0);
    for number in 0..OBJECTS {
        let (name, text) = object(number);
        place.write(&format!("hydro/buckets/data/{name}"), text);
    }
    let worker = place.start(&["-C", "hydro", "run", "--once"]);
    place.wait_until("some of it is done", |place| succeeded(place) > 10 || worker.has_ended());
    worker.signal(Signal::KILL);
    assert_eq!(worker.end().code, -1, "it was killed in the midst of its work");
    let before = succeeded(&place);
    assert!(before < OBJECTS as u64, "nothing was left to do");
    place.run(&["-C", "hydro", "run", "--once"]).ends(0);
    let runs = place.json(&["-C", "hydro", "runs", "--limit", "1000"]);
    let runs = runs.as_array().unwrap();
    assert_eq!((runs.len(), succeeded(&place)), (OBJECTS, OBJECTS as u64));
    // Only what was under way at the moment of the kill was begun again: at most as many as work at once.
    let again = runs.iter().filter(|run| run["attempts"] != 1).count();
    assert!(again <= 32, "{again} runs were begun again");
    for table in ["statistics", "history"] {
        let rows = place.run(&["-C", "hydro", "table", "export", table]).ends(0).out;
        assert_eq!(rows.lines().count(), OBJECTS + 1, "{table} has a row for each object");
    }
}
