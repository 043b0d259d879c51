//! A request as it comes from the edge, and what goes back.

use crate::engine::{Client, Error, Operation, Response};
use crate::secret::SecretString;
use crate::stream::Upload;
use crate::token::Fingerprint;
use serde_json::{Map, Value};
use std::time::Duration;

/// A parsed, bounded, not yet authenticated request. Its path passed [`crate::path::check`].
#[derive(Debug)]
pub struct Incoming {
    /// UUID made at the edge.
    pub id: String,
    /// `Update` for PUT and POST; the router asks the engine whether it is a `Create`.
    pub operation: Operation,
    /// Without `/v1/`: `secret/data/app`. Paths of `List` and `Scan` end in `/`, whether the
    /// client wrote it or not.
    pub path: String,
    /// The token, if one was sent.
    pub token: Option<SecretString>,
    /// That of `token`, where the edge was told it ([`super::Acquaintance`]).
    pub fingerprint: Option<Fingerprint>,
    /// Body and query fields.
    pub data: Map<String, Value>,
    /// The body, where its endpoint takes a stream.
    pub upload: Upload,
    /// `X-Vault-Wrap-TTL`.
    pub wrap_ttl: Option<Duration>,
    /// All other headers, names in lower case; never the token's.
    pub headers: Vec<(String, String)>,
    /// From where.
    pub client: Client,
    /// What the request took on its way here, head and body.
    pub bytes: u64,
}

/// The answer, for the edge to encode.
#[derive(Debug)]
pub struct Reply {
    /// The envelope's `request_id`.
    pub request_id: String,
    /// The envelope's `mount_type` (empty where none matched).
    pub mount_type: String,
    /// What to encode.
    pub result: Result<Response, Error>,
    /// It failed because this node does not lead any more, before anything of it was written: it
    /// may be asked of another node.
    pub moved: bool,
}

/// What a standby makes of a request.
#[derive(Debug)]
pub enum OnStandby {
    /// Answered here, and audited here.
    Answered(Box<Reply>),
    /// It writes, or nobody leads: only the active node can answer it. Nothing was changed.
    ForActive,
    /// This node has not applied what the client has seen already. Nothing was changed.
    Behind,
}
