//! The parts of a node, and its state.

use super::addresses::Addresses;
use super::identity::Cluster;
use super::join::{Gatekeeper, Joiner};
use super::storage::Leadership;
use super::tally::Tally;
use super::wear::Wear;
use crate::barrier::{BarrierError, SealRecord, Sealed, Unsealed};
use crate::clock::{Clock, Timestamp};
use crate::peer::PublicKey;
use crate::router::{Phase, Role, Router};
use crate::seal::{Description, SealMigration, SealRoute, SealSet, UnsealProgress};
use crate::secret::Key256;
use crate::store::Storage;
use crate::sys::duties::autopilot::Autopilot;
use crate::sys::duties::rewrap::Rewrapping;
use crate::sys::duties::snapshots::Auto;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

/// The facts that the configuration settles once and for all.
pub(super) struct Facts {
    /// The kind of the store: `raft` or `inmem`.
    pub storage_type: &'static str,
    /// True when there can be other nodes.
    pub ha_enabled: bool,
    /// The setting `cluster_name`, for the first initialisation.
    pub cluster_name: Option<String>,
    /// The setting `default_lease_ttl`.
    pub default_lease_ttl: Duration,
    /// The setting `max_lease_ttl`.
    pub max_lease_ttl: Duration,
    /// The setting `raw_storage_endpoint`.
    pub raw_storage_endpoint: bool,
    /// The setting `metrics_prefix`.
    pub metrics_prefix: String,
    /// False when `prometheus_retention_time` is zero.
    pub prometheus: bool,
    /// The data directory; `None` where nothing lasts.
    pub data: Option<std::path::PathBuf>,
    /// The configuration as `sys/config/state/sanitized` shows it.
    pub sanitized: serde_json::Map<String, serde_json::Value>,
    /// The sizes of caches.
    pub memory: &'static crate::memory::Sizes,
    /// The audit stanzas, and the folders in which other audit files may be.
    pub audit: crate::audit::Options,
}

/// The node's parts, shared by the listeners, the controller and the code that stops the node.
pub(super) struct Shared {
    pub storage: Arc<dyn Storage>,
    pub leadership: Leadership,
    pub sealed: Sealed,
    /// The seals of the configuration.
    pub seals: SealSet,
    pub clock: Arc<dyn Clock>,
    pub facts: Facts,
    /// Held during a step, so that one runs at a time: initialise, unseal, seal, step down.
    pub step: tokio::sync::Mutex<()>,
    /// Notified when an applied entry may concern the keys or the seal.
    pub keys_changed: Arc<Notify>,
    /// Notified when a migration of the seal was allowed.
    pub migration_allowed: Arc<Notify>,
    /// Notified when the condition that the lights show may have changed, and the role has not.
    pub lights_changed: Arc<Notify>,
    /// The state of this node as a joiner.
    pub joiner: Joiner,
    /// The challenges to joiners of this node's cluster.
    pub gatekeeper: Gatekeeper,
    /// Autopilot's record of the members.
    pub autopilot: Arc<Autopilot>,
    /// The progress of re-encryption, for the endpoints to show.
    pub rewrapping: Arc<Rewrapping>,
    /// The record of scheduled snapshots.
    pub snapshots: Arc<Auto>,
    /// The numbers of tokens and leases.
    pub tally: Arc<Tally>,
    /// The wear of the device.
    pub wear: Wear,
    /// The members whose keys two processes use.
    pub seen_twice: watch::Sender<BTreeSet<PublicKey>>,
    addresses: OnceLock<Addresses>,
    role: watch::Sender<Role>,
    state: Mutex<NodeState>,
}

/// The state that steps and the controller change. The lock is held for moments only, never across
/// an await.
#[derive(Default)]
pub(super) struct NodeState {
    /// The record of the seal key; `None` before initialisation.
    pub seal: Option<SealRecord>,
    /// True when an operator sealed this node: providers do not open it until the next start.
    pub held: bool,
    /// The reason why no provider opened the node yet.
    pub locked: Option<String>,
    /// The providers, as they were found last.
    pub backends: Vec<Backend>,
    /// The shares given so far.
    pub progress: UnsealProgress,
    /// The shares given to migrate the seal so far.
    pub migrating: UnsealProgress,
    /// The migration of the seal that the holders of shares allowed, until it is done.
    pub allowed: Option<Allowed>,
    /// The way from the stored seal to the configured one, as it was logged last.
    pub route: SealRoute,
    /// The reason for which an allowed migration is not done yet.
    pub unmigrated: Option<String>,
    /// The session, from unseal to seal.
    pub session: Option<Session>,
    /// The reign, while this node is active.
    pub reign: Option<Reign>,
    /// True once the node is stopping.
    pub stopping: bool,
    /// The phase that the listeners were told last.
    pub phase: Phase,
}

/// A migration of the seal that the holders of enough shares allowed.
pub(super) struct Allowed {
    /// The migration; any other needs their word anew.
    pub migration: SealMigration,
    /// The key that their shares made up.
    pub key: Key256,
}

/// A provider of the seal key, as it was found last.
pub(super) struct Backend {
    pub which: Description,
    /// The time at which it was found to be ill; `None` for one that is well.
    pub ill_since: Option<Timestamp>,
}

/// The state that exists only while the keys are in memory.
#[derive(Clone)]
pub(super) struct Session {
    pub barrier: Arc<Unsealed>,
    pub router: Arc<Router>,
    pub cluster: Cluster,
}

/// The state that exists only while this node is active.
pub(super) struct Reign {
    pub since: Timestamp,
    /// The tasks that run in the background meanwhile.
    pub duties: Vec<AbortHandle>,
}

impl Shared {
    /// Makes the node's parts. Reads whether the store is initialised, and nothing else.
    pub fn new(
        storage: Arc<dyn Storage>,
        leadership: Leadership,
        clock: Arc<dyn Clock>,
        facts: Facts,
        joiner: Joiner,
        seals: SealSet,
        wear: Wear,
    ) -> Result<Arc<Self>, BarrierError> {
        let sealed = Sealed::new(Arc::clone(&storage));
        let seal = sealed.seal_record()?;
        let shared = Arc::new(Self {
            storage,
            leadership,
            sealed,
            seals,
            clock,
            facts,
            step: tokio::sync::Mutex::new(()),
            keys_changed: Arc::default(),
            migration_allowed: Arc::default(),
            lights_changed: Arc::default(),
            joiner,
            gatekeeper: Gatekeeper::new(),
            autopilot: Arc::default(),
            rewrapping: Arc::default(),
            snapshots: Arc::default(),
            tally: Arc::default(),
            wear,
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

    /// Follows the role, for the listeners.
    pub fn role(&self) -> watch::Receiver<Role> {
        self.role.subscribe()
    }

    /// Publishes a role to the listeners.
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

    /// Sets the addresses, which are known once the listeners are bound.
    pub fn set_addresses(&self, addresses: Addresses) {
        // The node sets them once, at its start.
        let _ = self.addresses.set(addresses);
    }
}
