//! Types by their SQL names, as manifests and statements declare them; how each is held in Arrow, and read from text exactly.

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, StringBuilder, Time32MillisecondBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder, TimestampMillisecondBuilder,
};
use arrow_schema::{DataType, TimeUnit};

mod text;

/// Most digits that a decimal may have.
const MOST_DIGITS: u8 = 38;

/// A type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SqlType {
    /// `boolean`: `true` or `false`.
    Boolean,
    /// `smallint`, 16 bits.
    SmallInt,
    /// `integer`, 32 bits.
    Integer,
    /// `bigint`, 64 bits.
    BigInt,
    /// `real`, 32 bits.
    Real,
    /// `double precision`, 64 bits.
    Double,
    /// `numeric(precision, scale)`, exact.
    Numeric(u8, u8),
    /// `text`, or `varchar(n)` with the number of its characters.
    Text(Option<u32>),
    /// `date`.
    Date,
    /// `time(n)`: milliseconds up to three digits, microseconds beyond.
    Time(u8),
    /// `timestamp(n)` without a zone.
    Timestamp(u8),
    /// `timestamp(n) with time zone`: an instant, held in UTC.
    Instant(u8),
}

/// A column with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub sql_type: SqlType,
    /// True if it may be NULL.
    pub nullable: bool,
}

impl SqlType {
    /// The type of this name; `None` for one that has no exact form here, such as `numeric` without digits or `bytea`.
    ///
    /// ```
    /// use tidegate_formats::SqlType;
    /// assert_eq!(SqlType::parse("numeric(10, 2)"), Some(SqlType::Numeric(10, 2)));
    /// assert_eq!(SqlType::parse("jsonb"), None);
    /// ```
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let (word, numbers, rest) = match name.split_once('(') {
            Some((word, rest)) => {
                let (numbers, rest) = rest.split_once(')')?;
                (word.trim(), numbers.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?, rest)
            }
            None => (name.as_str(), Vec::<u32>::new(), ""),
        };
        let rest = rest.trim();
        let digits = || -> Option<u8> {
            match numbers.as_slice() {
                [] => Some(6),
                [digits] => u8::try_from(*digits).ok().filter(|digits| *digits <= 6),
                _ => None,
            }
        };
        Some(match (word, rest) {
            ("boolean" | "bool", "") => Self::Boolean,
            ("smallint" | "int2", "") => Self::SmallInt,
            ("integer" | "int" | "int4", "") => Self::Integer,
            ("bigint" | "int8", "") => Self::BigInt,
            ("real" | "float4", "") => Self::Real,
            ("double precision" | "double" | "float8" | "float", "") => Self::Double,
            ("numeric" | "decimal", "") => {
                let (precision, scale) = match numbers.as_slice() {
                    [precision] => (*precision, 0),
                    [precision, scale] => (*precision, *scale),
                    _ => return None,
                };
                let precision = u8::try_from(precision).ok().filter(|digits| (1..=MOST_DIGITS).contains(digits))?;
                Self::Numeric(precision, u8::try_from(scale).ok().filter(|scale| *scale <= precision)?)
            }
            ("text", "") => Self::Text(None),
            ("varchar" | "character varying", "") => Self::Text(numbers.first().copied()),
            ("date", "") => Self::Date,
            ("time" | "time without time zone", "" | "without time zone") => Self::Time(digits()?),
            ("timestamp" | "timestamp without time zone", "" | "without time zone") => Self::Timestamp(digits()?),
            ("timestamptz" | "timestamp with time zone", "") | ("timestamp", "with time zone") => {
                Self::Instant(digits()?)
            }
            _ => return None,
        })
    }

    /// The type of a column of a source: what has no exact form here is held as its text.
    pub fn of_source(name: &str) -> Self {
        Self::parse(name).unwrap_or(Self::Text(None))
    }

    /// How it is held in Arrow, and so in Parquet.
    pub fn arrow(self) -> DataType {
        let unit = |digits: u8| if digits <= 3 { TimeUnit::Millisecond } else { TimeUnit::Microsecond };
        match self {
            Self::Boolean => DataType::Boolean,
            Self::SmallInt => DataType::Int16,
            Self::Integer => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Real => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Numeric(precision, scale) => DataType::Decimal128(precision, scale.cast_signed()),
            Self::Text(_) => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Time(digits) if digits <= 3 => DataType::Time32(TimeUnit::Millisecond),
            Self::Time(_) => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp(digits) => DataType::Timestamp(unit(digits), None),
            Self::Instant(digits) => DataType::Timestamp(unit(digits), Some("UTC".into())),
        }
    }

    /// True if every value of `self` is a value of `wider`, and the same one.
    pub fn fits(self, wider: Self) -> bool {
        let rank = |one: Self| match one {
            Self::SmallInt => 1,
            Self::Integer => 2,
            Self::BigInt => 3,
            _ => 0,
        };
        match (self, wider) {
            (one, other) if one == other => true,
            (one, other) if rank(one) > 0 && rank(other) > 0 => rank(one) <= rank(other),
            (Self::Numeric(precision, scale), Self::Numeric(wide, wide_scale)) => {
                scale <= wide_scale && precision - scale <= wide - wide_scale
            }
            (Self::Text(_), Self::Text(None)) | (Self::Real, Self::Double) => true,
            (Self::Text(Some(short)), Self::Text(Some(long))) => short <= long,
            (Self::Time(few), Self::Time(more))
            | (Self::Timestamp(few), Self::Timestamp(more))
            | (Self::Instant(few), Self::Instant(more)) => few <= more,
            _ => false,
        }
    }

    /// What a text must be to be a value of it, for people.
    pub fn expected(self) -> String {
        match self {
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::SmallInt => "a whole number of 16 bits".to_owned(),
            Self::Integer => "a whole number of 32 bits".to_owned(),
            Self::BigInt => "a whole number of 64 bits".to_owned(),
            Self::Real | Self::Double => "a number".to_owned(),
            Self::Numeric(precision, scale) => {
                format!("a number of at most {} digits before the point and {scale} behind it", precision - scale)
            }
            Self::Text(None) => "a text".to_owned(),
            Self::Text(Some(longest)) => format!("a text of at most {longest} characters"),
            Self::Date => "a date that there is, as `2026-01-31`".to_owned(),
            Self::Time(_) => "a time of day, as `23:59:59.999`".to_owned(),
            Self::Timestamp(_) => "a date and time, as `2026-01-31 23:59:59.999`".to_owned(),
            Self::Instant(_) => "a date and time with a zone, as `2026-01-31 23:59:59.999+00`".to_owned(),
        }
    }
}

