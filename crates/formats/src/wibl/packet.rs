//! What a packet holds. Texts are the file's bytes, as they are: whether they are text is the reader's own question.

/// A number that the NMEA 2000 library writes where the bus had none.
pub const NOT_AVAILABLE: f64 = -1e9;

/// A date that the bus did not have.
pub const NOT_AVAILABLE_DATE: u16 = 0xffff;

/// What packets that come from NMEA 2000 begin with: the logger's own estimate of the time, and its counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stamp {
    /// Days since 1970-01-01.
    pub date: u16,
    /// Seconds since midnight, UTC; -1 where a converter wrote none.
    pub time: f64,
    /// Milliseconds since the logger started; the counter wraps after 2^32.
    pub elapsed: u32,
}

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Packet<'a> {
    /// Id 0: versions of the file and of its sources, each major, minor and, for sources, patch.
    Version {
        /// Major version of the file.
        major: u16,
        /// Minor version of the file.
        minor: u16,
        /// NMEA 2000 recorder.
        n2k: [u16; 3],
        /// NMEA 0183 recorder.
        n0183: [u16; 3],
        /// Motion sensor, from version 1.3 on.
        imu: Option<[u16; 3]>,
    },
    /// Id 1, PGN 126992: here the stamp's date and time are what the bus said.
    SystemTime {
        /// Date and time that the bus reported.
        stamp: Stamp,
        /// Where the bus has it from.
        source: u8,
    },
    /// Id 2, PGN 127257, radians.
    Attitude {
        /// When.
        stamp: Stamp,
        /// Yaw.
        yaw: f64,
        /// Pitch.
        pitch: f64,
        /// Roll.
        roll: f64,
    },
    /// Id 3, PGN 128267, metres.
    Depth {
        /// When.
        stamp: Stamp,
        /// Depth below the transducer.
        depth: f64,
        /// From the transducer up to the water line, or, negative, down to the keel.
        offset: f64,
        /// Largest depth that the sounder can measure.
        range: f64,
    },
    /// Id 4, PGN 129026.
    Course {
        /// When.
        stamp: Stamp,
        /// Course over ground, radians from true north.
        course: f64,
        /// Speed over ground, metres a second.
        speed: f64,
    },
    /// Id 5, PGN 129029.
    Gnss {
        /// When.
        stamp: Stamp,
        /// The fix.
        fix: Fix,
    },
    /// Id 6, PGN 130311.
    Environment {
        /// When.
        stamp: Stamp,
        /// Where the temperature is measured.
        temperature_source: u8,
        /// Kelvin.
        temperature: f64,
        /// Where the humidity is measured.
        humidity_source: u8,
        /// Percent.
        humidity: f64,
        /// Pascal.
        pressure: f64,
    },
    /// Id 7, PGN 130312 and 130316: Kelvin.
    Temperature {
        /// When.
        stamp: Stamp,
        /// Where it is measured.
        source: u8,
        /// Kelvin.
        value: f64,
    },
    /// Id 8, PGN 130313: percent.
    Humidity {
        /// When.
        stamp: Stamp,
        /// Where it is measured.
        source: u8,
        /// Percent.
        value: f64,
    },
    /// Id 9, PGN 130314: Pascal.
    Pressure {
        /// When.
        stamp: Stamp,
        /// Where it is measured.
        source: u8,
        /// Pascal.
        value: f64,
    },
    /// Id 10: an NMEA 0183 sentence.
    Sentence {
        /// Milliseconds since the logger started, when the sentence began.
        elapsed: u32,
        /// From `$`, with or without its line end.
        text: &'a [u8],
    },
    /// Id 11, loggers before version 1.2: motion in physical units.
    Motion {
        /// Milliseconds since the logger started.
        elapsed: u32,
        /// Acceleration x, y, z; rotation x, y, z; temperature.
        values: [f32; 7],
    },
    /// Id 12: who logged. Readers take the first text for the logger's identifier, the firmware writes the ship's name there.
    Metadata {
        /// First text.
        first: &'a [u8],
        /// Second text.
        second: &'a [u8],
    },
    /// Id 13: an algorithm that whoever set up the logger wants applied.
    AlgorithmRequest {
        /// Its name.
        name: &'a [u8],
        /// Its parameters, `a=1,b=2`.
        parameters: &'a [u8],
    },
    /// Id 14: metadata for the GeoJSON file, as JSON.
    JsonMetadata(
        /// The text.
        &'a [u8],
    ),
    /// Id 15: a sentence that the logger was told to keep, by its three letters.
    SentenceFilter(
        /// The letters.
        &'a [u8],
    ),
    /// Id 16: scales of [`Packet::RawMotion`], as JSON.
    SensorScales(
        /// The text.
        &'a [u8],
    ),
    /// Id 17: motion as the sensor counts it.
    RawMotion {
        /// Milliseconds since the logger started.
        elapsed: u32,
        /// Temperature; rotation x, y, z; acceleration x, y, z.
        values: [i16; 7],
    },
    /// Id 18: the logger's whole configuration, as JSON.
    Setup(
        /// The text.
        &'a [u8],
    ),
}

