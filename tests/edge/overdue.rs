//! Requests that take longer than they may.

use crate::fake::{Edge, FakeNode, PATIENCE, PIECE, PIECES};
use crate::wait::reaches_async;
use coffer::audit::Options;
use coffer::barrier::{Batch, Unsealed};
use coffer::clock::{Clock, ManualClock, Timestamp};
use coffer::mount::Table;
use coffer::node::{Assembly, assemble};
use coffer::router::{Lifetimes, Role, Router};
use coffer::secret::Secret;
use coffer::store::Inmem;
use coffer::sys::Lifecycle;
use coffer::{lease, token};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ROOT: &str = "root-token-for-tests";

/// Returns a router over an empty store that knows the root token.
async fn router(node: &Arc<FakeNode>) -> Router {
    let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_700_000_000)));
    let mut batch = Batch::new();
    Table::new(&barrier).unwrap().install(&mut batch).unwrap();
    let leases = Arc::new(lease::Store::new(&barrier));
    let tokens = token::Store::new(&barrier, leases).unwrap();
    let mut spec = token::Spec::root();
    spec.text = Some(Secret::new(ROOT.to_owned()));
    tokens.create(&mut batch, spec, clock.now()).unwrap();
    barrier.commit(batch, clock.now()).await.unwrap();
    let node: Arc<dyn Lifecycle> = node.clone();
    assemble(Assembly {
        node: Arc::new(move || Some(Arc::clone(&node))),
        barrier,
        clock,
        memory: &coffer::memory::DEFAULT,
        lifetimes: Lifetimes::default(),
        audit: Options {
            devices: Vec::new(),
            directories: Vec::new(),
        },
        raw_storage_endpoint: false,
        sanitized: serde_json::Map::new(),
        cluster: None,
        kinds: coffer::node::KINDS.to_vec(),
        autopilot: Arc::default(),
        rewrapping: Arc::default(),
        snapshots: Arc::default(),
    })
    .unwrap()
}

#[tokio::test]
async fn a_seal_that_was_begun_is_done_also_when_its_time_is_over() {
    let limit = Duration::from_millis(200);
    let edge = Edge::sealed(|listener| listener.request_duration_max = limit).await;
    let router = Arc::new(router(&edge.node).await);
    edge.role.send_replace(Role::Active { router, term: 1 });
    let head = format!("Host: x\r\nX-Vault-Token: {ROOT}\r\nContent-Length: 0");
    let request = format!("PUT /v1/sys/seal HTTP/1.1\r\n{head}\r\n\r\n");
    assert_eq!(edge.send(&request).await.status, 503, "nobody waits for it");
    edge.node.let_seal.notify_one();
    let is_done = async || edge.node.seals_done.load(Ordering::SeqCst) == 1;
    assert!(
        reaches_async(PATIENCE, is_done).await,
        "it never came to that"
    );
}

#[tokio::test]
async fn a_snapshot_goes_to_a_slow_client_beyond_the_idle_timeout() {
    let idle = Duration::from_millis(80);
    let edge = Edge::sealed(|listener| listener.idle_timeout = idle).await;
    let router = Arc::new(router(&edge.node).await);
    edge.role.send_replace(Role::Active { router, term: 1 });
    let mut stream = edge.connect().await;
    let head = format!("Host: x\r\nX-Vault-Token: {ROOT}");
    let request = format!("GET /v1/sys/storage/raft/snapshot HTTP/1.1\r\n{head}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    // The test is about so slow a reader.
    tokio::time::sleep(idle * 5).await;
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest));
    let _then_idle = read.await.unwrap();
    assert!(rest.ends_with(b"\r\n0\r\n\r\n"), "{} bytes", rest.len());
    let came = rest.iter().filter(|byte| **byte == b's').count();
    assert!(came >= PIECES * PIECE.len());
}
