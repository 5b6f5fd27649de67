//! What statements call the columns of a file.

/// Names of columns: as they stand in the file, and plain, as statements name them without quotes.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// `CTDPRS [DBAR]`
    titles: Vec<String>,
    /// `ctdprs`
    plain: Vec<String>,
}

impl Names {
    pub(super) fn of<'n>(titles: impl Iterator<Item = &'n str>) -> Self {
        let mut names = Self::default();
        for title in titles {
            let plain = without_unit(title).to_lowercase();
            let mut own = plain.clone();
            let mut number = 2;
            while names.plain.contains(&own) {
                own = format!("{plain}_{number}");
                number += 1;
            }
            names.titles.push(title.to_owned());
            names.plain.push(own);
        }
        names
    }

    /// One for each column, none twice.
    pub(super) fn plain(&self) -> &[String] {
        &self.plain
    }

    /// The column that a name in quotes means: as it stands in the file, with or without its unit.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let find = |is_meant: &dyn Fn(&str) -> bool| self.titles.iter().position(|title| is_meant(title));
        find(&|title| title == name)
            .or_else(|| find(&|title| without_unit(title) == name))
            .or_else(|| find(&|title| title.to_lowercase() == name.to_lowercase()))
            .or_else(|| self.plain.iter().position(|plain| *plain == name.to_lowercase()))
    }
}

/// `CTDPRS` of `CTDPRS [DBAR]`.
fn without_unit(title: &str) -> &str {
    let unit = title.strip_suffix(']').and_then(|rest| rest.rsplit_once(" ["));
    unit.map_or(title, |(name, _)| name).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_left_out_and_no_name_stands_twice() {
        let titles = ["CTDPRS [DBAR]", "SALNTY [PSU]", "SALNTY [G/KG]", "salnty_2", "Depth (dBar)", "x [1] y"];
        let names = Names::of(titles.into_iter());
        assert_eq!(names.plain(), ["ctdprs", "salnty", "salnty_2", "salnty_2_2", "depth (dbar)", "x [1] y"]);
        for (name, at) in [
            ("CTDPRS", Some(0)),
            ("CTDPRS [DBAR]", Some(0)),
            ("SALNTY [G/KG]", Some(2)),
            ("SALNTY", Some(1)),
            ("Salnty_2", Some(3)),
            ("Depth (dBar)", Some(4)),
            ("OXYGEN", None),
        ] {
            assert_eq!(names.find(name), at, "{name}");
        }
    }
}
