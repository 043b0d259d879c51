//! The parts of an open storage that its handle and its tasks share, and the small states in them.
//!
//! Owns [`shared::Shared`]: raft, log, state, voice, and this node's situation (the leader, its
//! removal, its standing back). The rooms above add their functions to it.
//!
//! Invariants
//! - Each state has a lock of its own, held for no await.
//!
//! It never starts a task.

pub(in crate::raft) mod leadership;
pub(in crate::raft) mod lease;
pub(in crate::raft) mod moves;
pub(in crate::raft) mod readers;
pub(in crate::raft) mod refusals;
pub(in crate::raft) mod shared;
pub(in crate::raft) mod standing_back;
