//! `tidegate report bathymetry`: what loggers have contributed, by vessel and month, from the table that `wibl-process` writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use jiff::{Timestamp, Unit};
use tidegate_plots::{Colour, Frame, Map, Mark, Picture, Series, Shape};
use tidegate_stores::{FailureFilter, FailureRecord, Page};

use super::page::{SCRIPT, STYLE, by_reason, escaped, grouped};
use super::{MOST_FAILURES, table_of, write_page};
use crate::exit::{Exit, Stop};
use crate::output::counted;
use crate::project::{Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(super) struct Contributions {
    /// The table that `wibl-process` writes; needed only if there are several.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// The page, which is replaced once all of it is written.
    #[arg(long, value_name = "FILE", default_value = "contributions.html")]
    out: PathBuf,
}

/// One file of the table.
#[derive(Debug, Clone, Default, PartialEq)]
struct Row {
    file: String,
    vessel: String,
    name: String,
    recorder: String,
    month: String,
    time: [String; 2],
    soundings: i64,
    miles: f64,
    depth: [Option<f64>; 2],
    /// South, north, west, east.
    place: [Option<f64>; 4],
}

/// What some files come to.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sum {
    name: String,
    files: i64,
    soundings: i64,
    miles: f64,
    last: String,
}

impl Sum {
    fn add(&mut self, row: &Row) {
        self.files += 1;
        self.soundings += row.soundings;
        self.miles += row.miles;
        if row.time[1] >= self.last {
            self.last.clone_from(&row.time[1]);
            self.name.clone_from(&row.name);
        }
    }
}

/// Writes the page.
pub(super) fn run(here: &Here, args: &Contributions) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let name = table_of(&project, "wibl-process", args.table.as_deref(), "bathymetry")?;
    let history = wiring::open_history(&project)?;
    let (rows, failures) = wiring::ask(async {
        let tables = wiring::open_tables(&project).await?;
        let table = tables.get(&name).ok_or_else(|| Stop::wrong(format!("there is no table `{name}`")))?;
        let mut rows = Vec::new();
        if table.columns().await?.is_some() {
            let mut take = |batch: RecordBatch| {
                rows.extend((0..batch.num_rows()).map(|row| Row::of(&batch, row)));
                Ok(())
            };
            table.scan(None, &mut take).await?;
        }
        let failures = history.failures(FailureFilter::default(), Page::first(MOST_FAILURES)).await?;
        Ok::<_, Stop>((rows, failures))
    })??;
    let html = html(&project.pipeline.name, &rows, &failures, Timestamp::now());
    write_page(&args.out, &html)?;
    let mut all = Sum::default();
    rows.iter().for_each(|row| all.add(row));
    if here.printer.json {
        let groups = |of: fn(&Row) -> &str| -> Vec<serde_json::Value> {
            let sums = sums(&rows, |row| of(row).to_owned());
            let one = |(key, sum): (String, Sum)| {
                serde_json::json!({
                    "of": key, "files": sum.files, "soundings": sum.soundings, "nautical_miles": sum.miles, "last": sum.last,
                })
            };
            sums.into_iter().map(one).collect()
        };
        here.printer.document(&serde_json::json!({
            "out": args.out, "files": all.files, "soundings": all.soundings, "nautical_miles": all.miles,
            "failures": failures.len(), "vessels": groups(|row| &row.vessel), "months": groups(|row| &row.month),
        }))?;
    } else {
        here.printer.remark(&format!(
            "{}, {} and {:.1} nautical miles in `{}`",
            counted(rows.len() as u64, "file"),
            counted(u64::try_from(all.soundings).unwrap_or(0), "sounding"),
            all.miles,
            args.out.display()
        ));
    }
    Ok(Exit::Done)
}

