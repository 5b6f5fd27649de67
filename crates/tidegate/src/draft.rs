//! Files that people keep: written beside their place, and moved there in one step once they are whole. Others may read them as
//! they may any other file.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// An empty file in the folder of `path`, which `persist` moves there.
///
/// # Errors
/// If it cannot be made there.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tidegate-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Less what the system takes away from every new file: temporary files would be for their owner alone.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
