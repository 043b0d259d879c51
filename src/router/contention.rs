//! The queues in which requests take turns that fight for the same record.
//!
//! Most writes meet nobody: they read, prepare a batch and commit it, and the preconditions hold.
//! The loser of a conflict queues at a fair lock named for what it wants, and so does every later
//! request while the queue stands. So each conflict costs its loser one retry, and nobody
//! loses for ever.

use std::hash::{DefaultHasher, Hash, Hasher};
use tokio::sync::{Mutex, MutexGuard};

/// The number of queues. It is more than the writers that one small machine has at a time; a lock
/// is some 40 bytes.
const QUEUES: usize = 128;

/// The queues.
pub(super) struct Contention {
    queues: Vec<Mutex<()>>,
}

impl Contention {
    pub fn new() -> Self {
        Self {
            queues: (0..QUEUES).map(|_| Mutex::new(())).collect(),
        }
    }

    /// Waits for a turn at `name` if someone else is in the queue, and holds none otherwise.
    pub async fn pass(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        let queue = self.queue(name)?;
        if queue.try_lock().is_ok() {
            return None;
        }
        Some(queue.lock().await)
    }

    /// Waits for a turn at `name` and holds it.
    pub async fn queue_up(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        Some(self.queue(name)?.lock().await)
    }

    fn queue(&self, name: &str) -> Option<&Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % QUEUES as u64).ok()?;
        self.queues.get(index)
    }
}
