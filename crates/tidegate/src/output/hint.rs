//! What is to be typed next, so that it works as it is told.

use std::borrow::Cow;
use std::path::Path;

/// A command as it is typed again, with `behind` behind each `tidegate` that is not only spoken of.
pub(super) fn again(text: &str, behind: &str) -> String {
    let mut parts = text.split("tidegate ");
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let behind = if told.ends_with('`') { "" } else { behind };
        told.push_str(&format!("tidegate{behind} {part}"));
    }
    told
}

/// What a command needs behind `tidegate` to mean the pipeline in another directory.
pub(crate) fn in_directory(dir: &Path) -> String {
    format!(" -C {}", quoted(&dir.display().to_string()))
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./+=:,@%".contains(&byte);
    if word.bytes().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_with_the_directory_and_what_is_only_spoken_of_without() {
        let told = again("mend it, then: tidegate a && tidegate b (a `tidegate run` takes it)", " -C x");
        assert_eq!(told, "mend it, then: tidegate -C x a && tidegate -C x b (a `tidegate run` takes it)");
        assert_eq!(again("upload the zip", " -C x"), "upload the zip");
        assert_eq!((quoted("try/a-1"), quoted("it's mine")), ("try/a-1".into(), r"'it'\''s mine'".into()));
    }
}
