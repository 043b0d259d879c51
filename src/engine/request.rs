//! A request as engines and policies see it.

use super::Prepared;
use crate::barrier::{BarrierError, Slot, View};
use crate::clock::Timestamp;
use crate::secret::SecretString;
use crate::stream::Upload;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The operation that a client asks for, after LIST, `?list=true` and methods are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Write of something that does not exist yet.
    Create,
    /// GET.
    Read,
    /// PUT or POST.
    Update,
    /// PATCH with `application/merge-patch+json`.
    Patch,
    /// DELETE.
    Delete,
    /// LIST, or GET with `list=true`.
    List,
    /// SCAN: a recursive list.
    Scan,
    /// GET with `help=1`.
    Help,
}

impl Operation {
    /// Returns its name in audit records and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Scan => "scan",
            Self::Help => "help",
        }
    }
}

/// The caller, as far as an engine may know it.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The token record's id (a keyed hash; it does not authenticate). Empty without a token and
    /// for batch tokens.
    pub token_id: String,
    /// Its accessor; empty for batch tokens.
    pub accessor: String,
    /// Display name, `root`, `token`, `userpass-anna`.
    pub display_name: String,
    /// Policies in force.
    pub policies: Vec<String>,
    /// The identity's id; empty without one.
    pub entity_id: String,
    /// Storage name of the token's own cubbyhole; empty for batch tokens.
    pub cubbyhole_id: String,
    /// True for a batch token.
    pub is_batch: bool,
    /// True when the root policy is among them.
    pub is_root: bool,
    /// True when the policies give `sudo` on this request's path.
    pub has_sudo: bool,
    /// The text of the token. The router sets it for the token engine alone (kind `token`), which
    /// must answer with it; `None` for every other engine.
    pub token: Option<Arc<SecretString>>,
}

/// The origin of a request.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Peer address after `x_forwarded_for` rules; `None` on a unix socket.
    pub address: Option<SocketAddr>,
    /// DER of the verified TLS client certificate chain, leaf first.
    pub certificates: Arc<Vec<Vec<u8>>>,
}

/// The mount that answers.
#[derive(Clone, Debug, Default)]
pub struct MountContext {
    /// `secret/`, `auth/token/`.
    pub path: String,
    /// `kv`, `token`.
    pub kind: String,
    /// `kv_1a2b3c4d`.
    pub accessor: String,
    /// Storage name.
    pub uuid: String,
    /// `version=2`.
    pub options: BTreeMap<String, String>,
    /// Default lease after tuning and system defaults.
    pub default_lease_ttl: Duration,
    /// Longest lease after tuning and system defaults.
    pub max_lease_ttl: Duration,
}

/// One request on its way to an engine.
#[derive(Clone, Debug)]
pub struct Request {
    /// UUID; the envelope's `request_id`.
    pub id: String,
    /// The operation.
    pub operation: Operation,
    /// Relative to the mount: `data/app`.
    pub path: String,
    /// Body fields, and query fields for reads, lists and deletes.
    pub data: Map<String, Value>,
    /// The caller.
    pub caller: Caller,
    /// The caller's address and certificates.
    pub client: Client,
    /// The mount that it goes through.
    pub mount: Arc<MountContext>,
    /// Wanted life of a wrapping token, when the answer shall be wrapped.
    pub wrap_ttl: Option<Duration>,
    /// Headers the mount lets through, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The record that [`super::Engine::existing`] read.
    pub existing: Option<Slot>,
    /// The result of [`super::Engine::prepare`].
    pub prepared: Option<Prepared>,
    /// The body, where its endpoint takes a stream.
    pub upload: Upload,
    /// Cluster time.
    pub now: Timestamp,
}

impl Request {
    /// Returns a text field; `None` when it is absent, null, a list or an object. Numbers and
    /// booleans count as their text.
    pub fn text(&self, field: &str) -> Option<String> {
        match self.data.get(field)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Returns the place `path` of `view`, which this request writes to: as it was read when the
    /// operation was settled, or else as it is now. A request that was granted as `create` must not
    /// change a record that came to be meanwhile: the conflict has the policies asked again.
    pub fn slot(&self, view: &View, path: &str) -> Result<Slot, BarrierError> {
        let slot = match &self.existing {
            Some(slot) if slot.path() == view.absolute(path) => slot.clone(),
            _ => view.read(path)?,
        };
        Ok(match self.operation {
            Operation::Create if slot.is_taken() => slot.as_absent(),
            _ => slot,
        })
    }

    /// Returns the full path: mount and relative path.
    pub fn full_path(&self) -> String {
        format!("{}{}", self.mount.path, self.path)
    }
}
