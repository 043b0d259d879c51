//! A pretended node, and a client that speaks bytes.

use bytes::Bytes;
use coffer::clock::Timestamp;
use coffer::http::{Address, Bound, Gate, Listener, Options, Server};
use coffer::router::Role;
use coffer::secret::{Secret, SecretBytes};
use coffer::store::BoxFuture;
use coffer::stream::Chunks;
use coffer::sys::{
    HaStatus, InitRequest, InitResult, LeaderStatus, Lifecycle, LifecycleError, SealStatus,
};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};

/// Longest wait for anything in these tests.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a condition.
pub async fn until(holds: impl Fn() -> bool) {
    let reached = crate::wait::reaches_async(PATIENCE, async || holds()).await;
    assert!(reached, "it never came to that");
}
/// The number of a snapshot's pieces; together they are more than sockets hold.
pub const PIECES: usize = 256;
pub const PIECE: &[u8] = &[b's'; 64 * 1024];

/// A node that records its shares, and unseals at the second.
#[derive(Default)]
pub struct FakeNode {
    pub status: Mutex<SealStatus>,
    pub shares: Mutex<Vec<Vec<u8>>>,
    pub inits: Mutex<Vec<(u8, u8)>>,
    /// The number of calls of `seal` that ended; each first waits for `let_seal`.
    pub seals_done: AtomicUsize,
    pub let_seal: Notify,
}

impl Lifecycle for FakeNode {
    fn seal_status(&self) -> SealStatus {
        self.status.lock().unwrap().clone()
    }

    fn leader(&self) -> LeaderStatus {
        LeaderStatus {
            ha_enabled: true,
            is_self: true,
            active_time: Timestamp::from_secs(7),
            leader_address: "http://a:8200".into(),
            leader_cluster_address: "https://a:8201".into(),
            raft_committed_index: Some(3),
            raft_applied_index: Some(2),
        }
    }

    fn ha_status(&self) -> Vec<HaStatus> {
        Vec::new()
    }

    fn initialize(
        &self,
        request: InitRequest,
    ) -> BoxFuture<'_, Result<InitResult, LifecycleError>> {
        Box::pin(async move {
            let mut status = self.status.lock().unwrap();
            if status.initialized {
                return Err(LifecycleError::AlreadyInitialized);
            }
            status.initialized = true;
            let made = (request.secret_shares, request.secret_threshold);
            self.inits.lock().unwrap().push(made);
            Ok(InitResult {
                recovery_shares: None,
                shares: vec![Secret::new(vec![0xab; 33])],
                root_token: Secret::new("s.root".into()),
                cluster_name: "fake".into(),
                cluster_id: "1".into(),
            })
        })
    }

    fn unseal(&self, share: SecretBytes) -> BoxFuture<'_, Result<SealStatus, LifecycleError>> {
        Box::pin(async move {
            let mut status = self.status.lock().unwrap();
            if !status.initialized {
                return Err(LifecycleError::NotInitialized);
            }
            let mut shares = self.shares.lock().unwrap();
            shares.push(share.into_inner());
            status.progress = u8::try_from(shares.len()).unwrap();
            if shares.len() == 2 {
                status.sealed = false;
                status.progress = 0;
                status.cluster_name = Some("home".into());
                status.cluster_id = Some("id-1".into());
            }
            Ok(status.clone())
        })
    }

    fn reset_unseal(&self) -> SealStatus {
        self.shares.lock().unwrap().clear();
        let mut status = self.status.lock().unwrap();
        status.progress = 0;
        status.clone()
    }

    fn seal(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        Box::pin(async {
            self.let_seal.notified().await;
            self.seals_done.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    }

    fn step_down(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        Box::pin(async { Ok(()) })
    }

    fn save_snapshot(&self) -> BoxFuture<'_, Result<Chunks, LifecycleError>> {
        let pieces = (0..PIECES).map(|_| Ok(Bytes::from_static(PIECE)));
        let chunks: Chunks = Box::pin(futures_util::stream::iter(pieces));
        Box::pin(async { Ok(chunks) })
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_700_000_000)
    }
}

