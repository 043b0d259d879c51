//! The router's knowledge of a request, beyond that of the engines.

use super::Incoming;
use super::revoker::Granting;
use super::routes::Route;
use crate::engine::table::{Access, Effect, Endpoint, Found, OnFullDisk, Wrapping};
use crate::engine::{Caller, Granted, MountContext, Operation, Request};
use crate::secret::SecretString;
use crate::token::{Fingerprint, Token};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The mount of a request before its own is known, shared so that it costs nothing.
static NOWHERE: LazyLock<Arc<MountContext>> = LazyLock::new(Arc::default);

/// The router's side of a request. Filled in anew at each attempt.
pub(super) struct Call {
    /// Full path, without `/v1/`.
    pub path: String,
    /// The operation as the edge understood it, before `update` became `create`.
    pub asked: Operation,
    /// The token's text as it was sent.
    pub text: Option<Arc<SecretString>>,
    /// The fingerprint of `text`, if it is known already.
    pub fingerprint: Option<Fingerprint>,
    /// The size of the request; see [`Incoming::bytes`].
    pub bytes: u64,
    /// The size of its body; see [`Incoming::payload_bytes`].
    pub payload_bytes: u64,
    /// All headers that came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The route of the path, when something is mounted there.
    pub route: Option<Arc<Route>>,
    /// The endpoint of the path, when the engine has one there.
    pub endpoint: Option<&'static Endpoint>,
    /// The effect of the operation there.
    pub effect: Option<Effect>,
    /// The token of the caller, when it is known.
    pub token: Option<Arc<Token>>,
    /// True when this request uses the token up by one.
    pub spends: bool,
    /// True when the policies granted the request.
    pub allowed: bool,
    /// True when something was done already that is not in the batch.
    pub acted: bool,
    /// True when it failed before anything was written, because another node leads now.
    pub moved: bool,
    /// The secret that the answer grants, and the route of the mount that grants it.
    pub granted: Option<(Arc<Route>, Granted)>,
    /// The hold on the mounts, kept until the grant is committed.
    pub granting: Option<Granting>,
    /// The step of a request that is about a wrapping token.
    pub step: Option<Wrapping>,
    /// The wrap TTL that was asked for, where the system's maximum is less.
    pub wrap_ttl_refused: Option<Duration>,
}

impl Call {
    /// Takes `incoming` apart into the router's side and the engine's. No wrapping lives longer
    /// than `wrap_ttl_max`.
    pub fn new(incoming: Incoming, wrap_ttl_max: Duration) -> (Self, Request) {
        let call = Self {
            step: None,
            path: incoming.path,
            asked: incoming.operation,
            text: incoming.token.map(Arc::new),
            fingerprint: incoming.fingerprint,
            bytes: incoming.bytes,
            payload_bytes: incoming.payload_bytes,
            headers: incoming.headers,
            route: None,
            endpoint: None,
            effect: None,
            token: None,
            spends: false,
            allowed: false,
            acted: false,
            moved: false,
            granted: None,
            granting: None,
            wrap_ttl_refused: incoming.wrap_ttl.filter(|ttl| *ttl > wrap_ttl_max),
        };
        let request = Request {
            id: incoming.id,
            operation: incoming.operation,
            path: String::new(),
            data: incoming.data,
            caller: Caller::default(),
            client: incoming.client,
            mount: Arc::clone(&NOWHERE),
            wrap_ttl: incoming.wrap_ttl.map(|ttl| ttl.min(wrap_ttl_max)),
            headers: Vec::new(),
            existing: None,
            prepared: None,
            upload: incoming.upload,
            now: crate::clock::Timestamp::default(),
        };
        (call, request)
    }

    /// Notes the endpoint that was found at the path, with the operation's effect there.
    pub fn settle(&mut self, found: Option<Found>) {
        self.endpoint = found.map(|found| found.endpoint);
        self.effect = found.and_then(|found| found.effect);
        self.step = self.endpoint.and_then(|endpoint| endpoint.wrapping);
    }

    /// Returns the access to the endpoint; `None` where there is no endpoint.
    pub fn access(&self) -> Option<Access> {
        self.endpoint.map(|endpoint| endpoint.access)
    }

    /// Returns true when a batch of this request will be committed before its answer.
    pub fn writes(&self) -> bool {
        is_write(self.asked) && matches!(self.effect, None | Some(Effect::Writes))
    }

    /// Returns true when it brings new data, which a disk that is nearly full has no space for. A
    /// wrapping token is new data, too.
    pub fn adds_data(&self, wrap_ttl: Option<Duration>) -> bool {
        let is_row = self.effect == Some(Effect::Writes) && self.writes();
        let writes = is_row && !self.repairs();
        writes || wrap_ttl.is_some_and(|ttl| !ttl.is_zero())
    }

    /// Returns true when it makes space, ends something, or leads to what does.
    pub fn repairs(&self) -> bool {
        let marked = |endpoint: &Endpoint| endpoint.on_full_disk != OnFullDisk::Adds;
        self.is_ending() || self.endpoint.is_some_and(marked)
    }

    /// Returns true when it goes on although no audit device has space for its lines.
    pub fn rescues(&self) -> bool {
        let marked = |endpoint: &Endpoint| endpoint.on_full_disk == OnFullDisk::Rescues;
        self.allowed && self.is_ending() && self.endpoint.is_some_and(marked)
    }

    /// Returns true for a deletion and for an act of the node.
    fn is_ending(&self) -> bool {
        let is_known = self.effect.is_some();
        is_known && self.asked == Operation::Delete || self.effect == Some(Effect::Acts)
    }

    /// Returns true when its engine first finds something out that takes long.
    pub fn prepares(&self) -> bool {
        self.endpoint.is_some_and(|endpoint| endpoint.prepares)
    }

    /// Returns true when it changes the token's record.
    pub fn uses_up(&self) -> bool {
        self.spends && self.token.as_ref().is_some_and(|token| token.num_uses > 0)
    }

    /// Returns the name of the queue in which this request waits for its turn: that of its token,
    /// which every request spends when it is limited, and else that of its path.
    pub fn queue_name(&self) -> &str {
        match &self.token {
            Some(token) if token.num_uses > 0 => &token.id,
            _ => &self.path,
        }
    }
}

/// Returns true for an operation that changes something, unless its endpoint says otherwise.
pub(super) const fn is_write(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Create | Operation::Update | Operation::Patch | Operation::Delete
    )
}
