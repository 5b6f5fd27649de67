//! A pipeline file is what people type: whatever it is, checking ends with a verdict that can be shown.

use proptest::prelude::*;
use tidegate_model::{Severity, check, explain, render, render_json};

use crate::kinds::{FORMATS, KINDS};
use crate::{bad, good};

/// Holds for every text: a pipeline or an error, places that exist, messages that can be shown.
fn verdict(text: &str, env: Option<&str>) {
    let checked = check("tidegate.toml", text, env, KINDS, FORMATS);
    let has_error = checked.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(checked.pipeline.is_none(), has_error);
    let mut before = None;
    for diagnostic in &checked.diagnostics {
        assert!(diagnostic.span >= before, "sorted by place");
        before = diagnostic.span;
        assert!(explain(diagnostic.code).is_some(), "{}", diagnostic.code);
        assert!(!diagnostic.message.contains(|c: char| c.is_control()), "{:?}", diagnostic.message);
        if let Some(span) = diagnostic.span {
            assert!(text.get(span.start..span.end).is_some());
            assert_eq!(span.line, text[..span.start].matches('\n').count() + 1);
        }
    }
    let shown = render(&checked.diagnostics, "tidegate.toml", text, false);
    assert!(!shown.contains('\u{1b}'), "the file cannot command the terminal");
    render(&checked.diagnostics, "tidegate.toml", text, true);
    assert_eq!(render_json(&checked.diagnostics, "tidegate.toml").lines().count(), checked.diagnostics.len());
}

/// A good or bad file.
fn file() -> impl Strategy<Value = String> {
    let texts: Vec<String> = good::files().into_iter().chain(bad::files()).map(|(_, text)| text).collect();
    prop::sample::select(texts)
}

/// What is put in the place of something: pieces that mean something to TOML or to us, or anything.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "=",
            "\"",
            "'",
            "[",
            "]",
            "[[",
            "{",
            "}",
            ",",
            ".",
            "\n",
            "\r",
            "#",
            "\"\"\"",
            "\u{feff}",
            "\u{1b}[2J",
            "é",
            "0",
            "-1",
            "9223372036854775807",
            "1e999",
            "nan",
            "true",
            "1979-05-27",
            "[]",
            "{}",
            "\"\"",
            "\"\\u0000\"",
            "env",
            "bucket",
            "function",
            "secret",
            "created",
            "every",
            "cron",
            "into",
            "with",
            "\"*\"",
            "\"1s\"",
            "\"99999999999d\"",
            "\"L W # ? *\"",
            "\"s3://\"",
            "\"../..\"",
            "\"memory://\"",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
        any::<String>(),
    ]
}

/// The text with a stretch of it replaced.
fn edit(text: &str, from: prop::sample::Index, length: usize, with: &str) -> String {
    let start = text.floor_char_boundary(from.index(text.len() + 1));
    let end = text.ceil_char_boundary((start + length).min(text.len()));
    format!("{}{with}{}", &text[..start], &text[end..])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn on_any_text(text in any::<String>(), env in prop::option::of("[a-z]{0,3}")) {
        verdict(&text, env.as_deref());
    }

    #[test]
    fn on_files_with_pieces_replaced(
        text in file(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, piece()), 1..4),
    ) {
        let edited = edits.iter().fold(text, |text, (from, length, with)| edit(&text, *from, *length, with));
        verdict(&edited, None);
        verdict(&edited, Some("aws"));
    }

    #[test]
    fn on_lines_of_several_files_shuffled(first in file(), second in file(), order in any::<prop::sample::Index>()) {
        let lines: Vec<&str> = first.lines().chain(second.lines()).collect();
        let middle = order.index(lines.len());
        let (before, after) = lines.split_at(middle);
        verdict(&[after, before].concat().join("\n"), None);
    }
}

#[test]
fn on_deep_nesting() {
    for opening in ["a = [", "a = {b=", "[a.", "with.x."] {
        verdict(&opening.repeat(20_000), None);
        let line = format!("[function.f]\nwith = {}", "[".repeat(10_000));
        verdict(&line, None);
    }
}
