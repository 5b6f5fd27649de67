//! The page: HTML with its style, its script and its map in it. Whatever comes from files is escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{Timestamp, Unit};
use serde_json::Value;
use tidegate_plots::{Colour, Frame, Map, Mark, Picture, Series, Shape};
use tidegate_stores::FailureRecord;

use super::File;

/// Width and height of the map, in pixels.
const MAP: (u16, u16) = (1080, 520);

pub(super) const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1180px;padding:0 1rem;color:#1b2a38}\
h1{margin:0}h2{margin:2rem 0 .5rem}p{margin:.3rem 0}.faint{color:#5d6b78}\
svg{max-width:100%;height:auto}.wide{overflow-x:auto}\
table{border-collapse:collapse;width:100%;font-size:14px}\
th,td{padding:.35rem .6rem;text-align:left;border-bottom:1px solid #d9e0e6;vertical-align:top}\
th{background:#eef3f7;position:sticky;top:0}th button{all:unset;cursor:pointer;font-weight:600}\
th button:focus-visible{outline:2px solid #1f6fb2}th[aria-sort=ascending] button:after{content:' \\25B2'}\
th[aria-sort=descending] button:after{content:' \\25BC'}\
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}details summary{cursor:pointer}\
ul{margin:.2rem 0;padding-left:1.1rem}code{font-size:13px}";

/// Sorts the table by a column: numbers by their value, the rest by its text; nothing stands last.
pub(super) const SCRIPT: &str = "\
document.querySelectorAll('th button').forEach(function(b){b.addEventListener('click',function(){\
var h=b.closest('th'),t=h.closest('table'),i=h.cellIndex,up=h.getAttribute('aria-sort')!=='ascending';\
t.querySelectorAll('th').forEach(function(o){o.removeAttribute('aria-sort')});\
h.setAttribute('aria-sort',up?'ascending':'descending');\
var r=Array.from(t.tBodies[0].rows),k=function(x){var c=x.cells[i];return c.dataset.v===undefined?c.textContent:c.dataset.v};\
r.sort(function(x,y){var a=k(x),b=k(y);if(a===''||b==='')return a===b?0:a===''?1:-1;\
var d=isNaN(a)||isNaN(b)?a.localeCompare(b):a-b;return up?d:-d});\
r.forEach(function(x){t.tBodies[0].appendChild(x)})})});";

const HEADINGS: [&str; 11] = [
    "File",
    "Kind",
    "Observations",
    "Script",
    "Casts",
    "Stations",
    "First",
    "Last",
    "Latitude, longitude",
    "Pressure",
    "Findings",
];

/// The whole page.
// Writing to a `String` cannot fail.
pub(super) fn html(pipeline: &str, files: &[File], failures: &[FailureRecord], now: Timestamp) -> String {
    let observations: i64 = files.iter().filter_map(|file| file.observations).sum();
    let casts: i64 = files.iter().filter_map(|file| file.profiles).sum();
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    let _ = write!(
        page,
        "<meta name=\"viewport\" content=\"width=device-width\"><title>Review: {0}</title><style>{STYLE}</style></head>\n\
         <body><h1>Review: {0}</h1><p class=\"faint\">{1} files, {2} observations in {3} casts, {4} failures; written {5}</p>\n",
        escaped(pipeline),
        files.len(),
        grouped(observations),
        grouped(casts),
        failures.len(),
        now.round(Unit::Second).unwrap_or(now),
    );
    let _ = writeln!(page, "<h2>Stations</h2>\n{}", map(files));
    page.push_str("<h2>Files</h2>\n<div class=\"wide\"><table><thead><tr>");
    for heading in HEADINGS {
        let _ = write!(page, "<th scope=\"col\"><button type=\"button\">{heading}</button></th>");
    }
    page.push_str("</tr></thead><tbody>\n");
    files.iter().for_each(|file| row(&mut page, file));
    page.push_str("</tbody></table></div>\n");
    page.push_str(
        "<p class=\"faint\">Script: the number that the scripts for AWS Lambda report for the same file.</p>\n",
    );
    by_reason(&mut page, failures);
    let _ = writeln!(page, "<script>{SCRIPT}</script></body></html>");
    page
}

fn row(page: &mut String, file: &File) {
    let number = |page: &mut String, value: Option<i64>| {
        let shown = value.map(grouped).unwrap_or_default();
        let sorted = value.map(|value| value.to_string()).unwrap_or_default();
        let _ = write!(page, "<td class=\"n\" data-v=\"{sorted}\">{shown}</td>");
    };
    let _ = write!(page, "<tr><td><code>{}</code></td><td>{}</td>", escaped(&file.name), escaped(&file.kind));
    for value in [file.observations, file.seed, file.profiles, file.stations] {
        number(page, value);
    }
    for time in &file.time {
        let _ = write!(page, "<td>{}</td>", escaped(&time.replace('T', " ")));
    }
    let range = |low: Option<f64>, high: Option<f64>| match (low, high) {
        (Some(low), Some(high)) => format!("{low} … {high}"),
        _ => String::new(),
    };
    let [south, north, west, east, least, most] = file.extents;
    let place = [range(south, north), range(west, east)].join("<br>");
    let sorted = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let _ = write!(page, "<td class=\"n\" data-v=\"{}\">{place}</td>", sorted(south));
    let _ = write!(page, "<td class=\"n\" data-v=\"{}\">{}</td>", sorted(most), range(least, most));
    findings(page, file);
    page.push_str("</tr>\n");
}

/// What is odd, and members that were refused, to be opened.
fn findings(page: &mut String, file: &File) {
    let (odd, refused) = (list(&file.findings), list(&file.refused));
    let _ = write!(page, "<td data-v=\"{}\">", odd.len() + refused.len());
    if !odd.is_empty() || !refused.is_empty() {
        let _ = write!(page, "<details><summary>{}</summary><ul>", odd.len() + refused.len());
        for one in refused {
            let _ = write!(
                page,
                "<li><strong>{}</strong>: {}</li>",
                escaped(text(one, "member")),
                escaped(text(one, "reason"))
            );
        }
        for one in odd {
            let place = [("member ", text(one, "member").to_owned()), ("line ", one["line"].to_string())];
            let place: Vec<String> = place
                .into_iter()
                .filter(|(_, value)| !value.is_empty() && value != "null")
                .map(|(what, value)| format!("{what}{value}"))
                .collect();
            let about = text(one, "about");
            let about = if about.is_empty() { String::new() } else { format!(" <code>{}</code>", escaped(about)) };
            let place =
                if place.is_empty() { String::new() } else { format!(" (first: {})", escaped(&place.join(", "))) };
            let _ = write!(page, "<li>{} × {}{about}{place}</li>", one["count"], escaped(text(one, "message")));
        }
        page.push_str("</ul></details>");
    }
    page.push_str("</td>");
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// Where the casts were.
fn map(files: &[File]) -> String {
    let positions: Vec<(f64, f64)> = files.iter().flat_map(|file| file.positions.iter().copied()).collect();
    if positions.is_empty() {
        return "<p class=\"faint\">No file has a position.</p>".to_owned();
    }
    let (x, y): (Vec<f64>, Vec<f64>) = positions.into_iter().unzip();
    let mark = Mark { shape: Shape::Dot, size: 5.0, colour: Colour::BLUE };
    let map = Map { series: vec![Series::marked(&x, &y, mark)], places: Vec::new() };
    let (width, height) = MAP;
    let mut picture = Picture::new(width, height, "Stations");
    map.draw(&mut picture, Frame::new(70.0, 10.0, f32::from(width) - 90.0, f32::from(height) - 50.0));
    picture.svg()
}

/// What failed: each reason once, with its files.
pub(super) fn by_reason(page: &mut String, failures: &[FailureRecord]) {
    page.push_str("<h2>Failures</h2>\n");
    if failures.is_empty() {
        page.push_str("<p>None.</p>\n");
        return;
    }
    let mut reasons: BTreeMap<(&str, &str), Vec<&FailureRecord>> = BTreeMap::new();
    for failure in failures {
        reasons.entry((&failure.failure.code, &failure.failure.reason)).or_default().push(failure);
    }
    page.push_str("<table><thead><tr><th>Code</th><th>Reason</th><th>Files</th></tr></thead><tbody>\n");
    for ((code, reason), failures) in reasons {
        let help = failures.first().and_then(|failure| failure.failure.help.as_deref()).unwrap_or_default();
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td>{}<p class=\"faint\">{}</p></td><td><details open><summary>{}</summary><ul>",
            escaped(code),
            escaped(reason),
            escaped(help),
            failures.len()
        );
        for failure in failures {
            let place = &failure.failure.place;
            let within = [place.member.clone(), place.line.map(|line| format!("line {line}"))];
            let within: Vec<String> = within.into_iter().flatten().collect();
            let within = if within.is_empty() { String::new() } else { format!(" ({})", within.join(", ")) };
            let _ = write!(page, "<li><code>{}</code>{}</li>", escaped(&failure.event.name()), escaped(&within));
        }
        page.push_str("</ul></details></td></tr>\n");
    }
    page.push_str("</tbody></table>\n");
}

/// A number with its thousands apart.
pub(super) fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text that is nothing but text in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_never_markup() {
        let file = File { name: "<script>alert(1)</script>\".csv".to_owned(), ..File::default() };
        let page = html("a & b", &[file], &[], Timestamp::UNIX_EPOCH);
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;.csv"), "{page}");
        assert!(page.contains("<title>Review: a &amp; b</title>"));
        assert_eq!(page.matches("<script>").count(), 1);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(152_365), "152,365");
        assert_eq!(grouped(-1_000), "-1,000");
    }
}
