//! A store in memory with a test in front of it, which counts what comes and decides the fate of
//! each commit.

use super::Harness;
use crate::store::{
    BoxFuture, CommitError, Inmem, Observer, ReadError, Record, Revision, Storage, StorageStatus,
    Transaction, Visit, WriteIntent,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// The fate of a commit.
pub enum Fate {
    /// It is made.
    Made,
    /// It conflicts, whatever it says.
    Conflicts,
    /// Another node leads.
    NotLeader,
    /// It takes as long as anybody waits for it.
    Waits,
}

type Rule = Box<dyn FnMut() -> BoxFuture<'static, Fate> + Send>;

/// An [`Inmem`] whose commits follow a rule; until one is set they are made.
#[derive(Default)]
pub struct Front {
    inner: Arc<Inmem>,
    rule: Mutex<Option<Rule>>,
    announced: AtomicUsize,
    commits: AtomicUsize,
    conflicts: AtomicUsize,
    is_full: AtomicBool,
}

impl Front {
    /// Creates a cluster in its first moment, behind a front.
    pub async fn harness() -> (Harness, Arc<Self>) {
        let front = Arc::new(Self::default());
        let harness = Harness::over(Arc::clone(&front.inner), Arc::clone(&front) as _).await;
        (harness, front)
    }

    /// Asks `rule` about each commit from here on.
    pub fn set_rule(&self, rule: impl FnMut() -> BoxFuture<'static, Fate> + Send + 'static) {
        *self.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// Runs `other` to its end before the next commit is made.
    pub fn come_between(&self, other: impl Future<Output = ()> + Send + 'static) {
        let mut other = Some(other);
        self.set_rule(move || {
            let other = other.take();
            Box::pin(async move {
                if let Some(other) = other {
                    other.await;
                }
                Fate::Made
            })
        });
    }

    /// Sets whether the disk is nearly full.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::SeqCst);
    }

    /// Returns the number of writes that were announced.
    pub fn announced(&self) -> usize {
        self.announced.load(Ordering::SeqCst)
    }

    /// Returns the number of commits that were asked for.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    /// Returns the number of commits that conflicted.
    pub fn conflicts(&self) -> usize {
        self.conflicts.load(Ordering::SeqCst)
    }
}

impl Storage for Front {
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError> {
        self.inner.get(key)
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        self.inner.scan(prefix, visit)
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let fate = self.rule.lock().unwrap().as_mut().map(|rule| rule());
        Box::pin(async move {
            let fate = match fate {
                Some(fate) => fate.await,
                None => Fate::Made,
            };
            let committed = match fate {
                Fate::Made => self.inner.commit(transaction).await,
                Fate::Conflicts => Err(CommitError::Conflict),
                Fate::NotLeader => Err(CommitError::NotLeader),
                Fate::Waits => std::future::pending().await,
            };
            if matches!(committed, Err(CommitError::Conflict)) {
                self.conflicts.fetch_add(1, Ordering::SeqCst);
            }
            committed
        })
    }

    fn admit_data(&self) -> Result<(), CommitError> {
        match self.is_full.load(Ordering::SeqCst) {
            true => Err(CommitError::DiskFull("no space left, free some".into())),
            false => Ok(()),
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
