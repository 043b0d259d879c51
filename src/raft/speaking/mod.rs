//! Calls to peers, and the judgement of their answers.
//!
//! Owns the outgoing half of raft's messages: envelopes, proofs, and what is made of answers.
//!
//! Invariants
//! - An answer is as hostile as a question: no vote, conflict or acknowledgement is believed that
//!   its sender could not truthfully give.
//! - A member counts as unsealed only by proof, where proofs are required.
//!
//! It never answers a peer; the server does.

pub(in crate::raft) mod acknowledged;
mod led;
pub(in crate::raft) mod network;
pub(in crate::raft) mod voice;
