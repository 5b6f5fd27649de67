//! How a Rust file is built: its size, its first line, the length of its functions.

use super::{Findings, Source};

const LINES_HARD: usize = 800;
const LINES_SOFT: usize = 400;
const LIB_LINES: usize = 120;
const FUNCTION_LINES: usize = 60;

/// What every library crate's `lib.rs` says, so that `clippy.toml` binds its code and leaves its tests alone.
const BAN: &str = "#![cfg_attr(not(test), warn(clippy::disallowed_methods))]";

/// Sizes, the opening line, and the bans of a library crate.
pub(super) fn check(source: &Source, findings: &mut Findings) {
    let path = &source.path;
    if !source.text.starts_with("//!") {
        findings
            .faults
            .push(format!("{path}:1: does not open with `//!`: say what it is and where on the main path it stands"));
    }
    let lines = source.text.lines().count();
    if lines > LINES_HARD {
        findings.faults.push(format!("{path}: {lines} lines, at most {LINES_HARD}: one subject a file"));
    } else if lines > LINES_SOFT {
        findings.notes.push(format!("{path}: {lines} lines; has it still one subject?"));
    }
    if source.name() == "lib.rs" {
        if lines > LIB_LINES {
            findings
                .faults
                .push(format!("{path}: {lines} lines, at most {LIB_LINES}: documentation, `mod` and `pub use` only"));
        }
        if !source.text.lines().any(|line| line == BAN) {
            findings
                .faults
                .push(format!("{path}: has no line `{BAN}`, so the bans of `clippy.toml` do not bind the crate"));
        }
    }
    for (line, name, length) in long_functions(&source.text) {
        findings.notes.push(format!(
            "{path}:{line}: `{name}` has {length} lines; more than {FUNCTION_LINES} is hard to see at once"
        ));
    }
}

/// Functions beyond the soft limit: line, name, length. rustfmt puts the closing brace under the `fn`'s own line.
fn long_functions(text: &str) -> Vec<(usize, String, usize)> {
    let mut long = Vec::new();
    let mut open: Option<(usize, String, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if let Some((start, name, depth)) = &open
            && indent == *depth
            && bare == "}"
        {
            let length = index - start + 1;
            if length > FUNCTION_LINES {
                long.push((start + 1, name.clone(), length));
            }
            open = None;
        } else if open.is_none()
            && !bare.starts_with("//")
            && let Some((before, after)) = bare.split_once("fn ")
            && before
                .split_whitespace()
                .all(|word| word.starts_with("pub") || ["async", "const", "unsafe"].contains(&word))
            && !bare.ends_with(';')
            && !bare.ends_with('}')
        {
            let end = after.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(after.len());
            open = Some((index, after[..end].to_owned(), indent));
        } else if let Some((_, _, depth)) = &open
            && indent == *depth
            && bare.ends_with(';')
        {
            // A declaration over several lines, without a body.
            open = None;
        }
    }
    long
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_function_is_named_and_its_closures_and_neighbours_do_not_confuse() {
        let body = "        call(|x| {\n            x\n        });\n".repeat(25);
        let text = format!(
            "impl A {{\n    fn short(&self) {{\n        1\n    }}\n\n    pub(crate) async fn long(\n        &self,\n    ) {{\n{body}    }}\n}}\n"
        );
        assert_eq!(long_functions(&text), [(6, "long".to_owned(), 79)]);
        assert!(long_functions("trait T {\n    fn a(\n        &self,\n    );\n}\n").is_empty());
    }
}
