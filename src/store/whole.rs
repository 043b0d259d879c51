//! The store as a whole: read at one instant, and replaced.

use super::state::View;
use super::{BoxFuture, CommitError, Key, ReadError, Revision};
use crate::clock::Timestamp;
use bytes::Bytes;

/// Records in order of their keys, read while they are restored. An error ends the restore with
/// nothing changed.
pub type Records = Box<dyn Iterator<Item = std::io::Result<(Key, Bytes)>> + Send>;

/// The reason for which a restore failed. Nothing has changed, but for [`CommitError::Unavailable`]
/// of the last step, which may still take effect.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The records could not be read to their end.
    #[error("failed to read the records: {0}")]
    Records(std::io::Error),
    /// Not now: another restore began, or another node leads.
    #[error("the restore was superseded by another one, or by a change of leader; nothing changed")]
    Superseded,
    /// The store's own error.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// A store that can be saved and replaced as a whole.
pub trait Whole: Send + Sync {
    /// Saves the applied entries and returns a view of all records, at one instant.
    fn view(&self) -> BoxFuture<'_, Result<View, ReadError>>;

    /// Replaces all records by `records`, on every node, as one change; the members stay as they
    /// are. The clock's floor becomes at least `time_floor`. Reads and writes go on meanwhile;
    /// records written before the end are replaced, too.
    fn restore(
        &self,
        records: Records,
        time_floor: Timestamp,
    ) -> BoxFuture<'_, Result<Revision, RestoreError>>;

    /// Forgets the records that a restore which ended with its leader has left behind. Only on a
    /// leader; writes nothing when there are none.
    fn abandon_restore(&self) -> BoxFuture<'_, Result<(), CommitError>>;

    /// Makes a nameless file on the store's device, for a snapshot on its way in: gone once it is
    /// dropped. One at a time: `WouldBlock` while there is another.
    fn scratch(&self) -> std::io::Result<Scratch>;
}

/// A file for a snapshot on its way in: see [`Whole::scratch`].
#[derive(Debug)]
pub struct Scratch {
    /// The file, empty at first.
    pub file: std::fs::File,
    /// The turn, which lets no other file be made.
    pub turn: tokio::sync::OwnedMutexGuard<()>,
}
