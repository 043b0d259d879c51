//! Leadership: elections, handing over, batches of writes, current reads.
//!
//! Owns the conductor, the one task that follows raft and tells the rest of the node.
//!
//! Invariants
//! - A node serves as leader only while it is unsealed, proves it, and a quorum answers it.
//! - One handover at a time; a node that let go stands back.
//! - One batch is under way at a time; a lone writer never waits for company.
//! - A lone node has no timers.
//!
//! It never changes the members, except to finish a change that stopped half way.

pub(in crate::raft) mod absence;
pub(in crate::raft) mod conductor;
pub(in crate::raft) mod handover;
pub(in crate::raft) mod heirs;
pub(in crate::raft) mod proposer;
pub(in crate::raft) mod read_index;
pub(in crate::raft) mod succession;
mod survey;
