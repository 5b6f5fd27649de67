//! All values of a cruise, cast by cast, as they are converted: columns of numbers, flags and texts.

use std::io::{Read, Seek};

use super::archive::Options;
use super::casts::position;
use super::fields::Value;
use super::header::{Column, title_of};
use super::reader::Reader;
use crate::statistics::{Cast, Findings};
use crate::zip::Archive;
use crate::{Error, Problem};

/// Values of one parameter, cast by cast.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// Its name, as it stands.
    pub name: String,
    /// Its unit, as it stands; empty: none.
    pub unit: String,
    /// Most digits behind a point.
    pub decimals: u8,
    /// Whether its values are texts: then `values` are empty.
    pub is_text: bool,
    /// By cast and level; NaN where there is none.
    pub values: Vec<Vec<f64>>,
    /// By cast and level.
    pub texts: Vec<Vec<String>>,
    /// By cast and level, if it has any; `None` where there is no digit.
    pub flags: Option<Vec<Vec<Option<u8>>>>,
}

/// All values of a cruise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profiles {
    /// Casts, in order of time.
    pub casts: Vec<Cast>,
    /// Parameters that vary within a cast.
    pub data: Vec<Data>,
    /// Members that could not be read, each with its reason.
    pub refused: Vec<(String, String)>,
    /// Values that are texts where numbers are expected, which are left out.
    pub left_out: u64,
    /// Rows with too few or too many fields, which are left out.
    pub wrong_width: u64,
}

/// What a bottle file says of a cast in each of its rows.
const OF_CAST: [&str; 9] =
    ["EXPOCODE", "SECT_ID", "STNNBR", "CASTNO", "DATE", "TIME", "LATITUDE", "LONGITUDE", "DEPTH"];

