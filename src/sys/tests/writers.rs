//! Whom writers wait for: nobody but other writers.

use super::*;
use crate::engine::ErrorKind;
use crate::store::{
    BoxFuture, CommitError, Observer, ReadError, Record, Revision, StorageStatus, Transaction,
    Visit, WriteIntent,
};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// An [`Inmem`] that counts who announces a write, and that keeps commits waiting when it is told
/// to, after the first, which conflicts.
#[derive(Default)]
struct Watched {
    inner: Arc<Inmem>,
    announced: AtomicUsize,
    stuck: AtomicBool,
    commits: AtomicUsize,
}

impl Storage for Watched {
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError> {
        self.inner.get(key)
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        self.inner.scan(prefix, visit)
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        if !self.stuck.load(Ordering::SeqCst) {
            return self.inner.commit(transaction);
        }
        match self.commits.fetch_add(1, Ordering::SeqCst) {
            0 => Box::pin(async { Err(CommitError::Conflict) }),
            _ => Box::pin(std::future::pending()),
        }
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        self.inner.read_barrier()
    }

    fn announce_write(&self) -> WriteIntent {
        self.announced.fetch_add(1, Ordering::SeqCst);
        WriteIntent(None)
    }

    fn observe(&self, observer: Weak<dyn Observer>) {
        self.inner.observe(observer);
    }

    fn status(&self) -> StorageStatus {
        self.inner.status()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.inner.shutdown()
    }
}

async fn watched() -> (Harness, Arc<Watched>) {
    let front = Arc::new(Watched::default());
    let harness = Harness::over(Arc::clone(&front.inner), Arc::clone(&front) as _).await;
    (harness, front)
}

#[tokio::test]
async fn only_who_is_authorized_is_announced_as_a_writer() {
    let (harness, front) = watched().await;
    let reader = r#"path "kv/*" { capabilities = ["read"] }"#;
    let reader = harness.token(reader, json!({})).await;
    let before = front.announced.load(Ordering::SeqCst);
    for (token, path) in [
        ("", "kv/x"),
        ("made-up", "kv/x"),
        (reader.as_str(), "kv/x"),
        ("", "sys/wrapping/lookup"),
        ("made-up", "sys/generate-root/update"),
    ] {
        let refused = harness
            .call(token, Operation::Update, path, json!({"a": 1}))
            .await;
        refused.expect_err("it is refused");
        let now = front.announced.load(Ordering::SeqCst);
        assert_eq!(now, before, "{token:?} at {path}");
    }
    harness
        .root(Operation::Update, "kv/x", json!({"a": 1}))
        .await
        .expect("root writes");
    assert_eq!(front.announced.load(Ordering::SeqCst), before + 1);
}

#[tokio::test]
async fn who_is_refused_takes_no_place_in_a_writers_queue() {
    let (harness, front) = watched().await;
    front.stuck.store(true, Ordering::SeqCst);
    let write = |token| Harness::incoming(token, Operation::Update, "kv/x", json!({"a": 1}));
    let router = Arc::clone(&harness.router);
    let held = tokio::spawn(async move { router.handle(write(ROOT)).await.result });
    while front.commits.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    for token in ["", "made-up"] {
        let refused = harness.router.handle(write(token));
        let refused = tokio::time::timeout(Duration::from_secs(20), refused).await;
        let refused = refused.expect("it does not queue").result;
        assert_eq!(refused.expect_err("refused").kind, ErrorKind::Denied);
    }
    let queues = harness.router.handle(write(ROOT));
    let queues = tokio::time::timeout(Duration::from_millis(50), queues).await;
    assert!(queues.is_err(), "a writer waits for the one before");
    held.abort();
}
