//! The types of the storage seam.

use crate::clock::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A storage key: an encrypted path, or a reserved name for public parameters.
pub type Key = Bytes;

/// The index of the log entry that wrote a record last; zero stands for "no record".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

/// A stored value with the revision it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The entry that wrote the record.
    pub revision: Revision,
    /// The ciphertext, or a public parameter.
    pub value: Bytes,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Writes `value` at `key`.
    Put {
        /// The key to write.
        key: Key,
        /// The new value.
        value: Bytes,
    },
    /// Removes `key`; does nothing when it is absent.
    Delete {
        /// The key to remove.
        key: Key,
    },
}

/// A condition of a transaction: `key` must still have `revision` (zero: be absent), or the whole
/// transaction does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// The key of the record.
    pub key: Key,
    /// The revision that the writer saw.
    pub revision: Revision,
}

/// The changes of one request, which become one log entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The cluster time at the active node; becomes the floor of the clock.
    pub time: Timestamp,
    /// The conditions, all of which must hold.
    pub preconditions: Vec<Precondition>,
    /// The changes, applied in order.
    pub ops: Vec<Op>,
}

/// The continuation of a scan after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Goes on with the next key.
    Next,
    /// Goes on with the first key at or after this one.
    Seek(Vec<u8>),
    /// Ends the scan.
    Stop,
}

/// The reason for which a read failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Not now: no leader, or no quorum answered in time. Try again.
    #[error("no quorum: {0}")]
    Unavailable(String),
    /// Fatal: the disk or the state is damaged; the node stops.
    #[error("storage failed: {0}")]
    Fatal(String),
}

/// The reason for which a commit failed. [`CommitError::Conflict`], [`CommitError::TooLarge`] and
/// [`CommitError::NotLeader`] promise that nothing was written; after `Unavailable` the write may
/// still appear.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold: read again and retry.
    #[error("a record changed underneath")]
    Conflict,
    /// The client's fault: the transaction is larger than one log entry may be.
    #[error("write of {bytes} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The transaction's size, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not now: this node does not lead. The transaction was not proposed, so another node may be
    /// asked.
    #[error("not the leader")]
    NotLeader,
    /// Not now: no quorum in time, or the node is stopping.
    #[error("no quorum: {0}")]
    Unavailable(String),
    /// Not now: the disk is full, or so nearly that new data is refused; nothing was written. The
    /// text is for the client: where, how much is left, and what to do.
    #[error("disk full: {0}")]
    DiskFull(String),
    /// Fatal: a write or flush failed; the node stops.
    #[error("storage failed: {0}")]
    Fatal(String),
}

/// An observer of the keys of every applied transaction.
pub trait Observer: Send + Sync {
    /// Notes that the entry `revision` put or deleted `keys`. An empty slice means that everything
    /// may have changed (a snapshot was installed).
    fn applied(&self, revision: Revision, keys: &[Key]);
}

/// The indexes and the role of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageStatus {
    /// The highest index known to be committed.
    pub committed_index: u64,
    /// The highest index applied here.
    pub applied_index: u64,
    /// Raft's term; zero for a store without one.
    pub term: u64,
    /// True when this node may commit.
    pub leads: bool,
    /// The highest cluster time among the applied transactions.
    pub time_floor: Timestamp,
    /// The reason, once the store is poisoned.
    pub failed: Option<String>,
}
