//! A store in memory with a test in front of it, which counts what comes and decides the fate of
//! each commit.

use super::Harness;
use crate::secret::SecretBytes;
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
    /// It is made, and nobody learns of it.
    MadeInSilence,
    /// It is not made, and nobody learns of it.
    LostInSilence,
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
    is_deaf: AtomicBool,
}

impl Front {
    /// Creates a cluster in its first moment, behind a front.
    pub async fn harness() -> (Harness, Arc<Self>) {
        let front = Arc::new(Self::default());
        let harness = Harness::over(Arc::clone(&front.inner), Arc::clone(&front) as _).await;
        (harness, front)
    }

    /// Creates a cluster in its first moment, behind a front, with keys that `threshold` of as many
    /// shares open. Returns those, too.
    pub async fn sealed_by(threshold: u8) -> (Harness, Arc<Self>, Vec<SecretBytes>) {
        let front = Arc::new(Self::default());
        let storage = Arc::clone(&front.inner);
        let made = Harness::sealed_over(storage, Arc::clone(&front) as _, threshold).await;
        (made.0, front, made.1)
    }

    /// Decides the fate of each commit from here on.
    pub fn set_fate(&self, fate: fn() -> Fate) {
        self.set_rule(move || Box::pin(std::future::ready(fate())));
    }

    /// Sets whether a quorum answers.
    pub fn set_deaf(&self, is_deaf: bool) {
        self.is_deaf.store(is_deaf, Ordering::SeqCst);
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
                Fate::MadeInSilence => {
                    self.inner.commit(transaction).await?;
                    Err(CommitError::Unavailable("no answer".into()))
                }
                Fate::LostInSilence => Err(CommitError::Unavailable("no answer".into())),
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
        match self.is_deaf.load(Ordering::SeqCst) {
            true => Box::pin(async { Err(ReadError::Unavailable("no quorum".into())) }),
            false => self.inner.read_barrier(),
        }
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
