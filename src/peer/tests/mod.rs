//! Peers over loopback.

mod access;
mod calls;
mod hostile;
mod memory;
mod streams;

use super::*;
use crate::stream::Chunks;
use crate::task::BoxFuture;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const WITHIN: Duration = Duration::from_secs(20);

/// A test's service; the request chooses its behaviour.
pub(super) struct Echo {
    /// The permits for which calls of `wait` hold.
    gate: Semaphore,
    /// The number of calls that hold now.
    holding: AtomicUsize,
    /// The outcome of the last stream.
    stream_end: Mutex<Option<Result<usize, String>>>,
    /// The bytes of streams taken so far.
    taken: AtomicUsize,
}

struct Holding<'a>(&'a AtomicUsize);

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Echo {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            gate: Semaphore::new(0),
            holding: AtomicUsize::new(0),
            stream_end: Mutex::default(),
            taken: AtomicUsize::new(0),
        })
    }

    async fn hold(&self) {
        self.holding.fetch_add(1, Ordering::SeqCst);
        let _holding = Holding(&self.holding);
        self.gate.acquire().await.unwrap().forget();
    }

    fn holding(&self) -> usize {
        self.holding.load(Ordering::SeqCst)
    }
}

impl Service for Echo {
    fn call(&self, _from: PublicKey, request: Bytes) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(async move {
            match &*request {
                b"wait" => self.hold().await,
                b"refuse" => return Err("not today".to_owned()),
                b"panic" => panic!("as asked"),
                _ => {}
            }
            Ok(request)
        })
    }

    /// Takes a stream: `slow` takes a piece for each permit; `early` answers at once; others take
    /// all.
    fn stream(
        &self,
        _from: PublicKey,
        head: Bytes,
        mut body: Chunks,
    ) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(async move {
            if head == "early" {
                return Err("enough".to_owned());
            }
            let mut all = BytesMut::new();
            let end = loop {
                if head == "slow" {
                    self.hold().await;
                }
                match body.next().await {
                    Some(Ok(bytes)) => {
                        self.taken.fetch_add(bytes.len(), Ordering::SeqCst);
                        if head == "echo" {
                            all.extend_from_slice(&bytes);
                        }
                    }
                    Some(Err(error)) => break Err(error.to_string()),
                    None => break Ok(self.taken.load(Ordering::SeqCst)),
                }
            };
            *self.stream_end.lock().unwrap() = Some(end.clone());
            end.map(|_| all.freeze())
        })
    }
}

/// A node of a test.
pub(super) struct Node {
    pub peers: Arc<Peers>,
    pub echo: Arc<Echo>,
    pub member: Member,
}

impl Node {
    pub async fn start(name: &str) -> Self {
        Self::start_with(
            name,
            Identity::ephemeral(),
            "127.0.0.1:0",
            Limits::default(),
        )
        .await
    }

    pub async fn start_with(name: &str, identity: Identity, address: &str, limits: Limits) -> Self {
        let peers = Peers::new(identity, limits);
        let bound = peers.listen(&[address.to_owned()]).await.unwrap();
        let echo = Echo::new();
        let service: Arc<dyn Service> = echo.clone();
        let service: Weak<dyn Service> = Arc::downgrade(&service);
        peers.serve(Protocol::Raft, service.clone());
        peers.serve(Protocol::Forward, service);
        let member = Member {
            name: name.to_owned(),
            address: bound[0].to_string(),
            public_key: peers.public_key(),
        };
        Self {
            peers,
            echo,
            member,
        }
    }

    pub async fn call(&self, to: &Member, request: &str) -> Result<Bytes, CallError> {
        let request = Bytes::copy_from_slice(request.as_bytes());
        self.peers.call(to, Protocol::Raft, request, WITHIN).await
    }

    pub async fn stream(
        &self,
        to: &Member,
        head: &'static str,
        body: Chunks,
    ) -> Result<Bytes, CallError> {
        let head = Bytes::from_static(head.as_bytes());
        self.peers
            .stream(to, Protocol::Forward, head, body, WITHIN)
            .await
    }
}

/// Makes all of them members of one another.
pub(super) fn introduce(nodes: &[&Node]) {
    let members: Vec<_> = nodes.iter().map(|node| node.member.clone()).collect();
    for node in nodes {
        node.peers.set_members(members.clone());
    }
}

pub(super) async fn two() -> (Node, Node) {
    let (a, b) = (Node::start("a").await, Node::start("b").await);
    introduce(&[&a, &b]);
    (a, b)
}

/// Returns `count` pieces of `size` bytes.
pub(super) fn pieces(count: usize, size: usize) -> Chunks {
    let pieces = (0..count).map(move |number| Ok(Bytes::from(vec![number as u8; size])));
    Box::pin(futures_util::stream::iter(pieces))
}

/// Polls until `is_so`; fails when the wait is in vain.
pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < WITHIN, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
