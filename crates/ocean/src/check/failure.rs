//! How a deployment can fail: each with its cause and its remedy.

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The file cannot be read; the reader says why.
    Unreadable,
    /// No row can be used.
    NoRows,
    /// The header has no serial number of the sensor.
    NoSerial,
    /// No row of the vessel table has the sensor at that time.
    NoVessel,
    /// Several have.
    SeveralVessels,
    /// The row has no deck unit.
    DeckUnitUnknown,
    /// Another deck unit read the sensor out.
    DeckUnitDiffers,
    /// The fishing method has no gear class.
    GearUnknown,
    /// No row has a good time and position; only ops_qc fails for it.
    NoPosition,
    /// Every row is bad.
    NoGoodData,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Unreadable,
        Self::NoRows,
        Self::NoSerial,
        Self::NoVessel,
        Self::SeveralVessels,
        Self::DeckUnitUnknown,
        Self::DeckUnitDiffers,
        Self::GearUnknown,
        Self::NoPosition,
        Self::NoGoodData,
    ];

    /// Short name, for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NoRows => "no-rows",
            Self::NoSerial => "no-serial",
            Self::NoVessel => "no-vessel",
            Self::SeveralVessels => "several-vessels",
            Self::DeckUnitUnknown => "deck-unit-unknown",
            Self::DeckUnitDiffers => "deck-unit-differs",
            Self::GearUnknown => "gear-unknown",
            Self::NoPosition => "no-position",
            Self::NoGoodData => "no-good-data",
        }
    }

    /// How to mend it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Unreadable => "see what the reader found, mend the file and put it again",
            Self::NoRows => "see why its rows were dropped; if the transfer was cut, put the file again",
            Self::NoSerial => "`Moana Serial Number` must stand in the header: put the file as the deck unit wrote it",
            Self::NoVessel => {
                "add the sensor's row to the vessel table, or correct its dates, and process the file again"
            }
            Self::SeveralVessels => "end one of the rows with its `Date returned`, and process the file again",
            Self::DeckUnitUnknown => "fill in `Deck unit serial number` in the vessel table",
            Self::DeckUnitDiffers => "correct the deck unit in the vessel table, or find out who read the sensor out",
            Self::GearUnknown => {
                "add the fishing method to the gear classes of the rules, or correct it in the vessel table"
            }
            Self::NoPosition => "nothing can be done; the rows and their flags say why",
            Self::NoGoodData => "nothing can be done; the flags say which tests condemned the rows",
        }
    }
}

/// A failure of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub code: Code,
    /// With what: lower case, no final period, no names of people.
    pub message: String,
    /// Column `failure_mode` of ops_qc's status file.
    pub mode: String,
    /// Column `detailed_error` of it.
    pub detail: Option<String>,
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, mode: message.clone(), message, detail: None }
    }

    /// In the words of ops_qc.
    pub(super) fn ops_qc(code: Code, mode: impl Into<String>, detail: Option<&str>) -> Self {
        let mode = mode.into();
        let message = [Some(mode.trim()), detail.map(str::trim)].into_iter().flatten().collect::<Vec<_>>().join(": ");
        Self { code, message, mode, detail: detail.map(str::to_owned) }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
