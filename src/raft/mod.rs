//! The replicated store: openraft over our own log and state.
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
//! - What is known to be committed is never taken back, whoever says so.
//! - Without requests nothing is written.
//!
//! It never sees a key or plaintext; the barrier is above it and unknown to it.

mod absence;
mod acknowledged;
mod command;
mod conductor;
mod data_dir;
mod device;
mod error;
mod forced;
mod handover;
mod introduce;
mod joint;
mod leadership;
mod lease;
pub mod log_store;
mod member;
mod members;
mod network;
mod opening;
mod options;
mod parting;
mod peers_file;
mod poison;
pub mod probe;
mod proof;
mod proposer;
mod quorum;
mod read_index;
mod recover;
mod refusals;
mod restore;
mod rpc;
mod saving;
mod server;
mod shared;
mod snapshot;
mod standing_back;
mod state_machine;
mod storage;
mod timing;
mod types;
mod voice;
mod whereabouts;
mod wire;

pub use data_dir::check_directory;
pub use device::{Device, Verdict};
pub use error::{ChangeError, OpenError};
pub use leadership::Leadership;
pub use member::{Change, MemberInfo, NewMember};
pub use options::Options;
pub use proof::{ClusterPublicKey, SIGNATURE_BYTES, Signer};
pub use recover::Recovered;
pub use storage::{RaftStorage, TRANSACTION_BYTES_MAX};
pub use timing::Timing;
pub use types::Peer;

#[cfg(test)]
mod tests;