impl Profiles {
    /// Reads a bottle file, a cast, or an archive of casts.
    ///
    /// # Errors
    /// As [`Reader::new`] and [`super::archive()`].
    pub fn read<S: Read + Seek>(
        open: &dyn Fn() -> S,
        name: &str,
        is_archive: bool,
        options: &Options<'_>,
    ) -> Result<Self, Error> {
        let mut all = Self::default();
        let mut source = open();
        if !is_archive {
            all.add(source, name.rsplit('/').next().unwrap_or(name))?;
            all.settle();
            return Ok(all);
        }
        let archive = Archive::open(&mut source)?;
        for entry in archive.entries.iter().filter(|entry| !entry.is_folder()) {
            if (options.cancelled)() {
                return Err(std::io::Error::new(std::io::ErrorKind::Interrupted, "asked to stop").into());
            }
            let read = archive.member(entry, &mut source).and_then(|mut bytes| {
                let mut head = Vec::new();
                bytes.by_ref().take(256).read_to_end(&mut head)?;
                let first = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
                let first = first.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
                match title_of(first) {
                    Some(_) => all.add(head.as_slice().chain(bytes), &entry.name),
                    None => Ok(()),
                }
            });
            match read {
                Ok(()) => {}
                Err(error) if super::archive::is_of_content(&error) => {
                    all.refused.push((entry.name.clone(), error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        if all.casts.is_empty() {
            return Err(Error::new(Problem::Malformed, "the archive holds no cast that can be read")
                .expected("files in WHP-Exchange format, which begin with `CTD` or `BOTTLE`"));
        }
        all.settle();
        Ok(all)
    }

    /// Adds one file; nothing of it if it is refused.
    fn add(&mut self, input: impl Read, source: &str) -> Result<(), Error> {
        let mut reader = Reader::new(input)?;
        let mut casts = reader.casts(source);
        let columns: Vec<Column> =
            reader.header().columns.iter().filter(|column| !OF_CAST.contains(&column.name.as_str())).cloned().collect();
        let mut own: Vec<Data> = columns.iter().map(Data::new).collect();
        let (mut left_out, mut wrong_width) = (0, 0);
        let mut ignored = Findings::default();
        while let Some(row) = reader.read()? {
            if !row.is_whole {
                wrong_width += 1;
                continue;
            }
            casts.take(&row, &mut ignored);
            let Some(cast) = casts.current() else { continue };
            for (data, column) in own.iter_mut().zip(&columns) {
                let text = row.text(column.field);
                let (value, decimals) = match row.fields[column.field].value() {
                    Value::Number(number) => (number.value(), number.decimals),
                    Value::Wide(value) => (value, 0),
                    Value::Text if column.may_be_text => {
                        data.is_text = true;
                        (f64::NAN, 0)
                    }
                    Value::Text => {
                        left_out += 1;
                        (f64::NAN, 0)
                    }
                    Value::Blank | Value::Fill => (f64::NAN, 0),
                };
                data.decimals = data.decimals.max(decimals);
                at(&mut data.values, cast).push(value);
                if column.may_be_text {
                    at(&mut data.texts, cast).push(super::header::text(text));
                }
                if let (Some(flags), Some(field)) = (&mut data.flags, column.flags) {
                    let digit = match row.text(field) {
                        [digit @ b'1'..=b'9'] => Some(digit - b'0'),
                        _ => None,
                    };
                    at(flags, cast).push(digit);
                }
            }
        }
        self.left_out += left_out;
        self.wrong_width += wrong_width;
        let first = self.casts.len();
        self.casts.extend(casts.into_casts());
        for data in own {
            let same = |ours: &&mut Data| ours.name == data.name && ours.unit == data.unit;
            match self.data.iter_mut().find(same) {
                Some(ours) => ours.append(data, first),
                None => {
                    let mut ours = Data { values: Vec::new(), texts: Vec::new(), flags: None, ..data.clone() };
                    ours.append(data, first);
                    self.data.push(ours);
                }
            }
        }
        Ok(())
    }

    /// Gives every parameter a place for each level of each cast, and puts casts in order of time, as CF readers expect;
    /// those without a time stand last.
    fn settle(&mut self) {
        self.pad();
        let times: Vec<_> = self.casts.iter().map(|cast| position(cast).time).collect();
        let mut order: Vec<usize> = (0..self.casts.len()).collect();
        order.sort_by_key(|at| (times[*at].is_none(), times[*at]));
        self.casts = order.iter().map(|at| self.casts[*at].clone()).collect();
        for data in &mut self.data {
            data.values = order.iter().map(|at| std::mem::take(&mut data.values[*at])).collect();
            data.texts = order.iter().map(|at| std::mem::take(&mut data.texts[*at])).collect();
            if let Some(flags) = &mut data.flags {
                *flags = order.iter().map(|at| std::mem::take(&mut flags[*at])).collect();
            }
        }
    }

    fn pad(&mut self) {
        let levels: Vec<usize> = self.casts.iter().map(|cast| usize::try_from(cast.levels).unwrap_or(0)).collect();
        for data in &mut self.data {
            let is_text = data.is_text;
            data.values.resize(levels.len(), Vec::new());
            data.texts.resize(levels.len(), Vec::new());
            for (cast, levels) in levels.iter().enumerate() {
                data.values[cast].resize(if is_text { 0 } else { *levels }, f64::NAN);
                data.texts[cast].resize(if is_text { *levels } else { 0 }, String::new());
            }
            if let Some(flags) = &mut data.flags {
                flags.resize(levels.len(), Vec::new());
                flags.iter_mut().zip(&levels).for_each(|(flags, levels)| flags.resize(*levels, None));
            }
        }
    }

    /// Most levels of a cast.
    pub fn levels(&self) -> usize {
        self.casts.iter().map(|cast| usize::try_from(cast.levels).unwrap_or(0)).max().unwrap_or(0)
    }

    /// One cast by itself.
    #[must_use]
    pub fn cast(&self, at: usize) -> Self {
        let one = |data: &Data| Data {
            values: vec![data.values[at].clone()],
            texts: vec![data.texts[at].clone()],
            flags: data.flags.as_ref().map(|flags| vec![flags[at].clone()]),
            ..data.clone_head()
        };
        Self { casts: vec![self.casts[at].clone()], data: self.data.iter().map(one).collect(), ..Self::default() }
    }
}

impl Data {
    fn new(column: &Column) -> Self {
        Self {
            name: column.name.clone(),
            unit: column.unit.clone(),
            decimals: 0,
            is_text: false,
            values: Vec::new(),
            texts: Vec::new(),
            flags: column.flags.map(|_| Vec::new()),
        }
    }

    /// All but its values.
    fn clone_head(&self) -> Self {
        Self {
            name: self.name.clone(),
            unit: self.unit.clone(),
            decimals: self.decimals,
            is_text: self.is_text,
            values: Vec::new(),
            texts: Vec::new(),
            flags: None,
        }
    }

    /// `NAME [UNIT]`, or the name alone.
    pub fn title(&self) -> String {
        if self.unit.is_empty() { self.name.clone() } else { format!("{} [{}]", self.name, self.unit) }
    }

    /// Appends the values of further casts, the first of which is `first`.
    fn append(&mut self, other: Self, first: usize) {
        self.decimals = self.decimals.max(other.decimals);
        self.is_text |= other.is_text;
        self.values.resize(first, Vec::new());
        self.values.extend(other.values);
        self.texts.resize(first, Vec::new());
        self.texts.extend(other.texts);
        if let Some(theirs) = other.flags {
            let flags = self.flags.get_or_insert_with(Vec::new);
            flags.resize(first, Vec::new());
            flags.extend(theirs);
        }
    }
}

fn at<T>(casts: &mut Vec<Vec<T>>, cast: usize) -> &mut Vec<T> {
    while casts.len() <= cast {
        casts.push(Vec::new());
    }
    &mut casts[cast]
}
