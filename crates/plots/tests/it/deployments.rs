//! Deployments to draw: some like real ones, some hostile.

use jiff::tz::TimeZone;
use tidegate_plots::{Deployment, Picture, deployment};

/// Columns that own their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    pub(crate) times: Vec<f64>,
    pub(crate) depth: Vec<f64>,
    pub(crate) temperature: Vec<f64>,
    pub(crate) latitude: Vec<f64>,
    pub(crate) longitude: Vec<f64>,
    pub(crate) flags: Vec<u8>,
}

impl Columns {
    pub(crate) fn push(&mut self, row: [f64; 5], flag: u8) {
        self.times.push(row[0]);
        self.depth.push(row[1]);
        self.temperature.push(row[2]);
        self.latitude.push(row[3]);
        self.longitude.push(row[4]);
        self.flags.push(flag);
    }

    pub(crate) fn picture(&self) -> Picture {
        self.picture_in(&TimeZone::get("Pacific/Auckland").expect("a zone"))
    }

    pub(crate) fn picture_in(&self, zone: &TimeZone) -> Picture {
        deployment(&Deployment {
            title: "FV Tāngaroa",
            lines: &["Sensor MOANA 0477, file 22, bottom trawl", "15 May 2023, 16:28 to 23:10"],
            times: &self.times,
            depth: &self.depth,
            temperature: &self.temperature,
            latitude: &self.latitude,
            longitude: &self.longitude,
            flags: &self.flags,
            temperature_unit: "°C",
            depth_unit: "m",
            zone,
        })
    }

    /// A haul of `count` rows that begins at a position and drifts by so many degrees.
    pub(crate) fn haul(count: usize, from: [f64; 2], drift: [f64; 2]) -> Self {
        let mut columns = Self::default();
        for row in 0..count {
            let part = row as f64 / (count.max(2) - 1) as f64;
            let down = (part * 12.0).min((1.0 - part) * 16.0).min(1.0);
            let noise = (row as f64 * 12.9898).sin() * 43_758.545;
            let noise = noise - noise.floor() - 0.5;
            let depth = 96.0 * down + noise * 2.0 * down + (part * 40.0).sin() * 3.0 * down;
            let temperature = 17.6 - 4.6 / (1.0 + (-(depth - 42.0) / 9.0).exp()) + noise * 0.12;
            let longitude = from[0] + drift[0] * part + 0.01 * (part * 9.0).sin();
            let latitude = from[1] + drift[1] * part + 0.006 * (part * 14.0).cos();
            columns.push([1_684_124_915.0 + part * 24_000.0, depth.max(0.0), temperature, latitude, longitude], 1);
        }
        columns
    }

    /// With some rows that are not so good.
    pub(crate) fn with_faults(mut self) -> Self {
        let count = self.times.len();
        for row in 0..count {
            let (flag, change) = match row * 1_000 / count {
                0..8 => (2, 0.0),
                300..306 => (3, 0.9),
                520 => (4, 3.2),
                610..613 => (4, -30.0),
                700..708 => (3, -0.8),
                940..960 => (2, 0.1),
                _ => continue,
            };
            self.flags[row] = flag;
            self.temperature[row] += change;
        }
        if count > 20 {
            self.flags[count / 2] = 4;
            self.latitude[count / 2] += 0.4;
            self.flags[count / 3] = 4;
            (self.latitude[count / 3], self.longitude[count / 3]) = (0.0, 0.0);
        }
        self
    }
}
