//! The eleven types of classic NetCDF, and values of one type: borrowed to be written, owned when read.

use std::borrow::Cow;
use std::ops::Range;

/// An external type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// 8 bits with sign.
    Byte,
    /// A byte of text.
    Char,
    /// 16 bits with sign.
    Short,
    /// 32 bits with sign.
    Int,
    /// IEEE 754, 32 bits.
    Float,
    /// IEEE 754, 64 bits.
    Double,
    /// 8 bits without sign; CDF-5 only, as all that follow.
    UByte,
    /// 16 bits without sign.
    UShort,
    /// 32 bits without sign.
    UInt,
    /// 64 bits with sign.
    Int64,
    /// 64 bits without sign.
    UInt64,
}

impl Type {
    /// Every type, in the order of its number in files, which counts from 1.
    pub(super) const ALL: [Self; 11] = [
        Self::Byte,
        Self::Char,
        Self::Short,
        Self::Int,
        Self::Float,
        Self::Double,
        Self::UByte,
        Self::UShort,
        Self::UInt,
        Self::Int64,
        Self::UInt64,
    ];

    /// Bytes of one value.
    pub fn size(self) -> u64 {
        match self {
            Self::Byte | Self::Char | Self::UByte => 1,
            Self::Short | Self::UShort => 2,
            Self::Int | Self::Float | Self::UInt => 4,
            Self::Double | Self::Int64 | Self::UInt64 => 8,
        }
    }

    /// True if only CDF-5 has the type.
    pub fn is_extended(self) -> bool {
        matches!(self, Self::UByte | Self::UShort | Self::UInt | Self::Int64 | Self::UInt64)
    }

    /// The name that CDL and netCDF-C give it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Byte => "byte",
            Self::Char => "char",
            Self::Short => "short",
            Self::Int => "int",
            Self::Float => "float",
            Self::Double => "double",
            Self::UByte => "ubyte",
            Self::UShort => "ushort",
            Self::UInt => "uint",
            Self::Int64 => "int64",
            Self::UInt64 => "uint64",
        }
    }
}

/// Writes out what all types have in common: one variant each, and one conversion from and to bytes.
macro_rules! values {
    ($($variant:ident $native:ty),+ $(,)?) => {
        /// Values of one type, in the order of the file.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Values<'a> {
            $(
                #[doc = concat!("Values of type [`Type::", stringify!($variant), "`].")]
                $variant(Cow<'a, [$native]>),
            )+
        }

        impl Values<'_> {
            /// Their type.
            pub fn kind(&self) -> Type {
                match self { $(Self::$variant(_) => Type::$variant,)+ }
            }

            /// How many they are.
            pub fn len(&self) -> usize {
                match self { $(Self::$variant(values) => values.len(),)+ }
            }

            /// Those of a range, borrowed.
            ///
            /// # Panics
            /// If the range is not within the values.
            pub fn part(&self, range: Range<usize>) -> Values<'_> {
                match self { $(Self::$variant(values) => Values::$variant(Cow::Borrowed(&values[range])),)+ }
            }

            /// The same values, borrowed from nobody.
            pub fn into_owned(self) -> Values<'static> {
                match self { $(Self::$variant(values) => Values::$variant(Cow::Owned(values.into_owned())),)+ }
            }

            /// Appends the values of a range as a file holds them, big end first.
            ///
            /// # Panics
            /// If the range is not within the values.
            pub(super) fn encode(&self, range: Range<usize>, bytes: &mut Vec<u8>) {
                match self {
                    $(Self::$variant(values) => {
                        const SIZE: usize = size_of::<$native>();
                        let values = &values[range];
                        let start = bytes.len();
                        bytes.resize(start + values.len() * SIZE, 0);
                        for (into, value) in bytes[start..].chunks_exact_mut(SIZE).zip(values) {
                            into.copy_from_slice(&value.to_be_bytes());
                        }
                    })+
                }
            }

            /// No values yet, with room for some.
            pub(super) fn with_capacity(kind: Type, count: usize) -> Values<'static> {
                match kind { $(Type::$variant => Values::$variant(Cow::Owned(Vec::with_capacity(count))),)+ }
            }

            /// Appends what bytes of a file hold; a rest that is no whole value is left out.
            pub(super) fn decode(&mut self, bytes: &[u8]) {
                match self {
                    $(Self::$variant(values) => {
                        let (wholes, _) = bytes.as_chunks();
                        values.to_mut().extend(wholes.iter().map(|whole| <$native>::from_be_bytes(*whole)));
                    })+
                }
            }
        }
    };
}

values! {
    Byte i8,
    Char u8,
    Short i16,
    Int i32,
    Float f32,
    Double f64,
    UByte u8,
    UShort u16,
    UInt u32,
    Int64 i64,
    UInt64 u64,
}

/// Conversions from slices; bytes without sign are text or numbers, so for them the variant is named.
macro_rules! from_slices {
    ($($variant:ident $native:ty),+ $(,)?) => {
        $(
            impl<'a> From<&'a [$native]> for Values<'a> {
                fn from(values: &'a [$native]) -> Self {
                    Self::$variant(Cow::Borrowed(values))
                }
            }

            impl<'a, const N: usize> From<&'a [$native; N]> for Values<'a> {
                fn from(values: &'a [$native; N]) -> Self {
                    Self::$variant(Cow::Borrowed(values))
                }
            }

            impl From<Vec<$native>> for Values<'static> {
                fn from(values: Vec<$native>) -> Self {
                    Self::$variant(Cow::Owned(values))
                }
            }

            impl From<$native> for Values<'static> {
                fn from(value: $native) -> Self {
                    Self::$variant(Cow::Owned(vec![value]))
                }
            }
        )+
    };
}

from_slices! { Byte i8, Short i16, Int i32, Float f32, Double f64, UShort u16, UInt u32, Int64 i64, UInt64 u64 }

impl<'a> From<&'a str> for Values<'a> {
    fn from(text: &'a str) -> Self {
        Self::Char(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for Values<'static> {
    fn from(text: String) -> Self {
        Self::Char(Cow::Owned(text.into_bytes()))
    }
}

impl Values<'_> {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text, if they are text in UTF-8; NULs at its end are padding.
    pub fn text(&self) -> Option<&str> {
        let Self::Char(bytes) = self else { return None };
        let text = std::str::from_utf8(bytes).ok()?;
        Some(text.trim_end_matches('\0'))
    }

    /// Each as a double, if they are numbers; 64-bit integers lose digits beyond 2^53.
    pub fn to_doubles(&self) -> Option<Vec<f64>> {
        #[expect(clippy::cast_precision_loss, reason = "said above")]
        Some(match self {
            Self::Char(_) => return None,
            Self::Byte(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::Short(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::Int(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::Float(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::Double(values) => values.to_vec(),
            Self::UByte(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::UShort(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::UInt(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::Int64(values) => values.iter().map(|value| *value as f64).collect(),
            Self::UInt64(values) => values.iter().map(|value| *value as f64).collect(),
        })
    }
}
