//! Does a re-encryption, on the active node.

use super::job::{self, Job};
use super::pace::Pace;
use super::progress::{RewrapState, Rewrapping};
use crate::barrier::{BarrierError, Batch, RewrapWalk, Unsealed};
use crate::clock::Clock;
use crate::store::{CommitError, Key, Observer, ReadError, Revision};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The pause after a failure, and between looks at a full disk.
const RETRY: Duration = Duration::from_secs(10);
/// The pause after a walk that could not seal anew what it found.
const STUCK: Duration = Duration::from_secs(60 * 60);
/// The longest sleep until batch tokens end: the clock may be set meanwhile.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);

/// The observer of the store that rings when the job is changed, by whichever node.
struct JobWatch {
    key: Key,
    changed: Notify,
}

impl Observer for JobWatch {
    fn applied(&self, _revision: Revision, keys: &[Key]) {
        if keys.is_empty() || keys.contains(&self.key) {
            self.changed.notify_one();
        }
    }
}

/// The parts that a job is done with.
struct Worker<'a> {
    rewrapping: &'a Rewrapping,
    barrier: &'a Arc<Unsealed>,
    clock: &'a dyn Clock,
    pace: Pace,
}

/// Runs until it is dropped. Without a job it only waits for one.
pub async fn run(
    rewrapping: Arc<Rewrapping>,
    barrier: Arc<Unsealed>,
    clock: Arc<dyn Clock>,
    pace: Pace,
) {
    let Ok(key) = job::key(&barrier) else {
        return;
    };
    let changed = Notify::new();
    let watch = Arc::new(JobWatch { key, changed });
    barrier.storage().observe(Arc::downgrade(&watch) as _);
    *rewrapping.lock() = Default::default();
    let mut failed = false;
    loop {
        if failed {
            tokio::time::sleep(RETRY).await;
        }
        let job = current(&barrier).await;
        failed = job.is_err();
        let Ok(Some(job)) = job else {
            rewrapping.enter(RewrapState::Idle);
            if !failed {
                watch.changed.notified().await;
            }
            continue;
        };
        let mut worker = Worker {
            rewrapping: &rewrapping,
            barrier: &barrier,
            clock: &*clock,
            pace: pace.clone(),
        };
        let done = tokio::select! {
            done = worker.finish(job) => done,
            () = replaced(&barrier, &watch, job) => Ok(()),
        };
        let error = done.err();
        failed = error.is_some();
        if let Some(error) = error {
            crate::telemetry::debug!(%error, "the re-encryption is interrupted");
            rewrapping.lock().error = error.to_string();
        }
    }
}

/// Returns the job as of now, by a leader that holds its lease.
async fn current(barrier: &Arc<Unsealed>) -> Result<Option<Job>, BarrierError> {
    barrier.storage().read_barrier().await?;
    Ok(job::read(barrier)?.1)
}

/// Returns once `job` is no longer the one to be done.
async fn replaced(barrier: &Arc<Unsealed>, watch: &JobWatch, job: Job) {
    loop {
        watch.changed.notified().await;
        if !matches!(job::read(barrier), Ok((_, Some(now))) if now == job) {
            return;
        }
    }
}

impl Worker<'_> {
    /// Does `job` to its end.
    async fn finish(&mut self, job: Job) -> Result<(), BarrierError> {
        loop {
            let counted = self.walk(job, RewrapState::Counting).await?;
            self.rewrapping.take(&counted);
            if counted.left() > 0 {
                let walk = self.walk(job, RewrapState::Rewrapping).await?;
                if walk.rewritten == 0 && walk.left() > 0 {
                    self.rewrapping.take(&walk);
                    self.rewrapping.enter(RewrapState::Stuck);
                    let records = walk.left();
                    tracing::error!(records, "records of an older key term cannot be read");
                    tokio::time::sleep(STUCK).await;
                }
                continue;
            }
            let left = job.droppable.since(self.clock.now());
            if !left.is_zero() {
                self.rewrapping.enter(RewrapState::Waiting);
                self.wait(job).await;
                continue;
            }
            match self.barrier.drop_terms(&counted, self.clock.now()).await {
                // The keyring changed since the walk began: another one makes sure.
                Err(BarrierError::Commit(CommitError::Conflict)) => {}
                dropped => return self.end(job, dropped?).await,
            }
        }
    }

    /// Waits until the last batch token under the terms has ended.
    async fn wait(&self, job: Job) {
        loop {
            let left = job.droppable.since(self.clock.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(WAIT_MAX)).await;
        }
    }

    async fn end(&self, job: Job, dropped: usize) -> Result<(), BarrierError> {
        crate::telemetry::info!(
            dropped,
            below = job.below,
            "re-encryption is done: older key terms are dropped"
        );
        let (slot, now) = job::read(self.barrier)?;
        if now == Some(job) {
            let mut batch = Batch::new();
            job::remove(&mut batch, &slot);
            self.barrier.commit(batch, self.clock.now()).await?;
        }
        self.rewrapping.enter(RewrapState::Idle);
        Ok(())
    }

    /// Walks over all records, counting or sealing anew.
    async fn walk(&mut self, job: Job, state: RewrapState) -> Result<RewrapWalk, BarrierError> {
        let rewrites = state == RewrapState::Rewrapping;
        self.barrier.storage().read_barrier().await?;
        let mut walk = self.barrier.walk_records(job.below, rewrites)?;
        while !walk.is_done() {
            if rewrites {
                self.wait_for_leave().await?;
            }
            self.rewrapping.enter(state);
            let begun = Instant::now();
            let before = walk.rewritten;
            let bytes = self.barrier.step(&mut walk, self.clock.now()).await?;
            {
                let mut progress = self.rewrapping.lock();
                progress.looked_at = walk.looked_at;
                progress.rewritten += walk.rewritten - before;
            }
            let pause = self.pace.pause(begun.elapsed(), bytes);
            if walk.is_done() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Ok(walk)
    }

    /// Waits until this node may write for a re-encryption: while it leads, has space, and has not
    /// passed its budget.
    async fn wait_for_leave(&mut self) -> Result<(), BarrierError> {
        let storage = self.barrier.storage();
        if !storage.status().leads {
            let why = String::from("this node does not lead");
            return Err(ReadError::Unavailable(why).into());
        }
        if self.pace.is_passed() {
            self.rewrapping.enter(RewrapState::Paused);
            self.pace.within_budget().await;
        }
        while storage.admit_data().is_err() {
            self.rewrapping.enter(RewrapState::Paused);
            tokio::time::sleep(RETRY).await;
        }
        Ok(())
    }
}
