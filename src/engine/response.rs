//! The answer of an engine.

use crate::barrier::Batch;
use crate::clock::Timestamp;
use crate::secret::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A response and the changes that must commit before it is sent.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For the client.
    pub response: Response,
    /// For the log.
    pub batch: Batch,
}

/// An answer before it becomes an envelope.
#[derive(Debug, Default)]
pub struct Response {
    /// Status when it is not the usual one (200 with a body, 204 without).
    pub status: Option<u16>,
    /// `data`.
    pub data: Option<Map<String, Value>>,
    /// `auth`: the router turns it into a token unless `client_token` is set already.
    pub auth: Option<Auth>,
    /// A lease for what `data` holds.
    pub lease: Option<LeaseGrant>,
    /// The envelope's `lease_duration` where there is no lease (kv v1); zero says none.
    pub lease_duration: Duration,
    /// `wrap_info`; set by the router.
    pub wrap_info: Option<WrapInfo>,
    /// `warnings`.
    pub warnings: Vec<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Sent instead of an envelope.
    pub body: Option<Body>,
    /// Sent instead of an envelope, piece by piece.
    pub stream: Option<Streamed>,
    /// Copies the fields of `data` beside it at the top level, as some `sys` answers do.
    pub duplicate_data: bool,
    /// Leaves `request_id` empty (`sys/wrapping/wrap`).
    pub anonymous: bool,
}

/// A body that is sent while it is made. After an error in it the client sees that it is cut.
pub struct Streamed {
    /// Content-Type.
    pub content_type: &'static str,
    /// Pieces.
    pub chunks: crate::stream::Chunks,
}

impl std::fmt::Debug for Streamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Streamed({})", self.content_type)
    }
}

/// A body that is sent as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Content-Type.
    pub content_type: &'static str,
    /// Bytes.
    pub bytes: Vec<u8>,
}

/// The kind of token that a login or role makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenType {
    /// Stored, renewable, revocable.
    #[default]
    Service,
    /// Self-contained, encrypted, not stored.
    Batch,
}

/// A login's result, or a token's creation.
#[derive(Debug, Default)]
pub struct Auth {
    /// The token, once made.
    pub client_token: Option<SecretString>,
    /// Its accessor, once made.
    pub accessor: String,
    /// All policies.
    pub policies: Vec<String>,
    /// Policies from the token itself.
    pub token_policies: Vec<String>,
    /// Policies from the identity.
    pub identity_policies: Vec<String>,
    /// Facts that the method tells about the caller.
    pub metadata: BTreeMap<String, String>,
    /// Life; zero never ends.
    pub ttl: Duration,
    /// Longest life; zero is the mount's.
    pub max_ttl: Duration,
    /// Hard end; zero is none.
    pub explicit_max_ttl: Duration,
    /// Renewal period; zero is none.
    pub period: Duration,
    /// True when it may be renewed.
    pub renewable: bool,
    /// Uses; zero is without limit.
    pub num_uses: u64,
    /// Service or batch.
    pub token_type: TokenType,
    /// True for a token without a parent.
    pub orphan: bool,
    /// The identity's id.
    pub entity_id: String,
    /// `userpass-anna`.
    pub display_name: String,
    /// Name at the method, for identity.
    pub alias_name: String,
    /// CIDRs the token is bound to.
    pub bound_cidrs: Vec<String>,
    /// True to leave the `default` policy out.
    pub no_default_policy: bool,
    /// For the method, when the token is renewed.
    pub internal: Map<String, Value>,
}

/// A lease that the router registers, in the entry that has the engine's batch.
#[derive(Clone, Debug, Default)]
pub struct LeaseGrant {
    /// Its id, once registered. An engine leaves it empty.
    pub id: String,
    /// Life; zero is the mount's default. The mount's maximum and `max_ttl` hold beside it.
    pub ttl: Duration,
    /// Longest life with all renewals; zero is the mount's.
    pub max_ttl: Duration,
    /// True when it may be renewed.
    pub renewable: bool,
    /// For the engine, when the lease is renewed or revoked.
    pub internal: Map<String, Value>,
}

/// The envelope's `wrap_info`.
#[derive(Debug)]
pub struct WrapInfo {
    /// The wrapping token.
    pub token: SecretString,
    /// Its accessor.
    pub accessor: String,
    /// Its life.
    pub ttl: Duration,
    /// Time at which it was made.
    pub creation_time: Timestamp,
    /// Path of the request whose answer is wrapped.
    pub creation_path: String,
    /// Accessor of the token inside, if one is.
    pub wrapped_accessor: Option<String>,
}

impl Response {
    /// Returns 200 with `data`.
    pub fn data(data: Map<String, Value>) -> Self {
        Self {
            data: Some(data),
            ..Self::default()
        }
    }

    /// Returns 204.
    pub fn no_content() -> Self {
        Self::default()
    }

    /// Returns 200 with `{"keys": [...]}`; an empty list is 404, see [`super::Error::not_found`].
    pub fn list(keys: Vec<String>) -> Self {
        let keys = keys.into_iter().map(Value::String).collect();
        let mut data = Map::new();
        data.insert("keys".into(), Value::Array(keys));
        Self::data(data)
    }

    /// Adds a warning.
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Self {
            response,
            batch: Batch::new(),
        }
    }
}
