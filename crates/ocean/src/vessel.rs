//! The vessel table ("fisher metadata"): which sensor was on which vessel, with which gear, from when to when.

use jiff::civil::Date;

use crate::time;

/// One row of the table: a sensor on a vessel for some time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vessel {
    /// Identifier of the row in the programme's own books: the first column, which has no name.
    pub internal_id: Option<String>,
    /// What the vessel fishes with, trimmed.
    pub fishing_method: String,
    /// Who runs it.
    pub skipper: Option<String>,
    /// What it is called.
    pub vessel_name: Option<String>,
    /// Its number in the programme.
    pub vessel_id: Option<i64>,
    /// Where its data are mailed.
    pub email: Option<String>,
    /// Serial number of the sensor.
    pub sensor: Option<i64>,
    /// Serial number of the deck unit that should read it out.
    pub deck_unit: Option<i64>,
    /// First day aboard.
    pub supplied: Option<Date>,
    /// Last day aboard; `None` is still aboard, unless [`Vessel::unreadable`] says that it could not be read.
    pub returned: Option<Date>,
    /// Whether it wants mails.
    pub email_status: Option<String>,
    /// How often.
    pub email_frequency: Option<String>,
    /// Programme that the sensor belongs to.
    pub programme: Option<String>,
    /// Whether its data may be public; as written.
    pub public: Option<String>,
    /// Identifier in the WMO's observing system.
    pub wigos_id: Option<String>,
    /// From when on its data may be public; as written.
    pub publication_date: Option<String>,
    /// Columns that hold something which cannot be read.
    pub unreadable: Vec<&'static str>,
}

/// Names of the columns that a table must have to be of use.
pub const REQUIRED_COLUMNS: [&str; 4] =
    ["Fishing method", "Mangopare serial number", "Deck unit serial number", "Date supplied"];

/// All columns that are read. The first is the one without a name.
pub const COLUMNS: [&str; 16] = [
    "",
    "Fishing method",
    "Fisherman name",
    "Vessel name",
    "Vessel id",
    "Contact email",
    "Mangopare serial number",
    "Deck unit serial number",
    "Date supplied",
    "Date returned",
    "Email Status",
    "Email Frequency",
    "Programme",
    "Public",
    "WIGOS ID",
    "Publication Date",
];

impl Vessel {
    /// Reads a row of the table; `column` gives the text in the column of that name.
    pub fn read<'r>(column: impl Fn(&str) -> Option<&'r str>) -> Self {
        let text = |name: &str| column(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let mut unreadable = Vec::new();
        let mut whole = |name: &'static str| {
            let text = text(name)?;
            let number = whole(&text);
            if number.is_none() {
                unreadable.push(name);
            }
            number
        };
        let (vessel_id, sensor, deck_unit) =
            (whole("Vessel id"), whole("Mangopare serial number"), whole("Deck unit serial number"));
        let mut date = |name: &'static str| {
            let text = text(name)?;
            let date = time::date(&text);
            if date.is_none() {
                unreadable.push(name);
            }
            date
        };
        let (supplied, returned) = (date("Date supplied"), date("Date returned"));
        Self {
            internal_id: text(""),
            fishing_method: text("Fishing method").unwrap_or_default(),
            skipper: text("Fisherman name").or_else(|| text("Fisher name")),
            vessel_name: text("Vessel name"),
            vessel_id,
            email: text("Contact email"),
            sensor,
            deck_unit,
            supplied,
            returned,
            email_status: text("Email Status"),
            email_frequency: text("Email Frequency"),
            programme: text("Programme"),
            public: text("Public"),
            wigos_id: text("WIGOS ID"),
            publication_date: text("Publication Date"),
            unreadable,
        }
    }

    /// Whether the sensor was aboard from `first` to `last` (microseconds since 1970): supplied by then, and read out at
    /// the latest at the end of the day on which it was returned, or of `today` if it was not.
    fn covers(&self, first: i64, last: i64, today: Date) -> bool {
        if self.unreadable.contains(&"Date returned") {
            return false;
        }
        let supplied = self.supplied.and_then(time::midnight);
        let returned = self.returned.unwrap_or(today).tomorrow().ok().and_then(time::midnight);
        matches!((supplied, returned), (Some(supplied), Some(returned)) if supplied <= first && last <= returned)
    }
}

/// A whole number, as spreadsheets write them: `316`, `316.0`.
fn whole(text: &str) -> Option<i64> {
    let number = text.strip_suffix(".0").unwrap_or(text);
    number.parse().ok()
}

/// The table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vessels(pub Vec<Vessel>);

impl Vessels {
    /// The rows for a sensor that cover a time, in the order of the table.
    pub fn find(&self, sensor: i64, first: i64, last: i64, today: Date) -> Vec<&Vessel> {
        let is_match = |vessel: &&Vessel| vessel.sensor == Some(sensor) && vessel.covers(first, last, today);
        self.0.iter().filter(is_match).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vessel(supplied: &str, returned: &str) -> Vessel {
        let pairs = [("Mangopare serial number", "38.0"), ("Date supplied", supplied), ("Date returned", returned)];
        Vessel::read(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
    }

    #[test]
    fn a_row_covers_its_days_to_the_last_midnight() {
        let today = Date::constant(2022, 1, 1);
        let at = |text: &str| time::day_first(text).expect("a time");
        let covers = |vessel: &Vessel, first: &str, last: &str| {
            Vessels(vec![vessel.clone()]).find(38, at(first), at(last), today).len() == 1
        };
        let aboard = vessel("09/06/2021", "");
        assert!(covers(&aboard, "09/06/2021 00:00:00", "02/01/2022 00:00:00"));
        assert!(!covers(&aboard, "08/06/2021 23:59:59", "10/06/2021 00:00:00"));
        assert!(!covers(&aboard, "09/06/2021 00:00:00", "02/01/2022 00:00:01"));
        let returned = vessel("09/06/2021", "31/12/2021");
        assert!(covers(&returned, "31/12/2021 10:00:00", "01/01/2022 00:00:00"));
        assert!(!covers(&returned, "31/12/2021 10:00:00", "01/01/2022 00:00:01"));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_never_matches() {
        let odd = vessel("09/06/2021", "soon");
        assert_eq!(odd.unreadable, ["Date returned"]);
        let first = time::day_first("10/06/2021 00:00:00").expect("a time");
        assert!(Vessels(vec![odd]).find(38, first, first, Date::constant(2022, 1, 1)).is_empty());
        assert_eq!(whole("316.5"), None);
    }
}
