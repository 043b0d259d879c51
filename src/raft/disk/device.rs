//! The seam between the log and its device.

use std::io;
use std::time::Duration;

/// The longest that a write may keep the device busy before it costs the node its leadership.
pub(in crate::raft) const STALL_MAX: Duration = Duration::from_millis(1200);

/// Decides about each write of the log, on the thread that writes. A node has none; a test puts a
/// slow, full, failing or dying device here.
pub trait Device: Send + Sync + 'static {
    /// Decides about a write of `bytes`, and may take its time.
    fn before_write(&self, bytes: usize) -> Verdict;

    /// Returns true when there is room for a new segment.
    fn has_room(&self) -> bool {
        true
    }
}

/// A device's decision about a write: see [`Device::before_write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The write succeeds.
    Write,
    /// The power fails after this many bytes: they are on the device, the rest is not, and no
    /// caller learns of it before the log is opened again.
    Tear(usize),
    /// The device refuses the write.
    Fail(io::ErrorKind),
}
