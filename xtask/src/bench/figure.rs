//! A figure, what it is aimed at, and how it is told and stored.

use super::json::{self, Value};
use super::probe::Fsync;

/// One measured figure.
pub(crate) struct Figure {
    /// Its name: key of [`AIMS`].
    pub(crate) name: String,
    /// Ours; the median where there were several runs.
    pub(crate) ours: f64,
    /// What a peer needed for the same in the same run, where there is a peer.
    pub(crate) peer: Option<f64>,
    /// Unit of both.
    pub(crate) unit: String,
    /// The disk at the time.
    pub(crate) fsync: Option<Fsync>,
    /// What must be known to read it: the peer's name, how many runs, how far apart.
    pub(crate) note: String,
}

/// What a figure should be.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    AtLeast(f64),
    AtMost(f64),
    /// No slower than the peer; less is better.
    AsFastAsPeer,
    /// At least so many, or on a slower machine so many times as many as the peer.
    Rate(f64, f64),
    /// At most so long, or on a slower machine so many times as long as the peer.
    Time(f64, f64),
    /// Recorded, and less is better.
    None,
}

/// The aims. A figure that is not here is only recorded; `*` stands for how its name begins.
const AIMS: &[(&str, Aim)] = &[
    ("csv_import_time", Aim::AsFastAsPeer),
    ("csv_import_memory", Aim::AtMost(64.0)),
    ("dynamodb_rows", Aim::AtLeast(150_000.0)),
    ("dynamodb_memory", Aim::AtMost(40.0)),
    ("dynamodb_rows_into_moto", Aim::Rate(9_000.0, 1.5)),
    ("admit_enqueue_rate", Aim::AtLeast(20_000.0)),
    ("admit_enqueue_p99", Aim::AtMost(15.0)),
    ("lease_settle_rate", Aim::AtLeast(10_000.0)),
    ("lands_to_started_p50", Aim::AtMost(5.0)),
    ("lands_to_started_p99", Aim::AtMost(25.0)),
    ("check_100_functions", Aim::AtMost(20.0)),
    ("bootstrap_function", Aim::AtMost(20.0)),
    ("bootstrap_intake", Aim::AtMost(20.0)),
    ("bootstrap_zip", Aim::AtMost(25.0)),
    ("profile_qc_rows", Aim::AtLeast(1_000_000.0)),
    ("profile_qc_short_file", Aim::AtMost(1.0)),
    ("profile_qc_small_files", Aim::AtLeast(1_000.0)),
    ("profile_qc_small_files_memory", Aim::AtMost(150.0)),
    ("profile_qc_very_long_memory", Aim::AtMost(300.0)),
    ("*_hy1_csv_1", Aim::AtMost(5.0)),
    ("*_ct1_zip_2", Aim::AtMost(40.0)),
    ("review_busy", Aim::AtLeast(90.0)),
    ("review_memory", Aim::AtMost(200.0)),
    ("picture_svg", Aim::AtMost(10.0)),
    ("picture_png", Aim::AtMost(150.0)),
    ("wibl_110h_rate", Aim::AtLeast(100.0)),
    ("wibl_110h_memory", Aim::AtMost(400.0)),
    ("wibl_10h_time", Aim::AtMost(80.0)),
    ("wibl_many_rate", Aim::AtLeast(150.0)),
    // What the peer reached where the aims were set: psql, DuckDB, and for the last three psql again.
    ("warehouse_export", Aim::Rate(f64::INFINITY, 0.9)),
    ("warehouse_export_memory", Aim::AtMost(30.0)),
    ("warehouse_parquet", Aim::Rate(2_000_000.0, 2_000.0 / 1_900.0)),
    ("warehouse_parquet_memory", Aim::AtMost(150.0)),
    ("warehouse_load_keyed", Aim::Rate(900_000.0, 900.0 / 932.0)),
    ("warehouse_load_keyed_psql", Aim::Rate(900_000.0, 900.0 / 500.0)),
    ("warehouse_load_foreign_keys", Aim::Rate(450_000.0, 450.0 / 373.0)),
    ("warehouse_pipeline", Aim::Time(15.0, 15.0 / 20.5)),
    ("warehouse_pipeline_memory", Aim::AtMost(200.0)),
    ("warehouse_tick", Aim::Time(0.05, 0.05 / 0.026)),
    ("warehouse_poll", Aim::Time(0.4, 0.4 / 0.18)),
    ("warehouse_poll_changed", Aim::AtMost(1.0)),
    ("csv_import_postgres", Aim::Rate(f64::INFINITY, 0.9)),
    ("start_to_help", Aim::AtMost(5.0)),
    ("idle_cpu", Aim::AtMost(0.5)),
    ("idle_memory", Aim::AtMost(40.0)),
    ("recover_to_first_call", Aim::AtMost(2.0)),
    ("backfill_list", Aim::AtMost(2.0)),
    ("build_release_clean", Aim::AtMost(540.0)),
    ("build_engine_edit_to_tests", Aim::AtMost(20.0)),
    ("binary_release", Aim::None),
    ("binary_dist", Aim::AtMost(70.0)),
];

