//! What is wrong with a deployment, as the failure of a run and as rows that were refused: each with code, line, cause and
//! remedy.

use tidegate_engine::Outcome;
use tidegate_formats::moana::{self, Account};
use tidegate_formats::{Error as FormatError, Problem};
use tidegate_model::{ErrorKind, Failure, Place};
use tidegate_ocean::check::{Checked, Code};
use tidegate_ocean::screen::Reason;
use tidegate_stores::Reject;

/// A content that cannot be read at all.
pub(super) fn of_reading(error: FormatError) -> Failure {
    let (kind, help) = match error.problem {
        Problem::Io => (ErrorKind::Unavailable, "it is tried again"),
        _ => (ErrorKind::Invalid, "the transfer was probably damaged: put the file again"),
    };
    let place = Place { line: error.line, byte: error.byte, ..Place::default() };
    let reason = if error.problem == Problem::Io { error.to_string() } else { error.message };
    let failure = Failure::new("R0317", kind, reason).at(place).help(error.help.unwrap_or_else(|| help.to_owned()));
    error.expected.map_or(failure.clone(), |expected| failure.expected(expected))
}

/// An output that cannot be written.
pub(crate) fn of_writing(error: FormatError) -> Failure {
    let kind = if error.problem == Problem::Io { ErrorKind::Unavailable } else { ErrorKind::Invalid };
    let help = error.help.clone().unwrap_or_else(|| "please report it with the file, if you may share it".to_owned());
    Failure::new("R0322", kind, format!("the output cannot be written: {error}")).help(help)
}

/// What makes the file unusable for everybody.
pub(super) fn of_account(account: &Account) -> Option<Failure> {
    let finding = account.fault()?;
    let code = match finding.code {
        moana::Code::Empty => "R0304",
        moana::Code::NoColumnLine => "R0305",
        moana::Code::SecondHeader => "R0307",
        _ => "R0306",
    };
    let column = account.findings.iter().find(|other| other.code == finding.code).and_then(|finding| finding.column);
    let message = finding.code.message();
    let reason = match column {
        Some(column) => format!("{message}: {}", column.name()),
        None => message.to_owned(),
    };
    let line = Some(finding.line).filter(|line| *line > 0);
    let place = Place { line, column: column.map(|column| column.name().to_owned()), ..Place::default() };
    Some(Failure::new(code, ErrorKind::Invalid, reason).at(place).help(finding.code.help()))
}

/// Why a deployment failed, if it did.
pub(super) fn of_checked(checked: &Checked, account: &Account) -> Option<Failure> {
    let failure = checked.failure.as_ref()?;
    let is_stationary = failure.mode.starts_with("Could not calculate stationary");
    let (code, kind) = match failure.code {
        Code::Unreadable => return Some(of_ops_qc_reading(failure.message.clone(), account)),
        Code::NoRows => ("R0308", ErrorKind::Invalid),
        Code::NoSerial => ("R0309", ErrorKind::Invalid),
        // The file of vessels may be on its way.
        Code::NoVessel => ("R0310", ErrorKind::Unavailable),
        Code::SeveralVessels => ("R0311", ErrorKind::Invalid),
        Code::DeckUnitUnknown if account.marks.byte_order_mark && checked.sensor.deck_unit.is_none() => {
            ("R0323", ErrorKind::Invalid)
        }
        Code::DeckUnitUnknown => ("R0312", ErrorKind::Invalid),
        Code::DeckUnitDiffers => ("R0313", ErrorKind::Invalid),
        Code::GearUnknown => ("R0314", ErrorKind::Invalid),
        Code::NoPosition if is_stationary => ("R0324", ErrorKind::Invalid),
        Code::NoPosition => ("R0315", ErrorKind::Invalid),
        Code::NoGoodData => ("R0316", ErrorKind::Invalid),
    };
    Some(Failure::new(code, kind, failure.message.clone()).help(failure.code.help()))
}

/// Where ops_qc gives up while it reads: the cause is told beside its words, since they seldom tell it.
fn of_ops_qc_reading(message: String, account: &Account) -> Failure {
    const REMEDY: &str = "`rules = \"corrected\"` reads such files";
    let code = |code: moana::Code| account.findings.iter().find(|finding| finding.code == code);
    let is_found = |wanted: moana::Code| account.count(wanted) > 0;
    if let Some(failure) = of_account(account).filter(|_| !is_found(moana::Code::SecondHeader)) {
        return Failure { reason: format!("{} (ops_qc: {})", failure.reason, message.trim()), ..failure };
    }
    let (code, cause, finding) = match () {
        () if account.marks.utf_16 => ("R0318", "the file is UTF-16", None),
        () if is_found(moana::Code::NotUtf8) => ("R0318", "bytes that are not UTF-8", code(moana::Code::NotUtf8)),
        () if is_found(moana::Code::RowLong) => ("R0319", "a row has too many fields", code(moana::Code::RowLong)),
        () if is_found(moana::Code::TrailingComma) => {
            ("R0319", "a row ends with a comma", code(moana::Code::TrailingComma))
        }
        () if is_found(moana::Code::PressureColumn) || account.is_separate_form => {
            ("R0320", "the columns are not those that ops_qc knows", code(moana::Code::PressureColumn))
        }
        () if is_found(moana::Code::HeaderWithoutComma) => {
            ("R0321", "a header line has no comma", code(moana::Code::HeaderWithoutComma))
        }
        () if is_found(moana::Code::SecondHeader) => {
            ("R0307", "a second deployment begins in the same file", code(moana::Code::SecondHeader))
        }
        () => ("R0321", "a header line is odd", None),
    };
    let failure = Failure::new(code, ErrorKind::Invalid, format!("{cause} (ops_qc: {})", message.trim())).help(REMEDY);
    match finding.map(|finding| finding.line).or(account.column_line.filter(|_| code == "R0320")) {
        Some(line) => failure.at_line(line),
        None => failure,
    }
}

/// Rows of the file that went nowhere: the first of them, and how many.
pub(super) fn refused(checked: &Checked, account: &Account) -> (Vec<Reject>, u64) {
    let long = account.findings.iter().filter(|finding| finding.code == moana::Code::RowLong);
    let long = long.map(|finding| reject(finding.line, "R0332", finding.code.message().to_owned()));
    let screened = checked.screening.dropped.iter().map(|dropped| {
        let (code, reason) = match dropped.reason {
            Reason::Cut => ("R0331", "a row with too few fields: what is there may be cut".to_owned()),
            Reason::NoTime => ("R0333", "the time cannot be read".to_owned()),
            Reason::NoValue => ("R0334", "neither pressure nor temperature can be read".to_owned()),
            Reason::RepeatedTime => {
                let first = dropped.instead.map(|line| format!(" as line {line}")).unwrap_or_default();
                ("R0335", format!("the row has the same time{first}"))
            }
            Reason::Incomplete => ("R0336", "a value is missing, and ops_qc drops such rows".to_owned()),
        };
        reject(dropped.line, code, reason)
    });
    let mut rejects: Vec<Reject> = long.chain(screened).collect();
    rejects.sort_by_key(|reject| reject.place.line);
    rejects.truncate(Outcome::KEPT_REJECTS);
    let count = checked.screening.counts.values().sum::<u64>() + account.count(moana::Code::RowLong);
    (rejects, count)
}

fn reject(line: u64, code: &str, reason: String) -> Reject {
    Reject { place: Place { line: Some(line), ..Place::default() }, code: code.to_owned(), reason }
}
