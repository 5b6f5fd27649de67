//! A small archive of cruises for `review`: bottles, casts, and what real archives hold beside them.

use std::f64::consts::PI;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use tidegate_formats::zip::Writer;

use super::{Demo, Numbers};

pub(super) const DEMO: Demo = Demo {
    template: "review",
    fill,
    later: &[],
    look: &["status", "failures", "table get statistics 77XX20240110_hy1.csv", "table export statistics"],
};

fn fill(dir: &Path) -> io::Result<()> {
    let data = dir.join("buckets/data");
    fs::create_dir_all(&data)?;
    let mut numbers = Numbers(20_240_110);
    for (cruise, latitude, longitude) in [("77XX20240110", -50.0, 165.0), ("77YY20240305", -30.5, 176.0)] {
        let stations = stations(&mut numbers, latitude, longitude);
        fs::write(data.join(format!("{cruise}_hy1.csv")), bottles(&mut numbers, cruise, &stations))?;
        let mut casts: Vec<(String, Vec<u8>)> = Vec::new();
        for station in &stations {
            let name = format!("{cruise}_{:05}_00001_ct1.csv", station.number);
            casts.push((name, cast(&mut numbers, cruise, station).into_bytes()));
        }
        if cruise == "77YY20240305" {
            // One cast was cut on its way into the archive; the others count.
            casts[2].1.truncate(40);
            casts.push(("readme.txt".to_owned(), b"Casts of the second leg.\n".to_vec()));
        }
        fs::write(data.join(format!("{cruise}_ct1.zip")), archive(&casts)?)?;
    }
    // A bottle file whose transfer was cut, a note, an archive that lost its end.
    let stations = stations(&mut numbers, -20.0, -175.0);
    let text = bottles(&mut numbers, "77ZZ20240401", &stations);
    fs::write(data.join("77ZZ20240401_HY1.CSV"), text.trim_end_matches("END_DATA\n"))?;
    fs::write(data.join("notes"), "ask for the missing leg\n")?;
    let whole = archive(&[("a_ct1.csv".to_owned(), b"CTD\n".to_vec())])?;
    fs::write(data.join("77WW20240501_ct1.zip"), &whole[..whole.len() - 20])
}

/// Where a cast was.
struct Station {
    number: u32,
    date: u32,
    latitude: f64,
    longitude: f64,
    depth: u32,
}

fn stations(numbers: &mut Numbers, latitude: f64, longitude: f64) -> Vec<Station> {
    let jitter = |numbers: &mut Numbers| f64::from(u32::try_from(numbers.below(400)).unwrap_or(0)) / 1000.0;
    (1..=8)
        .map(|number| {
            let east = longitude + f64::from(number) * 1.5 + jitter(numbers);
            Station {
                number,
                date: 20_240_110 + number,
                latitude: latitude + f64::from(number) * 0.4 + jitter(numbers),
                // Beyond the 180th meridian they go on from the other side.
                longitude: if east > 180.0 { east - 360.0 } else { east },
                depth: 800 + number * 150,
            }
        })
        .collect()
}

/// Temperature and salinity of an ocean that never was.
fn water(numbers: &mut Numbers, pressure: f64) -> (f64, f64) {
    let noise = f64::from(u32::try_from(numbers.below(100)).unwrap_or(0)) / 2000.0;
    let mixed = (1.0 + (pressure.min(500.0) / 500.0 * PI).cos()) / 2.0;
    (4.0 + 14.0 * mixed + noise, 34.4 + 0.9 * mixed + noise / 10.0)
}

// Writing to a `String` cannot fail.
fn bottles(numbers: &mut Numbers, cruise: &str, stations: &[Station]) -> String {
    let mut text = String::from(
        "BOTTLE,20240601DEMO\n# made by the demo, not measured\n\
         EXPOCODE,SECT_ID,STNNBR,CASTNO,SAMPNO,BTLNBR,BTLNBR_FLAG_W,DATE,TIME,LATITUDE,LONGITUDE,DEPTH,CTDPRS,CTDTMP,\
         CTDSAL,CTDSAL_FLAG_W,OXYGEN,OXYGEN_FLAG_W\n,,,,,,,,,,,METERS,DBAR,ITS-90,PSS-78,,UMOL/KG,\n",
    );
    for station in stations {
        for bottle in 1..=12_u32 {
            let pressure = f64::from(station.depth) * f64::from(bottle) / 12.0;
            let (temperature, salinity) = water(numbers, pressure);
            let (oxygen, flag) = if numbers.below(9) == 0 { (-999.0, 9) } else { (180.0 + temperature * 4.0, 2) };
            let _ = writeln!(
                text,
                "{cruise}, DEMO,{:>4},  1,{bottle:>3},{bottle:>3},2,{},0930,{:9.4},{:10.4},{:>6},{pressure:8.1},\
                 {temperature:9.4},{salinity:9.4},2,{oxygen:8.1},{flag}",
                station.number, station.date, station.latitude, station.longitude, station.depth,
            );
        }
    }
    text + "END_DATA\n"
}

fn cast(numbers: &mut Numbers, cruise: &str, station: &Station) -> String {
    let mut text = format!(
        "CTD,20240601DEMO\n# made by the demo, not measured\nNUMBER_HEADERS = 10\nEXPOCODE = {cruise}\nSECT_ID = DEMO\n\
         STNNBR = {}\nCASTNO = 1\nDATE = {}\nTIME = 0915\nLATITUDE = {:.4}\nLONGITUDE = {:.4}\nDEPTH = {}\n\
         CTDPRS,CTDPRS_FLAG_W,CTDTMP,CTDTMP_FLAG_W,CTDSAL,CTDSAL_FLAG_W\nDBAR,,ITS-90,,PSS-78,\n",
        station.number, station.date, station.latitude, station.longitude, station.depth,
    );
    for level in 1..=station.depth / 2 {
        let pressure = f64::from(level) * 2.0;
        let (temperature, salinity) = water(numbers, pressure);
        let flag = if numbers.below(200) == 0 { 3 } else { 2 };
        let _ = writeln!(text, "{pressure:8.1},2,{temperature:9.4},{flag},{salinity:9.4},2");
    }
    text + "END_DATA\n"
}

/// A zip archive of members.
fn archive(members: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new());
    for (name, content) in members {
        writer.member(name, content).map_err(io::Error::other)?;
    }
    writer.finish().map_err(io::Error::other)
}