impl Figure {
    /// Reads what a bench program printed; `None` if the line is something else.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let fields = json::parse(line)?;
        let field = |name: &str| fields.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        let number = |name: &str| field(name).and_then(Value::number);
        let text = |name: &str| field(name).and_then(Value::text).unwrap_or_default().to_owned();
        let fsync = number("fsync_us_p50").zip(number("fsync_us_p99"));
        Some(Self {
            name: field("name")?.text()?.to_owned(),
            ours: number("ours")?,
            peer: number("peer"),
            unit: text("unit"),
            fsync: fsync.map(|(p50_us, p99_us)| Fsync { p50_us, p99_us }),
            note: text("note"),
        })
    }

    /// The figure as it is stored.
    pub(crate) fn to_json(&self) -> String {
        let number = |number: Option<f64>| number.map_or(Value::Null, Value::Number);
        json::write(&[
            ("name", Value::Text(self.name.clone())),
            ("ours", Value::Number(self.ours)),
            ("peer", number(self.peer)),
            ("unit", Value::Text(self.unit.clone())),
            ("ratio", number(self.ratio())),
            ("aim", Value::Text(self.aim_text())),
            ("held", self.held().map_or(Value::Null, Value::Bool)),
            ("fsync_us_p50", number(self.fsync.as_ref().map(|fsync| fsync.p50_us))),
            ("fsync_us_p99", number(self.fsync.as_ref().map(|fsync| fsync.p99_us))),
            ("note", Value::Text(self.note.clone())),
        ])
    }

    fn aim(&self) -> Aim {
        let is_ours = |name: &str| match name.strip_prefix('*') {
            Some(ending) => self.name.ends_with(ending),
            None => self.name == name,
        };
        AIMS.iter().find(|(name, _)| is_ours(name)).map_or(Aim::None, |(_, aim)| *aim)
    }

    /// How many times better than the peer, or, without one, than the aim; above 1 is better, whatever the unit.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let (bound, more_is_better) = match self.aim() {
            Aim::AtLeast(least) => (self.peer.unwrap_or(least), true),
            Aim::AtMost(most) => (self.peer.unwrap_or(most), false),
            Aim::Rate(least, _) => (self.peer.unwrap_or(least), true),
            Aim::Time(most, _) => (self.peer.unwrap_or(most), false),
            Aim::AsFastAsPeer | Aim::None => (self.peer?, false),
        };
        Some(if more_is_better { self.ours / bound } else { bound / self.ours })
    }

    /// Whether the aim holds; `None` without one.
    pub(crate) fn held(&self) -> Option<bool> {
        match self.aim() {
            Aim::AtLeast(least) => Some(self.ours >= least),
            Aim::AtMost(most) => Some(self.ours <= most),
            Aim::AsFastAsPeer => self.peer.map(|peer| self.ours <= peer),
            Aim::Rate(least, of_peer) => {
                Some(self.ours >= least || self.peer.is_some_and(|peer| self.ours >= of_peer * peer))
            }
            Aim::Time(most, of_peer) => {
                Some(self.ours <= most || self.peer.is_some_and(|peer| self.ours <= of_peer * peer))
            }
            Aim::None => None,
        }
    }

    fn aim_text(&self) -> String {
        match self.aim() {
            Aim::AtLeast(least) => format!(">= {}", grouped(least)),
            Aim::AtMost(most) => format!("<= {}", grouped(most)),
            Aim::AsFastAsPeer => "<= peer".to_owned(),
            Aim::Rate(least, of_peer) if least.is_infinite() => format!(">= {} x peer", grouped(of_peer)),
            Aim::Rate(least, _) => format!(">= {}", grouped(least)),
            Aim::Time(most, _) => format!("<= {}", grouped(most)),
            Aim::None => String::new(),
        }
    }
}

