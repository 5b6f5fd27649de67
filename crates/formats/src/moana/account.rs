//! What was found while reading: every line is a header line, a row, blank, or the end, and what is odd about any of them
//! is told with its line, its cause and its remedy.

use std::collections::BTreeMap;

use super::lines::Marks;

/// Findings that are kept one by one; beyond, only their number is.
pub const MAX_FINDINGS: usize = 1000;

/// How much a finding costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is lost.
    Note,
    /// A value or a row cannot be used.
    Row,
    /// The file cannot be used.
    File,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $severity:ident, $message:literal, $help:literal;)*) => {
        /// What can be odd about a file, a row or a value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// Short name, for tables and logs.
            pub fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// How much it costs.
            pub fn severity(self) -> Severity {
                match self { $(Self::$code => Severity::$severity,)* }
            }

            /// What it is: lower case, no final period.
            pub fn message(self) -> &'static str {
                match self { $(Self::$code => $message,)* }
            }

            /// How to mend it, or what was done about it.
            pub fn help(self) -> &'static str {
                match self { $(Self::$code => $help,)* }
            }
        }
    };
}

codes! {
    /// Not one byte.
    Empty = "empty", File, "the file is empty", "the transfer was probably cut at its beginning: download the sensor's file again";
    /// No line begins with the name of the time column.
    NoColumnLine = "no-column-line", File, "no line names the columns", "a line that begins with `DateTime (UTC)` (or `Date,Time`) is expected before the rows";
    /// A column that is needed is not there.
    ColumnMissing = "column-missing", File, "a column is missing", "the columns `DateTime (UTC)`, `Lat`, `Lon`, `Depth …` or `Pressure …` and `Temperature …` are expected";
    /// A second column line.
    SecondHeader = "second-header", File, "a second deployment begins in the same file", "split the file before this line's header and put both parts";
    /// The pressure column is called so, and not `Depth`.
    PressureColumn = "pressure-column", Note, "the pressure column is called `Pressure`", "read as pressure in dbar, as `Depth` columns are";
    /// A column that nothing reads.
    ExtraColumn = "extra-column", Note, "a column that is not read", "nothing to do";
    /// The text begins with a byte order mark.
    ByteOrderMark = "byte-order-mark", Note, "the file begins with a byte order mark", "left out; save as UTF-8 without mark to avoid it";
    /// The text is UTF-16.
    Utf16 = "utf-16", Note, "the file is UTF-16, not UTF-8", "converted; save as UTF-8 to avoid it";
    /// Bytes that are no UTF-8.
    NotUtf8 = "not-utf-8", Note, "bytes that are not UTF-8", "read as Windows-1252 (Latin-1)";
    /// A header line without a comma.
    HeaderWithoutComma = "header-without-comma", Note, "a header line without a comma", "left out";
    /// Dates that can be read both ways.
    DateOrder = "date-order", Note, "dates that could be day or month first", "read day first; name the order if it is month first";
    /// Too few fields.
    RowShort = "row-short", Row, "a row with too few fields", "its values are not used; was the transfer cut here?";
    /// Too many fields.
    RowLong = "row-long", Row, "a row with too many fields", "the row is left out; remove the surplus comma or field";
    /// An empty field more.
    TrailingComma = "trailing-comma", Note, "a row that ends with a comma", "the empty field behind it is left out";
    /// The time cannot be read.
    BadTime = "bad-time", Row, "a time that cannot be read", "the row is left out; `20210624T040108` is expected";
    /// A word where a number is expected.
    NotANumber = "not-a-number", Row, "a word where a number is expected", "the value is missing";
    /// The value is not there.
    ValueMissing = "value-missing", Row, "a value is missing", "the row is kept for its other values";
    /// The file ends without its trailer.
    NoTrailer = "no-trailer", Note, "the file does not end with `END`", "the transfer may have been cut: compare with the sensor's own file";
    /// Something stands behind the trailer.
    AfterTrailer = "after-trailer", Note, "a line after the end mark", "left out";
}

/// Which value of a row a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Time.
    Time,
    /// Latitude.
    Latitude,
    /// Longitude.
    Longitude,
    /// Pressure, called depth.
    Pressure,
    /// Temperature.
    Temperature,
}

impl Column {
    /// CF name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Latitude => "latitude",
            Self::Longitude => "longitude",
            Self::Pressure => "pressure",
            Self::Temperature => "temperature",
        }
    }
}

/// Something odd, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub code: Code,
    /// Physical line, counted from 1; 0 for the file as a whole.
    pub line: u64,
    /// Which value, if one.
    pub column: Option<Column>,
    /// The text found there, cut to some letters; only for rows, whose text holds nobody's name.
    pub text: Option<String>,
}

/// Where every line went. Complete once the last row was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// What the first bytes said.
    pub marks: Marks,
    /// Physical lines of the file.
    pub lines: u64,
    /// It is the older form, with a date and a time of day.
    pub is_separate_form: bool,
    /// Line of the column line.
    pub column_line: Option<u64>,
    /// Columns that it names.
    pub columns: usize,
    /// Header lines before it.
    pub header_lines: u64,
    /// Lines that are rows, whether usable or not.
    pub rows: u64,
    /// Rows that were handed out.
    pub kept: u64,
    /// Lines without any content behind the column line.
    pub blank: u64,
    /// Line of the trailer.
    pub trailer: Option<u64>,
    /// Lines behind the trailer.
    pub after_trailer: u64,
    /// How often each code was found.
    pub counts: BTreeMap<Code, u64>,
    /// The first [`MAX_FINDINGS`] findings.
    pub findings: Vec<Finding>,
}

impl Account {
    pub(super) fn find(&mut self, code: Code, line: u64) {
        self.record(Finding { code, line, column: None, text: None });
    }

    pub(super) fn record(&mut self, finding: Finding) {
        *self.counts.entry(finding.code).or_default() += 1;
        // What makes the file unusable is always kept.
        if self.findings.len() < MAX_FINDINGS || finding.code.severity() == Severity::File {
            self.findings.push(finding);
        }
    }

    /// How often `code` was found.
    pub fn count(&self, code: Code) -> u64 {
        self.counts.get(&code).copied().unwrap_or(0)
    }

    /// What makes the file unusable, if anything does.
    pub fn fault(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.code.severity() == Severity::File)
    }
}
