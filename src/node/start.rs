//! Puts a node together, and takes it apart.

use super::addresses::{self, Addresses};
use super::dev::{self, Dev, DevStart};
use super::error::StartError;
use super::forward::{FromMembers, ToActive};
use super::join::{JoinTarget, Joiner};
use super::lifecycle::Handle;
use super::peering::Peering;
use super::phase;
use super::shared::{Facts, Shared};
use super::wear::{self, Wear};
use super::{advertise, announce, controller, lights, listeners, seals, seen_twice, storage};
use crate::audit;
use crate::block::Machine;
use crate::clock::{Clock, ClusterClock};
use crate::config::Config;
use crate::hardware::Lights;
use crate::http::forward::Forwarder;
use crate::http::{self, Bound, Gate};
use crate::memory::{self, Chosen, Sizes};
use crate::seal::SealSet;
use std::sync::Arc;
use std::time::Duration;

/// The folders for audit files that are asked for over the API; the configuration may name any
/// place.
const AUDIT_DIRECTORIES: &[&str] = &["/var/log", "/tmp"];
/// Vault's default for both lease limits.
const LEASE_TTL_DEFAULT: Duration = Duration::from_secs(768 * 3600);
/// The longest that requests in flight may take to finish when the node stops.
pub(super) const DRAIN_MAX: Duration = Duration::from_secs(5);

/// A running node.
pub struct Node {
    shared: Arc<Shared>,
    peering: Option<Peering>,
    _from_members: Option<Arc<FromMembers>>,
    server: http::Server,
    config: Config,
    dev: Option<DevStart>,
    /// The status lights, off when the node is gone.
    lights: Lights,
}

impl Node {
    /// Opens the store, binds the listeners, answers. With `dev` the node is active on return,
    /// otherwise uninitialised or sealed.
    ///
    /// # Errors
    /// See [`StartError`]; nothing listens and no file is held then.
    pub async fn start(config: Config, dev: Option<Dev>) -> Result<Self, StartError> {
        let seals = seals::of_config(&config)?;
        Self::start_with(config, dev, seals).await
    }

