//! A store under which records never hold still.

use super::*;
use crate::engine::ErrorKind;
use crate::store::{
    BoxFuture, CommitError, Observer, ReadError, Record, Revision, StorageStatus, Transaction,
    Visit,
};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// An [`Inmem`] whose every commit conflicts once `restless` is set.
struct Restless {
    inner: Arc<Inmem>,
    restless: AtomicBool,
    refused: AtomicUsize,
}

impl Storage for Restless {
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError> {
        self.inner.get(key)
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        self.inner.scan(prefix, visit)
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        if self.restless.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Box::pin(async { Err(CommitError::Conflict) });
        }
        self.inner.commit(transaction)
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        self.inner.read_barrier()
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

#[tokio::test]
async fn a_request_that_gives_up_is_audited_to_its_end() {
    let inner = Arc::new(Inmem::new());
    let front = Arc::new(Restless {
        inner: Arc::clone(&inner),
        restless: AtomicBool::new(false),
        refused: AtomicUsize::new(0),
    });
    let harness = Harness::over(inner, Arc::clone(&front) as _).await;
    let file = harness.directory.path().join("log");
    let device = json!({"type": "file", "options": {"file_path": file}});
    harness
        .root(Operation::Update, "sys/audit/file", device)
        .await
        .unwrap();
    let lines = || std::fs::read_to_string(&file).unwrap().lines().count();
    let before = lines();
    front.restless.store(true, Ordering::SeqCst);
    let refused = harness
        .root(Operation::Update, "kv/x", json!({"a": 1}))
        .await;
    assert_ne!(refused.unwrap_err().kind, ErrorKind::Denied);
    assert!(
        front.refused.load(Ordering::SeqCst) > 1,
        "it was tried again"
    );
    assert_eq!(lines() - before, 2, "the request and its end");
}
