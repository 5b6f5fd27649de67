//! The picture of one deployment, for the skipper whose gear carried the sensor: what was measured, how deep, when,
//! where, and which of it to believe.

use jiff::tz::TimeZone;

use crate::flag::{Flag, grouped, legend};
use crate::picture::{Colour, Frame, Mark, Picture, Shape, Text};
use crate::series::Series;
use crate::ticks::number;
use crate::{Axis, Chart, Map, Place};

const WIDTH: u16 = 800;
const HEIGHT: u16 = 1_060;

/// Profile and map side by side.
const PROFILE: Frame = Frame::new(66.0, 136.0, 284.0, 400.0);
const MAP: Frame = Frame::new(428.0, 136.0, 356.0, 400.0);
/// Temperature above depth, with one axis of time.
const TEMPERATURE: Frame = Frame::new(66.0, 622.0, 718.0, 146.0);
const DEPTH: Frame = Frame::new(66.0, 790.0, 718.0, 146.0);
const LEGEND: Frame = Frame::new(66.0, 1_003.0, 718.0, 44.0);

/// Columns of a deployment, one entry a row; where one is shorter, the others end with it. Not-a-number is a gap.
#[derive(Debug, Clone, Copy)]
pub struct Deployment<'a> {
    /// The heading, for example the vessel's name.
    pub title: &'a str,
    /// Lines below it: sensor, gear, whatever its reader should know; two have room.
    pub lines: &'a [&'a str],
    /// Seconds since 1970 UTC.
    pub times: &'a [f64],
    /// Depth, positive downwards.
    pub depth: &'a [f64],
    /// Temperature.
    pub temperature: &'a [f64],
    /// Degrees north.
    pub latitude: &'a [f64],
    /// Degrees east.
    pub longitude: &'a [f64],
    /// Quality flags by the numbers of the IODE scheme ([`Flag`]), worst of all tests.
    pub flags: &'a [u8],
    /// Unit of `temperature`, for example `°C`.
    pub temperature_unit: &'a str,
    /// Unit of `depth`, for example `m`.
    pub depth_unit: &'a str,
    /// The clock that the reader goes by.
    pub zone: &'a TimeZone,
}

impl<'a> Deployment<'a> {
    /// The same with columns of one length.
    fn level(self) -> Self {
        let columns = [self.depth, self.temperature, self.latitude, self.longitude];
        let count = columns.iter().map(|column| column.len()).fold(self.times.len().min(self.flags.len()), usize::min);
        Self {
            times: &self.times[..count],
            depth: &self.depth[..count],
            temperature: &self.temperature[..count],
            latitude: &self.latitude[..count],
            longitude: &self.longitude[..count],
            flags: &self.flags[..count],
            ..self
        }
    }

    /// Values that an axis is laid out by: of the rows that are believed; if none are, all.
    fn believed(&self, column: &'a [f64]) -> impl Iterator<Item = f64> {
        let rows = || column.iter().zip(self.flags).filter(|(value, _)| value.is_finite());
        let any = rows().any(|(_, flag)| Flag::of(*flag).is_trusted());
        rows().filter(move |(_, flag)| !any || Flag::of(**flag).is_trusted()).map(|(value, _)| *value)
    }

    /// The range for an axis: believed values, and others that lie no further off than half of it.
    fn worth_showing(&self, column: &'a [f64]) -> Vec<f64> {
        let mut values: Vec<f64> = self.believed(column).collect();
        let (low, high) =
            values.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (value.min(low), value.max(high)));
        let room = ((high - low) / 2.0).max(0.5);
        values.extend(column.iter().copied().filter(|value| (low - room..=high + room).contains(value)));
        values
    }

    /// Rows before which the measuring paused: a step in time far longer than usual.
    fn pauses(&self) -> Vec<usize> {
        let mut steps: Vec<f64> =
            self.times.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0.0).collect();
        let middle = steps.len() / 2;
        if steps.is_empty() {
            return Vec::new();
        }
        let (_, usual, _) = steps.select_nth_unstable_by(middle, f64::total_cmp);
        let longest = (*usual * 20.0).max(1_800.0);
        let is_pause = |index: &usize| (self.times[*index] - self.times[*index - 1]).abs() > longest;
        (1..self.times.len()).filter(is_pause).collect()
    }

    /// What the picture says in one line: how deep, how warm there, and the extremes.
    fn summary(&self) -> String {
        let rows = || {
            let rows = self.depth.iter().zip(self.temperature).zip(self.flags);
            let rows = rows.filter(|(_, flag)| Flag::of(**flag).is_trusted()).map(|(row, _)| row);
            rows.filter(|(depth, temperature)| depth.is_finite() && temperature.is_finite())
        };
        let Some((deepest, there)) = rows().max_by(|a, b| a.0.total_cmp(b.0)) else { return String::new() };
        let (unit, depth_unit) = (self.temperature_unit, self.depth_unit);
        let warmest = rows().map(|row| *row.1).fold(f64::MIN, f64::max);
        let coldest = rows().map(|row| *row.1).fold(f64::MAX, f64::min);
        format!(
            "Deepest {} {depth_unit}, {} {unit} there · warmest {} {unit} · coldest {} {unit}",
            number(*deepest, 1),
            number(*there, 1),
            number(warmest, 1),
            number(coldest, 1)
        )
    }
}

