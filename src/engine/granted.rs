//! Grants as an engine sees them again: a leased secret or a login that is renewed or revoked.

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
    /// Time of the grant.
    pub issue_time: Timestamp,
    /// Time at which it ends.
    pub expire_time: Timestamp,
    /// The login; `None` for a secret.
    pub login: Option<Login>,
    /// The mount, as it is now. The router fills it in.
    pub mount: Arc<MountContext>,
    /// Cluster time. The router fills it in.
    pub now: Timestamp,
}

/// The policies and names that a login gave.
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

/// An engine's verdict on a renewal that it allows.
#[derive(Clone, Debug, Default)]
pub struct Renewed {
    /// Life from now on; `None` for the increment that was asked for. The mount's and the lease's
    /// own limits hold beside it.
    pub ttl: Option<Duration>,
    /// Longest life, counted from [`Granted::issue_time`]; `None` for the limit that held so far.
    pub max_ttl: Option<Duration>,
    /// The new [`Granted::internal`] of a secret; `None` where the old one stays.
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

/// Returns the answer of an engine that grants no leases to a request to revoke one: 405.
pub(super) fn cannot_revoke<'a>() -> BoxFuture<'a, Result<Batch, Error>> {
    Box::pin(async { Err(Error::unsupported_operation()) })
}
