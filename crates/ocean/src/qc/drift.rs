//! A sensor that measures something else than before.

use serde::{Deserialize, Serialize};

use super::{Report, Subject};
use crate::deployment::Variable;
use crate::flag::PROBABLY_BAD;
use crate::leg::{Haul, MAX_HAULS};

/// A haul whose mean temperature in a stretch of pressure differs from that of the others by more than `difference`: its
/// rows in that stretch are 3. The others' is the median of all hauls there; with two hauls it is the first one's, which is
/// nearer to the calibration.
///
/// Source: ops_qc's drift test and its limits. That one mixes all hauls, so that one odd haul condemns every row of the
/// others too (502 of 505), and leaves rows on an edge out; here the stretches are half-open and the odd haul is flagged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemperatureDrift {
    /// Edges of the stretches, dbar; each begins with its lower edge.
    pub edges: Vec<f64>,
    /// Largest difference in each, degrees Celsius.
    pub difference: Vec<f64>,
}

impl Default for TemperatureDrift {
    fn default() -> Self {
        Self {
            edges: vec![0.0, 10.0, 20.0, 50.0, 100.0, 200.0, 400.0, 600.0, 1000.0, 2000.0],
            difference: vec![7.0, 7.0, 8.0, 8.0, 7.0, 8.0, 7.0, 7.0, 5.0],
        }
    }
}

impl TemperatureDrift {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let hauls = &subject.legs.hauls;
        if subject.legs.count > MAX_HAULS {
            return Report::not_run("the deployment has more hauls than can be compared");
        }
        if hauls.len() < 2 {
            return Report::not_run("there are no two hauls to compare");
        }
        let bins = self.edges.len().saturating_sub(1).min(self.difference.len());
        let means: Vec<Vec<f64>> = hauls.iter().map(|haul| self.means(subject, haul, bins)).collect();
        let mut flags = subject.good(Variable::Temperature);
        let mut notes = Vec::new();
        for bin in 0..bins {
            let there: Vec<f64> = means.iter().map(|means| means[bin]).filter(|mean| !mean.is_nan()).collect();
            let Some(usual) = usual(there) else { continue };
            for (haul, means) in hauls.iter().zip(&means) {
                if (means[bin] - usual).abs() > self.difference[bin] {
                    let rows = self.rows(subject, haul).filter(|(_, found, _)| *found == Some(bin));
                    rows.for_each(|(row, _, _)| flags.raise(row, PROBABLY_BAD));
                    notes.push(format!(
                        "the haul from row {} on is off by {:.1} degrees",
                        haul.rows.start,
                        means[bin] - usual
                    ));
                }
            }
        }
        notes.dedup();
        notes.truncate(10);
        Report { notes, ..Report::of("temperature_drift", Variable::Temperature, flags) }
    }

    /// Rows of a haul that have both values: row, stretch, temperature.
    fn rows<'a>(&'a self, subject: &'a Subject, haul: &Haul) -> impl Iterator<Item = (usize, Option<usize>, f64)> + 'a {
        haul.rows.clone().filter_map(|row| {
            let (pressure, temperature) = (subject.pressure.get(row), subject.temperature.get(row));
            let bin = self.edges.windows(2).position(|edges| pressure >= edges[0] && pressure < edges[1]);
            (!temperature.is_nan()).then_some((row, bin, temperature))
        })
    }

    fn means(&self, subject: &Subject, haul: &Haul, bins: usize) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); bins];
        for (_, bin, temperature) in self.rows(subject, haul) {
            if let Some((sum, count)) = bin.and_then(|bin| sums.get_mut(bin)) {
                *sum += temperature;
                *count += 1.0;
            }
        }
        sums.into_iter().map(|(sum, count)| sum / count).collect()
    }
}

/// The median; of two, the first. `None` if there is nothing to compare.
fn usual(mut means: Vec<f64>) -> Option<f64> {
    if means.len() < 3 {
        return (means.len() == 2).then(|| means[0]);
    }
    means.sort_by(f64::total_cmp);
    Some(means[means.len() / 2])
}