/// Builds a column of one type from texts, exactly: what would lose digits, or is no such value, is refused.
pub struct TypedCells {
    sql_type: SqlType,
    values: Values,
}

enum Values {
    Boolean(BooleanBuilder),
    SmallInt(Int16Builder),
    Integer(Int32Builder),
    BigInt(Int64Builder),
    Real(Float32Builder),
    Double(Float64Builder),
    Numeric(Decimal128Builder),
    Text(StringBuilder),
    Date(Date32Builder),
    TimeMillis(Time32MillisecondBuilder),
    TimeMicros(Time64MicrosecondBuilder),
    Millis(TimestampMillisecondBuilder),
    Micros(TimestampMicrosecondBuilder),
}

impl TypedCells {
    /// An empty column.
    pub fn new(sql_type: SqlType) -> Self {
        let data_type = sql_type.arrow();
        let values = match sql_type {
            SqlType::Boolean => Values::Boolean(BooleanBuilder::new()),
            SqlType::SmallInt => Values::SmallInt(Int16Builder::new()),
            SqlType::Integer => Values::Integer(Int32Builder::new()),
            SqlType::BigInt => Values::BigInt(Int64Builder::new()),
            SqlType::Real => Values::Real(Float32Builder::new()),
            SqlType::Double => Values::Double(Float64Builder::new()),
            SqlType::Numeric(..) => Values::Numeric(Decimal128Builder::new().with_data_type(data_type)),
            SqlType::Text(_) => Values::Text(StringBuilder::new()),
            SqlType::Date => Values::Date(Date32Builder::new()),
            SqlType::Time(0..=3) => Values::TimeMillis(Time32MillisecondBuilder::new()),
            SqlType::Time(_) => Values::TimeMicros(Time64MicrosecondBuilder::new()),
            SqlType::Timestamp(0..=3) | SqlType::Instant(0..=3) => {
                Values::Millis(TimestampMillisecondBuilder::new().with_data_type(data_type))
            }
            SqlType::Timestamp(_) | SqlType::Instant(_) => {
                Values::Micros(TimestampMicrosecondBuilder::new().with_data_type(data_type))
            }
        };
        Self { sql_type, values }
    }

