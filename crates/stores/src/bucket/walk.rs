//! The files below a directory, as objects: one walk for listings and for the watch, so that both see the same keys
//! and the same versions.
//!
//! A file is an object if its path is a [`Key`]. A symbolic link to a file within the directory counts as that file; any
//! other link, a directory behind a link, and a name that is no key are not followed and are handed out as [`Strange`].

use std::fs::{self, FileType, Metadata};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tidegate_model::Key;

/// Segments with this beginning belong to tidegate: its state directory and files that are being written. They are no
/// keys of a directory.
pub(crate) const RESERVED: &str = ".tidegate";

/// What tells one version of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    /// Inode; 0 where the file system does not keep them.
    pub(crate) inode: u64,
    /// Modification time, nanoseconds since 1970.
    pub(crate) modified: i128,
    /// Size in bytes.
    pub(crate) size: u64,
}

impl Stamp {
    pub(crate) fn new(metadata: &Metadata, stable_inodes: bool) -> Self {
        Self {
            inode: if stable_inodes { metadata.ino() } else { 0 },
            modified: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
            size: metadata.len(),
        }
    }

    /// The version as entity tag.
    pub(crate) fn etag(&self) -> String {
        format!("{:x}-{:x}-{:x}", self.inode, self.modified, self.size)
    }
}

/// Something in a directory that is no object, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Strange {
    /// A link that leads out of the bucket, to a directory, or nowhere.
    Link(PathBuf),
    /// A name that cannot be a key.
    Name(PathBuf, String),
    /// A directory that cannot be read.
    Unreadable(PathBuf, String),
}

impl Strange {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Link(path) | Self::Name(path, _) | Self::Unreadable(path, _) => path,
        }
    }
}

impl std::fmt::Display for Strange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Link(path) => {
                write!(
                    f,
                    "`{}` is a link to something that is no file in this bucket; it is not followed",
                    path.display()
                )
            }
            Self::Name(path, why) => write!(f, "{path:?} is no object: {why}"),
            Self::Unreadable(path, why) => write!(f, "`{}` cannot be read: {why}", path.display()),
        }
    }
}

/// One finding of a walk.
#[derive(Debug)]
pub(crate) enum Found {
    /// An object.
    File {
        /// Its key.
        key: String,
        /// Its version.
        stamp: Stamp,
    },
    /// A directory, by its key; [`walk`] tells of them by `enter` instead.
    Directory(String),
    /// No object.
    Strange(Strange),
}

/// The directory a walk is in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'a> {
    /// The bucket's directory, links resolved.
    pub(crate) root: &'a Path,
    /// The directory that no link may lead out of: the same, unless somebody named a single file.
    pub(crate) bounds: &'a Path,
    /// Whether inodes tell files apart here.
    pub(crate) stable_inodes: bool,
}

/// What is at `path` (with `key`) now; `None` if nothing is there that concerns us.
pub(crate) fn look(tree: Tree<'_>, path: &Path, key: &str) -> io::Result<Option<Found>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            Ok(Some(Found::File { key: key.to_owned(), stamp: Stamp::new(&metadata, tree.stable_inodes) }))
        }
        Ok(metadata) if metadata.is_symlink() => Ok(Some(follow(tree, path, key))),
        Ok(metadata) if metadata.is_dir() => Ok(Some(Found::Directory(key.to_owned()))),
        Ok(_) => Ok(None),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// True if the error says that there is no such file (any more).
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The file behind a link, if it is one of this bucket.
fn follow(tree: Tree<'_>, path: &Path, key: &str) -> Found {
    match target_of_link(tree.bounds, path) {
        Some((_, metadata)) => Found::File { key: key.to_owned(), stamp: Stamp::new(&metadata, tree.stable_inodes) },
        None => Found::Strange(Strange::Link(path.to_owned())),
    }
}

/// Where a link leads, if that is a file within `bounds`.
pub(crate) fn target_of_link(bounds: &Path, path: &Path) -> Option<(PathBuf, Metadata)> {
    let target = fs::canonicalize(path).ok()?;
    let within = target.strip_prefix(bounds).ok()?;
    if within.iter().any(|segment| segment.to_string_lossy().starts_with(RESERVED)) {
        return None;
    }
    let metadata = fs::symlink_metadata(&target).ok().filter(Metadata::is_file)?;
    Some((target, metadata))
}

