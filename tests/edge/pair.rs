//! Two nodes over one store: one active, one standby, and a way between them that can fail.

use crate::fake::{FakeNode, PATIENCE, Reply};
use coffer::audit::{self, DeviceSpec};
use coffer::barrier::{Sealed, Unsealed};
use coffer::clock::{Clock, ManualClock, Timestamp};
use coffer::http::forward::{ForwardAnswer, ForwardEntry, ForwardError, ForwardRequest, Forwarder};
use coffer::http::{Address, Bound, Gate, Listener, Options, Server};
use coffer::mount::Table;
use coffer::node::{Assembly, assemble};
use coffer::router::{Leader, Lifetimes, Role, Router};
use coffer::secret::Secret;
use coffer::store::{
    BoxFuture, CommitError, Inmem, Observer, ReadError, Record, Revision, Storage, StorageStatus,
    Transaction, Visit,
};
use coffer::sys::Lifecycle;
use coffer::{lease, seal, token};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

pub const ROOT: &str = "root-token-for-tests";
pub const CLUSTER: &str = "11111111-2222-3333-4444-555555555555";
const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The one store as one node sees it.
pub struct View {
    store: Arc<Inmem>,
    /// True if the node may write.
    pub leads: AtomicBool,
    /// True if the leader answers for a read index.
    pub has_leader: AtomicBool,
    pub commits_refused: AtomicUsize,
}

impl Storage for View {
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError> {
        self.store.get(key)
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        self.store.scan(prefix, visit)
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        if !self.leads.load(Ordering::SeqCst) {
            self.commits_refused.fetch_add(1, Ordering::SeqCst);
            return Box::pin(async { Err(CommitError::NotLeader) });
        }
        self.store.commit(transaction)
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        let known = self.has_leader.load(Ordering::SeqCst);
        Box::pin(async move {
            match known {
                true => Ok(()),
                false => Err(ReadError::Unavailable("no leader".into())),
            }
        })
    }

    fn observe(&self, observer: Weak<dyn Observer>) {
        self.store.observe(observer);
    }

    fn status(&self) -> StorageStatus {
        self.store.status()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// The fate of requests on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Good,
    /// The request is not sent.
    Down,
    /// The request arrives, and the answer does not.
    AnswersLost,
}

/// The way to the other node; requests on it pass through the bytes that would travel.
pub struct Link {
    to: Mutex<Option<ForwardEntry>>,
    pub way: Mutex<Way>,
    pub sent: AtomicUsize,
    /// The last request, as it would arrive.
    pub last: Mutex<Option<ForwardRequest>>,
}

impl Forwarder for Link {
    fn forward(
        &self,
        request: &ForwardRequest,
        _within: Duration,
    ) -> BoxFuture<'_, Result<ForwardAnswer, ForwardError>> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        let way = *self.way.lock().unwrap();
        let entry = self.to.lock().unwrap().clone().unwrap();
        let message = request.whole().unwrap();
        *self.last.lock().unwrap() = ForwardRequest::decode(message.clone()).ok();
        Box::pin(async move {
            if way == Way::Down {
                return Err(ForwardError::NotExecuted("it is down".into()));
            }
            let answer = entry.call(message, &Some).await.unwrap();
            if way == Way::AnswersLost {
                return Err(ForwardError::Unknown("it broke".into()));
            }
            let answer = ForwardAnswer::decode(answer).unwrap();
            answer.ok_or_else(|| ForwardError::NotExecuted("not active".into()))
        })
    }

    fn cluster_id(&self) -> Option<Arc<str>> {
        Some(CLUSTER.into())
    }
}

/// One of the two.
pub struct Half {
    pub view: Arc<View>,
    pub router: Arc<Router>,
    pub role: watch::Sender<Role>,
    pub server: Server,
    pub link: Arc<Link>,
    audit: PathBuf,
}

/// Both nodes. `a` is active, `b` is the standby.
pub struct Pair {
    pub a: Half,
    pub b: Half,
    _directory: tempfile::TempDir,
}

pub fn leader() -> Leader {
    Leader {
        api_address: "http://active:8200".into(),
        cluster_address: "https://active:8201".into(),
    }
}

