//! Whose data a deployment is, and what its people wish: from the table of vessels.
//!
//! Data go to nobody whose they may not be. Where the table leaves a doubt, nobody gets a mail, and the doubt is told.

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use jiff::civil::Date;
use tidegate_model::{Address, ErrorKind, Failure};
use tidegate_ocean::vessel::{REQUIRED_COLUMNS, Vessel, Vessels};
use tidegate_stores::{Error, Table};

use super::measured::{Measured, moment};

/// How often a vessel wishes mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Each deployment, at once.
    Each,
    /// Once a day.
    Daily,
    /// Once a week.
    Weekly,
    /// Not at all: the status or the frequency says so, or the status says nothing.
    Never,
    /// The frequency cannot be read.
    Unclear,
}

impl Wish {
    /// What the columns `Email Status` and `Email Frequency` say.
    fn read(status: Option<&str>, frequency: Option<&str>) -> Self {
        let word = |text: Option<&str>| text.unwrap_or_default().trim().to_lowercase();
        if !matches!(word(status).as_str(), "yes" | "y" | "true" | "1" | "on" | "active" | "subscribed") {
            return Self::Never;
        }
        match word(frequency).as_str() {
            "" | "each" | "each deployment" | "every deployment" | "per deployment" | "deployment" | "always"
            | "immediate" | "immediately" | "at once" => Self::Each,
            "daily" | "each day" | "every day" | "day" => Self::Daily,
            "weekly" | "each week" | "every week" | "week" => Self::Weekly,
            "never" | "none" | "no" | "off" => Self::Never,
            _ => Self::Unclear,
        }
    }

    /// Why there is no mail at once.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Each => "it is sent at once",
            Self::Daily => "the vessel wishes one a day",
            Self::Weekly => "the vessel wishes one a week",
            Self::Never => "the vessel wishes none",
            Self::Unclear => "how often the vessel wishes them cannot be read",
        }
    }
}

/// The people of a vessel.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reader {
    /// What their vessel is called.
    pub(crate) name: String,
    /// Where its mails go.
    pub(crate) addresses: Vec<Address>,
    /// Parts of the address column that are no address.
    pub(crate) unreadable: usize,
    /// How often they wish mails.
    pub(crate) wish: Wish,
}

impl Reader {
    fn of(vessel: &Vessel) -> Self {
        let (addresses, unreadable) = Address::parse_list(vessel.email.as_deref().unwrap_or_default());
        let name = vessel.vessel_name.clone();
        Self {
            name: name
                .or_else(|| vessel.vessel_id.map(|id| format!("vessel {id}")))
                .unwrap_or("your vessel".to_owned()),
            addresses,
            unreadable,
            wish: Wish::read(vessel.email_status.as_deref(), vessel.email_frequency.as_deref()),
        }
    }
}

/// Whose a deployment is.
pub(crate) enum Owner {
    /// No row of the table fits.
    Unknown,
    /// Rows of different vessels fit.
    Several,
    /// This vessel.
    One(Reader),
}

/// Whose the deployment is: the vessel that had the sensor from its first time to its last.
pub(crate) fn owner(vessels: &Vessels, measured: &Measured, today: Date) -> Owner {
    let span = measured.span().and_then(|(first, last)| Some((moment(first)?, moment(last)?)));
    let Some((sensor, (first, last))) = measured.sensor_number().zip(span) else { return Owner::Unknown };
    let found = vessels.find(sensor, first.as_microsecond(), last.as_microsecond(), today);
    let mut readers: Vec<Reader> = Vec::new();
    for reader in found.into_iter().map(Reader::of) {
        if !readers.contains(&reader) {
            readers.push(reader);
        }
    }
    match readers.pop() {
        None => Owner::Unknown,
        Some(reader) if readers.is_empty() => Owner::One(reader),
        Some(_) => Owner::Several,
    }
}

/// Reads the table of vessels.
///
/// # Errors
/// `R0801` if it is not there yet, or a column is missing: retryable, because its file may be on its way.
pub(crate) async fn read(table: &dyn Table, name: &str) -> Result<Vessels, Failure> {
    let failure = |reason: String| {
        Failure::new("R0801", ErrorKind::Unavailable, reason)
            .expected("the table of vessels, with the columns that the page of this code lists")
            .help("load its CSV file, then `tidegate failures retry`")
    };
    let columns = table.columns().await.map_err(|error| failure(error.to_string()))?;
    let (columns, _) = columns.ok_or_else(|| failure(format!("the table of vessels, `{name}`, is not there yet")))?;
    let missing = REQUIRED_COLUMNS.iter().find(|wanted| !columns.iter().any(|(known, _)| known == *wanted));
    if let Some(missing) = missing {
        return Err(failure(format!("the table of vessels, `{name}`, has no column `{missing}`")));
    }
    let mut vessels = Vec::new();
    let mut take = |batch: RecordBatch| {
        vessels.extend(rows(&batch)?);
        Ok(())
    };
    table.scan(None, &mut take).await.map_err(|error| failure(error.to_string()))?;
    Ok(Vessels(vessels))
}

fn rows(batch: &RecordBatch) -> Result<Vec<Vessel>, Error> {
    let options = FormatOptions::default();
    let names: Vec<&str> = batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    let columns: Result<Vec<_>, _> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options)).collect();
    let columns = columns.map_err(|error| Error::caused(ErrorKind::Bug, "a column cannot be read as text", error))?;
    let row = |row: usize| {
        let texts: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
        Vessel::read(|name| names.iter().position(|known| *known == name).map(|at| texts[at].as_str()))
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one_and_an_empty_frequency_means_each_deployment() {
        for (status, frequency, wish) in [
            (Some("Yes"), None, Wish::Each),
            (Some(" TRUE "), Some("Each deployment"), Wish::Each),
            (Some("yes"), Some("Daily"), Wish::Daily),
            (Some("on"), Some("weekly "), Wish::Weekly),
            (Some("yes"), Some("Never"), Wish::Never),
            (Some("yes"), Some("fortnightly"), Wish::Unclear),
            (Some("no"), Some("daily"), Wish::Never),
            (Some("maybe"), None, Wish::Never),
            (None, Some("daily"), Wish::Never),
        ] {
            assert_eq!(Wish::read(status, frequency), wish, "{status:?} {frequency:?}");
        }
    }
}
