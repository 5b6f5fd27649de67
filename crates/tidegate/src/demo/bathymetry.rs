//! Logger files for `bathymetry`: five short trips with what goes wrong on boats, and an archive on this machine to send to.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use tidegate_formats::wibl::{Bus, Faults, Stretch, Voyage};
use tidegate_functions::http_submit::archive;

use super::Demo;

pub(super) const DEMO: Demo = Demo {
    template: "bathymetry",
    fill,
    later: &[],
    look: &["runs", "failures", "trace incoming/harbour.wibl", "table export submissions"],
};

/// The vessel that the demo's archive refuses.
const UNWANTED: &str = "EXAMPLE-0f0e0d0c-0b0a-4908-8706-050403020100";

/// Trips by the names of their files.
fn trips() -> [(&'static str, Voyage); 5] {
    let rose = Voyage {
        seconds: 600,
        bus: Bus::Nmea2000,
        requests: vec![("nodatareject".to_owned(), "phase=raw".to_owned())],
        faults: Faults { jitter: 60, lost_bottom: 25, ..Faults::default() },
        ..Voyage::default()
    };
    // A card that has seen water, and a battery that went flat; a newer logger wrote a packet that nobody knows.
    let damaged = Voyage {
        seed: 3,
        faults: Faults { damaged: 2, unknown: 1, is_cut: true, ..rose.faults.clone() },
        ..rose.clone()
    };
    let without = Voyage {
        seconds: 120,
        bus: Bus::Nmea0183,
        faults: Faults { is_without_receiver: true, ..Faults::default() },
        ..Voyage::default()
    };
    // The receiver needs a minute to find itself, and the logger has no power for two minutes later on.
    let evening = Voyage {
        seed: 2,
        seconds: 900,
        from: (57.03, 9.87),
        vessel: "Keiko".to_owned(),
        name: "Keiko".to_owned(),
        bus: Bus::Nmea0183,
        faults: Faults {
            no_fix: vec![Stretch { from: 0, seconds: 60 }],
            gaps: vec![Stretch { from: 400, seconds: 120 }],
            spoiled: 10,
            ..Faults::default()
        },
        ..Voyage::default()
    };
    let stranger = Voyage {
        seed: 5,
        seconds: 120,
        from: (50.36, -4.14),
        vessel: UNWANTED.to_owned(),
        name: "Stranger".to_owned(),
        ..rose.clone()
    };
    [
        ("harbour.wibl", rose),
        ("evening.wibl", evening),
        ("damaged-card.wibl", damaged),
        ("no-receiver.wibl", without),
        ("stranger.wibl", stranger),
    ]
}

fn fill(dir: &Path) -> io::Result<()> {
    let incoming = dir.join("buckets/incoming");
    fs::create_dir_all(&incoming)?;
    for (name, voyage) in trips() {
        voyage.write(BufWriter::new(File::create(incoming.join(name))?))?;
    }
    // What a Trusted Node changes once it has a token; only that the archive is this process.
    let rules = archive::Rules {
        provider: "EXAMPLE".to_owned(),
        token: "demo".to_owned(),
        unwanted: UNWANTED.to_owned(),
        clock: jiff::Timestamp::now,
    };
    let url = archive::start(rules)?;
    let path = dir.join("tidegate.toml");
    let pipeline = fs::read_to_string(&path)?;
    let pipeline = pipeline
        .replace("https://www.ngdc.noaa.gov/ingest-external/upload/csb/test/geojson/", &url)
        .replace("preview  = true\n", "# The demo's archive is gone when the demo has ended.\n");
    fs::write(path, pipeline)?;
    fs::write(dir.join(".env"), "DCDB_TOKEN=demo\n")
}
