//! The words of the storage seam.

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
    /// Entry that wrote it.
    pub revision: Revision,
    /// Ciphertext, or a public parameter.
    pub value: Bytes,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Write `value` at `key`.
    Put {
        /// Where.
        key: Key,
        /// What.
        value: Bytes,
    },
    /// Remove `key`; nothing happens when it is absent.
    Delete {
        /// Where.
        key: Key,
    },
}

/// `key` must still have `revision` (zero: be absent), or the whole transaction does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// Which record.
    pub key: Key,
    /// What the writer saw.
    pub revision: Revision,
}

/// What one request changes: one log entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Cluster time at the active node; becomes the floor of the clock.
    pub time: Timestamp,
    /// All must hold.
    pub preconditions: Vec<Precondition>,
    /// Applied in order.
    pub ops: Vec<Op>,
}

/// What a scan does after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Go on with the next key.
    Next,
    /// Go on with the first key at or after this one.
    Seek(Vec<u8>),
    /// Enough.
    Stop,
}

/// Why a read failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Not now: no leader, or no quorum answered in time. Try again.
    #[error("no quorum: {0}")]
    Unavailable(String),
    /// Fatal: the disk or the state is damaged; the node stops.
    #[error("storage failed: {0}")]
    Fatal(String),
}

/// Why a commit failed. [`CommitError::Conflict`], [`CommitError::TooLarge`] and
/// [`CommitError::NotLeader`] promise that nothing was written; after `Unavailable` the write may
/// still appear.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold: read again and retry.
    #[error("a record changed underneath")]
    Conflict,
    /// Client's fault: the transaction is larger than one log entry may be.
    #[error("write of {bytes} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not now: this node does not lead. It was not proposed, so another node may be asked.
    #[error("not the leader")]
    NotLeader,
    /// Not now: no quorum in time, or the node is stopping.
    #[error("no quorum: {0}")]
    Unavailable(String),
    /// Not now: the disk is full; nothing was acknowledged, free space and retry.
    #[error("disk full: {0}")]
    DiskFull(String),
    /// Fatal: a write or flush failed; the node stops.
    #[error("storage failed: {0}")]
    Fatal(String),
}

/// Told of every applied transaction's keys.
pub trait Observer: Send + Sync {
    /// `keys` were put or deleted by the entry `revision`. An empty slice with a revision means
    /// that everything may have changed (a snapshot was installed).
    fn applied(&self, revision: Revision, keys: &[Key]);
}

/// Indexes and role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageStatus {
    /// Highest index known to be committed.
    pub committed_index: u64,
    /// Highest index applied here.
    pub applied_index: u64,
    /// Raft's term; zero for a store without one.
    pub term: u64,
    /// True when this node may commit.
    pub leads: bool,
    /// Highest cluster time among the applied transactions.
    pub time_floor: Timestamp,
    /// Set once the store is poisoned, with the reason.
    pub failed: Option<String>,
}
