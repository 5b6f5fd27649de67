//! What is odd about a content, though it could be read: each sort once, with how often and where first.

use std::collections::BTreeMap;

use serde_json::{Value, json};

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $message:literal, $help:literal;)*) => {
        /// What can be odd about a file that is reviewed.
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
    /// The text begins with a byte order mark.
    ByteOrderMark = "byte-order-mark", "the file begins with a byte order mark", "left out; save as UTF-8 without mark";
    /// Lines end in CR LF.
    CarriageReturn = "carriage-return", "lines end in CR LF or CR", "read; the format asks for LF alone";
    /// Bytes that are no UTF-8.
    NotUtf8 = "not-utf-8", "bytes that are not UTF-8", "read as ISO-8859-1; save as UTF-8";
    /// The title has no stamp.
    NoStamp = "no-stamp", "the first line has no stamp of date and institution", "nothing is lost; add one for provenance";
    /// Comment behind the parameter line.
    CommentInData = "comment-in-data", "a comment between the data", "left out; comments belong before the parameters";
    /// Empty line.
    BlankLine = "blank-line", "a blank line", "left out; remove it";
    /// `NUMBER_HEADERS` counts wrongly.
    HeaderCount = "header-count", "`NUMBER_HEADERS` does not count its lines", "every line with `=` was read as a header";
    /// `NUMBER_HEADERS` is missing or no number.
    NoHeaderCount = "no-header-count", "`NUMBER_HEADERS` is missing or no number", "every line with `=` was read as a header";
    /// A header line without an equals sign.
    HeaderWithoutEquals = "header-without-equals", "a header line without `=`", "left out; `KEY = VALUE` is expected";
    /// A header key twice.
    RepeatedHeader = "repeated-header", "a header that stands twice", "the first is taken";
    /// A key that the format requires is not there.
    KeyMissing = "key-missing", "a required key or column is missing", "add it: casts are known by EXPOCODE, STNNBR and CASTNO, and samples by SAMPNO or BTLNBR";
    /// A name that stands twice in the parameter line.
    RepeatedParameter = "repeated-parameter", "a parameter that stands twice", "both are aggregated, the later ones under a number; name them apart";
    /// A column without a name.
    UnnamedColumn = "unnamed-column", "a column without a name", "its values are not aggregated; name it, or remove the surplus comma";
    /// A flag column whose parameter is not there.
    OrphanFlag = "orphan-flag", "a flag column without its parameter", "not aggregated; add the parameter or remove the flags";
    /// A flag column with a unit.
    FlagWithUnit = "flag-with-unit", "a flag column with a unit", "the unit is left out; flags have none";
    /// No line of units.
    NoUnits = "no-units", "the line of units is missing", "the line behind the parameters is data and was counted; add a line of units";
    /// Not as many units as parameters.
    UnitCount = "unit-count", "not as many units as parameters", "missing units are empty, surplus ones are left out";
    /// A unit that this parameter does not have.
    UnitUnknown = "unit-unknown", "a unit that is unusual for its parameter", "kept as it stands; check unit and values";
    /// A parameter without its unit.
    UnitMissing = "unit-missing", "a parameter that has a unit stands without", "kept; add the unit";
    /// A parameter that is not in our list.
    ParameterUnknown = "parameter-unknown", "a parameter that is not in the list of well-known names", "aggregated all the same; is it spelt as the format asks?";
    /// Too few fields.
    RowShort = "row-short", "a row with too few fields", "counted, but its values are not aggregated: nobody knows which is which";
    /// Too many fields.
    RowLong = "row-long", "a row with too many fields", "counted, but its values are not aggregated: nobody knows which is which";
    /// An empty field more.
    TrailingComma = "trailing-comma", "a line that ends with a surplus comma", "the empty field behind it is left out";
    /// Text where numbers are expected.
    NotANumber = "not-a-number", "text in a column of numbers", "counted as text; correct the value";
    /// A number written in another way than the format allows.
    NumberForm = "number-form", "a number with a plus, an exponent or more digits than the format allows", "read; write digits and a point";
    /// An empty field.
    BlankValue = "blank-value", "an empty field", "counted as blank; write -999 for a missing value";
    /// A fill value that is written unlike the others.
    FillForm = "fill-form", "a value that begins with -999 and goes on otherwise than with zeros", "taken as missing, as the format says; check that it is no measurement";
    /// A flag that is none.
    FlagUnknown = "flag-unknown", "a flag that is no digit from 1 to 9", "counted as it stands";
    /// A value under a flag that says there is none.
    ValueUnderFlag = "value-under-flag", "a value although its flag says that there is none", "aggregated; correct flag or value";
    /// No value under a flag that says there is one.
    FillUnderFlag = "fill-under-flag", "no value although its flag says that there is one", "counted as missing; correct flag or value";
    /// Text or decimals where a whole number is expected.
    NotWhole = "not-whole", "decimals in a column of whole numbers", "read; write whole numbers";
    /// A date or time that is none.
    BadTime = "bad-time", "a date or a time that cannot be read", "left out of the extent; `YYYYMMDD` and `HHMM` are expected";
    /// No time of day.
    NoTime = "no-time", "a date without a time of day", "midnight is taken";
    /// 24:00.
    EndOfDay = "end-of-day", "the time is 2400", "midnight of the next day is taken";
    /// A position that is none.
    BadPosition = "bad-position", "a position that is missing, no number, or out of range", "left out of the extent";
    /// A coordinate that changes within a profile.
    CoordinateVaries = "coordinate-varies", "position or date that differs within one profile", "the first is taken for the profile; bottles have BTL_LAT, BTL_LON and BTL_DATE for their own";
    /// A row without pressure.
    NoPressure = "no-pressure", "a row without pressure", "counted as a level without depth";
    /// A sample twice.
    RepeatedSample = "repeated-sample", "the same sample of the same cast twice", "both are counted; number the samples apart";
    /// A cast twice in one archive.
    RepeatedCast = "repeated-cast", "the same cast in two members", "both are counted; remove one";
    /// Bottle and CTD in one archive.
    MixedKinds = "mixed-kinds", "bottle and CTD files in one archive", "both are aggregated; put them apart";
    /// No `END_DATA`.
    NoEndData = "no-end-data", "the file does not end with END_DATA", "every data line was counted; was the transfer cut?";
    /// Text behind `END_DATA`.
    AfterEnd = "after-end", "text after END_DATA", "left out, as the format says";
    /// No data line.
    NoData = "no-data", "no data line", "zero observations";
    /// A member that is no cast.
    MemberPassedOver = "member-passed-over", "a member that is not a cast", "left out";
    /// A variable that is not read.
    VariablePassedOver = "variable-passed-over", "a variable of a type that is not read", "left out";
    /// A version of the format that is newer than what is known.
    NewerVersion = "newer-version", "a newer version of the format than is known", "what is known of it was read";
    /// Bytes of a binary format that are none of its parts.
    Damaged = "damaged", "bytes that are damaged, or of a part that nobody knows", "left out; what follows was read";
    /// Different texts beyond those that are counted.
    ManyTexts = "many-texts", "more different texts than are told apart", "the number of different texts is a lower bound";
}

