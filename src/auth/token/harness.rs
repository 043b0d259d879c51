//! A token engine over a barrier in memory, for the tests of this room.

use super::TokenEngine;
use crate::barrier::{BarrierError, Batch, Unsealed};
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::engine::table::warn_unread;
use crate::engine::{
    Auth, Caller, Engine, Error, Granted, Grantors, MountContext, Operation, Outcome, Renewed,
    Request, Response,
};
use crate::policy::Authorized;
use crate::secret::Secret;
use crate::store::Inmem;
use crate::task::BoxFuture;
use crate::token::{Minted, Spec};
use crate::{lease, policy, token};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// No method let a token in.
struct NoMethods;

impl Grantors for NoMethods {
    fn renew(&self, _: Granted, _: Duration) -> BoxFuture<'_, Result<Renewed, Error>> {
        Box::pin(async { Err(Error::invalid("no method is mounted")) })
    }
}

pub(super) struct Bench {
    pub barrier: Arc<Unsealed>,
    pub engine: TokenEngine,
    pub clock: ManualClock,
    /// Holds the mount's limits; a test may tune them.
    pub max_lease_ttl: Duration,
}

impl Bench {
    pub fn new() -> Self {
        let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
        let leases = Arc::new(lease::Store::new(&barrier));
        let tokens = Arc::new(token::Store::new(&barrier, leases).expect("opens"));
        let policies = Arc::new(policy::Store::new(&barrier));
        Self {
            engine: TokenEngine::new(tokens, policies, Arc::new(NoMethods)),
            clock: ManualClock::new(Timestamp::from_secs(1_800_000_000)),
            max_lease_ttl: Duration::from_secs(768 * 3600),
            barrier,
        }
    }

    pub async fn root(&self) -> String {
        self.mint(Spec::root()).await.token.expose().clone()
    }

    pub async fn mint(&self, spec: Spec) -> Minted {
        let mut batch = Batch::new();
        let now = self.clock.now();
        let minted = self.engine.tokens.create(&mut batch, spec, now);
        self.barrier.commit(batch, now).await.expect("commits");
        minted.expect("mints")
    }

    /// Asks as the router does, for a caller whose policies allow the path.
    pub async fn ask(
        &self,
        token: &str,
        operation: Operation,
        path: &str,
        data: Value,
        has_sudo: bool,
    ) -> Result<Response, Error> {
        let outcome = self.prepare(token, operation, path, data, has_sudo)?;
        let committed = self.commit(outcome.batch).await;
        committed.expect("commits");
        Ok(outcome.response)
    }

    pub async fn commit(&self, batch: Batch) -> Result<(), BarrierError> {
        self.barrier.commit(batch, self.clock.now()).await.map(drop)
    }

    /// Returns the answer and the batch that is to be committed for it.
    pub fn prepare(
        &self,
        token: &str,
        operation: Operation,
        path: &str,
        data: Value,
        has_sudo: bool,
    ) -> Result<Outcome, Error> {
        let text = Secret::new(token.to_owned());
        let now = self.clock.now();
        let found = self.engine.tokens.lookup(&text, now).expect("reads");
        let mut caller = found.expect("the caller lives").caller();
        caller.has_sudo = has_sudo || caller.is_root;
        caller.token = Some(Arc::new(text));
        let request = self.request(caller, operation, path, data);
        let view = self.barrier.view("logical/token/");
        let mut outcome = self.engine.handle(Authorized::public(&request), &view)?;
        let sheet = self.engine.table(&request.mount);
        if let Some(endpoint) = sheet.endpoint(&request.path, operation) {
            warn_unread(endpoint, &request, &mut outcome.response);
        }
        Ok(outcome)
    }

    fn request(&self, caller: Caller, operation: Operation, path: &str, data: Value) -> Request {
        let data = match data {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Request {
            id: String::new(),
            operation,
            path: path.to_owned(),
            data,
            caller,
            client: crate::engine::Client::default(),
            mount: Arc::new(MountContext {
                path: "auth/token/".into(),
                kind: "token".into(),
                default_lease_ttl: Duration::from_secs(768 * 3600),
                max_lease_ttl: self.max_lease_ttl,
                ..MountContext::default()
            }),
            wrap_ttl: None,
            headers: Vec::new(),
            existing: None,
            prepared: None,
            upload: crate::stream::Upload::default(),
            now: self.clock.now(),
        }
    }

    pub async fn write(&self, token: &str, path: &str, data: Value) -> Result<Response, Error> {
        self.ask(token, Operation::Update, path, data, false).await
    }

    /// Creates a token and gives its text and its `auth`.
    pub async fn create(&self, token: &str, path: &str, data: Value) -> (String, Auth) {
        let response = self.write(token, path, data).await.expect("creates");
        let auth = response.auth.expect("has auth");
        let text = auth
            .client_token
            .as_ref()
            .expect("has a token")
            .expose()
            .clone();
        (text, auth)
    }

    /// Returns the message of a request that must be refused.
    pub async fn refusal(&self, token: &str, path: &str, data: Value) -> String {
        let error = self
            .write(token, path, data)
            .await
            .expect_err("must be refused");
        error.messages.join("; ")
    }

    pub async fn lookup(&self, token: &str) -> Map<String, Value> {
        let response = self
            .ask(token, Operation::Read, "lookup-self", Value::Null, false)
            .await;
        response.expect("looks up").data.expect("has data")
    }
}
