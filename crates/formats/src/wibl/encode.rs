//! A packet to the bytes of a file.

use super::packet::{Fix, Packet, Stamp};

impl Packet<'_> {
    /// Appends the packet, header and payload. Texts longer than 4 GB are cut.
    pub fn write(&self, file: &mut Vec<u8>) {
        file.extend(self.id().to_le_bytes());
        let length_at = file.len();
        file.extend([0; 4]);
        self.write_payload(file);
        let length = u32::try_from(file.len() - length_at - 4).unwrap_or(u32::MAX);
        file[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn write_payload(&self, file: &mut Vec<u8>) {
        match self {
            Self::Version { major, minor, n2k, n0183, imu } => {
                let words = [*major, *minor].into_iter().chain(*n2k).chain(*n0183).chain(imu.iter().flatten().copied());
                words.for_each(|word| file.extend(word.to_le_bytes()));
            }
            Self::SystemTime { stamp, source } => {
                stamped(file, stamp, &[]);
                file.push(*source);
            }
            Self::Attitude { stamp, yaw, pitch, roll } => stamped(file, stamp, &[*yaw, *pitch, *roll]),
            Self::Depth { stamp, depth, offset, range } => stamped(file, stamp, &[*depth, *offset, *range]),
            Self::Course { stamp, course, speed } => stamped(file, stamp, &[*course, *speed]),
            Self::Gnss { stamp, fix } => {
                stamped(file, stamp, &[]);
                write_fix(file, fix);
            }
            Self::Environment { stamp, temperature_source, temperature, humidity_source, humidity, pressure } => {
                stamped(file, stamp, &[]);
                file.push(*temperature_source);
                doubles(file, &[*temperature]);
                file.push(*humidity_source);
                doubles(file, &[*humidity, *pressure]);
            }
            Self::Temperature { stamp, source, value }
            | Self::Humidity { stamp, source, value }
            | Self::Pressure { stamp, source, value } => {
                stamped(file, stamp, &[]);
                file.push(*source);
                doubles(file, &[*value]);
            }
            Self::Sentence { elapsed, text } => {
                file.extend(elapsed.to_le_bytes());
                file.extend(*text);
            }
            Self::Motion { elapsed, values } => {
                file.extend(elapsed.to_le_bytes());
                values.iter().for_each(|value| file.extend(value.to_le_bytes()));
            }
            Self::Metadata { first, second } | Self::AlgorithmRequest { name: first, parameters: second } => {
                text(file, first);
                text(file, second);
            }
            Self::JsonMetadata(content)
            | Self::SentenceFilter(content)
            | Self::SensorScales(content)
            | Self::Setup(content) => text(file, content),
            Self::RawMotion { elapsed, values } => {
                file.extend(elapsed.to_le_bytes());
                values.iter().for_each(|value| file.extend(value.to_le_bytes()));
            }
        }
    }
}

fn stamped(file: &mut Vec<u8>, stamp: &Stamp, values: &[f64]) {
    file.extend(stamp.date.to_le_bytes());
    doubles(file, &[stamp.time]);
    file.extend(stamp.elapsed.to_le_bytes());
    doubles(file, values);
}

fn write_fix(file: &mut Vec<u8>, fix: &Fix) {
    file.extend(fix.date.to_le_bytes());
    doubles(file, &[fix.time, fix.latitude, fix.longitude, fix.altitude]);
    file.extend([fix.receiver, fix.method, fix.satellites]);
    doubles(file, &[fix.hdop, fix.pdop, fix.separation]);
    file.extend([fix.stations, fix.station_type]);
    file.extend(fix.station.to_le_bytes());
    doubles(file, &[fix.correction_age]);
}

fn doubles(file: &mut Vec<u8>, values: &[f64]) {
    values.iter().for_each(|value| file.extend(value.to_le_bytes()));
}

fn text(file: &mut Vec<u8>, text: &[u8]) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    file.extend(length.to_le_bytes());
    file.extend(&text[..text.len().min(length as usize)]);
}
