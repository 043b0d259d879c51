//! The mount table: the engines behind the API's paths.
//!
//! Owns the record `core/mounts` (secrets engines and auth methods in one), the rules about paths
//! that may not be mounted, and the markers `core/purge/<uuid>` of unmounted subtrees whose
//! records are still to be deleted.
//!
//! Invariants
//! - No mount's path lies within another's, so at most one mount matches a request.
//! - A snapshot never changes; a change of the record, on whichever node, makes the next call of
//!   [`Table::snapshot`] read it anew.
//! - Unmounting takes the mount away at once and in one entry; its records go in bounded batches.
//!
//! It does not know engines: `router` joins a kind with its engine.

mod entry;
mod purge;
mod table;

pub use entry::{Class, Config, Entry};
pub use purge::{PURGE_BATCH_RECORDS_MAX, Purges};
pub use table::{MOUNTS_MAX, Migration, Snapshot, Table, codec};

/// Reasons to refuse a change of the table.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// Client's fault: the path, or one above or below it, is mounted.
    #[error("path is already in use at {0}")]
    InUse(String),
    /// Client's fault: as [`MountError::InUse`], in the words of remount.
    #[error("path already in use at {0:?}")]
    DestinationInUse(String),
    /// Client's fault: the path belongs to the system.
    #[error("cannot mount {0:?}")]
    Reserved(String),
    /// Client's fault: the system needs this mount.
    #[error("cannot unmount {0:?}")]
    CannotUnmount(String),
    /// Client's fault: the system needs the token method.
    #[error("token credential backend cannot be disabled")]
    CannotDisableToken,
    /// Client's fault: the system needs this mount where it is.
    #[error("cannot remount {0:?}")]
    CannotRemount(String),
    /// Client's fault: no mount may be moved there.
    #[error("cannot remount to destination {0}")]
    BadDestination(String),
    /// Client's fault: no engine is mounted there.
    #[error("no matching mount at {0:?}")]
    NoMatch(String),
    /// Client's fault: no engine is mounted there to tune.
    #[error("tune of path {0:?} failed: no mount entry found")]
    NothingToTune(String),
    /// Client's fault: there are too many mounts; unmount one first.
    #[error("there are {MOUNTS_MAX} mounts already")]
    TooMany,
    /// Client's fault: the path is invalid; choose another.
    #[error(transparent)]
    Path(#[from] crate::path::PathError),
    /// The barrier's error.
    #[error(transparent)]
    Barrier(#[from] crate::barrier::BarrierError),
}
