//! The router and everything behind it, over a store in memory and a clock that the test sets.

mod acts;
mod audit;
mod between;
mod bounds;
pub mod cluster;
mod conflicts;
mod expired;
mod front;
mod full_disk;
mod generate_root;
mod leases;
mod members;
mod mounts;
mod narrowing;
mod policies;
mod rekey;
mod requests;
mod rewrap;
mod rows;
mod slow;
mod wrapping;
mod writers;
mod writes;

use super::{Cluster, FindNode};
use crate::audit::Options;
use crate::barrier::{Batch, SealRecord, Sealed, Unsealed, WrappedKey};
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::engine::{Client, Error, Kind, Operation, Response};
use crate::mount::Table;
use crate::node::{Assembly, KINDS, assemble};
use crate::router::{Incoming, Lifetimes, Router};
use crate::seal;
use crate::secret::{Key256, Secret, SecretBytes};
use crate::store::{Inmem, Storage};
use crate::stream::Upload;
use crate::{lease, token};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

pub struct Harness {
    pub router: Arc<Router>,
    pub clock: Arc<ManualClock>,
    pub storage: Arc<Inmem>,
    pub barrier: Arc<Unsealed>,
    pub directory: tempfile::TempDir,
    /// The cluster, for the next restart.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// True for `sys/raw`, from the next restart on.
    pub has_raw: bool,
    /// The kinds that can be mounted, for the next restart.
    pub kinds: Vec<&'static Kind>,
    /// The way to the node that the router belongs to, for the next restart.
    pub node: FindNode,
}

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

pub const ROOT: &str = "root-token-for-tests";

impl Harness {
    /// Creates a cluster in its first moment, with kv version 2 at `secret/` and version 1 at
    /// `kv/`.
    pub async fn new() -> Self {
        let storage = Arc::new(Inmem::new());
        Self::over(Arc::clone(&storage), storage).await
    }

    /// Creates the same, where the barrier sees `storage` through `front`.
    pub async fn over(storage: Arc<Inmem>, front: Arc<dyn Storage>) -> Self {
        Self::begin(storage, Unsealed::for_test(front), Batch::new()).await
    }

    /// Creates the same where a provider keeps the seal key, with a recovery key that `threshold`
    /// of as many shares make up. Returns those, too.
    pub async fn recoverable(threshold: u8) -> (Self, Vec<SecretBytes>) {
        let storage = Arc::new(Inmem::new());
        let config = seal::check_config(threshold.into(), threshold.into()).unwrap();
        let (recovery, shares) = seal::generate(config).unwrap();
        let mut record = SealRecord::of_providers(vec![WrappedKey {
            kind: "test".into(),
            name: String::new(),
            key_id: String::new(),
            ciphertext: vec![1; 32],
        }]);
        record.recovery = Some(config);
        let sealed = Sealed::new(Arc::clone(&storage) as _);
        let fresh = sealed.initialize(&Key256::generate(), record, START);
        let mut fresh = fresh.unwrap();
        let put = fresh.barrier.put_recovery_key(&mut fresh.batch, &recovery);
        put.unwrap();
        let harness = Self::begin(storage, fresh.barrier, fresh.batch).await;
        (harness, shares)
    }

    /// Creates the same with keys that `threshold` of as many shares open. Returns the shares, too.
    pub async fn sealed_by(threshold: u8) -> (Self, Vec<SecretBytes>) {
        let storage = Arc::new(Inmem::new());
        let front = Arc::clone(&storage) as _;
        Self::sealed_over(storage, front, threshold).await
    }

    /// Creates the same, where the barrier sees `storage` through `front`.
    pub async fn sealed_over(
        storage: Arc<Inmem>,
        front: Arc<dyn Storage>,
        threshold: u8,
    ) -> (Self, Vec<SecretBytes>) {
        let config = seal::check_config(threshold.into(), threshold.into()).unwrap();
        let (key, shares) = seal::generate(config).unwrap();
        let sealed = Sealed::new(front);
        let fresh = sealed.initialize(&key, config, START).unwrap();
        (
            Self::begin(storage, fresh.barrier, fresh.batch).await,
            shares,
        )
    }

