//! The data directory, and the errors, the device and the poison that its users share.
//!
//! Owns `coffer.lock`, `coffer.data` and `raft/members.forced`.
//!
//! Invariants
//! - One process per data directory.
//! - A file takes its place by a rename, after it is flushed.
//! - The first failed write or flush poisons the node; nothing is tried again over it.
//!
//! It never reads the log or the state.

pub(in crate::raft) mod data_dir;
pub(in crate::raft) mod device;
pub(in crate::raft) mod error;
pub(in crate::raft) mod forced;
pub(in crate::raft) mod log_error;
pub(in crate::raft) mod poison;
