//! `cargo x floors`: a crate uses only floors below it, siblings never see each other, and some packages are seen by none.
//! Read from `cargo tree`, all features and platforms, so that an optional dependency cannot slip past.

use crate::packages::Lock;
use crate::shell::{self, Outcome};

/// A crate of the house and its floor.
struct Floor {
    package: &'static str,
    floor: u8,
}

const fn floor(floor: u8, package: &'static str) -> Floor {
    Floor { package, floor }
}

/// From the ground up; a crate that is not here yet is passed over.
const HOUSE: &[Floor] = &[
    floor(1, "tidegate-model"),
    floor(1, "tidegate-formats"),
    floor(1, "tidegate-ocean"),
    floor(1, "tidegate-plots"),
    floor(2, "tidegate-stores"),
    floor(2, "tidegate-sql"),
    floor(2, "tidegate-cloudformation"),
    floor(3, "tidegate-engine"),
    floor(3, "tidegate-aws"),
    floor(3, "tidegate-postgres"),
    floor(3, "tidegate-nats"),
    floor(3, "tidegate-smtp"),
    floor(3, "tidegate-server"),
    floor(4, "tidegate-functions"),
    floor(5, "tidegate"),
];

/// Floor 1 is without I/O and async, and so without these.
const NOT_ON_FLOOR_1: &[&str] =
    &["tokio", "futures", "async-trait", "object_store", "rusqlite", "notify", "reqwest", "hyper"];

/// Packages, by prefix, that one crate leaves to others.
const NOT_IN: &[(&str, &[&str])] =
    &[("tidegate-model", &["arrow", "parquet"]), ("tidegate-cloudformation", &["arrow", "parquet", "tokio"])];

/// They need cmake, a C++ compiler or a library of the system; a bare Rust toolchain must do.
const NOWHERE: &[&str] =
    &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "aws-lc-fips-sys", "cmake", "bindgen"];

/// Two versions of these would be two types of the same name.
const ONE_VERSION: &[&str] = &["arrow", "parquet", "object_store", "datafusion", "tokio", "bytes", "jiff"];

/// Runs the task.
pub(crate) fn run(_: &[String]) -> Outcome {
    println!("floors:");
    let lock = Lock::read()?;
    let mut faults = Vec::new();
    for member in HOUSE.iter().filter(|member| lock.has(member.package)) {
        let tree = Tree::of(member.package, "normal")?;
        let found = faults_of(member, &tree);
        let mut uses: Vec<&str> = tree.direct().filter(|name| name.starts_with("tidegate")).collect();
        uses.dedup();
        let uses = if uses.is_empty() { "none of ours".to_owned() } else { uses.join(", ").replace("tidegate-", "") };
        let verdict = if found.is_empty() { "ok" } else { "BROKEN" };
        println!("  {}  {:<18} uses {:<42} {verdict}", member.floor, member.package, uses);
        faults.extend(found);
    }
    faults.extend(strangers(&lock));
    faults.extend(faults_everywhere(&lock)?);
    for fault in &faults {
        println!("  {fault}");
    }
    if faults.is_empty() { Ok(()) } else { Err(format!("{} of the floors' rules broken", faults.len())) }
}

fn faults_of(member: &Floor, tree: &Tree) -> Vec<String> {
    let floor_of = |package: &str| HOUSE.iter().find(|other| other.package == package).map(|other| other.floor);
    let mut faults = Vec::new();
    for name in tree.direct().filter(|name| *name != member.package) {
        if let Some(floor) = floor_of(name).filter(|floor| *floor >= member.floor) {
            faults.push(format!(
                "`{}` (floor {}) uses `{name}` (floor {floor}): only lower floors",
                member.package, member.floor
            ));
        }
    }
    let own = NOT_IN.iter().filter(|(package, _)| *package == member.package).flat_map(|(_, names)| names.iter());
    for node in &tree.nodes {
        let stranger = member.floor == 1 && NOT_ON_FLOOR_1.contains(&node.name.as_str());
        if stranger || own.clone().any(|name| is_of_family(&node.name, name)) {
            faults.push(format!("`{}` must not see `{}`: {}", member.package, node.name, node.path));
        }
    }
    faults
}

