//! What `Cargo.lock` holds, and how many packages it may hold: `floors` and `lint` ask.

use crate::shell::{self, Outcome};

/// The packages of the lock file.
pub(crate) struct Lock {
    packages: Vec<Package>,
}

struct Package {
    name: String,
    dependencies: usize,
}

impl Lock {
    /// Reads `Cargo.lock`.
    pub(crate) fn read() -> Outcome<Self> {
        let text = std::fs::read_to_string(shell::root().join("Cargo.lock"))
            .map_err(|error| format!("`Cargo.lock` could not be read: {error}"))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let packages = text.split("[[package]]").skip(1).map(|block| Package {
            name: value(block, "name"),
            dependencies: block.lines().filter(|line| line.starts_with(" \"")).count(),
        });
        Self { packages: packages.collect() }
    }

    /// How many packages there are.
    pub(crate) fn len(&self) -> usize {
        self.packages.len()
    }

    /// Every package's name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().map(|package| package.name.as_str())
    }

    /// True if there is a package of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names().any(|other| other == name)
    }

    /// Names of packages that are there in more than one version; the lock file is sorted by name.
    pub(crate) fn doubles(&self) -> impl Iterator<Item = &str> {
        self.packages.windows(2).filter(|pair| pair[0].name == pair[1].name).map(|pair| pair[0].name.as_str())
    }

    /// How many packages the package names as its dependencies.
    pub(crate) fn dependencies(&self, name: &str) -> usize {
        self.packages.iter().find(|package| package.name == name).map_or(0, |package| package.dependencies)
    }
}

fn value(block: &str, key: &str) -> String {
    let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'));
    line.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_doubles_and_dependencies_are_read() {
        let text = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.0.0\"\n\n\
            [[package]]\nname = \"b\"\nversion = \"1.0.0\"\ndependencies = [\n \"a 1.0.0\",\n \"a 2.0.0\",\n]\n";
        let lock = Lock::parse(text);
        assert_eq!(lock.len(), 3);
        assert_eq!(lock.doubles().collect::<Vec<_>>(), ["a"]);
        assert_eq!((lock.dependencies("a"), lock.dependencies("b")), (0, 2));
    }
}