impl Row {
    /// A row of the table; what it does not have stays empty.
    fn of(batch: &RecordBatch, row: usize) -> Self {
        let column = |name: &str| batch.column_by_name(name).filter(|column| column.is_valid(row));
        let text = |name: &str| match column(name) {
            Some(column) if *column.data_type() == DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
            _ => String::new(),
        };
        let real =
            |name: &str| column(name).and_then(|column| Some(column.as_primitive_opt::<Float64Type>()?.value(row)));
        let whole =
            |name: &str| column(name).and_then(|column| Some(column.as_primitive_opt::<Int64Type>()?.value(row)));
        Self {
            file: text("file"),
            vessel: text("vessel"),
            name: text("name"),
            recorder: text("recorder"),
            month: text("month"),
            time: [text("time_min"), text("time_max")],
            soundings: whole("soundings").unwrap_or(0),
            miles: real("nautical_miles").unwrap_or(0.0),
            depth: ["depth_min", "depth_max"].map(real),
            place: ["lat_min", "lat_max", "lon_west", "lon_east"].map(real),
        }
    }
}

fn sums<K: Ord>(rows: &[Row], key: impl Fn(&Row) -> K) -> BTreeMap<K, Sum> {
    let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
    rows.iter().for_each(|row| sums.entry(key(row)).or_default().add(row));
    sums
}

// Writing to a `String` cannot fail.
fn html(pipeline: &str, rows: &[Row], failures: &[FailureRecord], now: Timestamp) -> String {
    let mut all = Sum::default();
    rows.iter().for_each(|row| all.add(row));
    let vessels: BTreeSet<&str> = rows.iter().map(|row| row.vessel.as_str()).collect();
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    let _ = write!(
        page,
        "<meta name=\"viewport\" content=\"width=device-width\"><title>Contributions: {0}</title><style>{STYLE}</style>\
         </head>\n<body><h1>Contributions: {0}</h1><p class=\"faint\">{1} files, {2} soundings, {3} nautical miles of {4} \
         vessels; {5} failures; written {6}</p>\n",
        escaped(pipeline),
        grouped(all.files),
        grouped(all.soundings),
        tenths(all.miles),
        vessels.len(),
        failures.len(),
        now.round(Unit::Second).unwrap_or(now),
    );
    page.push_str("<h2>By vessel</h2>\n");
    head(&mut page, &["Vessel", "Name", "Files", "Soundings", "Nautical miles", "Last sounding"]);
    for (vessel, sum) in sums(rows, |row| row.vessel.clone()) {
        let _ = write!(page, "<tr><td><code>{}</code></td><td>{}</td>", escaped(&vessel), escaped(&sum.name));
        numbers(&mut page, &sum);
        let _ = writeln!(page, "<td>{}</td></tr>", moment(&sum.last));
    }
    page.push_str("</tbody></table>\n<h2>By vessel and month</h2>\n");
    head(&mut page, &["Month", "Vessel", "Files", "Soundings", "Nautical miles"]);
    for ((month, vessel), sum) in sums(rows, |row| (row.month.clone(), row.vessel.clone())) {
        let _ = write!(page, "<tr><td>{}</td><td><code>{}</code></td>", escaped(&month), escaped(&vessel));
        numbers(&mut page, &sum);
        page.push_str("</tr>\n");
    }
    let _ = write!(page, "</tbody></table>\n<h2>Where</h2>\n{}\n<h2>Files</h2>\n", map(rows));
    head(&mut page, &["File", "Vessel", "Recorder", "First", "Last", "Soundings", "Nautical miles", "Depth, m"]);
    for row in rows {
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
            escaped(&row.file),
            escaped(if row.name.is_empty() { &row.vessel } else { &row.name }),
            escaped(&row.recorder),
            moment(&row.time[0]),
            moment(&row.time[1]),
        );
        let depth = match row.depth {
            [Some(least), Some(most)] => format!("{least:.1} … {most:.1}"),
            _ => String::new(),
        };
        let most = row.depth[1].map(|most| most.to_string()).unwrap_or_default();
        number(&mut page, row.soundings);
        miles(&mut page, row.miles);
        let _ = writeln!(page, "<td class=\"n\" data-v=\"{most}\">{depth}</td></tr>");
    }
    page.push_str("</tbody></table>\n");
    by_reason(&mut page, failures);
    let _ = writeln!(page, "<script>{SCRIPT}</script></body></html>");
    page
}