/// A served edge.
pub struct Edge {
    pub node: Arc<FakeNode>,
    pub role: watch::Sender<Role>,
    pub server: Server,
}

impl Edge {
    /// Starts one plain listener on loopback, changed by `change`, before an uninitialised node.
    pub async fn start(change: impl FnOnce(&mut Listener)) -> Self {
        let mut listener = Listener::new(Address::Tcp("127.0.0.1:0".into()));
        change(&mut listener);
        Self::start_with(Options {
            listeners: vec![listener],
            ..Options::default()
        })
        .await
    }

    pub async fn start_with(options: Options) -> Self {
        let node = Arc::new(FakeNode::default());
        *node.status.lock().unwrap() = SealStatus {
            seal_type: "shamir".into(),
            sealed: true,
            storage_type: "inmem".into(),
            ..SealStatus::default()
        };
        let (role, receiver) = watch::channel(Role::Uninitialised);
        let gate = Gate {
            role: receiver,
            lifecycle: node.clone(),
            forwarder: None,
            recovery: None,
        };
        let server = coffer::http::serve(options, gate).await.unwrap();
        Self { node, role, server }
    }

    /// Starts an edge as [`Edge::start`] does, before a sealed node.
    pub async fn sealed(change: impl FnOnce(&mut Listener)) -> Self {
        let edge = Self::start(change).await;
        edge.node.status.lock().unwrap().initialized = true;
        edge.role.send_replace(Role::Sealed);
        edge
    }

    pub fn address(&self) -> SocketAddr {
        match &self.server.addresses()[0] {
            Bound::Tcp(address) => *address,
            Bound::Unix(_) => panic!("not a TCP listener"),
        }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    /// Connects from the address 127.0.0.`host`.
    pub async fn connect_from(&self, host: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, host], 0).into()).unwrap();
        socket.connect(self.address()).await.unwrap()
    }

    /// Sends one request on a connection of its own.
    pub async fn send(&self, request: &str) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        Reply::read(&mut stream).await
    }

    /// Sends a request with `method` and path, and with a JSON body when there is one.
    pub async fn call(&self, method: &str, path: &str, body: &str) -> Reply {
        let length = body.len();
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }
}

/// One answer, as it came.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    /// Reads one answer, up to its Content-Length or the end of the stream.
    pub async fn read<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Self {
        let read = Self::read_inner(stream);
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("an answer in time")
    }

    async fn read_inner<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Self {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && let Some(length) = length_of(head)
                && body.len() >= length
                && !head.starts_with("HTTP/1.1 100")
            {
                return Self::new(head, body);
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
                Ok(_) | Err(_) => {
                    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
                    return Self::new(head, body);
                }
            }
        }
    }

    fn new(head: &str, body: &str) -> Self {
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Panics unless every header's name is written in title case: `Content-Type`.
    #[track_caller]
    pub fn expect_title_case(&self) {
        let names = self.head.lines().skip(1);
        let names: Vec<_> = names.filter_map(|line| line.split_once(':')).collect();
        assert!(names.len() > 1, "{self:?}");
        for word in names.iter().flat_map(|(name, _)| name.split('-')) {
            let rest = word.trim_start_matches(|first: char| first.is_ascii_uppercase());
            let is_title = word.len() == rest.len() + 1 && rest.to_lowercase() == rest;
            assert!(is_title, "{word} in {self:?}");
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    pub fn errors(&self) -> Vec<String> {
        let errors = self.json()["errors"].clone();
        serde_json::from_value(errors).unwrap_or_else(|_| panic!("errors: {self:?}"))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn length_of(head: &str) -> Option<usize> {
    match header(head, "content-length") {
        Some(length) => length.parse().ok(),
        None => head.contains(" 204 ").then_some(0),
    }
}
