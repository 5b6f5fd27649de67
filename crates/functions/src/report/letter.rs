//! What a skipper reads, on a phone: short words first, the picture and the table behind them.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use tidegate_formats::mail::Attachment;

use super::measured::{Measured, clock};

/// Pixels of a picture for each of its own: sharp on a phone.
pub(crate) const SCALE: f32 = 2.0;

/// One deployment as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Story {
    /// The key without its ending.
    pub(crate) stem: String,
    /// The picture.
    pub(crate) png: Vec<u8>,
    /// The table.
    csv: Vec<u8>,
    /// Rows of the file.
    rows: usize,
    /// First and last time, in seconds since 1970.
    span: Option<(f64, f64)>,
    /// Unit of depths.
    unit: &'static str,
    /// What the believed rows come to.
    extremes: Option<Extremes>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Extremes {
    deepest: (f64, f64),
    warmest: f64,
    coldest: f64,
}

impl Story {
    /// What is told of the deployment at this key.
    pub(crate) fn new(key: &str, measured: &Measured, png: Vec<u8>) -> Self {
        let stem = key.strip_suffix(".nc").unwrap_or(key);
        let mut extremes: Option<Extremes> = None;
        for (depth, temperature) in measured.believed() {
            let so_far = extremes.unwrap_or(Extremes {
                deepest: (depth, temperature),
                warmest: temperature,
                coldest: temperature,
            });
            extremes = Some(Extremes {
                deepest: if depth > so_far.deepest.0 { (depth, temperature) } else { so_far.deepest },
                warmest: so_far.warmest.max(temperature),
                coldest: so_far.coldest.min(temperature),
            });
        }
        Self {
            stem: stem.strip_suffix("_qc").unwrap_or(stem).to_owned(),
            png,
            csv: measured.csv(),
            rows: measured.times.len(),
            span: measured.span(),
            unit: measured.depth_unit,
            extremes,
        }
    }

    /// When it began.
    pub(crate) fn begins(&self) -> f64 {
        self.span.map_or(f64::MAX, |(first, _)| first)
    }

    /// Bytes of its attachments.
    pub(crate) fn size(&self) -> usize {
        self.png.len() + self.csv.len()
    }

    /// Picture and table.
    pub(crate) fn attachments(&self) -> [Attachment; 2] {
        let name = self.stem.rsplit('/').next().unwrap_or(&self.stem);
        let file = |ending: &str, media_type, bytes: &Vec<u8>| Attachment {
            name: format!("{name}.{ending}"),
            media_type,
            bytes: bytes.clone(),
        };
        [file("png", "image/png", &self.png), file("csv", "text/csv", &self.csv)]
    }

    /// A few lines about it.
    fn lines(&self, zone: &TimeZone) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        if let Some((first, last)) = self.span {
            let _ = writeln!(text, "From {} to {} ({}).", clock(first, zone), clock(last, zone), zone_name(zone));
        }
        match self.extremes {
            Some(Extremes { deepest: (depth, there), warmest, coldest }) => {
                let _ = writeln!(text, "Deepest: {depth:.1} {}, where it was {there:.1} °C.", self.unit);
                let _ = writeln!(text, "Warmest: {warmest:.1} °C. Coldest: {coldest:.1} °C.");
            }
            None => {
                let _ =
                    writeln!(text, "The automatic checks do not trust these readings; the programme looks into it.");
            }
        }
        let _ = writeln!(text, "{} readings.", self.rows);
        text
    }
}

fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

/// Subject and text of a mail about these deployments of a vessel, of which there is at least one.
pub(crate) fn words(vessel: &str, stories: &[Story], zone: &TimeZone) -> (String, String) {
    let day = |story: &Story| clock(story.begins(), zone).split(',').next().unwrap_or_default().to_owned();
    let subject = match stories {
        [only] => format!("{vessel}: your sea temperatures of {}", day(only)),
        _ => format!("{vessel}: your sea temperatures, {} deployments", stories.len()),
    };
    let mut text = format!("Hello {vessel},\n\n");
    match stories {
        [only] => {
            text.push_str("your sensor came back with new readings.\n\n");
            text.push_str(&only.lines(zone));
        }
        _ => {
            let _ = writeln!(text, "your sensor came back {} times with new readings.", stories.len());
            for story in stories {
                let name = story.stem.rsplit('/').next().unwrap_or_default();
                let _ = write!(text, "\n{name}\n{}", story.lines(zone));
            }
        }
    }
    text.push_str(
        "\nThe picture shows it all. The table opens in any spreadsheet; its last column says what to\n\
         trust: 1 is good, 2 is probably good.\n\n\
         These are your own data. To get these mails at once, daily, weekly or not at all, tell your\n\
         programme.\n",
    );
    (subject, text)
}
