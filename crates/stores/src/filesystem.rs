//! What kind of file system a directory is on: decides how it is watched (hop 1) and what tells its files apart.

use std::io;
use std::path::Path;

/// A kind of file system, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileSystem {
    /// Changes are made through this machine's kernel, which tells of them.
    Local,
    /// Others may change it unseen; inodes are the server's.
    Network,
    /// Others may change it unseen, and inodes may be another after the next mount.
    NetworkWithoutInodes,
}

impl FileSystem {
    /// True if the kernel tells of every change.
    pub(crate) fn tells_changes(self) -> bool {
        self == Self::Local
    }

    /// True if a file keeps its inode as long as it exists.
    pub(crate) fn has_stable_inodes(self) -> bool {
        self != Self::NetworkWithoutInodes
    }
}

/// The kind of the file system that `path` is on.
#[cfg(target_os = "linux")]
pub(crate) fn kind(path: &Path) -> io::Result<FileSystem> {
    // linux/magic.h and the file systems' own sources.
    const NFS: u32 = 0x6969;
    const AFS: u32 = 0x5346_414f;
    const CEPH: u32 = 0x00c3_6400;
    const LUSTRE: u32 = 0x0bd0_0bd0;
    const GPFS: u32 = 0x4750_4653;
    const SMB: u32 = 0x517b;
    const SMB2: u32 = 0xfe53_4d42;
    const CIFS: u32 = 0xff53_4d42;
    const FUSE: u32 = 0x6573_5546;
    const V9FS: u32 = 0x0102_1997;
    const VBOXSF: u32 = 0x786f_4256;
    let magic = rustix::fs::statfs(path)?.f_type;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the numbers have 32 bits; the field is wider on some machines"
    )]
    let magic = magic as u32;
    Ok(match magic {
        NFS | AFS | CEPH | LUSTRE | GPFS => FileSystem::Network,
        SMB | SMB2 | CIFS | FUSE | V9FS | VBOXSF => FileSystem::NetworkWithoutInodes,
        _ => FileSystem::Local,
    })
}

/// The kind of the file system that `path` is on.
#[cfg(not(target_os = "linux"))]
pub(crate) fn kind(path: &Path) -> io::Result<FileSystem> {
    std::fs::metadata(path).map(|_| FileSystem::Local)
}