/// How often something was found, and where first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// Member of an archive that has the first.
    pub member: Option<String>,
    /// Line of the first, from 1; 0 for the content as a whole.
    pub line: u64,
}

/// All that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// By sort, and by the column or key it is about (empty: none).
    pub tallies: BTreeMap<(Code, String), Tally>,
}

impl Findings {
    pub(crate) fn record(&mut self, code: Code, about: &str, line: u64) {
        self.record_many(code, about, line, 1);
    }

    pub(crate) fn record_many(&mut self, code: Code, about: &str, line: u64, count: u64) {
        let tally = Tally { count: 0, member: None, line };
        self.tallies.entry((code, about.to_owned())).or_insert(tally).count += count;
    }

    /// Takes those of a member; `None` for content that is no archive.
    pub(crate) fn merge(&mut self, other: Self, member: Option<&str>) {
        for ((code, about), found) in other.tallies {
            let count = found.count;
            let first = Tally { count: 0, member: found.member.or_else(|| member.map(str::to_owned)), ..found };
            self.tallies.entry((code, about)).or_insert(first).count += count;
        }
    }

    /// How often `code` was found, about whatever.
    pub fn count(&self, code: Code) -> u64 {
        self.tallies.iter().filter(|((found, _), _)| *found == code).map(|(_, tally)| tally.count).sum()
    }

    /// A list of objects: code, what it is, what it is about, how often, where first, and what to do.
    pub fn to_json(&self) -> Value {
        let findings = self.tallies.iter().map(|((code, about), tally)| {
            let mut finding = json!({ "code": code.name(), "message": code.message(), "count": tally.count });
            if !about.is_empty() {
                finding["about"] = json!(about);
            }
            if let Some(member) = &tally.member {
                finding["member"] = json!(member);
            }
            if tally.line > 0 {
                finding["line"] = json!(tally.line);
            }
            finding["help"] = json!(code.help());
            finding
        });
        Value::Array(findings.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(!code.message().ends_with('.') && !code.help().ends_with('.'), "{code:?}");
        }
    }

    #[test]
    fn the_first_place_is_told_and_all_are_counted() {
        let mut all = Findings::default();
        let mut member = Findings::default();
        member.record(Code::BlankLine, "", 7);
        member.record(Code::BlankLine, "", 9);
        all.merge(member.clone(), Some("a.csv"));
        all.merge(member, Some("b.csv"));
        let tally = &all.tallies[&(Code::BlankLine, String::new())];
        assert_eq!((tally.count, tally.member.as_deref(), tally.line), (4, Some("a.csv"), 7));
        assert_eq!(all.to_json()[0]["code"], "blank-line");
    }
}
