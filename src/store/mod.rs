//! The store: the [`Storage`] seam between the barrier and the rooms that replicate and keep its
//! records.
//!
//! Owns the words of that seam ([`Transaction`], [`Record`], [`Revision`]) and the local key-value
//! state. Everything here is ciphertext or a public parameter; no key ever comes this far down.
//!
//! Invariants
//! - A transaction applies whole or not at all, and applying it is deterministic.
//! - A record carries the index of the log entry that wrote it last; preconditions compare it.
//! - Keys are ordered as bytes.

pub mod archive;
#[cfg(test)]
pub mod conformance;
mod inmem;
mod observers;
pub mod space;
pub mod state;
mod types;
mod whole;

pub use inmem::Inmem;
pub use observers::Observers;
pub use types::{
    CommitError, Key, Observer, Op, Precondition, ReadError, Record, Revision, StorageStatus,
    Transaction, Visit,
};

pub use whole::{Records, RestoreError, Scratch, Whole};

pub use crate::task::BoxFuture;

use std::sync::{Arc, Weak};

/// The store as the barrier needs it. `raft` implements it over a replicated log; [`Inmem`] over a
/// map for dev mode and tests.
pub trait Storage: Send + Sync + 'static {
    /// Reads one record of the applied state. Cheap, may touch the disk, never waits for a quorum.
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError>;

    /// Visits the keys that start with `prefix`, ascending, until `visit` says stop. After
    /// [`Visit::Seek`] the walk goes on at the first key `>=` the one given.
    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError>;

    /// Makes one log entry of `transaction` and returns once a quorum has it on disk and it is
    /// applied here. The revision is the entry's index.
    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>>;

    /// Returns once reads of this node's applied state are linearizable with all writes
    /// acknowledged before the call. Immediate on a leader that holds its lease.
    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>>;

    /// Announces a write that is about to be committed, so that group commit can wait a moment
    /// for it. Dropped when the write is done or given up.
    fn announce_write(&self) -> WriteIntent {
        WriteIntent(None)
    }

    /// Registers an observer of the keys of every applied transaction (also those of other nodes),
    /// called on the applying thread before `commit` returns. It must be brief. The store does not
    /// keep the observer alive: an observer that belongs to a barrier goes with it.
    fn observe(&self, observer: Weak<dyn Observer>);

    /// Returns indexes and role for status pages.
    fn status(&self) -> StorageStatus;

    /// Returns whether new data may be committed, as far as the disk's space goes. What repairs is
    /// committed without asking.
    ///
    /// # Errors
    /// [`CommitError::DiskFull`], with the message for the client.
    fn admit_data(&self) -> Result<(), CommitError> {
        Ok(())
    }

    /// Gives up a little of the disk's reserve for what repairs; returns true when there was any.
    /// Waits for the disk.
    fn give_up_reserve(&self) -> bool {
        false
    }

    /// Completes with the reason once the store is poisoned, and never otherwise. The node waits
    /// for it and stops.
    fn failed(&self) -> BoxFuture<'_, String> {
        Box::pin(std::future::pending())
    }

    /// Returns once each part that a commit goes through has taken a turn since the call. Writes
    /// nothing. While one of them is stuck, or has ended, it does not return.
    fn alive(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Returns the store as a whole, where it can be saved and replaced; `None` for a store that
    /// does not outlive the process.
    fn whole(&self) -> Option<&dyn Whole> {
        None
    }

    /// Checkpoints and releases files; afterwards every call fails.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// A write that was announced: see [`Storage::announce_write`].
pub struct WriteIntent(pub Option<Arc<std::sync::atomic::AtomicUsize>>);

impl Drop for WriteIntent {
    fn drop(&mut self) {
        if let Some(count) = &self.0 {
            count.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
        }
    }
}
