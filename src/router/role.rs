//! What this node is for its clients right now.

use super::Router;
use std::sync::Arc;

/// Sent through a watch channel by `node`; the gate at the edge.
#[derive(Clone)]
pub enum Role {
    /// No keyring exists.
    Uninitialised,
    /// The keys are not in memory.
    Sealed,
    /// Unsealed, another node is active.
    Standby {
        /// For local reads.
        router: Arc<Router>,
        /// Who is active, when known.
        leader: Option<Leader>,
    },
    /// Unsealed and leading.
    Active {
        /// For everything.
        router: Arc<Router>,
    },
    /// Draining; new requests get 503.
    Stopping,
}

/// How to reach the active node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// `http://192.168.50.101:8200`.
    pub api_address: String,
    /// `https://192.168.50.101:8201`.
    pub cluster_address: String,
}
