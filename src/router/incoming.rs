//! A request as it comes from the edge, and the answer that goes back.

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
    /// The operation: `Update` for PUT and POST; the router asks the engine if it is a `Create`.
    pub operation: Operation,
    /// The path, without `/v1/`: `secret/data/app`. Paths of `List` and `Scan` end in `/`, even
    /// where the client wrote none.
    pub path: String,
    /// The token, if one was sent.
    pub token: Option<SecretString>,
    /// The fingerprint of `token`, where the edge was told it ([`super::Acquaintance`]).
    pub fingerprint: Option<Fingerprint>,
    /// Body and query fields.
    pub data: Map<String, Value>,
    /// The body, where its endpoint takes a stream.
    pub upload: Upload,
    /// The life of a wrapping, from `X-Vault-Wrap-TTL`.
    pub wrap_ttl: Option<Duration>,
    /// All other headers, names in lower case; never the token's.
    pub headers: Vec<(String, String)>,
    /// The address of the client, and its certificate.
    pub client: Client,
    /// The size of the request on its way here, head and body.
    pub bytes: u64,
    /// The size of its body.
    pub payload_bytes: u64,
}

/// The answer, for the edge to encode.
#[derive(Debug)]
pub struct Reply {
    /// The envelope's `request_id`.
    pub request_id: String,
    /// The envelope's `mount_type` (empty where none matched).
    pub mount_type: String,
    /// The answer to encode.
    pub result: Result<Response, Error>,
    /// True when it failed because this node does not lead any more, before anything of it was
    /// written: it may be asked of another node.
    pub moved: bool,
}

/// The outcome of a request on a standby.
#[derive(Debug)]
pub enum OnStandby {
    /// The request is answered here, and audited here.
    Answered(Box<Reply>),
    /// The request writes, or nobody leads: only the active node can answer it. Nothing was
    /// changed.
    ForActive,
    /// This node has not applied an entry that the client has seen already. Nothing was changed.
    Behind,
}