    /// Appends the values of texts; `None` is NULL. A text that has no value becomes NULL, too, and `refuse`
    /// is told which of these it is.
    pub fn extend<T: AsRef<str>>(&mut self, texts: impl Iterator<Item = Option<T>>, mut refuse: impl FnMut(usize)) {
        let is_zoned = matches!(self.sql_type, SqlType::Instant(_));
        let mut day = text::Day::default();
        // One loop for each type: what it is need not be asked for each value.
        macro_rules! all {
            ($builder:expr, $value:expr) => {
                for (at, text) in texts.enumerate() {
                    match text.as_ref().map(|text| ($value)(text.as_ref().as_bytes())) {
                        Some(Some(value)) => $builder.append_value(value),
                        Some(None) => {
                            $builder.append_null();
                            refuse(at);
                        }
                        None => $builder.append_null(),
                    }
                }
            };
        }
        match &mut self.values {
            Values::Boolean(builder) => all!(builder, text::boolean),
            Values::SmallInt(builder) => all!(builder, |text| i16::try_from(text::integer(text)?).ok()),
            Values::Integer(builder) => all!(builder, |text| i32::try_from(text::integer(text)?).ok()),
            Values::BigInt(builder) => all!(builder, text::integer),
            Values::Real(builder) => all!(builder, |text| std::str::from_utf8(text).ok()?.parse::<f32>().ok()),
            Values::Double(builder) => all!(builder, |text| std::str::from_utf8(text).ok()?.parse::<f64>().ok()),
            Values::Numeric(builder) => {
                let (precision, scale) =
                    if let SqlType::Numeric(precision, scale) = self.sql_type { (precision, scale) } else { (0, 0) };
                all!(builder, |text| text::decimal(text, precision, scale));
            }
            Values::Text(builder) => {
                let longest =
                    if let SqlType::Text(Some(longest)) = self.sql_type { longest as usize } else { usize::MAX };
                for (at, text) in texts.enumerate() {
                    let text = text.as_ref().map(AsRef::as_ref);
                    let fits = text.filter(|text| text.len() <= longest || text.chars().count() <= longest);
                    builder.append_option(fits);
                    if text.is_some() && fits.is_none() {
                        refuse(at);
                    }
                }
            }
            Values::Date(builder) => all!(builder, |text| day.of(text)),
            Values::TimeMillis(builder) => {
                all!(builder, |text| i32::try_from(text::time(text, 1_000)?).ok());
            }
            Values::TimeMicros(builder) => all!(builder, |text| text::time(text, 1_000_000)),
            Values::Millis(builder) => all!(builder, |text| text::timestamp(text, &mut day, 1_000, is_zoned)),
            Values::Micros(builder) => all!(builder, |text| text::timestamp(text, &mut day, 1_000_000, is_zoned)),
        }
    }

    /// The column so far; the next begins empty.
    pub fn finish(&mut self) -> ArrayRef {
        let builder: &mut dyn ArrayBuilder = match &mut self.values {
            Values::Boolean(builder) => builder,
            Values::SmallInt(builder) => builder,
            Values::Integer(builder) => builder,
            Values::BigInt(builder) => builder,
            Values::Real(builder) => builder,
            Values::Double(builder) => builder,
            Values::Numeric(builder) => builder,
            Values::Text(builder) => builder,
            Values::Date(builder) => builder,
            Values::TimeMillis(builder) => builder,
            Values::TimeMicros(builder) => builder,
            Values::Millis(builder) => builder,
            Values::Micros(builder) => builder,
        };
        builder.finish()
    }
}
