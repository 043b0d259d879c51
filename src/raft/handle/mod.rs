//! The handles for the rooms above: the store, its members, its replacement, and recovery mode.
//!
//! Owns [`storage::RaftStorage`], which is [`crate::store::Storage`] and [`crate::store::Whole`]
//! over raft, and [`recover::Recovered`], the same without the cluster.
//!
//! Invariants
//! - A commit that returned is flushed on a quorum and applied here.
//! - A restore replaces everything or nothing; other writes are refused only while it commits.
//!
//! It never sees a key or plaintext.

pub(in crate::raft) mod members;
pub(in crate::raft) mod recover;
pub(in crate::raft) mod restore;
pub(in crate::raft) mod storage;