/// Crates of ours that no floor is given for, and dependencies of xtask.
fn strangers(lock: &Lock) -> Vec<String> {
    let mut faults: Vec<String> = lock
        .names()
        .filter(|name| name.starts_with("tidegate") && HOUSE.iter().all(|member| member.package != *name))
        .map(|name| format!("`{name}` has no floor: give it one in xtask/src/floors.rs and ARCHITECTURE.md"))
        .collect();
    if lock.dependencies("xtask") > 0 {
        faults.push(
            "`xtask` has dependencies: the standard library only (docs/decisions/0002-std-only-xtask.md)".to_owned(),
        );
    }
    faults
}

fn faults_everywhere(lock: &Lock) -> Outcome<Vec<String>> {
    let tree = Tree::of("tidegate", "normal,build")?;
    let mut faults: Vec<String> = tree
        .nodes
        .iter()
        .filter(|node| NOWHERE.contains(&node.name.as_str()))
        .map(|node| format!("no crate may bring `{}`: {}", node.name, node.path))
        .collect();
    for family in ONE_VERSION {
        for name in lock.doubles().filter(|name| is_of_family(name, family)) {
            faults.push(format!(
                "`{name}` stands in Cargo.lock in more than one version (`cargo tree --duplicates` shows why)"
            ));
        }
    }
    println!("  no C++, cmake or TLS library of the system; one version each of {}", ONE_VERSION.join(", "));
    Ok(faults)
}

/// `arrow-array` is of the family `arrow`; `arrow` and `tokio` are of their own.
fn is_of_family(name: &str, family: &str) -> bool {
    let families = ["arrow", "datafusion"];
    name == family
        || (families.contains(&family) && name.strip_prefix(family).is_some_and(|rest| rest.starts_with('-')))
}

/// A package's dependencies, each with the way that leads to it.
struct Tree {
    nodes: Vec<Node>,
}

struct Node {
    depth: usize,
    name: String,
    path: String,
}

impl Tree {
    fn of(package: &str, edges: &str) -> Outcome<Self> {
        let text = shell::read(&mut shell::cargo(&[
            "tree",
            "--locked",
            "--package",
            package,
            "--edges",
            edges,
            "--prefix",
            "depth",
            "--all-features",
            "--target",
            "all",
        ]))?;
        Ok(Self::parse(&text))
    }

    /// Lines such as `2tokio v1.54.1 (*)`.
    fn parse(text: &str) -> Self {
        let mut way: Vec<String> = Vec::new();
        let mut nodes = Vec::new();
        for line in text.lines() {
            let digits = line.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(line.len());
            let Ok(depth) = line[..digits].parse::<usize>() else { continue };
            let name = line[digits..].split(' ').next().unwrap_or_default().to_owned();
            way.truncate(depth);
            way.push(name.clone());
            nodes.push(Node { depth, name, path: way.join(" -> ") });
        }
        Self { nodes }
    }

    fn direct(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter(|node| node.depth == 1).map(|node| node.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_package_is_shown_with_the_way_to_it() {
        let tree = Tree::parse(
            "0tidegate-model v0.1.0 (/x)\n1serde v1.0.0\n1cron v1.0.0\n2tokio v1.0.0 (*)\n1tidegate-formats v0.1.0\n",
        );
        let faults = faults_of(&HOUSE[0], &tree);
        assert_eq!(
            faults,
            [
                "`tidegate-model` (floor 1) uses `tidegate-formats` (floor 1): only lower floors",
                "`tidegate-model` must not see `tokio`: tidegate-model -> cron -> tokio",
            ]
        );
    }

    #[test]
    fn lower_floors_may_be_used() {
        let tree = Tree::parse(
            "0tidegate-engine v0.1.0 (/x)\n1tidegate-stores v0.1.0\n1tidegate-model v0.1.0\n1tokio v1.0.0\n",
        );
        let engine = HOUSE.iter().find(|member| member.package == "tidegate-engine").expect("the engine has a floor");
        assert!(faults_of(engine, &tree).is_empty());
    }
}
