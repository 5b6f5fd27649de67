//! SHA-256 of what is read to its end.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// The hash in small hexadecimal digits, and how many bytes there were.
///
/// # Errors
/// What the reader says.
pub(crate) fn sha256(mut reader: impl Read) -> io::Result<(String, u64)> {
    let (mut hasher, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok((hex(&hasher.finalize()), size));
        }
        size += count as u64;
        hasher.update(&buffer[..count]);
    }
}

/// Bytes in small hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
