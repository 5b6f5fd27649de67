//! Logger files for `bathymetry`: five short trips with what goes wrong on boats, and an archive on this machine to send to.

use std::fs;
use std::io;
use std::path::Path;

use tidegate_formats::nmea0183;
use tidegate_formats::wibl::{Fix, NOT_AVAILABLE, Packet, Stamp};

use super::{Demo, Numbers, archive};

pub(super) const DEMO: Demo = Demo {
    template: "bathymetry",
    fill,
    later: &[],
    look: &["runs", "failures", "trace incoming/harbour.wibl", "table export submissions"],
};

/// 2024-05-11.
const DAY: u16 = 19_854;

/// Ten in the morning.
const BEGIN: u32 = 36_000;

/// A trip that is being logged.
struct Trip {
    file: Vec<u8>,
    numbers: Numbers,
    /// Degrees, north and east.
    from: (f64, f64),
}

impl Trip {
    fn new(seed: u64, vessel: &str, name: &str, from: (f64, f64)) -> Self {
        let mut trip = Self { file: Vec::new(), numbers: Numbers(seed), from };
        trip.write(&Packet::CURRENT_VERSION);
        trip.write(&Packet::Metadata { first: vessel.as_bytes(), second: name.as_bytes() });
        trip
    }

    fn write(&mut self, packet: &Packet<'_>) {
        packet.write(&mut self.file);
    }

    fn sentence(&mut self, elapsed: u32, body: &str) {
        let text = format!("${body}*{:02X}\r\n", nmea0183::sum(body));
        self.write(&Packet::Sentence { elapsed, text: text.as_bytes() });
    }

    /// Where the boat is after so many seconds, and how deep it is there.
    fn at(&mut self, second: u32) -> (f64, f64, f64) {
        let along = f64::from(second);
        let noise = f64::from(u32::try_from(self.numbers.below(200)).unwrap_or(0)) / 1000.0;
        let depth = 14.0 + 6.0 * (along / 90.0).sin() + 1.5 * (along / 17.0).cos() + noise;
        (self.from.0 + along * 2.1e-5, self.from.1 + along * 1.4e-5, depth)
    }

    /// A second on a boat with NMEA 2000: time, fix, depth.
    fn second_n2k(&mut self, second: u32) {
        let (latitude, longitude, depth) = self.at(second);
        let elapsed = 5_000 + second * 1_000;
        let time = f64::from(BEGIN + second);
        let stamp = |elapsed| Stamp { date: DAY, time, elapsed };
        self.write(&Packet::SystemTime { stamp: stamp(elapsed), source: 0 });
        let fix = Fix {
            date: DAY,
            time,
            latitude,
            longitude,
            altitude: 2.5,
            receiver: 0,
            method: 1,
            satellites: 9,
            hdop: 0.9,
            pdop: 1.6,
            separation: 16.2,
            stations: 0,
            station_type: 0,
            station: 0,
            correction_age: 0.0,
        };
        self.write(&Packet::Gnss { stamp: stamp(elapsed + 120), fix });
        // The sounder loses the bottom now and then.
        let depth = if self.numbers.below(40) == 0 { NOT_AVAILABLE } else { depth };
        self.write(&Packet::Depth { stamp: stamp(elapsed + 500), depth, offset: 0.0, range: 200.0 });
        // A sentence that was begun before the packet above was heard.
        self.sentence(elapsed + 480, "HCHDG,101.1,,,7.1,W");
    }

