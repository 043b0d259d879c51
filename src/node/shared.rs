//! What the node is made of, and the state it is in.

use super::addresses::Addresses;
use super::identity::Cluster;
use super::join::{Gatekeeper, Joiner};
use super::phase::Phase;
use super::storage::Leadership;
use super::tally::Tally;
use crate::barrier::{BarrierError, SealRecord, Sealed, Unsealed};
use crate::clock::{Clock, Timestamp};
use crate::peer::PublicKey;
use crate::router::{Role, Router};
use crate::seal::{Providers, UnsealProgress};
use crate::store::Storage;
use crate::sys::autopilot::Autopilot;
use crate::sys::snapshot::auto::Auto;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

/// What the configuration settles once and for all.
pub(super) struct Facts {
    /// `raft`, `inmem`.
    pub storage_type: &'static str,
    /// Can there be other nodes?
    pub ha_enabled: bool,
    /// `cluster_name`, for the first initialisation.
    pub cluster_name: Option<String>,
    /// `default_lease_ttl`.
    pub default_lease_ttl: Duration,
    /// `max_lease_ttl`.
    pub max_lease_ttl: Duration,
    /// `raw_storage_endpoint`.
    pub raw_storage_endpoint: bool,
    /// `metrics_prefix`.
    pub metrics_prefix: String,
    /// False once `prometheus_retention_time` is zero.
    pub prometheus: bool,
    /// The data directory; `None` where nothing lasts.
    pub data: Option<std::path::PathBuf>,
    /// For `sys/config/state/sanitized`.
    pub sanitized: serde_json::Map<String, serde_json::Value>,
    /// Audit stanzas, and where else audit files may lie.
    pub audit: crate::audit::Options,
}

/// Shared by the listeners, the controller and whoever stops the node.
pub(super) struct Shared {
    pub storage: Arc<dyn Storage>,
    pub leadership: Leadership,
    pub sealed: Sealed,
    /// What keeps the seal key, where people do not.
    pub providers: Providers,
    pub clock: Arc<dyn Clock>,
    pub facts: Facts,
    /// One step at a time: initialise, unseal, seal, step down.
    pub step: tokio::sync::Mutex<()>,
    /// Rung when an applied entry may concern the keys or the seal.
    pub keys_changed: Arc<Notify>,
    /// Rung when what the lights show may have changed, and the role has not.
    pub lights_changed: Arc<Notify>,
    /// While this node looks for a cluster.
    pub joiner: Joiner,
    /// While others come to this one.
    pub gatekeeper: Gatekeeper,
    /// What autopilot remembers of the members.
    pub autopilot: Arc<Autopilot>,
    /// How snapshots by the clock went.
    pub snapshots: Arc<Auto>,
    /// How many tokens and leases there are.
    pub tally: Arc<Tally>,
    /// Members whose keys are in two hands.
    pub seen_twice: watch::Sender<BTreeSet<PublicKey>>,
    addresses: OnceLock<Addresses>,
    role: watch::Sender<Role>,
    state: Mutex<NodeState>,
}

/// What steps and the controller change. The lock is held for moments only, never across an
/// await.
#[derive(Default)]
pub(super) struct NodeState {
    /// How the seal key is kept; `None` before initialisation.
    pub seal: Option<SealRecord>,
    /// An operator sealed this node: providers do not open it until the next start.
    pub held: bool,
    /// Why no provider opened it yet.
    pub locked: Option<String>,
    /// Shares given so far.
    pub progress: UnsealProgress,
    /// From unseal to seal.
    pub session: Option<Session>,
    /// While this node is active.
    pub reign: Option<Reign>,
    /// The end has begun.
    pub stopping: bool,
    /// What the listeners were told last.
    pub phase: Phase,
}

/// What exists only while the keys are in memory.
#[derive(Clone)]
pub(super) struct Session {
    pub barrier: Arc<Unsealed>,
    pub router: Arc<Router>,
    pub cluster: Cluster,
}

/// What exists only while this node is active.
pub(super) struct Reign {
    pub since: Timestamp,
    /// What goes on in the background meanwhile.
    pub duties: Vec<AbortHandle>,
}

impl Shared {
    /// Reads whether the store is initialised, and nothing else.
    pub fn new(
        storage: Arc<dyn Storage>,
        leadership: Leadership,
        clock: Arc<dyn Clock>,
        facts: Facts,
        joiner: Joiner,
        providers: Providers,
    ) -> Result<Arc<Self>, BarrierError> {
        let sealed = Sealed::new(Arc::clone(&storage));
        let seal = sealed.seal_record()?;
        let shared = Arc::new(Self {
            storage,
            leadership,
            sealed,
            providers,
            clock,
            facts,
            step: tokio::sync::Mutex::new(()),
            keys_changed: Arc::default(),
            lights_changed: Arc::default(),
            joiner,
            gatekeeper: Gatekeeper::new(),
            autopilot: Arc::default(),
            snapshots: Arc::default(),
            tally: Arc::default(),
            seen_twice: watch::Sender::default(),
            addresses: OnceLock::new(),
            role: watch::channel(Role::Uninitialised).0,
            state: Mutex::new(NodeState {
                seal,
                ..NodeState::default()
            }),
        });
        let observer = Arc::downgrade(&shared);
        shared.storage.observe(observer as _);
        shared.settle();
        Ok(shared)
    }

    pub fn state(&self) -> MutexGuard<'_, NodeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the listeners.
    pub fn role(&self) -> watch::Receiver<Role> {
        self.role.subscribe()
    }

    /// Tells the listeners.
    pub fn publish(&self, role: Role) {
        self.role.send_replace(role);
    }

    /// Opens the audit files again.
    pub fn reload(&self) {
        let session = self.state().session.clone();
        if let Some(session) = session {
            session.router.reopen_audit();
        }
    }

    pub fn addresses(&self) -> Addresses {
        self.addresses.get().cloned().unwrap_or_default()
    }

    /// Known once the listeners are bound.
    pub fn set_addresses(&self, addresses: Addresses) {
        // The node sets them once, at its start.
        let _ = self.addresses.set(addresses);
    }
}
