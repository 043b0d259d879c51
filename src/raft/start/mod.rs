//! Opening: options, directory, log and state, and the memberships that the operator forces.
//!
//! Owns `raft/peers.json`.
//!
//! Invariants
//! - A directory that cannot be opened is left as it is.
//! - A membership that the operator chose is in force before raft runs, and changes nothing that
//!   raft decided: every entry keeps its place and its term.
//!
//! It never runs while raft does.

pub(in crate::raft) mod files;
pub(in crate::raft) mod force;
pub(in crate::raft) mod opening;
pub(in crate::raft) mod options;
pub(in crate::raft) mod peers_file;
