//! The log, as the place of values that memory does not hold.

use bytes::Bytes;
use std::io;

/// A log whose entries are applied to a state, and are kept until a checkpoint has them.
pub trait Journal: Send + Sync + 'static {
    /// Returns the value that the change `number` of the entry `index` wrote; `None` when the log
    /// has no such entry any more, or the entry no such change. May wait for the disk.
    ///
    /// # Errors
    /// The operating system's, or damage.
    fn value(&self, index: u64, number: u32) -> io::Result<Option<Bytes>>;
}
