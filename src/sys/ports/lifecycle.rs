//! What the open endpoints need of the node. `node` implements it.

use super::cluster::Cluster;
use crate::clock::Timestamp;
use crate::secret::{SecretBytes, SecretString};
use crate::store::{BoxFuture, CommitError};
use crate::stream::Chunks;
use crate::telemetry::Reading;
use std::sync::Arc;

/// `sys/seal-status` and the answer of `sys/unseal`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealStatus {
    /// `shamir`.
    pub seal_type: String,
    /// A keyring exists.
    pub initialized: bool,
    /// The keys are not in memory.
    pub sealed: bool,
    /// Threshold.
    pub t: u8,
    /// Shares.
    pub n: u8,
    /// Shares given so far.
    pub progress: u8,
    /// UUID of the attempt; empty when idle.
    pub nonce: String,
    /// Only while unsealed.
    pub cluster_name: Option<String>,
    /// Only while unsealed.
    pub cluster_id: Option<String>,
    /// `raft`, `inmem`.
    pub storage_type: String,
    /// Recovery keys instead of unseal keys?
    pub recovery_seal: bool,
    /// Why a node that its seal should have opened is sealed.
    pub warnings: Vec<String>,
}

/// `sys/leader`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderStatus {
    /// False for a store without high availability.
    pub ha_enabled: bool,
    /// This node is active.
    pub is_self: bool,
    /// When it became active; zero when it is not.
    pub active_time: Timestamp,
    /// `http://192.168.50.101:8200`; empty when unknown.
    pub leader_address: String,
    /// `https://192.168.50.101:8201`; empty when unknown.
    pub leader_cluster_address: String,
    /// Committed log index; `None` for a store without one.
    pub raft_committed_index: Option<u64>,
    /// Applied log index.
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
    /// Is it the active one?
    pub active_node: bool,
    /// When it was heard of last; zero for this node.
    pub last_echo: Timestamp,
    /// Its version.
    pub version: String,
}

/// `sys/init`.
#[derive(Debug, Default)]
pub struct InitRequest {
    /// Shares.
    pub secret_shares: u8,
    /// Threshold.
    pub secret_threshold: u8,
}

/// `sys/metrics`, as one node answers it.
#[derive(Clone, Debug)]
pub struct Metering {
    /// `metrics_prefix`; empty is `vault`.
    pub prefix: String,
    /// False once `prometheus_retention_time` is zero.
    pub prometheus: bool,
    /// What no instrument of the process counts.
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

/// What initialization gives, once.
#[derive(Debug)]
pub struct InitResult {
    /// Shares in Vault's format (y bytes, then x).
    pub shares: Vec<SecretBytes>,
    /// The first root token.
    pub root_token: SecretString,
}

/// One unseal key as decoded bytes.
pub type ShareInput = SecretBytes;

/// Why a lifecycle step failed.
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
    /// 503.
    #[error("Vault is sealed")]
    Sealed,
    /// 503: not now, try again; the message is the client's.
    #[error("{0}")]
    Unavailable(String),
    /// As for every write that the store did not confirm.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// 500: another node refused or did not answer; the message is the client's, too.
    #[error("{0}")]
    Elsewhere(String),
    /// 500: the message inside goes to the log.
    #[error("internal error: {0}")]
    Internal(String),
}

/// In Vault's words.
const NO_SNAPSHOTS: &str = "raft storage is not in use";

/// Start, seal and role, as the node keeps them.
pub trait Lifecycle: Send + Sync {
    /// Never fails: also answers while sealed or uninitialised.
    fn seal_status(&self) -> SealStatus;

    /// Who is active.
    fn leader(&self) -> LeaderStatus;

    /// All nodes known.
    fn ha_status(&self) -> Vec<HaStatus>;

    /// Makes keyring, shares and root token. Exactly once.
    fn initialize(&self, request: InitRequest)
    -> BoxFuture<'_, Result<InitResult, LifecycleError>>;

    /// Takes one share; unseals at the threshold.
    fn unseal(&self, share: ShareInput) -> BoxFuture<'_, Result<SealStatus, LifecycleError>>;

    /// Throws the shares given so far away.
    fn reset_unseal(&self) -> SealStatus;

    /// Drops the keys. The caller was authorized by the router.
    fn seal(&self) -> BoxFuture<'_, Result<(), LifecycleError>>;

    /// Gives up leadership. The caller was authorized by the router.
    fn step_down(&self) -> BoxFuture<'_, Result<(), LifecycleError>>;

    /// The whole state as an archive, in pieces. The caller was authorized by the router.
    fn save_snapshot(&self) -> BoxFuture<'_, Result<Chunks, LifecycleError>> {
        Box::pin(async { Err(LifecycleError::Invalid(NO_SNAPSHOTS.into())) })
    }

    /// Replaces the whole state by an archive; with `force` by any cluster's. The caller was
    /// authorized by the router.
    fn restore_snapshot(
        &self,
        archive: Chunks,
        force: bool,
    ) -> BoxFuture<'_, Result<(), LifecycleError>> {
        let _unread = (archive, force);
        Box::pin(async { Err(LifecycleError::Invalid(NO_SNAPSHOTS.into())) })
    }

    /// What this node tells in numbers, whatever its role. Counting a large store is not waited
    /// for.
    fn metering(&self) -> BoxFuture<'_, Metering> {
        Box::pin(async { Metering::default() })
    }

    /// Cluster time now.
    fn now(&self) -> Timestamp;

    /// The members; `None` for a store that has no others.
    fn cluster(&self) -> Option<Arc<dyn Cluster>> {
        None
    }
}
