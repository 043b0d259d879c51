//! The port to the node's life, which the open endpoints need. `node` implements it.

use super::cluster::Cluster;
use crate::clock::Timestamp;
use crate::secret::{SecretBytes, SecretString};
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
    /// Shares that open the seal.
    pub t: u8,
    /// Shares that there are.
    pub n: u8,
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
    /// True where recovery keys take the place of unseal keys.
    pub recovery_seal: bool,
    /// The reasons for which a node that its seal should have opened is sealed.
    pub warnings: Vec<String>,
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
    /// Shares to make.
    pub secret_shares: u8,
    /// Shares that shall open the seal.
    pub secret_threshold: u8,
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
    /// Shares in Vault's format (y bytes, then x).
    pub shares: Vec<SecretBytes>,
    /// The first root token.
    pub root_token: SecretString,
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

/// The refusal of snapshots, in Vault's words.
const NO_SNAPSHOTS: &str = "raft storage is not in use";

/// The start, the seal and the role of the node.
pub trait Lifecycle: Send + Sync {
    /// Returns the state of the seal. Never fails: also answers while sealed or uninitialised.
    fn seal_status(&self) -> SealStatus;

    /// Tells which node is active.
    fn leader(&self) -> LeaderStatus;

    /// Lists all nodes known.
    fn ha_status(&self) -> Vec<HaStatus>;

    /// Makes keyring, shares and root token, exactly once.
    fn initialize(&self, request: InitRequest)
    -> BoxFuture<'_, Result<InitResult, LifecycleError>>;

    /// Takes one share; unseals at the threshold.
    fn unseal(&self, share: ShareInput) -> BoxFuture<'_, Result<SealStatus, LifecycleError>>;

    /// Throws away the shares given so far.
    fn reset_unseal(&self) -> SealStatus;

    /// Drops the keys. The caller was authorized by the router.
    fn seal(&self) -> BoxFuture<'_, Result<(), LifecycleError>>;

    /// Gives up leadership. The caller was authorized by the router.
    fn step_down(&self) -> BoxFuture<'_, Result<(), LifecycleError>>;

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