/// A fix of a satellite receiver, as PGN 129029 has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    /// Days since 1970-01-01.
    pub date: u16,
    /// Seconds since midnight, UTC.
    pub time: f64,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// Metres.
    pub altitude: f64,
    /// Which satellites.
    pub receiver: u8,
    /// How the fix was found; 0 is no fix.
    pub method: u8,
    /// Satellites used.
    pub satellites: u8,
    /// Horizontal dilution of precision.
    pub hdop: f64,
    /// Dilution of precision of the position.
    pub pdop: f64,
    /// Geoid above the ellipsoid, metres.
    pub separation: f64,
    /// Reference stations.
    pub stations: u8,
    /// Type of the first reference station.
    pub station_type: u8,
    /// Its number.
    pub station: u16,
    /// Age of its correction, seconds.
    pub correction_age: f64,
}

impl Packet<'_> {
    /// Version 1.3 with the sources of a current logger.
    pub const CURRENT_VERSION: Self =
        Self::Version { major: 1, minor: 3, n2k: [1, 1, 0], n0183: [1, 0, 1], imu: Some([1, 0, 0]) };

    /// Its id in the file.
    pub fn id(&self) -> u32 {
        match self {
            Self::Version { .. } => 0,
            Self::SystemTime { .. } => 1,
            Self::Attitude { .. } => 2,
            Self::Depth { .. } => 3,
            Self::Course { .. } => 4,
            Self::Gnss { .. } => 5,
            Self::Environment { .. } => 6,
            Self::Temperature { .. } => 7,
            Self::Humidity { .. } => 8,
            Self::Pressure { .. } => 9,
            Self::Sentence { .. } => 10,
            Self::Motion { .. } => 11,
            Self::Metadata { .. } => 12,
            Self::AlgorithmRequest { .. } => 13,
            Self::JsonMetadata(_) => 14,
            Self::SentenceFilter(_) => 15,
            Self::SensorScales(_) => 16,
            Self::RawMotion { .. } => 17,
            Self::Setup(_) => 18,
        }
    }

    /// Milliseconds since the logger started; `None` for packets that are about the file as a whole.
    pub fn elapsed(&self) -> Option<u32> {
        match self {
            Self::SystemTime { stamp, .. }
            | Self::Attitude { stamp, .. }
            | Self::Depth { stamp, .. }
            | Self::Course { stamp, .. }
            | Self::Gnss { stamp, .. }
            | Self::Environment { stamp, .. }
            | Self::Temperature { stamp, .. }
            | Self::Humidity { stamp, .. }
            | Self::Pressure { stamp, .. } => Some(stamp.elapsed),
            Self::Sentence { elapsed, .. } | Self::Motion { elapsed, .. } | Self::RawMotion { elapsed, .. } => {
                Some(*elapsed)
            }
            _ => None,
        }
    }
}

const NAMES: [&str; 19] = [
    "version",
    "system time",
    "attitude",
    "depth",
    "course",
    "GNSS",
    "environment",
    "temperature",
    "humidity",
    "pressure",
    "NMEA 0183 sentence",
    "motion",
    "metadata",
    "algorithm request",
    "JSON metadata",
    "sentence filter",
    "sensor scales",
    "raw motion",
    "set-up",
];

/// What packets of an id are called, for people.
pub fn name(id: u32) -> &'static str {
    usize::try_from(id).ok().and_then(|id| NAMES.get(id)).copied().unwrap_or("unknown")
}
