//! A mount over a store in memory, for the tests of this room and of cubbyhole.

use crate::barrier::{BarrierError, Unsealed, View};
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::engine::table::warn_unread;
use crate::engine::{Caller, Engine, Error, MountContext, Operation, Outcome, Request, Response};
use crate::policy::Authorized;
use crate::store::{CommitError, Inmem};
use futures_util::FutureExt;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// One engine behind one mount.
pub(crate) struct Mount<E> {
    pub(crate) engine: E,
    pub(crate) barrier: Arc<Unsealed>,
    pub(crate) view: View,
    pub(crate) clock: ManualClock,
    context: Arc<MountContext>,
}

impl<E: Engine> Mount<E> {
    pub(crate) fn new(engine: E, options: &[(&str, &str)]) -> Self {
        let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
        let pairs = options.iter();
        let context = MountContext {
            path: "secret/".into(),
            kind: "kv".into(),
            options: pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            default_lease_ttl: Duration::from_secs(2_764_800),
            ..MountContext::default()
        };
        Self {
            engine,
            view: barrier.view("logical/uuid/"),
            barrier,
            clock: ManualClock::new(Timestamp::from_secs(1_780_000_000)),
            context: Arc::new(context),
        }
    }

    pub(crate) fn set_option(&mut self, name: &str, value: &str) {
        let mut context = MountContext::clone(&self.context);
        context.options.insert(name.into(), value.into());
        self.context = Arc::new(context);
    }

    pub(crate) fn request(&self, operation: Operation, path: &str, data: Value) -> Request {
        let lists = matches!(operation, Operation::List | Operation::Scan);
        let path = match lists && !path.is_empty() && !path.ends_with('/') {
            // As at the edge.
            true => format!("{path}/"),
            false => path.to_owned(),
        };
        Request {
            id: "request".into(),
            operation,
            path,
            data: match data {
                Value::Object(fields) => fields,
                _ => Map::new(),
            },
            caller: Caller {
                cubbyhole_id: "hole".into(),
                ..Caller::default()
            },
            client: crate::engine::Client::default(),
            mount: Arc::clone(&self.context),
            wrap_ttl: None,
            headers: Vec::new(),
            existing: None,
            prepared: None,
            upload: crate::stream::Upload::default(),
            now: self.clock.now(),
        }
    }

    pub(crate) fn commit(&self, outcome: Outcome) -> Result<Response, BarrierError> {
        let committed = self.barrier.commit(outcome.batch, self.clock.now());
        committed
            .now_or_never()
            .expect("the store in memory does not wait")?;
        Ok(outcome.response)
    }

    /// Handles and commits, as the router does.
    pub(crate) fn send(&self, request: &Request) -> Result<Response, Error> {
        let mut outcome = self
            .engine
            .handle(Authorized::public(request), &self.view)?;
        let sheet = self.engine.table(&request.mount);
        if let Some(endpoint) = sheet.endpoint(&request.path, request.operation) {
            warn_unread(endpoint, request, &mut outcome.response);
        }
        Ok(self.commit(outcome)?)
    }

    pub(crate) fn ask(
        &self,
        operation: Operation,
        path: &str,
        data: Value,
    ) -> Result<Response, Error> {
        self.send(&self.request(operation, path, data))
    }

    pub(crate) fn put(&self, path: &str, data: Value) -> Result<Response, Error> {
        self.ask(Operation::Update, path, data)
    }

    pub(crate) fn get(&self, path: &str) -> Result<Response, Error> {
        self.ask(Operation::Read, path, Value::Null)
    }

    /// Returns `data` of a GET, which must answer 200.
    pub(crate) fn read(&self, path: &str, data: Value) -> Value {
        let response = self.ask(Operation::Read, path, data).expect("readable");
        assert_eq!(response.status, None, "{response:?}");
        Value::Object(response.data.expect("data"))
    }

    /// Returns the message of a request that must be refused.
    pub(crate) fn refusal(&self, operation: Operation, path: &str, data: Value) -> String {
        let error = self
            .ask(operation, path, data)
            .expect_err("must be refused");
        error.messages.join("|")
    }

    pub(crate) fn keys(&self, operation: Operation, path: &str, data: Value) -> Vec<String> {
        let response = self.ask(operation, path, data).expect("a list");
        let data = Value::Object(response.data.expect("data"));
        serde_json::from_value(data["keys"].clone()).expect("names")
    }

    /// Returns the number of records that the mount has.
    pub(crate) fn records(&self) -> usize {
        self.view.walk("", usize::MAX).expect("walks").len()
    }

    /// Commits two outcomes that were computed from the same state: the second must conflict.
    pub(crate) fn race(&self, first: &Request, second: &Request) {
        let one = self
            .engine
            .handle(Authorized::public(first), &self.view)
            .expect("answers");
        let two = self
            .engine
            .handle(Authorized::public(second), &self.view)
            .expect("answers");
        self.commit(one).expect("the first commits");
        let error = self.commit(two).expect_err("the second conflicts");
        assert!(
            matches!(error, BarrierError::Commit(CommitError::Conflict)),
            "{error}"
        );
    }
}
