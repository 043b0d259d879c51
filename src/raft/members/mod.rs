//! The members: listing, adding, promoting, demoting and removing them, and their addresses.
//!
//! Invariants
//! - Changes go one after the other, through joint consensus, and survive their proposer.
//! - No removal or demotion leaves too few voters to agree, unless it is forced; the last voter
//!   stays.
//! - A member that does not prove its keys changes only where its peers reach it, and seldom.
//!
//! It never changes the leader.

pub(in crate::raft) mod change;
pub(in crate::raft) mod error;
pub(in crate::raft) mod introduce;
pub(in crate::raft) mod joint;
pub(in crate::raft) mod member;
pub(in crate::raft) mod parting;
pub(in crate::raft) mod quorum;
pub(in crate::raft) mod whereabouts;
