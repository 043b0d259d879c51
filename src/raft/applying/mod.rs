//! The state machine: applies entries, saves checkpoints, streams snapshots.
//!
//! Owns the use of [`crate::store::state`]: which entries are applied, when a checkpoint is saved,
//! and how a snapshot goes from one node to another.
//!
//! Invariants
//! - Applying is deterministic: no keys, no clock, no randomness.
//! - A snapshot counts only once it is whole; a stream that is cut leaves nothing.
//! - Raft purges only entries that a checkpoint holds.
//!
//! It never speaks to a peer itself.

pub(in crate::raft) mod saving;
pub(in crate::raft) mod snapshot;
pub(in crate::raft) mod state_machine;
