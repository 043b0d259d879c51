//! The parts of a log that its handles and its writer share.

use super::LogError;
use super::index::Index;
use crate::raft::disk::device::STALL_MAX;
use crate::raft::disk::poison::Poison;
use crate::raft::wire::record::Record;
use crate::raft::wire::types::{LogEntry, LogId, TypeConfig};
use openraft::storage::IOFlushed;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// A job of the writer; jobs are done in order.
pub(super) enum Job {
    /// Writes entries, which the index has already.
    Append(Vec<LogEntry>, Done),
    /// Writes a vote, a truncation or a purge.
    Control(Record, Done),
    /// Makes sure that there is a spare segment.
    Prepare(Done),
    /// Goes on in the next segment.
    Roll,
}

/// The caller to tell when a job is on the device.
pub(super) enum Done {
    Raft(IOFlushed<TypeConfig>),
    Caller(oneshot::Sender<io::Result<()>>),
    Spare(oneshot::Sender<io::Result<()>>),
    Nobody,
}

impl Done {
    pub(super) fn tell(self, result: &Result<(), LogError>) {
        let result = result.as_ref().copied().map_err(|error| {
            let kind = error.io_kind().unwrap_or(io::ErrorKind::Other);
            io::Error::new(kind, error.to_string())
        });
        match self {
            Self::Raft(callback) => callback.io_completed(result),
            // A caller that gave up waiting does not need to know.
            Self::Caller(sender) | Self::Spare(sender) => drop(sender.send(result)),
            Self::Nobody => {}
        }
    }
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    closed: bool,
}

/// The index, the queue and the counters of a log.
pub(super) struct LogShared {
    index: Mutex<Index>,
    queue: Mutex<Queue>,
    wake: Condvar,
    pub(super) poison: Arc<Poison>,
    /// The bytes left in the segment that is written, and in free ones.
    pub(super) room: AtomicUsize,
    pub(super) spare: AtomicUsize,
    commands: AtomicU64,
    groups: AtomicU64,
    pub(super) written: Notify,
    opened: Instant,
    /// Milliseconds from `opened` to the begin of the write under way, plus one; zero when there is
    /// none.
    writing: AtomicU64,
    /// The same to the end of the last write that took too long.
    stalled: AtomicU64,
}

impl LogShared {
    pub(super) fn new(index: Index, poison: Arc<Poison>) -> Self {
        Self {
            index: Mutex::new(index),
            queue: Mutex::default(),
            wake: Condvar::new(),
            poison,
            room: AtomicUsize::new(0),
            spare: AtomicUsize::new(0),
            commands: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            written: Notify::new(),
            opened: Instant::now(),
            writing: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
        }
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the highest committed index plus one.
    pub(super) fn committed_next(&self) -> u64 {
        let committed: Option<LogId> = self.index().committed;
        committed.map_or(0, |id| id.index() + 1)
    }

    /// Queues a job, which fails at once after [`LogShared::close`].
    pub(super) fn submit(&self, job: Job) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.closed {
            drop(queue);
            job.refuse();
            return;
        }
        queue.jobs.push(job);
        drop(queue);
        self.wake.notify_one();
    }

    /// Waits for jobs and takes all of them; `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<Job>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if !queue.jobs.is_empty() {
                return Some(std::mem::take(&mut queue.jobs));
            }
            if queue.closed {
                return None;
            }
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes no more jobs; the writer finishes those that wait.
    pub(super) fn close(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.closed = true;
        drop(queue);
        self.wake.notify_all();
    }

    /// Notes that a write begins.
    pub(super) fn begin_write(&self) {
        self.writing.store(self.mark(), Ordering::Release);
    }

    /// Notes that the write under way ended.
    pub(super) fn end_write(&self) {
        if self.write_age() > STALL_MAX {
            self.stalled.store(self.mark(), Ordering::Release);
        }
        self.writing.store(0, Ordering::Release);
    }

    /// Returns the time that the write under way has taken so far; zero when there is none.
    pub(super) fn write_age(&self) -> Duration {
        self.age(&self.writing).unwrap_or_default()
    }

    /// Returns true when a write ended less than `age` ago that took longer than [`STALL_MAX`], or
    /// when one is under way for that long.
    pub(super) fn stalled_within(&self, age: Duration) -> bool {
        let ago = self.age(&self.stalled);
        self.write_age() > STALL_MAX || ago.is_some_and(|ago| ago < age)
    }

    /// Returns the present as milliseconds since the log was opened, plus one.
    fn mark(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(0) + 1
    }

    /// Returns the time since `at` was marked; `None` when it never was.
    fn age(&self, at: &AtomicU64) -> Option<Duration> {
        let at = at.load(Ordering::Acquire).checked_sub(1)?;
        let at = Duration::from_millis(at);
        Some(self.opened.elapsed().saturating_sub(at))
    }

    /// Counts a group, and the commands in it, that are on the device.
    pub(super) fn flushed(&self, commands: u64) {
        self.groups.fetch_add(1, Ordering::AcqRel);
        self.commands.fetch_add(commands, Ordering::AcqRel);
        self.written.notify_waiters();
    }

    pub(super) fn groups_flushed(&self) -> u64 {
        self.groups.load(Ordering::Acquire)
    }

    pub(super) fn commands_flushed(&self) -> u64 {
        self.commands.load(Ordering::Acquire)
    }
}

impl Job {
    fn refuse(self) {
        if let Self::Append(_, done) | Self::Control(_, done) | Self::Prepare(done) = self {
            done.tell(&Err(LogError::Poisoned("the log is closed".into())));
        }
    }
}