fn head(page: &mut String, headings: &[&str]) {
    page.push_str("<table><thead><tr>");
    for heading in headings {
        let _ = write!(page, "<th scope=\"col\"><button type=\"button\">{heading}</button></th>");
    }
    page.push_str("</tr></thead><tbody>\n");
}

fn number(page: &mut String, value: i64) {
    let _ = write!(page, "<td class=\"n\" data-v=\"{value}\">{}</td>", grouped(value));
}

fn miles(page: &mut String, value: f64) {
    let _ = write!(page, "<td class=\"n\" data-v=\"{value}\">{}</td>", tenths(value));
}

fn numbers(page: &mut String, sum: &Sum) {
    number(page, sum.files);
    number(page, sum.soundings);
    miles(page, sum.miles);
}

fn tenths(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    let whole = value.trunc() as i64;
    format!("{}.{:.0}", grouped(whole), ((value.fract() * 10.0).floor()).abs())
}

/// A time to the second, as text.
fn moment(text: &str) -> String {
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    escaped(&seconds.replace('T', " "))
}

/// Where the files were, a point each.
fn map(rows: &[Row]) -> String {
    const SIZE: (u16, u16) = (1080, 520);
    let middle = |row: &Row| {
        let [south, north, west, east] = row.place;
        let (south, north, west, east) = (south?, north?, west?, east?);
        // West is the larger number where a track crosses the dateline.
        let east = if east < west { east + 360.0 } else { east };
        Some((f64::midpoint(west, east), f64::midpoint(south, north)))
    };
    let (x, y): (Vec<f64>, Vec<f64>) = rows.iter().filter_map(middle).unzip();
    if x.is_empty() {
        return "<p class=\"faint\">No file has a position.</p>".to_owned();
    }
    let mark = Mark { shape: Shape::Dot, size: 7.0, colour: Colour::BLUE };
    let map = Map { series: vec![Series::marked(&x, &y, mark)], places: Vec::new() };
    let mut picture = Picture::new(SIZE.0, SIZE.1, "Where files were recorded");
    map.draw(&mut picture, Frame::new(70.0, 10.0, f32::from(SIZE.0) - 90.0, f32::from(SIZE.1) - 50.0));
    picture.svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(vessel: &str, month: &str, soundings: i64, miles: f64) -> Row {
        Row {
            file: format!("{vessel}<{month}>.wibl"),
            vessel: vessel.to_owned(),
            name: "Rose & Co".to_owned(),
            month: month.to_owned(),
            time: [format!("{month}-01T10:00:00Z"), format!("{month}-01T11:00:00.5Z")],
            soundings,
            miles,
            ..Row::default()
        }
    }

    #[test]
    fn files_are_summed_by_vessel_and_month() {
        let rows = [
            row("a", "2024-05", 1_000, 5.5),
            row("a", "2024-05", 200, 1.06),
            row("a", "2024-06", 1, 0.0),
            row("b", "2024-05", 7, 2.0),
        ];
        let by_vessel = sums(&rows, |row| row.vessel.clone());
        assert_eq!((by_vessel["a"].files, by_vessel["a"].soundings), (3, 1_201));
        assert_eq!(by_vessel["a"].last, "2024-06-01T11:00:00.5Z");
        let page = html("a & b", &rows, &[], Timestamp::UNIX_EPOCH);
        assert!(page.contains("4 files, 1,208 soundings, 8.5 nautical miles of 2 vessels"), "{page}");
        let month = "<td>2024-05</td><td><code>a</code></td><td class=\"n\" data-v=\"2\">2</td><td class=\"n\" data-v=\"1200\">1,200</td>";
        assert!(page.contains(month), "{page}");
        assert!(page.contains("a&lt;2024-05&gt;.wibl") && page.contains("Rose &amp; Co") && !page.contains("a<2024"));
        assert!(page.contains("2024-06-01 11:00:00"));
        assert!(html("none", &[], &[], Timestamp::UNIX_EPOCH).contains("0 files, 0 soundings, 0.0 nautical miles"));
    }
}