impl Pair {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// Starts both, with the standby's listener changed by `change`.
    pub async fn with(change: impl FnOnce(&mut Listener)) -> Self {
        let store = Arc::new(Inmem::new());
        let config = seal::check_config(1, 1).unwrap();
        let (key, _) = seal::generate(config).unwrap();
        let sealed = Sealed::new(Arc::clone(&store) as _);
        let fresh = sealed.initialize(&key, config, START).unwrap();
        let (barrier, mut batch) = (fresh.barrier, fresh.batch);
        Table::new(&barrier).unwrap().install(&mut batch).unwrap();
        let leases = Arc::new(lease::Store::new(&barrier));
        let tokens = token::Store::new(&barrier, leases).unwrap();
        let mut spec = token::Spec::root();
        spec.text = Some(Secret::new(ROOT.to_owned()));
        tokens.create(&mut batch, spec, START).unwrap();
        barrier.commit(batch, START).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let half = async |name: &str, listener: Listener| {
            let view = Arc::new(View {
                store: Arc::clone(&store),
                leads: AtomicBool::new(true),
                has_leader: AtomicBool::new(true),
                commits_refused: AtomicUsize::new(0),
            });
            let sealed = Sealed::new(Arc::clone(&view) as _);
            let barrier = sealed.unseal(&key).unwrap();
            let audit = directory.path().join(name);
            Half::start(view, &barrier, audit, listener).await
        };
        let listener = Listener::new(Address::Tcp("127.0.0.1:0".into()));
        let mut changed = listener.clone();
        change(&mut changed);
        let (a, b) = (half("a", listener).await, half("b", changed).await);
        *a.link.to.lock().unwrap() = Some(b.server.entry());
        *b.link.to.lock().unwrap() = Some(a.server.entry());
        a.activate();
        b.stand_by(Some(leader()));
        let pair = Self {
            a,
            b,
            _directory: directory,
        };
        let mounted = pair
            .a
            .root("POST", "sys/mounts/kv", r#"{"type":"kv"}"#)
            .await;
        assert_eq!(mounted.status, 204, "{}", mounted.body);
        pair
    }
}

impl Half {
    async fn start(
        view: Arc<View>,
        barrier: &Arc<Unsealed>,
        audit: PathBuf,
        listener: Listener,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(START));
        let options = BTreeMap::from([
            ("file_path".to_owned(), audit.display().to_string()),
            ("log_raw".to_owned(), "true".to_owned()),
        ]);
        let node = Arc::new(FakeNode::default());
        let found: Arc<dyn Lifecycle> = node.clone();
        let router = assemble(Assembly {
            node: Arc::new(move || Some(Arc::clone(&found))),
            barrier: Arc::clone(barrier),
            clock,
            memory: &coffer::memory::DEFAULT,
            lifetimes: Lifetimes::default(),
            audit: audit::Options {
                devices: vec![DeviceSpec::new("file", "file", options)],
                directories: vec![audit.parent().unwrap().to_owned()],
            },
            raw_storage_endpoint: false,
            sanitized: Map::new(),
            cluster: None,
            kinds: coffer::node::KINDS.to_vec(),
            autopilot: Arc::default(),
            rewrapping: Arc::default(),
            snapshots: Arc::default(),
        });
        let link = Arc::new(Link {
            to: Mutex::default(),
            way: Mutex::new(Way::Good),
            sent: AtomicUsize::new(0),
            last: Mutex::default(),
        });
        let (role, receiver) = watch::channel(Role::Sealed);
        let gate = Gate {
            role: receiver,
            lifecycle: node,
            forwarder: Some(Arc::clone(&link) as _),
            recovery: None,
        };
        let options = Options {
            listeners: vec![listener],
            ..Options::default()
        };
        Self {
            view,
            router: Arc::new(router.unwrap()),
            role,
            server: coffer::http::serve(options, gate).await.unwrap(),
            link,
            audit,
        }
    }

    pub fn activate(&self) {
        self.view.leads.store(true, Ordering::SeqCst);
        let router = Arc::clone(&self.router);
        self.role.send_replace(Role::Active { router, term: 1 });
    }

    pub fn stand_by(&self, leader: Option<Leader>) {
        self.view.leads.store(false, Ordering::SeqCst);
        let router = Arc::clone(&self.router);
        self.role.send_replace(Role::Standby { router, leader });
    }

    /// Returns the number of followers of the role: the server itself, and each request without an
    /// answer yet.
    pub fn followers(&self) -> usize {
        self.role.receiver_count()
    }

    pub fn address(&self) -> SocketAddr {
        match &self.server.addresses()[0] {
            Bound::Tcp(address) => *address,
            Bound::Unix(_) => panic!("not a TCP listener"),
        }
    }

    /// Sends one request with the root token.
    pub async fn root(&self, method: &str, path: &str, body: &str) -> Reply {
        let token = format!("X-Vault-Token: {ROOT}");
        self.call(method, path, &[&token], body).await
    }

    pub async fn call(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Reply {
        self.send(method, path, headers, body).await.0
    }

    /// Sends a request; returns the answer, and the address from which the request came.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &str,
    ) -> (Reply, SocketAddr) {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let from = stream.local_addr().unwrap();
        let mut text = format!("{method} /v1/{path} HTTP/1.1\r\nHost: x\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let written = stream.write_all(text.as_bytes());
        tokio::time::timeout(PATIENCE, written)
            .await
            .unwrap()
            .unwrap();
        (Reply::read(&mut stream).await, from)
    }

    /// Returns all audit records, each with its `type` and `request`.
    pub fn audited(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.audit).unwrap_or_default();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Returns the audit records about `path`.
    pub fn audited_at(&self, path: &str) -> Vec<Value> {
        let mut records = self.audited();
        records.retain(|record| record["request"]["path"] == path);
        records
    }

    pub fn sent(&self) -> usize {
        self.link.sent.load(Ordering::SeqCst)
    }
}
