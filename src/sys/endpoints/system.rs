//! What all endpoints of `sys/` see.

use super::generation::RootGenerations;
use crate::audit;
use crate::barrier::Unsealed;
use crate::clock::Timestamp;
use crate::engine::{Kind, Kinds, Outcome, Response};
use crate::mount::Table;
use crate::router::{Flights, Lifetimes, Revoker};
use crate::sys::duties::autopilot::Autopilot;
use crate::sys::duties::snapshots::Auto;
use crate::sys::ports::{Cluster, Lifecycle};
use crate::{policy, token};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Finds the node that a router belongs to; `None` once the node is gone.
pub type FindNode = Arc<dyn Fn() -> Option<Arc<dyn Lifecycle>> + Send + Sync>;

/// The `sys/` engine. It keeps nothing of its own in memory.
pub struct System {
    /// With its keys.
    pub barrier: Arc<Unsealed>,
    /// The mount table.
    pub mounts: Arc<Table>,
    /// The policies.
    pub policies: Arc<policy::Store>,
    /// The tokens.
    pub tokens: Arc<token::Store>,
    /// The audit devices.
    pub audit: Arc<audit::Broker>,
    /// The requests that are being answered.
    pub flights: Arc<Flights>,
    /// Lease lives where mounts say nothing.
    pub lifetimes: Lifetimes,
    /// Cluster time of the start.
    pub started: Timestamp,
    /// Attempts to make a root token with the unseal shares.
    pub generations: RootGenerations,
    /// See there.
    pub options: Options,
    /// Finds the node, for what only the node can do.
    pub node: FindNode,
    /// What can be mounted.
    pub kinds: Kinds,
    /// Asks engines about their leases.
    pub revoker: Arc<Revoker>,
    /// The kind of `sys/` itself.
    pub own_kind: &'static Kind,
}

/// What the configuration settles for `sys/`.
pub struct Options {
    /// Is `sys/raw` there?
    pub raw_storage_endpoint: bool,
    /// `sys/config/state/sanitized`: the configuration without its secrets.
    pub sanitized: Map<String, Value>,
    /// The members; `None` for a store that has no others.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// What autopilot acts on.
    pub autopilot: Arc<Autopilot>,
    /// What became of snapshots by the clock.
    pub snapshots: Arc<Auto>,
}

/// 200 with `data`, which is also beside itself at the top.
pub(in crate::sys) fn doubled(data: Map<String, Value>) -> Outcome {
    let mut response = Response::data(data);
    response.duplicate_data = true;
    response.into()
}
