//! Members as callers see and change them.

use crate::peer::PublicKey;
use std::time::Duration;

/// One member, as this node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberInfo {
    /// The operator's `node_id`.
    pub name: String,
    /// Its number in the log; a node that starts anew has another.
    pub raft_id: u64,
    /// `host:port` of its cluster listener.
    pub cluster_address: String,
    /// `http://192.168.50.101:8200`.
    pub api_address: String,
    /// Its pin.
    pub public_key: PublicKey,
    /// It votes.
    pub voter: bool,
    /// It was asked to stay without a vote.
    pub non_voter: bool,
    /// It leads.
    pub leader: bool,
    /// It has its keys and may lead; `None` when it was not heard of.
    pub elects: Option<bool>,
    /// Since it was heard of last; `None`: never. Zero for the node that is asked.
    pub last_contact: Option<Duration>,
    /// Index of the last entry that it is known to hold.
    pub last_index: u64,
    /// Term of that entry.
    pub last_term: u64,
    /// Its host's name, when it was heard of.
    pub hostname: String,
    /// Its version, when it was heard of.
    pub version: String,
}

/// A node that is to become a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMember {
    /// Its number, from [`crate::raft::RaftStorage::raft_id`] there.
    pub raft_id: u64,
    /// The operator's `node_id`; another member of that name is replaced.
    pub name: String,
    /// `host:port` of its cluster listener.
    pub cluster_address: String,
    /// `http://192.168.50.101:8200`.
    pub api_address: String,
    /// Its pin.
    pub public_key: PublicKey,
    /// It is to stay without a vote.
    pub non_voter: bool,
}

/// A change of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Out of the cluster.
    Remove {
        /// Without the arithmetic that protects the quorum.
        force: bool,
    },
    /// A vote.
    Promote,
    /// No vote any more.
    Demote,
}
