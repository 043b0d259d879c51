//! The role of this node for its clients right now.

use super::Router;
use std::sync::Arc;

/// The role of a node. `R` is the part that serves: the router for the gate at the edge, to which
/// `node` sends this through a watch channel; nothing where only the state counts ([`Phase`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Role<R = Arc<Router>> {
    /// No keyring exists, as far as this node knows.
    #[default]
    Uninitialised,
    /// The keys are not in memory. The node replicates and votes all the same.
    Sealed,
    /// Unsealed: the node answers reads; another node is active, or none.
    Standby {
        /// The router, for local reads.
        router: R,
        /// The active node, when known.
        leader: Option<Leader>,
    },
    /// Unsealed and leading: the node serves all requests.
    Active {
        /// The router, for all requests.
        router: R,
        /// The term since which it leads.
        term: u64,
    },
    /// Draining, for good; new requests get 503.
    Stopping,
}

/// A [`Role`] without the part that serves.
pub type Phase = Role<()>;

/// The addresses of the active node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// Address of its API, such as `http://192.168.50.101:8200`.
    pub api_address: String,
    /// Address of its cluster listener, such as `https://192.168.50.101:8201`.
    pub cluster_address: String,
}

impl Role {
    /// Returns the role without its router, which it does not keep alive.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Uninitialised => Phase::Uninitialised,
            Self::Sealed => Phase::Sealed,
            Self::Standby { leader, .. } => Phase::standby(leader.clone()),
            Self::Active { term, .. } => Phase::active(*term),
            Self::Stopping => Phase::Stopping,
        }
    }
}

impl Phase {
    /// Returns the phase of a standby that knows the active node, or does not.
    pub const fn standby(leader: Option<Leader>) -> Self {
        Self::Standby { router: (), leader }
    }

    /// Returns the phase of a node that leads since `term`.
    pub const fn active(term: u64) -> Self {
        Self::Active { router: (), term }
    }

    /// Returns the role of a node that serves with `router`. Without one it is sealed for its
    /// clients.
    pub fn with(self, router: Option<Arc<Router>>) -> Role {
        match (self, router) {
            (Self::Stopping, _) => Role::Stopping,
            (Self::Uninitialised, _) => Role::Uninitialised,
            (Self::Standby { leader, .. }, Some(router)) => Role::Standby { router, leader },
            (Self::Active { term, .. }, Some(router)) => Role::Active { router, term },
            (Self::Sealed | Self::Standby { .. } | Self::Active { .. }, _) => Role::Sealed,
        }
    }
}
