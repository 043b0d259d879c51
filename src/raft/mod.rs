//! The replicated store: openraft over coffer's own log and state.
//!
//! Owns consensus, the log on the device, the state machine, and the data directory.
//! [`RaftStorage`] is [`crate::store::Storage`] over them.
//!
//! Invariants
//! - Acknowledged means flushed on a quorum and applied here.
//! - Applying is deterministic: no keys, no clock, no randomness.
//! - A node serves as leader only while it is told that it may ([`RaftStorage::set_elect`]); a
//!   sealed one is not.
//! - One process per data directory.
//! - The first failed write or flush poisons the node; nothing is tried again over it.
//! - Where proof of the keys is required ([`RaftStorage::require_proof`]), only an unsealed member
//!   leads, is voted for, hands leadership over, or sends entries, snapshots and removals.
//! - Entries known to be committed are never taken back, whichever node asks for it.
//! - Without requests nothing is written.
//!
//! Its rooms, from the lowest; each imports only those before it:
//!
//! | room | what it does |
//! |---|---|
//! | `wire` | records of the log, commands, messages between members |
//! | `disk` | the data directory, its errors, its poison |
//! | `log_store` | the log on the device |
//! | `applying` | the state machine, checkpoints, snapshots |
//! | `proof` | proof of the keys |
//! | `speaking` | calls to peers, and their answers |
//! | `running` | the state that the handle and the tasks share |
//! | `members` | listing and changing the members |
//! | `leading` | leadership; batches of writes; current reads |
//! | `server` | answers to the requests of peers |
//! | `start` | opening, and memberships that the operator chose |
//! | `handle` | the handles that the rooms above use |
//!
//! It never sees a key or plaintext; the barrier is above it and unknown to it.

mod applying;
mod disk;
mod handle;
mod leading;
pub mod log_store;
mod members;
mod proof;
mod running;
mod server;
mod speaking;
mod start;
mod timing;
mod wire;

pub use disk::data_dir::check_directory;
pub use disk::device::{Device, Verdict};
pub use disk::error::OpenError;
pub use handle::recover::Recovered;
pub use handle::storage::{RaftStorage, TRANSACTION_BYTES_MAX};
pub use members::error::ChangeError;
pub use members::member::{Change, MemberInfo, NewMember};
pub use proof::{ClusterPublicKey, SIGNATURE_BYTES, Signer};
pub use running::leadership::Leadership;
pub use start::options::Options;
pub use timing::Timing;
pub use wire::probe;
pub use wire::types::Peer;

#[cfg(test)]
pub(crate) mod tests;
