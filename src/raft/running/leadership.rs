//! The leader, as this node sees it.

use crate::raft::wire::types::Peer;

/// The leader, as [`crate::raft::RaftStorage::leadership`] tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Leadership {
    /// No leader that this node knows of, or this node while it is sealed.
    #[default]
    None,
    /// Another node.
    Follower {
        /// The leader, as the membership records it.
        leader: Peer,
    },
    /// This node, and everything before its term is applied here: it may serve.
    Leader {
        /// The term in which this node leads.
        term: u64,
    },
}
