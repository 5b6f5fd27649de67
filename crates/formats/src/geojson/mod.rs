//! Hop 6: soundings as GeoJSON (RFC 7946 points), written as they come.
//!
//! The text is that of Python's `json.dumps` with its defaults, to the byte: one line, `", "` and `": "`, ASCII only, and
//! numbers in the shortest decimal form that reads back the same. One rule set must give exactly such files; the other
//! gains from it that files can be compared. NaN and infinities are written as Python writes them, though they are no JSON:
//! who does not want them leaves them out before.
//!
//! ```
//! use serde_json::json;
//! use tidegate_formats::geojson::{Point, Writer};
//!
//! let root = json!({"type": "FeatureCollection", "crs": null});
//! let mut writer = Writer::new(Vec::new(), root.as_object().expect("an object"))?;
//! writer.point(&Point { longitude: -70.5, latitude: 43.0, depth: 1e-5, time: 1_686_744_000.589, uncertainty: None })?;
//! let text = String::from_utf8(writer.finish()?).expect("ASCII");
//! assert_eq!(
//!     text,
//!     r#"{"type": "FeatureCollection", "crs": null, "features": [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [-70.5, 43.0]}, "properties": {"depth": 1e-05, "time": "2023-06-14T12:00:00.589000Z"}}]}"#
//! );
//! # Ok::<(), tidegate_formats::Error>(())
//! ```

mod text;

use std::io::Write;

use serde_json::{Map, Value};

pub use text::{write_number, write_time, write_value};

use crate::{Error, Problem};

/// Bytes that are gathered before they are handed on.
const FULL: usize = 1 << 16;

/// One sounding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Degrees, east positive.
    pub longitude: f64,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Metres, positive down.
    pub depth: f64,
    /// Seconds since 1970-01-01, UTC; written to the microsecond, a half to the even one.
    pub time: f64,
    /// Metres: east-west, north-south, vertical.
    pub uncertainty: Option<[f64; 3]>,
}

/// Writes one collection.
pub struct Writer<W: Write> {
    output: W,
    buffer: Vec<u8>,
    points: u64,
    day: text::Day,
}

impl<W: Write> Writer<W> {
    /// Begins a collection with the members of `root`, to which the features are added as the last.
    ///
    /// # Errors
    /// `Io`.
    pub fn new(output: W, root: &Map<String, Value>) -> Result<Self, Error> {
        let mut buffer = Vec::with_capacity(FULL + 1024);
        buffer.push(b'{');
        for (name, value) in root {
            text::write_text(name, &mut buffer);
            buffer.extend(b": ");
            write_value(value, &mut buffer);
            buffer.extend(b", ");
        }
        buffer.extend(b"\"features\": [");
        let mut writer = Self { output, buffer, points: 0, day: text::Day::default() };
        writer.hand_on()?;
        Ok(writer)
    }

    /// Adds a sounding.
    ///
    /// # Errors
    /// `Io`; `Unsupported` if its time is not within the years 1 to 9999.
    pub fn point(&mut self, point: &Point) -> Result<(), Error> {
        let buffer = &mut self.buffer;
        if self.points > 0 {
            buffer.extend(b", ");
        }
        buffer.extend(br#"{"type": "Feature", "geometry": {"type": "Point", "coordinates": ["#);
        write_number(point.longitude, buffer);
        buffer.extend(b", ");
        write_number(point.latitude, buffer);
        buffer.extend(br#"]}, "properties": {"depth": "#);
        write_number(point.depth, buffer);
        buffer.extend(br#", "time": ""#);
        if !self.day.write(point.time, buffer) {
            return Err(Error::new(Problem::Unsupported, "a sounding whose time is no date"));
        }
        buffer.push(b'"');
        if let Some([x, y, z]) = point.uncertainty {
            buffer.extend(br#", "uncertainty": ["#);
            for (index, number) in [x, y, z].into_iter().enumerate() {
                buffer.extend(if index == 0 { b"".as_slice() } else { b", " });
                write_number(number, buffer);
            }
            buffer.push(b']');
        }
        buffer.extend(b"}}");
        self.points += 1;
        if self.buffer.len() >= FULL { self.hand_on() } else { Ok(()) }
    }

    /// Ends the collection and gives the output back.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(mut self) -> Result<W, Error> {
        self.buffer.extend(b"]}");
        self.hand_on()?;
        Ok(self.output)
    }

    fn hand_on(&mut self) -> Result<(), Error> {
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
