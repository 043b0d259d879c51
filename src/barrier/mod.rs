//! The barrier: everything below it is ciphertext, values and names alike.
//!
//! Owns the keyring, the record format, name encryption, and the two handles that the rooms above
//! read and write through: a [`View`] of one subtree and a [`Batch`] of changes.
//!
//! Invariants
//! - Only an [`Unsealed`] barrier can encrypt or decrypt; sealing drops the keys.
//! - A record opens only at the path it was sealed for.
//! - One [`Batch`] becomes one log entry.

mod batch;
mod unsealed;
mod view;

pub use batch::{Batch, Commit};
pub use unsealed::Unsealed;
pub use view::{Entry, View};

/// Why the barrier could not serve.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BarrierError {
    /// Not now or fatal, as the store says.
    #[error(transparent)]
    Read(#[from] crate::store::ReadError),
    /// As the store says.
    #[error(transparent)]
    Commit(#[from] crate::store::CommitError),
    /// Fatal: a record failed authentication; the disk or the data was tampered with.
    #[error("record failed authentication")]
    Tampered,
    /// Fatal: a record names a key term that the keyring lacks.
    #[error("record is sealed under unknown key term {0}")]
    UnknownKeyTerm(u32),
    /// The client's fault: the path cannot be stored.
    #[error(transparent)]
    Path(#[from] crate::path::PathError),
    /// A stored record does not decode; the message names the kind, never the content.
    #[error("stored {0} record does not decode")]
    Decode(&'static str),
    /// Not now: the barrier was sealed meanwhile.
    #[error("the barrier is sealed")]
    Sealed,
}
