//! The port to the node's life, which the open endpoints need. `node` implements it.

use super::cluster::Cluster;
use crate::barrier::WrappedKey;
use crate::clock::Timestamp;
use crate::secret::{Key256, SecretBytes, SecretString};
use crate::store::{BoxFuture, CommitError};
use crate::stream::Chunks;
use crate::telemetry::Reading;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The answer of `sys/seal-status` and of `sys/unseal`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealStatus {
    /// The kind of seal: `shamir`.
    pub seal_type: String,
    /// True when a keyring exists.
    pub initialized: bool,
    /// True when the keys are not in memory.
    pub sealed: bool,
    /// True for a member that joined with a token and is never unsealed.
    pub non_secret: bool,
    /// Shares that open the seal, or that make up the recovery key.
    pub t: u8,
    /// Shares that there are.
    pub n: u8,
    /// The emergency shares that open where the provider does not: how many are needed, and how
    /// many there are.
    pub emergency: Option<(u8, u8)>,
    /// Shares given so far.
    pub progress: u8,
    /// UUID of the attempt; empty when idle.
    pub nonce: String,
    /// Name of the cluster; only while unsealed.
    pub cluster_name: Option<String>,
    /// UUID of the cluster; only while unsealed.
    pub cluster_id: Option<String>,
    /// The kind of store: `raft` or `inmem`.
    pub storage_type: String,
    /// True while the cluster's seal is to be migrated to the one that this node's configuration
    /// names.
    pub migration: bool,
    /// True where recovery keys take the place of unseal keys.
    pub recovery_seal: bool,
    /// The reasons for which a node that its seal should have opened is sealed.
    pub warnings: Vec<String>,
}

/// The answer of `sys/seal-backend-status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealBackends {
    /// The seals in the order in which they are asked: the name, and the time since which it does
    /// not answer, if so.
    pub each: Vec<(String, Option<Timestamp>)>,
    /// True where each of them keeps the seal key.
    pub fully_wrapped: bool,
    /// The names of the seals whose stanzas are disabled.
    pub disabled: Vec<String>,
}

/// The answer of `sys/leader`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderStatus {
    /// False for a store without high availability.
    pub ha_enabled: bool,
    /// True when this node is active.
    pub is_self: bool,
    /// Time at which it became active; zero when it is not.
    pub active_time: Timestamp,
    /// API address of the leader, such as `http://192.168.50.101:8200`; empty when unknown.
    pub leader_address: String,
    /// Cluster address of the leader, such as `https://192.168.50.101:8201`; empty when unknown.
    pub leader_cluster_address: String,
    /// Index of the last committed entry; `None` for a store without a log.
    pub raft_committed_index: Option<u64>,
    /// Index of the last applied entry.
    pub raft_applied_index: Option<u64>,
}

/// One node of `sys/ha-status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HaStatus {
    /// Host name.
    pub hostname: String,
    /// API address.
    pub api_address: String,
    /// Cluster address.
    pub cluster_address: String,
    /// True for the active node.
    pub active_node: bool,
    /// Time at which it was heard of last; zero for this node.
    pub last_echo: Timestamp,
    /// Version that it runs.
    pub version: String,
}

/// The request to `sys/init`.
#[derive(Debug, Default)]
pub struct InitRequest {
    /// Shares of the seal key to make; zero where a provider keeps it.
    pub secret_shares: u8,
    /// Shares that shall open the seal.
    pub secret_threshold: u8,
    /// Shares of the recovery key to make; zero where people keep the seal key.
    pub recovery_shares: u8,
    /// Shares that shall make up the recovery key.
    pub recovery_threshold: u8,
    /// Emergency shares to make of a seal key that a provider keeps; zero for none.
    pub emergency_shares: u8,
    /// Emergency shares that shall open the seal.
    pub emergency_threshold: u8,
}

/// The answer of `sys/metrics`, for one node.
#[derive(Clone, Debug)]
pub struct Metering {
    /// The setting `metrics_prefix`; empty is `vault`.
    pub prefix: String,
    /// False once `prometheus_retention_time` is zero.
    pub prometheus: bool,
    /// The numbers that no instrument of the process counts.
    pub readings: Vec<Reading>,
}

impl Default for Metering {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            prometheus: true,
            readings: Vec::new(),
        }
    }
}

/// The result of initialization, given once.
#[derive(Debug)]
pub struct InitResult {
    /// Shares of the seal key, in Vault's format (y bytes, then x): the emergency shares where a
    /// provider keeps it.
    pub shares: Vec<SecretBytes>,
    /// Shares of the recovery key; `None` where there is none.
    pub recovery_shares: Option<Vec<SecretBytes>>,
    /// The first root token.
    pub root_token: SecretString,
    /// Name of the new cluster.
    pub cluster_name: String,
    /// UUID of the new cluster.
    pub cluster_id: String,
}