/// Directories with fewer entries are walked in the order of their names: what was written one after the other, under names that say
/// so, is then seen one after the other. Larger ones would take memory for it.
const SORTED: usize = 10_000;

/// Walks everything below the directory `start` (the bucket's own for an empty key, else the directory of that key).
/// `enter` is called before a directory is listed, with its path and key, and says whether to; `visit` with each
/// finding, and ends the walk by `Break`. What vanishes meanwhile is left out.
///
/// # Errors
/// That of listing `start` itself, unless it is absent and not the bucket's own.
pub(crate) fn walk(
    tree: Tree<'_>,
    start: &str,
    enter: &mut dyn FnMut(&Path, &str) -> bool,
    visit: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut pending = vec![start.to_owned()];
    while let Some(directory) = pending.pop() {
        let path = tree.root.join(&directory);
        if !enter(&path, &directory) {
            continue;
        }
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if directory.is_empty() || (directory == start && !is_gone(&error)) => return Err(error),
            Err(error) if is_gone(&error) => continue,
            Err(error) => {
                if visit(Found::Strange(Strange::Unreadable(path, error.to_string()))).is_break() {
                    return Ok(());
                }
                continue;
            }
        };
        let mut entries = entries;
        let mut first: Vec<io::Result<fs::DirEntry>> = entries.by_ref().take(SORTED).collect();
        if first.len() < SORTED {
            first.sort_by_cached_key(|entry| entry.as_ref().ok().map(fs::DirEntry::file_name));
        }
        // What is pending last is taken first.
        let before = pending.len();
        for entry in first.into_iter().chain(entries) {
            let found = match entry {
                Ok(entry) => judge(tree, &directory, &entry, &mut pending),
                Err(error) => Some(Found::Strange(Strange::Unreadable(path.clone(), error.to_string()))),
            };
            if let Some(found) = found
                && visit(found).is_break()
            {
                return Ok(());
            }
        }
        pending[before..].reverse();
    }
    Ok(())
}

/// What a directory entry is; directories go to `pending`.
fn judge(tree: Tree<'_>, directory: &str, entry: &fs::DirEntry, pending: &mut Vec<String>) -> Option<Found> {
    let name = entry.file_name();
    if name.as_encoded_bytes().starts_with(RESERVED.as_bytes()) {
        return None;
    }
    let kind = entry.file_type().ok()?;
    if !is_interesting(kind) {
        return None;
    }
    let Some(name) = name.to_str() else {
        return Some(Found::Strange(Strange::Name(entry.path(), "its name is not UTF-8".to_owned())));
    };
    let key = join(directory, name);
    if let Err(why) = Key::new(&key) {
        return Some(Found::Strange(Strange::Name(entry.path(), why.to_string())));
    }
    if kind.is_dir() {
        pending.push(key);
        return None;
    }
    if kind.is_symlink() {
        return Some(follow(tree, &entry.path(), &key));
    }
    let metadata = entry.metadata().ok()?;
    Some(Found::File { key, stamp: Stamp::new(&metadata, tree.stable_inodes) })
}

/// Sockets, pipes and devices are nothing to us; opening one could wait for ever.
fn is_interesting(kind: FileType) -> bool {
    kind.is_file() || kind.is_dir() || kind.is_symlink()
}

/// The key of `name` in the directory of this key.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_by_when_it_was_written_is_seen_in_that_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut keys = Vec::new();
        for day in ["2026-01-02", "2026-01-01", "2025-12-31"] {
            for run in ["0900-b", "0800-a", "1000-c"] {
                let key = format!("{day}/{run}/manifest.json");
                let path = folder.path().join(&key);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                fs::write(path, "{}").expect("a file");
                keys.push(key);
            }
        }
        keys.sort();
        let mut seen = Vec::new();
        let visit = &mut |found| {
            if let Found::File { key, .. } = found {
                seen.push(key);
            }
            ControlFlow::Continue(())
        };
        let tree = Tree { root: folder.path(), bounds: folder.path(), stable_inodes: true };
        walk(tree, "", &mut |_, _| true, visit).expect("a walk");
        assert_eq!(seen, keys);
    }
}
