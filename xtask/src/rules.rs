//! The rules of the house that no compiler knows (CONTRIBUTING.md tells them): each finding names its file and line.

mod shape;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::packages::Lock;
use crate::shell::{self, Outcome};

/// What stands in no Rust file, with what to do instead. Split, so that this file does not hold them.
const NOT_IN_CODE: &[(&str, &str)] = &[
    (concat!("to", "do!("), "finish it, or leave it out"),
    (concat!("unimplement", "ed!("), "finish it, or leave it out"),
    (concat!("#[ign", "ore"), "a test that does not run proves nothing: mend or delete it"),
    (concat!("#[al", "low("), "`#[expect(lint, reason = \"…\")]` is taken back when it is no longer needed"),
    (concat!("#![al", "low("), "`#![expect(lint, reason = \"…\")]` is taken back when it is no longer needed"),
    (concat!("TO", "DO"), "do it, or open an issue and leave the mark out"),
    (concat!("FIX", "ME"), "do it, or open an issue and leave the mark out"),
];

/// Paths of one machine; they stand in no file.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// A path that documents do not name: whoever reads them has another one.
const SCRATCH_PATH: &str = concat!("/t", "mp/");

/// What the rules found: faults fail, notes are told.
#[derive(Default)]
struct Findings {
    faults: Vec<String>,
    notes: Vec<String>,
}

/// A file of the repository.
struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The crate's directory, `crates/model` or `xtask`.
    fn package(&self) -> &str {
        let end = self.path.find("/src/").or_else(|| self.path.find("/tests/")).unwrap_or(self.path.len());
        &self.path[..end]
    }

    /// The lines before the unit tests, which stand last in a file.
    fn lines_of_code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take_while(|line| *line != "#[cfg(test)]")
    }
}

/// Checks all rules.
pub(crate) fn run() -> Outcome {
    println!("house rules:");
    let sources = sources(&shell::root())?;
    let mut findings = Findings::default();
    for source in &sources {
        if source.is_rust() {
            shape::check(source, &mut findings);
            check_words(source, &mut findings);
        }
        check_paths(source, &mut findings);
        if source.path.ends_with(".md") {
            check_links(source, &mut findings);
        }
    }
    check_modules(&sources, &mut findings);
    check_error_pages(&sources, &mut findings);
    check_packages(&mut findings)?;

    for note in &findings.notes {
        println!("  note: {note}");
    }
    for fault in &findings.faults {
        println!("  {fault}");
    }
    let rust = sources.iter().filter(|source| source.is_rust()).count();
    println!(
        "  {rust} Rust files, {}, {}",
        shell::count(findings.faults.len(), "fault"),
        shell::count(findings.notes.len(), "note")
    );
    if findings.faults.is_empty() { Ok(()) } else { Err(format!("{} against the house rules", findings.faults.len())) }
}

fn check_words(source: &Source, findings: &mut Findings) {
    for (index, line) in source.text.lines().enumerate() {
        for (word, remedy) in NOT_IN_CODE.iter().filter(|(word, _)| line.contains(word)) {
            findings.faults.push(format!("{}:{}: `{word}`: {remedy}", source.path, index + 1));
        }
    }
}

fn check_paths(source: &Source, findings: &mut Findings) {
    let is_document = source.path.ends_with(".md");
    for (index, line) in source.text.lines().enumerate() {
        let machine = MACHINE_PATHS.iter().copied().chain(is_document.then_some(SCRATCH_PATH));
        for path in machine.filter(|path| names_path(line, path)) {
            findings.faults.push(format!("{}:{}: `{path}` is a path of one machine", source.path, index + 1));
        }
    }
}

/// True if `path` stands in `line` as the beginning of a path, not in the middle of one.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at]
            .ends_with(|letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '/' | '}' | '>'))
    })
}

/// Links of a document to files of the repository.
fn check_links(source: &Source, findings: &mut Findings) {
    let folder = shell::root().join(Path::new(&source.path).parent().unwrap_or(Path::new("")));
    for (index, line) in source.text.lines().enumerate() {
        for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains(':') && !folder.join(file).exists() {
                findings.faults.push(format!("{}:{}: links to `{file}`, which is not there", source.path, index + 1));
            }
        }
    }
}

/// A Rust file that no `mod` names is neither compiled nor tested, and nothing else says so.
fn check_modules(sources: &[Source], findings: &mut Findings) {
    let mut declared = BTreeSet::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        for line in source.text.lines() {
            if let Some(name) = line.trim_end().strip_suffix(';').and_then(|line| line.rsplit_once("mod ")) {
                declared.insert((source.package(), name.1));
            }
        }
    }
    for source in sources.iter().filter(|source| source.is_rust()) {
        let within = source.path.strip_prefix(source.package()).unwrap_or_default();
        if within.starts_with("/tests/") && !within.starts_with("/tests/it/") {
            findings.faults.push(format!("{}: tests of a crate stand in `tests/it`, one binary a crate", source.path));
        }
        let is_root =
            matches!(within, "/src/lib.rs" | "/src/main.rs" | "/tests/it/main.rs") || within.starts_with("/src/bin/");
        let module = match source.name() {
            "mod.rs" => source.path.rsplit('/').nth(1).unwrap_or_default(),
            name => name.trim_end_matches(".rs"),
        };
        let is_module = within.starts_with("/src/") || within.starts_with("/tests/it/");
        if is_module && !is_root && !declared.contains(&(source.package(), module)) {
            findings.faults.push(format!("{}: forgotten: no `mod {module};` names it", source.path));
        }
    }
}