/// Draws the picture of a deployment. Whatever the columns hold, there is a picture; what cannot be drawn is said in it.
pub fn deployment(deployment: &Deployment<'_>) -> Picture {
    let data = deployment.level();
    let mut picture = Picture::new(WIDTH, HEIGHT, data.title);
    draw_head(&mut picture, &data);
    let pauses = data.pauses();
    let temperature = format!("Temperature ({})", data.temperature_unit);
    let depth = format!("Depth ({})", data.depth_unit);
    let degrees = Axis::numbers(&temperature, data.worth_showing(data.temperature)).at_least(1.0);
    let mut depths = data.worth_showing(data.depth);
    if !depths.is_empty() {
        // From the surface on, and no shallower than a wave.
        depths.extend([0.0, 2.0]);
    }
    let down = Axis::numbers(&depth, depths).downwards();
    let clock = Axis::times(data.believed(data.times), data.zone);

    heading(&mut picture, PROFILE, "Temperature by depth");
    let series = Series::flagged(data.temperature, data.depth, data.flags).broken_at(&pauses);
    Chart { x: degrees.clone(), y: down.clone(), series: vec![series] }.draw(&mut picture, PROFILE);

    heading(&mut picture, MAP, "Track");
    let series = Series::flagged(data.longitude, data.latitude, data.flags).broken_at(&pauses);
    Map { series: vec![series], places: ends(&data) }.draw(&mut picture, MAP);

    heading(&mut picture, TEMPERATURE, "Temperature and depth over time");
    let series = Series::flagged(data.times, data.temperature, data.flags).broken_at(&pauses);
    Chart { x: clock.clone().bare(), y: degrees, series: vec![series] }.draw(&mut picture, TEMPERATURE);
    let series = Series::flagged(data.times, data.depth, data.flags).broken_at(&pauses);
    Chart { x: clock, y: down, series: vec![series] }.draw(&mut picture, DEPTH);

    let used = legend(&mut picture, LEGEND, data.flags);
    let credit =
        Text::new("Coastline: Natural Earth. Not for navigation.", LEGEND.left, LEGEND.top + used + 11.0, 11.5);
    picture.text(credit.colour(Colour::FAINT));
    picture
}

fn draw_head(picture: &mut Picture, data: &Deployment<'_>) {
    let width = f32::from(WIDTH) - 32.0;
    picture.text(Text::new(data.title, 16.0, 34.0, 23.0).bold().within(width));
    let mut y = 57.0;
    for line in data.lines.iter().take(2) {
        picture.text(Text::new(*line, 16.0, y, 14.5).colour(Colour::FAINT).within(width));
        y += 20.0;
    }
    let summary = match (data.times.len(), data.summary()) {
        (0, _) => "No rows.".to_owned(),
        (count, summary) if summary.is_empty() => format!("{} rows, none of them believed.", grouped(count)),
        (_, summary) => summary,
    };
    picture.text(Text::new(summary, 16.0, y + 1.0, 15.0).bold().within(width));
}

fn heading(picture: &mut Picture, frame: Frame, words: &str) {
    picture.text(Text::new(words, frame.left, frame.top - 9.0, 15.0).bold());
}

/// Where the believed positions begin and end.
fn ends(data: &Deployment<'_>) -> Vec<Place> {
    let rows = data.longitude.iter().zip(data.latitude).zip(data.flags);
    let mut rows = rows.filter(|((x, y), flag)| x.is_finite() && y.is_finite() && Flag::of(**flag).is_trusted());
    let place = |name: &str, shape, ((longitude, latitude), _): ((&f64, &f64), &u8)| Place {
        name: name.to_owned(),
        longitude: *longitude,
        latitude: *latitude,
        mark: Mark { shape, colour: Colour::INK, size: 11.0 },
    };
    let first = rows.next();
    let last = rows.next_back();
    let first = first.map(|row| place(if last.is_some() { "start" } else { "here" }, Shape::Ring, row));
    first.into_iter().chain(last.map(|row| place("end", Shape::Square, row))).collect()
}
