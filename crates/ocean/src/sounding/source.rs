//! Which device to believe where several say the same.
//!
//! The reference puts all positions and all depths into one list; where two receivers disagree by 100 m, the track goes to
//! and fro between them. Here one source is used for each quantity: the first in the order of preference among those that
//! cover nearly as much of the file as the best.

/// A source covers nearly as much as the best if it covers this part of it.
const NEARLY: f64 = 0.9;

/// Sources that are told apart; what more talkers say is left out.
const MOST: usize = 64;

/// A device and a kind of message: `DBT` of talker `SD` (`SDDBT`), `GNSS` of address 35 of a bus of NMEA 2000 (`35/GNSS`), or
/// `GNSS` of nobody in particular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Kind of the message.
    pub message: &'static str,
    /// Talker, of NMEA 0183.
    pub talker: Option<[u8; 2]>,
    /// Address on the bus, of NMEA 2000.
    pub address: Option<u8>,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for letter in self.talker.iter().flatten() {
            write!(f, "{}", char::from(*letter))?;
        }
        if let Some(address) = self.address {
            write!(f, "{address}/")?;
        }
        f.write_str(self.message)
    }
}

/// What one source said.
#[derive(Debug, Clone, PartialEq)]
pub struct Source<T> {
    /// Who.
    pub name: Name,
    /// What, in the order of the file.
    pub values: Vec<T>,
    rank: usize,
    /// Different units of the line with a value: a source that says it ten times a second does not cover more.
    covered: u64,
    last: Option<i64>,
}

/// The source to believe.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<T> {
    /// It.
    pub chosen: Source<T>,
    /// The others, and how many values each had.
    pub others: Vec<(Name, u64)>,
}

/// What all sources of one quantity said.
#[derive(Debug, Clone, PartialEq)]
pub struct Sources<T> {
    all: Vec<Source<T>>,
    unit: i64,
    /// Values of more talkers than can be told apart.
    pub untold: u64,
}

impl<T> Sources<T> {
    /// None yet; coverage is counted in units of so many ms.
    pub fn new(unit: i64) -> Self {
        Self { all: Vec::new(), unit: unit.max(1), untold: 0 }
    }

    /// Adds a value at a place of the line; `rank` is the source's place in the order of preference.
    pub fn push(&mut self, name: Name, rank: usize, at: i64, value: T) {
        let index = match self.all.iter().position(|source| source.name == name) {
            Some(index) => index,
            None if self.all.len() == MOST => {
                self.untold += 1;
                return;
            }
            None => {
                self.all.push(Source { name, values: Vec::new(), rank, covered: 0, last: None });
                self.all.len() - 1
            }
        };
        let source = &mut self.all[index];
        let unit = at.div_euclid(self.unit);
        if source.last.replace(unit) != Some(unit) {
            source.covered += 1;
        }
        source.values.push(value);
    }

    /// True if nobody said anything.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Chooses; `None` if nobody said anything.
    pub fn choose(mut self) -> Option<Choice<T>> {
        let best = self.all.iter().map(|source| source.covered).max()?;
        #[expect(clippy::cast_precision_loss, reason = "a comparison within 10 percent")]
        let covers = |source: &Source<T>| source.covered as f64 >= NEARLY * best as f64;
        let (index, _) =
            self.all.iter().enumerate().filter(|(_, source)| covers(source)).min_by_key(|(_, source)| source.rank)?;
        let chosen = self.all.remove(index);
        let others = self.all.iter().map(|source| (source.name, source.values.len() as u64)).collect();
        Some(Choice { chosen, others })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GNSS: Name = Name { message: "GNSS", talker: None, address: None };
    const GGA: Name = Name { message: "GGA", talker: Some(*b"GP"), address: None };

    fn chosen(gnss: i64, gga: i64, gga_step: i64) -> Name {
        let mut sources = Sources::new(1_000);
        (0..gga).for_each(|index| sources.push(GGA, 1, index * gga_step, ()));
        (0..gnss).for_each(|index| sources.push(GNSS, 0, index * 1_000, ()));
        sources.choose().expect("a source").chosen.name
    }

    #[test]
    fn the_preferred_source_is_taken_unless_another_covers_more() {
        assert_eq!(chosen(100, 100, 1_000), GNSS);
        assert_eq!(chosen(50, 100, 1_000), GGA);
        assert_eq!(chosen(100, 1_000, 100), GNSS, "ten times a second is not ten times the coverage");
        assert_eq!(chosen(0, 3, 1_000), GGA);
        assert_eq!(GGA.to_string(), "GPGGA");
        assert_eq!(Name { address: Some(35), ..GNSS }.to_string(), "35/GNSS");
    }
}