    /// Starts a node as [`Node::start`] does, with these seals.
    pub(super) async fn start_with(
        config: Config,
        dev: Option<Dev>,
        seals: SealSet,
    ) -> Result<Self, StartError> {
        check(&config)?;
        let lights = lights::start(&config);
        let peering = Peering::start(&config, dev.is_some()).await?;
        let memory = sizes(&config);
        let opened = storage::open(&config, peering.as_ref(), memory).await;
        let opened = opened.map_err(StartError::Storage)?;
        let floor = opened.storage.status().time_floor;
        let clock: Arc<dyn Clock> = Arc::new(ClusterClock::start(floor));
        let facts = facts(&config, memory, opened.kind, opened.ha_enabled);
        let joiner = joiner(&config, peering.as_ref())?;
        let services = advertise::services(&config, &joiner)?;
        let (storage, leadership) = (opened.storage, opened.leadership);
        let wear = Wear::of(&config);
        let shared = Shared::new(storage, leadership, clock, facts, joiner, seals, wear)
            .map_err(|error| StartError::Storage(error.to_string()))?;
        crate::task::spawn(controller::run(Arc::downgrade(&shared)));
        let peers = peering.as_ref().map(|peering| Arc::clone(&peering.peers));
        let to_active = peers.and_then(|peers| {
            let me = peers.public_key();
            ToActive::new(&shared, peers as _, me)
        });
        let to_active = to_active.map(|to_active| to_active as Arc<dyn Forwarder>);
        let gate = Gate {
            role: shared.role(),
            lifecycle: Arc::new(Handle(Arc::clone(&shared))),
            forwarder: to_active,
            recovery: None,
        };
        let server = match http::serve(listeners::options(&config.listeners, memory), gate).await {
            Ok(server) => server,
            Err(error) => {
                shared.storage.shutdown().await;
                return Err(error.into());
            }
        };
        let from_members = peering.as_ref().map(|peering| {
            let node = Arc::new(Arc::downgrade(&shared));
            let me = peering.peers.public_key();
            FromMembers::serve(&*peering.peers, node, server.entry(), me)
        });
        let cluster_bound = peering.as_ref().and_then(|peering| peering.bound);
        shared.set_addresses(addresses::configured(
            &config,
            server.addresses(),
            cluster_bound,
        ));
        if let Some(peering) = &peering {
            seen_twice::follow(&shared, &peering.peers);
        }
        lights::follow(&shared, lights.panel(), &config);
        announce::spawn(&shared);
        advertise::spawn(&shared, services);
        shared.retry_join();
        seals::follow(&shared);
        wear::follow(&shared);
        let dev = match dev {
            Some(dev) => Some(dev::start(&shared, dev).await.map_err(StartError::Dev)?),
            None => None,
        };
        Ok(Self {
            shared,
            peering,
            _from_members: from_members,
            server,
            config,
            dev,
            lights,
        })
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns the addresses that the node listens on, in the order of the configuration.
    pub fn bound(&self) -> &[Bound] {
        self.server.addresses()
    }

    /// Counts the client connections that are open now.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Returns the node's addresses for clients and members.
    pub fn addresses(&self) -> Addresses {
        self.shared.addresses()
    }

    /// Returns the configuration that the node was started with.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the keys of dev mode, if the node runs in it.
    pub const fn dev_start(&self) -> Option<&DevStart> {
        self.dev.as_ref()
    }

    /// Reads certificates and audit files again. Bad ones are not taken: the old ones stay.
    pub fn reload(&self) {
        for (address, error) in self.server.reload().err().unwrap_or_default() {
            tracing::error!(%address, %error, "certificates were not reloaded");
        }
        self.shared.reload();
    }

    /// Completes with the reason once the store failed.
    pub async fn failed(&self) -> String {
        self.shared.storage.failed().await
    }

    /// Returns once the node can be asked for its state, and each part of the store has taken a
    /// turn. A part that is stuck keeps this waiting.
    pub async fn progress(&self) {
        let shared = Arc::clone(&self.shared);
        // On a task of its own: that one of the runtime's threads takes it up is progress, too.
        let turn = crate::task::spawn(async move {
            shared.seal_status();
            shared.storage.alive().await;
        });
        if turn.await.is_err() {
            std::future::pending().await
        }
    }

    /// Describes the node, for `systemctl status`.
    pub fn describe(&self) -> String {
        phase::describe(&self.shared.state().phase)
    }

    /// Hands leadership over, lets requests in flight finish, drops the keys, checkpoints and
    /// closes the store.
    pub async fn shutdown(mut self) {
        self.shared.stop().await;
        if self.shared.storage.status().failed.is_some() {
            // It may still lead by name, and must not keep others from it. Requests get no further
            // anyway.
            drop(self.shared.leadership.hand_over().await);
            self.shared.storage.shutdown().await;
        }
        if !self.server.shutdown(DRAIN_MAX).await {
            tracing::warn!("requests were cut off");
        }
        let _one = self.shared.step.lock().await;
        self.shared.drop_keys();
        self.shared.storage.shutdown().await;
        if let Some(peering) = &self.peering {
            peering.peers.shutdown().await;
        }
        self.lights.stop();
    }
}

/// Returns the memory profile of this process: the configured one, or the machine's.
pub fn memory(config: &Config) -> Chosen {
    memory::choose(&Machine::default(), "self", config.memory_profile)
}

/// Returns the sizes for this process, and logs the profile that they are from.
pub(super) fn sizes(config: &Config) -> &'static Sizes {
    let memory = memory(config);
    crate::telemetry::info!(profile = %memory, "the memory of caches and requests is set");
    memory.sizes()
}

/// Refuses settings that this build cannot act on.
///
/// # Errors
/// Names the setting.
pub fn check(config: &Config) -> Result<(), StartError> {
    seals::of_config(config).map(drop)?;
    for listener in &config.listeners {
        let missing = |tls: &crate::config::ListenerTls| {
            tls.cert_file.as_os_str().is_empty() || tls.key_file.as_os_str().is_empty()
        };
        if listener.tls.as_ref().is_some_and(missing) {
            return Err(StartError::Unsupported(format!(
                "{}: the listener needs tls_cert_file and tls_key_file, or tls_disable = true",
                listener.position
            )));
        }
    }
    warn_of_missing(config);
    Ok(())
}