    /// A second on a boat with NMEA 0183.
    fn second_n0183(&mut self, second: u32, has_fix: bool) {
        let (latitude, longitude, depth) = self.at(second);
        let elapsed = 5_000 + second * 1_000;
        let time = BEGIN + second;
        let clock = format!("{:02}{:02}{:02}.00", time / 3600, time / 60 % 60, time % 60);
        self.sentence(elapsed, &format!("GPZDA,{clock},11,05,2024,00,00"));
        let place = if has_fix {
            format!("{},N,{},E,1,08", minutes(latitude, 2), minutes(longitude, 3))
        } else {
            ",,,,0,00".to_owned()
        };
        self.sentence(elapsed + 60, &format!("GPGGA,{clock},{place},1.0,2.5,M,16.2,M,,"));
        if self.numbers.below(50) == 0 {
            // A loose wire.
            self.write(&Packet::Sentence { elapsed: elapsed + 500, text: b"$SDDBT,4\x9f.9,f,1%.6,M,8.0,F*2B\r\n" });
        } else {
            self.sentence(
                elapsed + 500,
                &format!("SDDBT,{:.2},f,{depth:.2},M,{:.2},F", depth * 3.2808, depth * 0.5468),
            );
        }
    }
}

/// Degrees as `ddmm.mmmmm`.
fn minutes(degrees: f64, digits: usize) -> String {
    let whole = degrees.trunc();
    format!("{whole:0digits$.0}{:08.5}", (degrees - whole) * 60.0)
}

fn trip(seed: u64, vessel: &str, name: &str, from: (f64, f64), seconds: u32) -> Vec<u8> {
    let mut trip = Trip::new(seed, vessel, name, from);
    trip.write(&Packet::AlgorithmRequest { name: b"nodatareject", parameters: b"phase=raw" });
    (0..seconds).for_each(|second| trip.second_n2k(second));
    trip.file
}

fn fill(dir: &Path) -> io::Result<()> {
    let incoming = dir.join("buckets/incoming");
    fs::create_dir_all(&incoming)?;
    let rose = "EXAMPLE-e8c469f8-df38-41e5-b86d-9a79f06e9478";
    fs::write(incoming.join("harbour.wibl"), trip(1, rose, "Rose of Whitby", (54.49, -0.61), 600))?;

    // The receiver needs a minute to find itself, and says nothing for two minutes later on.
    let mut evening = Trip::new(2, "Keiko", "Keiko", (57.03, 9.87));
    for second in (0..900).filter(|second| !(400..520).contains(second)) {
        evening.second_n0183(second, second > 60);
    }
    fs::write(incoming.join("evening.wibl"), evening.file)?;

    // A card that has seen water, and a battery that went flat; a newer logger wrote a packet that nobody knows.
    let mut damaged = trip(3, rose, "Rose of Whitby", (54.50, -0.60), 500);
    let third = damaged.len() / 3;
    damaged[third..third + 3_000].fill(0xff);
    let cut = damaged.len() - 20;
    damaged.truncate(cut);
    let mut unknown = vec![23, 0, 0, 0, 4, 0, 0, 0];
    unknown.extend(b"wind");
    damaged.splice(30..30, unknown);
    fs::write(incoming.join("damaged-card.wibl"), damaged)?;

    let mut without = Trip::new(4, rose, "Rose of Whitby", (54.49, -0.61));
    (0..120).for_each(|second| without.sentence(5_000 + second * 1_000, "SDDBT,39.39,f,12.01,M,6.56,F"));
    fs::write(incoming.join("no-receiver.wibl"), without.file)?;

    let stranger = trip(5, &format!("EXAMPLE-{}", archive::UNWANTED), "Stranger", (50.36, -4.14), 120);
    fs::write(incoming.join("stranger.wibl"), stranger)?;

    // What a Trusted Node changes once it has a token; only that the archive is this process.
    let url = archive::start()?;
    let path = dir.join("tidegate.toml");
    let pipeline = fs::read_to_string(&path)?;
    let pipeline = pipeline
        .replace("https://www.ngdc.noaa.gov/ingest-external/upload/csb/test/geojson/", &url)
        .replace("preview  = true\n", "# The demo's archive is gone when the demo has ended.\n");
    fs::write(path, pipeline)?;
    fs::write(dir.join(".env"), "DCDB_TOKEN=demo\n")
}
