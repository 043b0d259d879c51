//! What is known about a request beside what engines may know.

use super::Incoming;
use super::revoker::Granting;
use super::routes::Route;
use crate::engine::table::{Access, Effect, Endpoint, Found, Wrapping};
use crate::engine::{Caller, Granted, MountContext, Operation, Request};
use crate::secret::SecretString;
use crate::token::{Fingerprint, Token};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// What a request has before its mount is known, shared so that it costs nothing.
static NOWHERE: LazyLock<Arc<MountContext>> = LazyLock::new(Arc::default);

/// The router's side of a request. Filled in anew at each attempt.
pub(super) struct Call {
    /// Full path without `/v1/`.
    pub path: String,
    /// As the edge understood it, before `update` became `create`.
    pub asked: Operation,
    /// As sent.
    pub text: Option<Arc<SecretString>>,
    /// That of `text`, if it is known already.
    pub fingerprint: Option<Fingerprint>,
    /// See [`Incoming::bytes`].
    pub bytes: u64,
    /// All headers that came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What answers, when something is mounted there.
    pub route: Option<Arc<Route>>,
    /// Its endpoint, when the engine has one there.
    pub endpoint: Option<&'static Endpoint>,
    /// What it does there.
    pub effect: Option<Effect>,
    /// Who asks, when the token is known.
    pub token: Option<Arc<Token>>,
    /// Does this request use the token up by one?
    pub spends: bool,
    /// Did the policies grant it?
    pub allowed: bool,
    /// Was something done already that is not in the batch?
    pub acted: bool,
    /// Did it fail before anything was written, because another node leads now?
    pub moved: bool,
    /// What its answer grants, and by which mount.
    pub granted: Option<(Arc<Route>, Granted)>,
    /// Held until what is granted is committed.
    pub granting: Option<Granting>,
    /// Is it about a wrapping token?
    pub step: Option<Wrapping>,
    /// The wrap TTL that was asked for, where the system's maximum is less.
    pub wrap_ttl_refused: Option<Duration>,
}

impl Call {
    /// Takes `incoming` apart: what only the router sees, and what the engine will. No wrapping
    /// lives longer than `wrap_ttl_max`.
    pub fn new(incoming: Incoming, wrap_ttl_max: Duration) -> (Self, Request) {
        let call = Self {
            step: None,
            path: incoming.path,
            asked: incoming.operation,
            text: incoming.token.map(Arc::new),
            fingerprint: incoming.fingerprint,
            bytes: incoming.bytes,
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

    /// What was found at the path.
    pub fn settle(&mut self, found: Option<Found>) {
        self.endpoint = found.map(|found| found.endpoint);
        self.effect = found.and_then(|found| found.effect);
        self.step = self.endpoint.and_then(|endpoint| endpoint.wrapping);
    }

    /// Who may ask; `None` where nothing is.
    pub fn access(&self) -> Option<Access> {
        self.endpoint.map(|endpoint| endpoint.access)
    }

    /// Returns whether a batch of this request will be committed before its answer.
    pub fn writes(&self) -> bool {
        is_write(self.asked) && matches!(self.effect, None | Some(Effect::Writes))
    }

    /// Does its engine find something out first that takes long?
    pub fn prepares(&self) -> bool {
        self.endpoint.is_some_and(|endpoint| endpoint.prepares)
    }

    /// Does it change the token's record?
    pub fn uses_up(&self) -> bool {
        self.spends && self.token.as_ref().is_some_and(|token| token.num_uses > 0)
    }

    /// What this request fights about: a limited token is spent by every request that uses it.
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
