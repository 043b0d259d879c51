//! The seam between the log and its device.

use std::io;
use std::time::Duration;

/// A write that keeps the device busy for longer costs a node its leadership.
pub(in crate::raft) const STALL_MAX: Duration = Duration::from_millis(1200);

/// Asked before each write of the log, on the thread that writes. A node has none; a test puts a
/// slow, full, failing or dying device here.
pub trait Device: Send + Sync + 'static {
    /// Decides about a write of `bytes`. It may take its time.
    fn before_write(&self, bytes: usize) -> Verdict;

    /// Returns whether there is room for a new segment.
    fn has_room(&self) -> bool {
        true
    }
}

/// See [`Device::before_write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is written.
    Write,
    /// The power goes after this many bytes: they are on the device, the rest is not, and nobody
    /// learns of it before the log is opened again.
    Tear(usize),
    /// The device refuses.
    Fail(io::ErrorKind),
}
