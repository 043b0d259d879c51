//! Clients that go away before they are answered.

use crate::fake::{Edge, PATIENCE};
use coffer::audit::Options;
use coffer::barrier::{Batch, Unsealed};
use coffer::clock::{Clock, ManualClock, Timestamp};
use coffer::mount::Table;
use coffer::router::{Lifetimes, Role, Router};
use coffer::secret::Secret;
use coffer::store::Inmem;
use coffer::sys::{Assembly, assemble};
use coffer::{lease, token};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

const ROOT: &str = "root-token-for-tests";

/// A router over an empty store that knows the root token.
async fn router() -> Router {
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
    assemble(Assembly {
        barrier,
        clock,
        lifetimes: Lifetimes::default(),
        audit: Options {
            devices: Vec::new(),
            directories: Vec::new(),
        },
        raw_storage_endpoint: false,
        metrics_prefix: String::new(),
        sanitized: serde_json::Map::new(),
    })
    .unwrap()
}

async fn until_one(edge: &Edge, count: &AtomicUsize) {
    let deadline = Instant::now() + PATIENCE;
    while count.load(Ordering::SeqCst) != 1 {
        assert!(Instant::now() < deadline, "it never came to that");
        // Also gives the server its turn, so that it sees who has gone.
        edge.call("GET", "/v1/sys/health", "").await;
    }
}

#[tokio::test]
async fn a_seal_that_was_begun_is_done_also_when_the_client_hangs_up() {
    let edge = Edge::sealed(|_| ()).await;
    let router = Arc::new(router().await);
    edge.role.send_replace(Role::Active { router });
    let mut stream = edge.connect().await;
    let request = format!(
        "PUT /v1/sys/seal HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {ROOT}\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    until_one(&edge, &edge.node.seals_begun).await;
    drop(stream);
    for _ in 0..16 {
        edge.call("GET", "/v1/sys/health", "").await;
    }
    edge.node.let_seal.notify_one();
    until_one(&edge, &edge.node.seals_done).await;
}
