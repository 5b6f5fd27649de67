//! Deployments for `profiles`: clean hauls and pots, and the faults that sensors, transfers and tables have.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use super::{Demo, Numbers};

pub(super) const DEMO: Demo = Demo {
    template: "profiles",
    fill,
    later: &[],
    look: &[
        "status",
        "failures",
        "trace raw/0108/MOANA_0108_1_230310060000.csv",
        "table export deployments --format csv",
    ],
};

/// 2023-03-10T00:00:00Z.
const START: i64 = 1_678_406_400;

/// What is wrong with a deployment.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Spikes,
    Stuck,
    OutOfRange,
    Reset,
    Damaged,
    NoEnd,
}

/// Sensor, gear, what is wrong, and whether its vessel lets its data be public.
const DEPLOYMENTS: [(u32, &str, Fault, &str); 12] = [
    (101, "Bottom trawl", Fault::None, "True"),
    (102, "Potting", Fault::None, "True"),
    (103, "Bottom trawl", Fault::Spikes, "True"),
    (104, "Set netting", Fault::Stuck, "True"),
    (105, "Trolling", Fault::OutOfRange, "True"),
    (106, "Bottom trawl", Fault::Reset, "True"),
    (107, "Research", Fault::None, "False"),
    // No method of that name has a gear class.
    (108, "Hand lining", Fault::None, "True"),
    (109, "Bottom trawl", Fault::Damaged, "True"),
    (110, "Bottom trawl", Fault::NoEnd, "True"),
    (111, "Danish seining", Fault::None, "yes"),
    // Not in the table of vessels.
    (112, "", Fault::None, ""),
];

fn fill(dir: &Path) -> io::Result<()> {
    let (participation, raw) = (dir.join("buckets/participation"), dir.join("buckets/raw"));
    fs::create_dir_all(&participation)?;
    let mut vessels = String::from(
        ",Fishing method,Fisherman name,Vessel name,Vessel id,Fisherman contact phone,Contact email,Mangopare serial number,\
         Deck unit serial number,Date supplied,Date returned,Active/Terminated,Comments,Email Status,Email Frequency,Programme,\
         Public,WIGOS ID,Publication Date\n",
    );
    let mut participants = String::from(
        "\u{feff}Company name,ABN,Vessel name,Vessel number,Port,Port state/territory,Contact name,Contact number\r\n",
    );
    for (sensor, method, fault, public) in DEPLOYMENTS {
        let mut numbers = Numbers(u64::from(sensor));
        let folder = raw.join(format!("{sensor:04}"));
        fs::create_dir_all(&folder)?;
        fs::write(
            folder.join(format!("MOANA_{sensor:04}_1_230310060000.csv")),
            deployment(sensor, method, fault, &mut numbers),
        )?;
        if method.is_empty() {
            continue;
        }
        let id = sensor - 100;
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            vessels,
            "T{id},{method},Skipper {id},Example {id},{},,skipper{id}@example.org,{sensor},{},01/06/2021,,Active,,Active,Daily,\
             Demo,{public},,01/01/2022",
            300 + id,
            5000 + sensor,
        );
        let _ = write!(
            participants,
            "Example Fishing {id} Pty Ltd,{:011},Example {id},{},\"Eden, Twofold Bay\",NSW,Skipper {id},+61 2 5550 {id:04}\r\n",
            51_000_000_000 + u64::from(id),
            300 + id,
        );
    }
    fs::write(participation.join("vessels.csv"), vessels)?;
    fs::write(participation.join("participants.csv"), participants)
}

/// The file of one deployment.
fn deployment(sensor: u32, method: &str, fault: Fault, numbers: &mut Numbers) -> Vec<u8> {
    let is_set = matches!(method, "Potting" | "Set netting" | "Danish seining");
    let mut text = format!(
        " Deck unit serial number,{}\r\nDeck unit firmware version,4.10\r\nDeck unit battery voltage,3.9\r\n\
         Deck unit battery percent,84\r\nCellular upload position,-37.070000,149.910000\r\nCellular signal strength,19\r\n\
         Download Time,10/03/2023 06:00:00\r\nMoana Serial Number,{sensor}\r\nMoana Firmware,MOANA-3.05\r\nProtocol Version,2\r\n\
         Moana calibration date,16/03/2022\r\nReset Codes, 0x200204\r\nMoana Battery (V),3.61\r\n\
         Max Lifetime Depth (dBar),220.9\r\nBaseline(mBar),1013\r\nDateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\r\n",
        5000 + sensor
    );
    let deepest = 40 + numbers.below(60);
    let mut time = START + 3600;
    let mut east = 149.95;
    for (index, pressure, step) in track(deepest) {
        time += step;
        east += if is_set { 0.0 } else { 0.000_06 * step as f64 };
        let noise = numbers.below(11) as f64 / 1000.0 - 0.005;
        // A warm layer over a thermocline at 25 dbar.
        let mut temperature = 14.0 + 4.5 / (1.0 + ((pressure - 25.0) / 6.0).exp()) + noise;
        let mut shown = pressure;
        match fault {
            Fault::Spikes if index % 41 == 20 => temperature += 7.5,
            Fault::Stuck if index > 60 => temperature = 15.317,
            Fault::OutOfRange if (90..94).contains(&index) => temperature = 41.2,
            Fault::Reset if index == 70 => (temperature, shown) = (44.444, 512.0),
            _ => {}
        }
        let stamp = jiff::Timestamp::from_second(time).map(|time| time.strftime("%Y%m%dT%H%M%S").to_string());
        let stamp = stamp.unwrap_or_default();
        let _ = write!(text, "{stamp},-37.070000,+{east:.6},{shown:.1},{temperature:.3}\r\n");
    }
    match fault {
        // The transfer was cut within a row.
        Fault::NoEnd => text.truncate(text.len() - 20),
        _ => text.push_str("\r\nEND7"),
    }
    let mut bytes = text.into_bytes();
    if fault == Fault::Damaged {
        // Half of it is something else.
        let half = 300;
        bytes.truncate(half);
        bytes.extend((0..600).map(|_| 128 + u8::try_from(numbers.below(100)).unwrap_or(0)));
    }
    bytes
}

/// Index, pressure and step in seconds of each row: down, an hour at depth, and up.
fn track(deepest: u64) -> Vec<(u64, f64, i64)> {
    let down = (0..=deepest).map(|dbar| (dbar, 3));
    let bottom = (0..12).map(|_| (deepest, 300));
    let up = (0..=deepest).rev().map(|dbar| (dbar, 2));
    let all = down.chain(bottom).chain(up).enumerate();
    all.map(|(index, (dbar, step))| (index as u64, dbar as f64 + 0.1, step)).collect()
}
