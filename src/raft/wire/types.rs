//! openraft's parameters, and coffer's forms of its types.

use super::record;
use crate::peer::{Member, PublicKey};
use bytes::Bytes;
use openraft::type_config::alias;
use serde::{Deserialize, Serialize};
use std::fmt;

openraft::declare_raft_types!(
    /// The types that this program's raft is made of.
    pub TypeConfig:
        D = Command,
        R = Outcome,
        NodeId = u64,
        Node = Peer,
        Term = u64,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
);

/// An entry of the log.
pub(in crate::raft) type LogEntry = alias::EntryOf<TypeConfig>;
/// Term and index.
pub(in crate::raft) type LogId = alias::LogIdOf<TypeConfig>;
/// A vote.
pub(in crate::raft) type Vote = alias::VoteOf<TypeConfig>;
/// Voters and learners.
pub(in crate::raft) type Membership = openraft::Membership<u64, Peer>;
/// A membership and the entry that made it.
pub(in crate::raft) type StoredMembership = alias::StoredMembershipOf<TypeConfig>;

/// A transaction as the log keeps it: encoded once, when it is proposed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command(pub(in crate::raft) Bytes);

impl Command {
    /// Returns the command's size in the log, in bytes.
    pub(in crate::raft) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} bytes)", self.0.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// The outcome of applying a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The command was applied; its revision is the entry's index.
    Applied,
    /// A precondition did not hold, and nothing changed.
    Conflict,
    /// The entry had nothing to apply.
    Nothing,
}

/// A member of the cluster as the membership keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The operator's `node_id`.
    pub name: String,
    /// The address at which the member's peers reach it.
    pub cluster_address: String,
    /// The member's pinned public key; empty when it was never told.
    pub public_key: Vec<u8>,
    /// The URL at which clients reach the member.
    pub api_address: String,
    /// True when the member was asked to stay without a vote.
    pub non_voter: bool,
}

impl Peer {
    /// Returns the part of the record that the network needs.
    pub fn member(&self) -> Member {
        Member {
            name: self.name.clone(),
            address: self.cluster_address.clone(),
            public_key: PublicKey(Bytes::copy_from_slice(&self.public_key)),
        }
    }
}

/// Returns the place in the log that `id` names.
pub(in crate::raft) fn position(id: &LogId) -> record::Position {
    record::Position {
        term: id.committed_leader_id().term,
        index: id.index(),
    }
}

/// Returns openraft's form of a place in the log.
pub(in crate::raft) fn log_id(position: record::Position) -> LogId {
    LogId::new_term_index(position.term, position.index)
}
