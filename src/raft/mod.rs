//! The replicated store: openraft over our own log and state.
//!
//! Owns consensus, the log on the device, the state machine, and the data directory.
//! [`RaftStorage`] is [`crate::store::Storage`] over them.
//!
//! Invariants
//! - Acknowledged means flushed on a quorum and applied here.
//! - Applying is deterministic: no keys, no clock, no randomness.
//! - A node leads only after [`RaftStorage::become_leader`]; a sealed one is never told to.
//! - One process per data directory.
//! - The first failed write or flush poisons the node; nothing is tried again over it.
//! - Without requests nothing is written.
//!
//! It never sees a key or plaintext; the barrier is above it and unknown to it.

mod command;
mod data_dir;
mod device;
mod error;
pub mod log_store;
mod network;
mod options;
mod poison;
pub mod probe;
mod proposer;
mod state_machine;
mod storage;
mod types;
mod wire;

pub use device::{Device, Verdict};
pub use error::OpenError;
pub use options::Options;
pub use storage::{RaftStorage, TRANSACTION_BYTES_MAX};

#[cfg(test)]
mod tests;