/// Every code has a page, every page a code.
fn check_error_pages(sources: &[Source], findings: &mut Findings) {
    let mut pages = BTreeSet::new();
    for source in sources.iter().filter(|source| source.path.starts_with("docs/errors/")) {
        let code = source.name().trim_end_matches(".md");
        if source.name() == "README.md" {
            continue;
        }
        if !is_code(code) || !source.path.ends_with(".md") {
            findings.faults.push(format!("{}: a page is named by its code, as `P0101.md`", source.path));
        } else if !source.text.lines().next().is_some_and(|line| line.starts_with("# ") && line.contains(code)) {
            findings.faults.push(format!("{}:1: the title does not name `{code}`", source.path));
        }
        pages.insert(code);
    }
    let mut used = BTreeSet::new();
    for source in sources.iter().filter(|source| source.is_rust() && source.path.starts_with("crates/")) {
        if !source.path.contains("/src/") || source.name() == "tests.rs" {
            continue;
        }
        for (index, line) in source.lines_of_code().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for code in line.split('"').skip(1).step_by(2).filter(|text| is_code(text)) {
                if used.insert(code) && !pages.contains(code) {
                    findings.faults.push(format!(
                        "{}:{}: `{code}` has no page docs/errors/{code}.md",
                        source.path,
                        index + 1
                    ));
                }
            }
        }
    }
    for page in pages.difference(&used).filter(|page| is_code(page)) {
        findings.faults.push(format!("docs/errors/{page}.md: no code of this name is used"));
    }
}

/// `P0101`: pipeline file, connection, run or deploy, and four digits.
fn is_code(text: &str) -> bool {
    text.len() == 5
        && text.starts_with(['P', 'C', 'R', 'D', 'S'])
        && text[1..].bytes().all(|byte| byte.is_ascii_digit())
}

fn check_packages(findings: &mut Findings) -> Outcome {
    let path = shell::root().join("xtask/packages.budget");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("`xtask/packages.budget` could not be read: {error}"))?;
    let number = text.lines().find(|line| !line.starts_with('#')).and_then(|line| line.trim().parse::<usize>().ok());
    let budget = number.ok_or("`xtask/packages.budget` has no line with a number")?;
    let packages = Lock::read()?.len();
    if packages > budget {
        findings.faults.push(format!(
            "Cargo.lock: {packages} packages, at most {budget}; do without, or raise xtask/packages.budget and say why there"
        ));
    } else {
        println!("  {packages} packages in Cargo.lock, at most {budget}");
    }
    Ok(())
}

/// The text files of the repository: what git tracks or would; the files on disk where there is no git.
fn sources(root: &Path) -> Outcome<Vec<Source>> {
    let listed =
        shell::read(&mut shell::program("git", &["ls-files", "--cached", "--others", "--exclude-standard", "-z"]));
    let mut paths: Vec<PathBuf> = match listed {
        Ok(list) => list.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect(),
        Err(_) => walk(root, Path::new(""))?,
    };
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        // A file that is listed but deleted, or not UTF-8 (data), is none of the rules' business.
        if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
            sources.push(Source { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
    Ok(sources)
}

fn walk(root: &Path, folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(root.join(folder)).map_err(|error| format!("`{}`: {error}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries.flatten() {
        let path = folder.join(entry.file_name());
        let name = entry.file_name();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && name != "target" && name != ".git" && name != ".tidegate" {
            paths.extend(walk(root, &path)?);
        } else if !is_folder {
            paths.push(path);
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_file_that_no_module_names_is_found() {
        let sources = [
            source("crates/a/src/lib.rs", "pub mod used;\nmod folder;\n"),
            source("crates/a/src/used.rs", ""),
            source("crates/a/src/folder/mod.rs", ""),
            source("crates/a/src/lost.rs", ""),
            source("crates/a/tests/it/main.rs", "mod crash;\n"),
            source("crates/a/tests/it/crash.rs", ""),
            source("crates/a/tests/it/lonely.rs", ""),
            source("crates/b/src/lib.rs", "mod lost;\n"),
        ];
        let mut findings = Findings::default();
        check_modules(&sources, &mut findings);
        assert_eq!(
            findings.faults,
            [
                "crates/a/src/lost.rs: forgotten: no `mod lost;` names it",
                "crates/a/tests/it/lonely.rs: forgotten: no `mod lonely;` names it",
            ]
        );
    }

    #[test]
    fn codes_and_pages_are_matched_and_codes_in_unit_tests_do_not_count() {
        let sources = [
            source("docs/errors/P0101.md", "# P0101: unknown key\n"),
            source("docs/errors/P0102.md", "# P0102: unused\n"),
            source("docs/errors/other.md", "# other\n"),
            source(
                "crates/model/src/codes.rs",
                "let a = \"P0101\";\nlet b = \"R0301\";\n#[cfg(test)]\nlet c = \"R9999\";\n",
            ),
        ];
        let mut findings = Findings::default();
        check_error_pages(&sources, &mut findings);
        assert_eq!(
            findings.faults,
            [
                "docs/errors/other.md: a page is named by its code, as `P0101.md`",
                "crates/model/src/codes.rs:2: `R0301` has no page docs/errors/R0301.md",
                "docs/errors/P0102.md: no code of this name is used",
            ]
        );
    }

    #[test]
    fn machine_paths_are_told_from_paths_that_look_alike() {
        let path = MACHINE_PATHS[0];
        assert!(names_path(&format!("see {path}main"), path));
        assert!(names_path(&format!("`{path}`"), path));
        assert!(!names_path(&format!("target{path}bench"), path));
    }
}
