//! What an engine granted, when it is asked about that again.

use super::{Error, MountContext};
use crate::barrier::Batch;
use crate::clock::Timestamp;
use crate::task::BoxFuture;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A secret with a lease, or a login.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// Full API path that it was granted at: `database/creds/app`, `auth/userpass/login/anna`.
    pub path: String,
    /// The lease's id; empty for a login.
    pub lease_id: String,
    /// [`super::LeaseGrant::internal`], [`super::Auth::internal`].
    pub internal: Map<String, Value>,
    /// When it was granted.
    pub issue_time: Timestamp,
    /// When it ends.
    pub expire_time: Timestamp,
    /// Who logged in; `None` for a secret.
    pub login: Option<Login>,
    /// The mount, as it is now. The router fills it in.
    pub mount: Arc<MountContext>,
    /// Cluster time. The router fills it in.
    pub now: Timestamp,
}

/// What a login gave.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The token's policies.
    pub policies: Vec<String>,
    /// [`super::Auth::metadata`].
    pub metadata: BTreeMap<String, String>,
    /// `userpass-anna`.
    pub display_name: String,
    /// The identity's id; empty without one.
    pub entity_id: String,
}

/// What an engine allows a renewal.
#[derive(Clone, Debug, Default)]
pub struct Renewed {
    /// Life from now on; `None` for what was asked. The mount's and the lease's own limits hold
    /// beside it.
    pub ttl: Option<Duration>,
    /// Longest life, counted from [`Granted::issue_time`]; `None` for what held so far.
    pub max_ttl: Option<Duration>,
    /// In the place of [`Granted::internal`] of a secret; `None` where that stays.
    pub internal: Option<Map<String, Value>>,
    /// For the client.
    pub warnings: Vec<String>,
}

/// Asks the engines that granted something, wherever they are mounted.
pub trait Grantors: Send + Sync {
    /// Has the engine of the mount that `granted` came from judge a renewal for `increment`
    /// (zero: as the engine likes). See [`super::Engine::renew`].
    fn renew(&self, granted: Granted, increment: Duration)
    -> BoxFuture<'_, Result<Renewed, Error>>;
}

/// What an engine that grants no leases answers to the question to revoke one.
pub(super) fn cannot_revoke<'a>() -> BoxFuture<'a, Result<Batch, Error>> {
    Box::pin(async { Err(Error::unsupported_operation()) })
}
