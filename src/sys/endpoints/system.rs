//! The state that all endpoints of `sys/` see.

use super::generation::RootGenerations;
use super::guesses::Guesses;
use super::rekey::Rekeys;
use crate::audit;
use crate::barrier::Unsealed;
use crate::clock::Timestamp;
use crate::engine::{Kind, Kinds, Outcome, Response};
use crate::mount::Table;
use crate::router::{Flights, Lifetimes, Revoker};
use crate::sys::duties::autopilot::Autopilot;
use crate::sys::duties::rewrap::Rewrapping;
use crate::sys::duties::snapshots::Auto;
use crate::sys::ports::{Cluster, Lifecycle};
use crate::{policy, token};
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::Mutex;

/// A function that finds the node that a router belongs to; `None` once the node is gone.
pub type FindNode = Arc<dyn Fn() -> Option<Arc<dyn Lifecycle>> + Send + Sync>;

/// The `sys/` engine. It keeps nothing of its own in memory.
pub struct System {
    /// The barrier, with its keys.
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
    /// The lives of leases where mounts say nothing.
    pub lifetimes: Lifetimes,
    /// Cluster time of the start.
    pub started: Timestamp,
    /// Attempts to make a root token with the unseal shares.
    pub generations: RootGenerations,
    /// Ceremonies that replace the unseal keys or the recovery keys.
    pub rekeys: Rekeys,
    /// The senders of wrong shares to `sys/drill`.
    pub guesses: Mutex<Guesses>,
    /// The parts that the configuration settles.
    pub options: Options,
    /// The way to the node, for what only the node can do.
    pub node: FindNode,
    /// The kinds that can be mounted.
    pub kinds: Kinds,
    /// The part that asks engines about their leases.
    pub revoker: Arc<Revoker>,
    /// The kind of `sys/` itself.
    pub own_kind: &'static Kind,
}

/// The parts of `sys/` that the configuration settles.
pub struct Options {
    /// True where `sys/raw` is there.
    pub raw_storage_endpoint: bool,
    /// The answer of `sys/config/state/sanitized`: the configuration without its secrets.
    pub sanitized: Map<String, Value>,
    /// The members; `None` for a store that has no others.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// The memory of autopilot.
    pub autopilot: Arc<Autopilot>,
    /// The progress of re-encryption.
    pub rewrapping: Arc<Rewrapping>,
    /// The states of snapshots by the clock.
    pub snapshots: Arc<Auto>,
}

/// Answers 200 with `data`, whose fields are also beside it at the top.
pub(in crate::sys) fn doubled(data: Map<String, Value>) -> Outcome {
    let mut response = Response::data(data);
    response.duplicate_data = true;
    response.into()
}
