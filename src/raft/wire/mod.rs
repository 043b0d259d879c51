//! The formats of the log and of the messages between members: records, commands, messages.
//!
//! Owns every encoding of raft that leaves memory, with its versions, and the parameters that
//! openraft is built with. openraft's own types stop here: its next release changes no byte.
//!
//! Invariants
//! - Records and messages of earlier releases are read; variants are appended, never renumbered.
//! - Decoding takes arbitrary bytes and allocates no more than they hold.
//!
//! It never decides anything.

pub(in crate::raft) mod command;
pub(in crate::raft) mod message;
pub mod probe;
pub(in crate::raft) mod record;
pub(in crate::raft) mod types;