/// The figures as a table of 80 columns, each note on a line of its own.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text =
        format!("{:<27} {:>10} {:>10} {:<6} {:>6}  {:<9} {}\n", "figure", "ours", "peer", "unit", "ratio", "aim", "");
    for figure in figures {
        let peer = figure.peer.map_or_else(|| "-".to_owned(), grouped);
        let ratio = figure.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let verdict = match figure.held() {
            Some(true) => "held",
            Some(false) => "MISSED",
            None => "",
        };
        let (ours, unit, aim) = (grouped(figure.ours), &figure.unit, figure.aim_text());
        text += &format!("{:<27} {ours:>10} {peer:>10} {unit:<6} {ratio:>6}  {aim:<9} {verdict}\n", figure.name);
        let fsync = figure
            .fsync
            .as_ref()
            .map(|fsync| format!("fdatasync p50 {:.0} us, p99 {:.0} us", fsync.p50_us, fsync.p99_us));
        let notes: Vec<String> =
            fsync.into_iter().chain(Some(figure.note.clone()).filter(|note| !note.is_empty())).collect();
        if !notes.is_empty() {
            text += &format!("    {}\n", notes.join("; "));
        }
    }
    text
}

/// `25,301`, `12.3`, `0.042`: as many digits as mean something.
fn grouped(number: f64) -> String {
    if number.abs() < 10.0 {
        let text = format!("{number:.3}");
        return if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    }
    if number.abs() < 1000.0 {
        return format!("{number:.1}").trim_end_matches(".0").to_owned();
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, ours: f64, peer: Option<f64>) -> Figure {
        Figure { name: name.into(), ours, peer, unit: "s".into(), fsync: None, note: String::new() }
    }

    #[test]
    fn above_one_is_better_whatever_the_unit() {
        assert_eq!(figure("csv_import_time", 2.0, Some(3.0)).ratio(), Some(1.5));
        assert_eq!(figure("admit_enqueue_rate", 30_000.0, None).ratio(), Some(1.5));
        assert_eq!(figure("idle_memory", 20.0, None).ratio(), Some(2.0));
        assert_eq!(figure("unheard of", 20.0, None).ratio(), None);
    }

    #[test]
    fn aims_hold_or_not() {
        assert_eq!(figure("csv_import_time", 3.0, Some(2.0)).held(), Some(false));
        assert_eq!(figure("lease_settle_rate", 10_000.0, None).held(), Some(true));
        assert_eq!(figure("idle_memory", 41.0, None).held(), Some(false));
        assert_eq!(figure("unheard of", 1.0, None).held(), None);
    }

    #[test]
    fn on_a_slower_machine_the_peer_is_the_bar() {
        assert_eq!(figure("warehouse_export", 900.0, Some(1_000.0)).held(), Some(true));
        assert_eq!(figure("warehouse_export", 890.0, Some(1_000.0)).held(), Some(false));
        assert_eq!(figure("warehouse_load_foreign_keys", 300_000.0, Some(200_000.0)).held(), Some(true));
        assert_eq!(figure("warehouse_load_foreign_keys", 300_000.0, Some(300_000.0)).held(), Some(false));
        assert_eq!(figure("warehouse_tick", 0.04, Some(0.01)).held(), Some(true));
        assert_eq!(figure("warehouse_tick", 0.06, Some(0.01)).held(), Some(false));
        assert_eq!(figure("warehouse_tick", 0.06, Some(0.05)).held(), Some(true));
    }

    #[test]
    fn a_program_s_line_is_read_and_other_lines_are_not() {
        let line = "{\"name\": \"lease_settle_rate\", \"ours\": 12000, \"peer\": null, \"unit\": \"/s\", \"ratio\": null, \
            \"fsync_us_p50\": 80.5, \"fsync_us_p99\": 900, \"note\": \"one worker\"}";
        let figure = Figure::parse(line).expect("a figure");
        assert_eq!((figure.ours, figure.peer, figure.unit.as_str(), figure.held()), (12_000.0, None, "/s", Some(true)));
        assert!(figure.fsync.is_some_and(|fsync| fsync.p99_us == 900.0));
        assert!(Figure::parse("warming up").is_none());
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0.0423, 5.0, 12.34, 540.0, 25_301.7, 1_000_000.0].map(grouped),
            ["0.042", "5", "12.3", "540", "25,302", "1,000,000"]
        );
    }
}
