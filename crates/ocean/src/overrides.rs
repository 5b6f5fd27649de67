//! Decisions of people about flags: applied after the tests, each time a deployment is processed, and told in its history.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::deployment::Variable;
use crate::flag::Flag;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Name of the deployment, or the last part of it, with or without `.csv`.
    pub deployment: String,
    /// Lines of the file as it came, since they stay the same whatever the rules keep: `17`, `20-45`, `60-`, several with
    /// commas, or `all`.
    pub lines: String,
    /// What is flagged.
    pub variable: Variable,
    /// The flag, 0 to 5 or 9.
    pub flag: Flag,
    /// Who decided.
    pub author: String,
    /// Why.
    pub reason: String,
}

impl Override {
    /// Whether it is about this deployment.
    pub fn concerns(&self, deployment: &str) -> bool {
        let wanted = self.deployment.trim();
        let file = deployment.rsplit('/').next().unwrap_or(deployment);
        let names = [deployment, file];
        !wanted.is_empty() && names.iter().any(|name| *name == wanted || without_ending(name) == wanted)
    }

    /// The lines it is about.
    ///
    /// # Errors
    /// What cannot be read: lines, flag, or a missing author or reason.
    pub fn ranges(&self) -> Result<Vec<RangeInclusive<u64>>, String> {
        if !matches!(self.flag, 0..=5 | 9) {
            return Err(format!("`{}` is not a flag: expected 0 to 5 or 9", self.flag));
        }
        if self.author.trim().is_empty() || self.reason.trim().is_empty() {
            return Err("an override needs an author and a reason".to_owned());
        }
        if self.lines.trim().eq_ignore_ascii_case("all") {
            return Ok(vec![0..=u64::MAX]);
        }
        self.lines.split(',').map(|part| range(part.trim())).collect()
    }

    /// As it stands in the history of the deployment.
    pub fn history(&self, rows: usize) -> String {
        format!(
            "flags of {} at lines {} set to {} by {} ({rows} rows): {}",
            self.variable.name(),
            self.lines.trim(),
            self.flag,
            self.author.trim(),
            self.reason.trim()
        )
    }
}

/// Without the endings of a text file, packed or not, in whatever case.
fn without_ending(name: &str) -> &str {
    [".gz", ".csv"].iter().fold(name, |name, ending| {
        let start = name.len().saturating_sub(ending.len());
        let has_ending = name.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(ending));
        if has_ending { &name[..start] } else { name }
    })
}

fn range(part: &str) -> Result<RangeInclusive<u64>, String> {
    let error = || format!("`{part}` are no lines: expected `17`, `20-45`, `60-` or `all`");
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| error());
    match part.split_once('-') {
        None => number(part).map(|line| line..=line),
        Some((first, "")) => number(first).map(|first| first..=u64::MAX),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            if first <= last { Ok(first..=last) } else { Err(error()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &str) -> Override {
        Override {
            deployment: "MOANA_1".to_owned(),
            lines: lines.to_owned(),
            variable: Variable::Temperature,
            flag: 4,
            author: "A. Person".to_owned(),
            reason: "on deck".to_owned(),
        }
    }

    #[test]
    fn lines_are_read_or_refused() {
        assert_eq!(of("17, 20-45,60-").ranges(), Ok(vec![17..=17, 20..=45, 60..=u64::MAX]));
        assert_eq!(of("All").ranges(), Ok(vec![0..=u64::MAX]));
        for lines in ["", "x", "5-3", "1-2-3", "-4"] {
            assert!(of(lines).ranges().is_err(), "{lines}");
        }
        assert!(Override { flag: 7, ..of("all") }.ranges().is_err());
        assert!(Override { reason: " ".to_owned(), ..of("all") }.ranges().is_err());
    }

    #[test]
    fn deployments_are_known_by_their_last_name() {
        for name in ["MOANA_1", "MOANA_1.csv", "0038/MOANA_1.csv", "0038/MOANA_1.CSV.gz"] {
            assert!(of("all").concerns(name), "{name}");
        }
        let whole = Override { deployment: "0038/MOANA_1".to_owned(), ..of("all") };
        assert!(whole.concerns("0038/MOANA_1.csv") && !whole.concerns("0039/MOANA_1.csv") && !whole.concerns("é"));
        assert!(!of("all").concerns("MOANA_12.csv"));
    }
}
