//! This process's writes: its own counts, and the kernel's for it.

use crate::telemetry::writes;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// The most bytes of `/proc/self/io`, which has seven short lines.
const ACCOUNT_BYTES_MAX: usize = 1024;

static ACCOUNT: OnceLock<Option<File>> = OnceLock::new();

/// Opens the kernel's account of this process's writes and keeps it open. Belongs before the
/// process forbids dumps of itself: afterwards its files in `/proc` are root's.
pub fn keep_account() {
    ACCOUNT.get_or_init(|| File::open("/proc/self/io").ok());
}

/// Returns the bytes that the kernel counted for this process, merges of checkpoints among them;
/// `None` where it keeps no such account.
pub(super) fn counted_by_kernel() -> Option<u64> {
    let file = ACCOUNT.get_or_init(|| File::open("/proc/self/io").ok());
    let mut bytes = [0; ACCOUNT_BYTES_MAX];
    let size = file.as_ref()?.read_at(&mut bytes, 0).ok()?;
    written(std::str::from_utf8(bytes.get(..size)?).ok()?)
}

/// Reads the account: bytes that were written, less those of files that were removed before they
/// reached the device.
fn written(text: &str) -> Option<u64> {
    let field = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    };
    let cancelled = field("cancelled_write_bytes:").unwrap_or(0);
    Some(field("write_bytes:")?.saturating_sub(cancelled))
}

/// Returns the bytes of this process: the kernel's count, else the sum of its own.
pub(super) fn bytes() -> u64 {
    let parts = writes().parts();
    let counted = || parts.iter().map(|(_, part)| part.bytes()).sum();
    counted_by_kernel().unwrap_or_else(counted)
}

/// Returns the flushes that this process asked for, without those of the tables of checkpoints.
pub(super) fn flushes() -> u64 {
    let parts = writes().parts();
    let own = parts.iter().filter(|(name, _)| *name != "state");
    own.map(|(_, part)| part.flushes()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_account_is_read() {
        let text = "rchar: 9\nwchar: 8\nsyscr: 1\nsyscw: 1\nread_bytes: 0\nwrite_bytes: 8192\n\
                    cancelled_write_bytes: 4096\n";
        assert_eq!(written(text), Some(4096));
        assert_eq!(written("rchar: 9\n"), None);
    }
}
