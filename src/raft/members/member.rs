//! Members as callers see and change them.

use crate::peer::PublicKey;
use std::time::Duration;

/// One member, as this node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberInfo {
    /// The operator's `node_id`.
    pub name: String,
    /// The node's number in the log; a node that starts anew has another.
    pub raft_id: u64,
    /// `host:port` of the node's cluster listener.
    pub cluster_address: String,
    /// The URL of the node's API: `http://192.168.50.101:8200`.
    pub api_address: String,
    /// The node's pinned key.
    pub public_key: PublicKey,
    /// True when the node votes.
    pub voter: bool,
    /// True when the node was asked to stay without a vote.
    pub non_voter: bool,
    /// True when the node leads.
    pub leader: bool,
    /// True when the node has its keys and may lead; `None` when it was not heard of.
    pub elects: Option<bool>,
    /// The time since the node was heard of last; `None` when it never was. Zero for the node that
    /// is asked.
    pub last_contact: Option<Duration>,
    /// The index of the last entry that the node is known to hold.
    pub last_index: u64,
    /// The term of that entry.
    pub last_term: u64,
    /// The name of the node's host, when it was heard of.
    pub hostname: String,
    /// The node's version of coffer, when it was heard of.
    pub version: String,
}

/// A node that is to become a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMember {
    /// The node's number, from [`crate::raft::RaftStorage::raft_id`] there.
    pub raft_id: u64,
    /// The operator's `node_id`; another member of that name is replaced.
    pub name: String,
    /// `host:port` of the node's cluster listener.
    pub cluster_address: String,
    /// The URL of the node's API: `http://192.168.50.101:8200`.
    pub api_address: String,
    /// The node's pinned key.
    pub public_key: PublicKey,
    /// True when the node is to stay without a vote.
    pub non_voter: bool,
}

/// A change of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Removes the member from the cluster.
    Remove {
        /// True to skip the count that protects the quorum.
        force: bool,
    },
    /// Gives the member a vote.
    Promote,
    /// Takes the member's vote.
    Demote,
}