    async fn begin(storage: Arc<Inmem>, barrier: Arc<Unsealed>, batch: Batch) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        Self::found(&barrier, batch).await;
        let directory = tempfile::tempdir().unwrap();
        let (node, kinds): (FindNode, _) = (Arc::new(|| None), KINDS.to_vec());
        let router = Self::router(&barrier, &clock, &directory, None, false, kinds, &node);
        let harness = Self {
            router: Arc::new(router),
            clock,
            storage,
            barrier,
            directory,
            cluster: None,
            has_raw: false,
            kinds: KINDS.to_vec(),
            node,
        };
        let v2 = json!({"type": "kv", "options": {"version": "2"}});
        harness
            .root(Operation::Update, "sys/mounts/secret", v2)
            .await
            .unwrap();
        let v1 = json!({"type": "kv"});
        harness
            .root(Operation::Update, "sys/mounts/kv", v1)
            .await
            .unwrap();
        harness
    }

    /// Writes the records that a cluster begins with.
    async fn found(barrier: &Arc<Unsealed>, mut batch: Batch) {
        Table::new(barrier).unwrap().install(&mut batch).unwrap();
        let leases = Arc::new(lease::Store::new(barrier));
        let tokens = token::Store::new(barrier, leases).unwrap();
        let mut spec = token::Spec::root();
        spec.text = Some(Secret::new(ROOT.to_owned()));
        tokens.create(&mut batch, spec, START).unwrap();
        barrier.commit(batch, START).await.unwrap();
    }

    fn router(
        barrier: &Arc<Unsealed>,
        clock: &Arc<ManualClock>,
        directory: &tempfile::TempDir,
        cluster: Option<Arc<dyn Cluster>>,
        has_raw: bool,
        kinds: Vec<&'static Kind>,
        node: &FindNode,
    ) -> Router {
        assemble(Assembly {
            node: Arc::clone(node),
            barrier: Arc::clone(barrier),
            clock: Arc::clone(clock) as _,
            memory: &crate::memory::DEFAULT,
            lifetimes: Lifetimes::default(),
            audit: Options {
                devices: Vec::new(),
                directories: vec![directory.path().to_owned()],
            },
            raw_storage_endpoint: has_raw,
            sanitized: Map::new(),
            cluster,
            kinds,
            autopilot: Arc::default(),
            rewrapping: Arc::default(),
            snapshots: Arc::default(),
        })
        .unwrap()
    }

    /// Puts a router that knows nothing yet before the same data.
    pub fn restart(&mut self) {
        self.router = Arc::new(Self::router(
            &self.barrier,
            &self.clock,
            &self.directory,
            self.cluster.clone(),
            self.has_raw,
            self.kinds.clone(),
            &self.node,
        ));
    }

    pub fn incoming(token: &str, operation: Operation, path: &str, data: Value) -> Incoming {
        let Value::Object(data) = data else {
            panic!("the body is an object");
        };
        Incoming {
            id: uuid::Uuid::new_v4().to_string(),
            operation,
            path: path.to_owned(),
            token: (!token.is_empty()).then(|| Secret::new(token.to_owned())),
            fingerprint: None,
            data,
            upload: Upload::default(),
            wrap_ttl: None,
            headers: Vec::new(),
            client: Client::default(),
            bytes: 200,
            payload_bytes: 100,
        }
    }

    pub async fn call(
        &self,
        token: &str,
        operation: Operation,
        path: &str,
        data: Value,
    ) -> Result<Response, Error> {
        let incoming = Self::incoming(token, operation, path, data);
        self.router.handle(incoming).await.result
    }

    pub async fn root(
        &self,
        operation: Operation,
        path: &str,
        data: Value,
    ) -> Result<Response, Error> {
        self.call(ROOT, operation, path, data).await
    }

    pub async fn read(&self, token: &str, path: &str) -> Result<Response, Error> {
        self.call(token, Operation::Read, path, json!({})).await
    }

    /// Makes a token with the policy `text` and the further fields of `spec`.
    pub async fn token(&self, text: &str, spec: Value) -> String {
        let name = format!("p{}", uuid::Uuid::new_v4().simple());
        let policy = json!({"policy": text});
        let path = format!("sys/policies/acl/{name}");
        self.root(Operation::Update, &path, policy).await.unwrap();
        let mut body = json!({"policies": [name], "no_parent": true});
        body.as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        let made = self
            .root(Operation::Update, "auth/token/create", body)
            .await
            .unwrap();
        made.auth.unwrap().client_token.unwrap().into_inner()
    }

    /// Reads `path` with the answer wrapped, and returns the wrapping token.
    pub async fn wrapped(&self, path: &str) -> String {
        let mut incoming = Self::incoming(ROOT, Operation::Read, path, json!({}));
        incoming.wrap_ttl = Some(Duration::from_secs(60));
        let response = self.router.handle(incoming).await.result.unwrap();
        assert!(response.data.is_none());
        response.wrap_info.unwrap().token.into_inner()
    }

    pub fn applied(&self) -> u64 {
        self.storage.status().applied_index
    }
}

pub fn field<'a>(response: &'a Response, name: &str) -> &'a Value {
    response.data.as_ref().unwrap().get(name).unwrap()
}
