//! The leader, as this node sees it.

use crate::raft::wire::types::Peer;

/// The leader, as [`crate::raft::RaftStorage::leadership`] tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Leadership {
    /// Nobody that this node knows of, or this node while it is sealed.
    #[default]
    None,
    /// Another node.
    Follower {
        /// That node.
        leader: Peer,
    },
    /// This node, and everything before its term is applied here: it may serve.
    Leader {
        /// Since when, in raft's count.
        term: u64,
    },
}