/// One unseal key as decoded bytes.
pub type ShareInput = SecretBytes;

/// The reasons for which a lifecycle step fails.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// 400: the request is wrong; the message is the client's.
    #[error("{0}")]
    Invalid(String),
    /// 400 `Vault is already initialized`.
    #[error("Vault is already initialized")]
    AlreadyInitialized,
    /// 400 `Vault is not initialized`.
    #[error("Vault is not initialized")]
    NotInitialized,
    /// 503: the node is sealed.
    #[error("Vault is sealed")]
    Sealed,
    /// 503: not now, try again; the message is the client's.
    #[error("{0}")]
    Unavailable(String),
    /// The status as for every write that the store did not confirm.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// 500: another node refused or did not answer; the message is the client's, too.
    #[error("{0}")]
    Elsewhere(String),
    /// 500: the message inside goes to the log.
    #[error("internal error: {0}")]
    Internal(String),
}

/// The refusal to migrate a seal that is the configured one, in Vault's words.
pub const NO_SEAL_MIGRATION: &str = "can't perform a seal migration, no migration seal found";
/// The refusal of snapshots, in Vault's words.
const NO_SNAPSHOTS: &str = "raft storage is not in use";

/// The start, the seal and the role of the node.
pub trait Lifecycle: Send + Sync {
    /// Returns the state of the seal. Never fails: also answers while sealed or uninitialised.
    fn seal_status(&self) -> SealStatus;

    /// Returns the seals, as they were found last.
    fn seal_backends(&self) -> SealBackends {
        SealBackends {
            each: vec![("shamir".into(), None)],
            fully_wrapped: true,
            disabled: Vec::new(),
        }
    }

    /// Tells which node is active.
    fn leader(&self) -> LeaderStatus;

    /// Lists all nodes known.
    fn ha_status(&self) -> Vec<HaStatus>;

    /// Makes keyring, shares and root token, exactly once.
    fn initialize(&self, request: InitRequest)
    -> BoxFuture<'_, Result<InitResult, LifecycleError>>;

    /// Takes one share; unseals at the threshold.
    fn unseal(&self, share: ShareInput) -> BoxFuture<'_, Result<SealStatus, LifecycleError>>;

    /// Takes one share that allows the migration of the seal; unseals at the threshold, and
    /// migrates once this node is active.
    fn unseal_to_migrate(
        &self,
        share: ShareInput,
    ) -> BoxFuture<'_, Result<SealStatus, LifecycleError>> {
        let _unread = share;
        Box::pin(async { Err(LifecycleError::Invalid(NO_SEAL_MIGRATION.into())) })
    }

    /// Throws away the shares given so far.
    fn reset_unseal(&self) -> SealStatus;

    /// Drops the keys. The caller was authorized by the router.
    fn seal(&self) -> BoxFuture<'_, Result<(), LifecycleError>>;

    /// Gives up leadership. The caller was authorized by the router.
    fn step_down(&self) -> BoxFuture<'_, Result<(), LifecycleError>>;

    /// Makes a seal key and has all providers keep it; returns it with its wrapped forms. Nothing
    /// is stored.
    fn new_kept_key(&self) -> BoxFuture<'_, Result<(Key256, Vec<WrappedKey>), LifecycleError>> {
        let why = "no provider keeps the seal key";
        Box::pin(async { Err(LifecycleError::Invalid(why.into())) })
    }

    /// Saves the whole state as an archive, in pieces. The caller was authorized by the router.
    fn save_snapshot(&self) -> BoxFuture<'_, Result<Chunks, LifecycleError>> {
        Box::pin(async { Err(LifecycleError::Invalid(NO_SNAPSHOTS.into())) })
    }

    /// Replaces the whole state by an archive; with `force` also by another cluster's. The caller
    /// was authorized by the router.
    fn restore_snapshot(
        &self,
        archive: Chunks,
        force: bool,
    ) -> BoxFuture<'_, Result<(), LifecycleError>> {
        let _unread = (archive, force);
        Box::pin(async { Err(LifecycleError::Invalid(NO_SNAPSHOTS.into())) })
    }

    /// Returns this node's numbers, whatever its role. Does not wait for counting a large store.
    fn metering(&self) -> BoxFuture<'_, Metering> {
        Box::pin(async { Metering::default() })
    }

    /// Returns the wear of this node's device, as `sys/storage/wear` answers it. Reads a few small
    /// files.
    fn wear(&self) -> BoxFuture<'_, Map<String, Value>> {
        Box::pin(async { Map::new() })
    }

    /// Returns the cluster's time.
    fn now(&self) -> Timestamp;

    /// Returns the port to the members; `None` for a store that has no others.
    fn cluster(&self) -> Option<Arc<dyn Cluster>> {
        None
    }
}
