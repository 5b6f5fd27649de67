//! Globs over keys: that they are well formed, and that some key can match them.

use super::report::{Problem, Report, Spanned, quote};
use crate::KeyGlobs;

/// Compiles a list of globs; `None` (and told) if one of them is bad.
pub(super) fn compile(globs: &[Spanned<String>], report: &mut Report<'_>) -> Option<KeyGlobs> {
    let mut is_possible = true;
    for glob in globs {
        is_possible &= check_possible(glob, report);
    }
    match KeyGlobs::new(globs.iter().map(|glob| glob.value.clone()).collect()) {
        Ok(compiled) => is_possible.then_some(compiled),
        Err((index, why)) => {
            if let Some(glob) = globs.get(index) {
                let problem = Problem::error("P0201", format!("{} is no glob", quote(&glob.value)))
                    .label(why)
                    .expected("a pattern such as `*.csv`, `**/*.csv`, `2024/*/[0-9]*.{csv,txt}`")
                    .help("to match a special character itself, put it in brackets: `[[]`, `[*]`; a leading `!` takes keys out");
                report.at(&glob.span, problem);
            }
            None
        }
    }
}

/// Tells a glob that no key can match, whatever is put into the bucket.
fn check_possible(glob: &Spanned<String>, report: &mut Report<'_>) -> bool {
    let text = glob.value.strip_prefix('!').unwrap_or(&glob.value);
    let mut segments = text.split('/');
    let (why, help) = if text.is_empty() {
        ("no key is empty", "to take every key, leave `keys` out".to_owned())
    } else if let Some(rest) = text.strip_prefix('/') {
        ("no key begins with `/`", format!("write `\"{rest}\"`"))
    } else if text.ends_with('/') {
        ("no key ends with `/`", format!("for all that is in the folder, write `\"{text}**\"`"))
    } else if segments.clone().any(str::is_empty) {
        ("no key has `//`", format!("write `\"{}\"`", text.replace("//", "/")))
    } else if segments.any(|segment| matches!(segment, "." | "..")) {
        ("no key has `.` or `..` as a folder", "keys are relative to the bucket, leave the dots out".to_owned())
    } else if text.contains(char::is_control) {
        ("no key has control characters", "leave them out".to_owned())
    } else {
        return true;
    };
    let problem = Problem::error("P0202", format!("no key can match {}", quote(text)))
        .label(why)
        .expected("a glob over keys such as `incoming/2024/a.csv`")
        .help(help);
    report.at(&glob.span, problem);
    false
}

/// Tells globs of a trigger that match only what its bucket ignores.
pub(super) fn check_not_ignored(bucket: &str, globs: &[Spanned<String>], ignore: &KeyGlobs, report: &mut Report<'_>) {
    let takes_all = ignore.patterns().iter().any(|pattern| matches!(pattern.as_str(), "**" | "**/*"));
    for glob in globs.iter().filter(|glob| !glob.value.starts_with('!')) {
        let is_literal = !glob.value.contains(['*', '?', '[', '{', '\\']);
        let is_ignored =
            takes_all || ignore.patterns().contains(&glob.value) || (is_literal && ignore.matches(&glob.value));
        if is_ignored {
            let problem = Problem::error("P0202", format!("no object can match {}", quote(&glob.value)))
                .label(format!("bucket {} ignores these keys", quote(bucket)))
                .expected("a glob that matches more than `ignore` does")
                .help(format!("take it out of `ignore` of `[bucket.{bucket}]`, or out of `keys`"));
            report.at(&glob.span, problem);
        }
    }
}