/// Warns of valid settings that this build reads and does not act on.
fn warn_of_missing(config: &Config) {
    if let Some(registration) = &config.service_registration
        && registration.kind != advertise::REGISTRATION
    {
        let kind = &registration.kind;
        tracing::warn!(%kind, "service_registration is not in this build: nothing is registered");
    }
    let any = |is_set: fn(&crate::config::Listener) -> bool| config.listeners.iter().any(is_set);
    let [versions, names, addresses] = [0, 1, 2].map(|at| {
        let listeners = config.listeners.iter();
        listeners
            .filter_map(|listener| listener.redact.get(at))
            .any(|flag| *flag)
    });
    for (is_set, name) in [
        (config.ui, "ui"),
        (config.introspection_endpoint, "introspection_endpoint"),
        (config.disable_cache, "disable_cache"),
        (config.cache_size.is_some(), "cache_size"),
        (
            config.response_header_hostname,
            "enable_response_header_hostname",
        ),
        (
            config.response_header_raft_node_id,
            "enable_response_header_raft_node_id",
        ),
        (
            config.logging.requests_level.is_some(),
            "log_requests_level",
        ),
        (
            any(|listener| listener.require_request_header),
            "require_request_header",
        ),
        (
            any(|listener| listener.unauthenticated_in_flight),
            "unauthenticated_in_flight_requests_access",
        ),
        (versions, "redact_version"),
        (names, "redact_cluster_name"),
        (addresses, "redact_addresses"),
    ] {
        if is_set {
            tracing::warn!("{name} has no effect in this build");
        }
    }
}

/// Makes the joiner that `retry_join` describes; an empty one where the store has no other nodes.
fn joiner(config: &Config, peering: Option<&Peering>) -> Result<Joiner, StartError> {
    let (Some(crate::config::Storage::Raft(raft)), Some(peering)) = (&config.storage, peering)
    else {
        return Ok(Joiner::default());
    };
    let mut places = Vec::new();
    for stanza in &raft.retry_join {
        let place = JoinTarget::of_stanza(stanza).map_err(|error| {
            StartError::Unsupported(format!("{}: retry_join: {error}", stanza.position))
        })?;
        places.push(Arc::new(place));
    }
    let key = peering.peers.public_key().0.to_vec();
    let non_voter = raft.retry_join_as_non_voter;
    Ok(Joiner::new(storage::node_id(raft), key, places, non_voter))
}

fn facts(
    config: &Config,
    memory: &'static Sizes,
    storage_type: &'static str,
    ha_enabled: bool,
) -> Facts {
    Facts {
        storage_type,
        ha_enabled,
        cluster_name: config.cluster_name.clone(),
        default_lease_ttl: config.default_lease_ttl.unwrap_or(LEASE_TTL_DEFAULT),
        max_lease_ttl: config.max_lease_ttl.unwrap_or(LEASE_TTL_DEFAULT),
        raw_storage_endpoint: config.raw_storage_endpoint,
        metrics_prefix: config.telemetry.prefix.clone(),
        prometheus: !config.telemetry.prometheus_retention.is_zero(),
        memory,
        data: match &config.storage {
            Some(crate::config::Storage::Raft(raft)) => Some(raft.path.clone()),
            _ => None,
        },
        sanitized: super::sanitized::sanitized(config),
        audit: audit::Options {
            devices: config.audit_devices.iter().map(audit_device).collect(),
            directories: AUDIT_DIRECTORIES.iter().map(Into::into).collect(),
        },
    }
}

/// Returns the specification of a configured audit device. Those have no uuid: their path makes
/// their key unique.
fn audit_device(device: &crate::config::AuditDevice) -> audit::DeviceSpec {
    audit::DeviceSpec {
        description: device.description.clone(),
        local: device.local,
        uuid: String::new(),
        ..audit::DeviceSpec::new(&device.path, &device.kind, device.options.clone())
    }
}
