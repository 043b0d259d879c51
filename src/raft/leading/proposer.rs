//! Gathers commits into batches, so that many writers share one flush.
//!
//! One batch is under way at a time: while it is written, the next one gathers. When it has landed,
//! its writers are likely to come back, so the next batch waits a moment for as many as there were.
//! A lone writer never waits.

use crate::raft::applying::saving::NO_CHECKPOINT;
use crate::raft::applying::state_machine::{Applied, StateMachine};
use crate::raft::log_store::LogStore;
use crate::raft::wire::types::{Command, Outcome, TypeConfig};
use crate::store::{CommitError, Revision};
use futures_util::StreamExt;
use openraft::Raft;
use openraft::errors::{ClientWriteError, Fatal};
use openraft::raft::WriteResult;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// The most commands in one batch, and the most bytes.
const BATCH_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 256 << 10;
/// The most commands that wait, and the most bytes; more are refused.
const WAITING_MAX: usize = 8192;
const WAITING_BYTES_MAX: usize = 4 << 20;
/// The step in which a batch waits for more commands, as long as more come.
const LINGER_STEP: Duration = Duration::from_millis(1);
const LINGER_MAX: Duration = Duration::from_millis(4);
/// The time without a batch after which no writer is expected back.
const EXPECTED_FOR: Duration = Duration::from_millis(20);

/// The message for a client whose write does not fit into the log.
const NO_SEGMENT: &str = "no space left on device: the log cannot grow; nothing was written. Free \
    some space on the data directory's device";

type Proposed = Result<Revision, CommitError>;

struct Proposal {
    command: Command,
    answer: oneshot::Sender<Proposed>,
}

#[derive(Default)]
struct Queue {
    proposals: VecDeque<Proposal>,
    bytes: usize,
    closed: bool,
}

/// Queues commits, and proposes them in batches.
pub(in crate::raft) struct Proposer {
    queue: Mutex<Queue>,
    wake: Notify,
    /// The number of waiting proposals from which the task is woken.
    wake_at: AtomicUsize,
    /// The number of writers that have announced themselves and are not done.
    pub(in crate::raft) announced: Arc<AtomicUsize>,
}

impl Proposer {
    pub(in crate::raft) fn new() -> Self {
        Self {
            queue: Mutex::default(),
            wake: Notify::new(),
            wake_at: AtomicUsize::new(1),
            announced: Arc::default(),
        }
    }

    /// Queues a command; the receiver gets its outcome.
    pub(in crate::raft) fn submit(
        &self,
        command: Command,
    ) -> Result<oneshot::Receiver<Proposed>, CommitError> {
        let (answer, receiver) = oneshot::channel();
        let mut queue = self.queue();
        if queue.closed {
            return Err(CommitError::Unavailable("the storage is stopping".into()));
        }
        let bytes = queue.bytes + command.len();
        if queue.proposals.len() >= WAITING_MAX
            || (bytes > WAITING_BYTES_MAX && !queue.proposals.is_empty())
        {
            return Err(CommitError::Unavailable(
                "too many writes are waiting".into(),
            ));
        }
        queue.bytes = bytes;
        queue.proposals.push_back(Proposal { command, answer });
        let waiting = queue.proposals.len();
        drop(queue);
        if waiting >= self.wake_at.load(Ordering::Acquire) {
            self.wake.notify_one();
        }
        Ok(receiver)
    }

    /// Takes no more commits; those that wait are refused.
    pub(in crate::raft) fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        let waiting = std::mem::take(&mut queue.proposals);
        drop(queue);
        refuse(
            waiting,
            &CommitError::Unavailable("the storage is stopping".into()),
        );
        self.wake.notify_one();
    }

    /// Proposes batches from the queue until it is closed.
    pub(in crate::raft) async fn run(self: Arc<Self>, sink: Sink) {
        let mut expected = 1;
        let mut landed_at = Instant::now();
        while self.some_wait().await {
            if landed_at.elapsed() > EXPECTED_FOR {
                expected = 1;
            }
            self.linger(expected).await;
            let batch = self.take();
            if batch.is_empty() {
                continue;
            }
            let count = batch.len();
            sink.propose(batch).await;
            landed_at = Instant::now();
            expected = count + self.waiting();
        }
    }

    /// Waits for a commit; returns true once one waits, and false once the queue is closed.
    async fn some_wait(&self) -> bool {
        loop {
            let woken = self.wake.notified();
            {
                let queue = self.queue();
                if queue.closed {
                    return false;
                }
                if !queue.proposals.is_empty() {
                    return true;
                }
            }
            woken.await;
        }
    }

    async fn linger(&self, expected: usize) {
        let begun = Instant::now();
        loop {
            let waiting = self.waiting();
            let announced = self.announced.load(Ordering::Acquire);
            let wanted = expected.max(announced).min(BATCH_MAX);
            if waiting >= wanted {
                break;
            }
            self.wake_at.store(wanted, Ordering::Release);
            // Bounded by time, however many come.
            let woken = tokio::time::timeout(LINGER_STEP, self.wake.notified()).await;
            let none_came = woken.is_err() && self.waiting() == waiting;
            if none_came || begun.elapsed() >= LINGER_MAX {
                break;
            }
        }
        self.wake_at.store(1, Ordering::Release);
    }

    fn take(&self) -> VecDeque<Proposal> {
        let mut queue = self.queue();
        let mut batch = VecDeque::new();
        let mut bytes = 0;
        while let Some(next) = queue
            .proposals
            .front()
            .map(|proposal| proposal.command.len())
        {
            bytes += next;
            if batch.len() >= BATCH_MAX || (bytes > BATCH_BYTES_MAX && !batch.is_empty()) {
                break;
            }
            queue.bytes = queue.bytes.saturating_sub(next);
            batch.extend(queue.proposals.pop_front());
        }
        batch
    }

    fn waiting(&self) -> usize {
        self.queue().proposals.len()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Proposes batches to raft.
pub(in crate::raft) struct Sink {
    pub(in crate::raft) raft: Raft<TypeConfig, StateMachine>,
    pub(in crate::raft) log: LogStore,
    pub(in crate::raft) applied: Arc<Applied>,
}

impl Sink {
    /// Proposes a batch and returns once it is on the device, or has failed.
    async fn propose(&self, batch: VecDeque<Proposal>) {
        if let Err(error) = self.admit(&batch).await {
            refuse(batch, &error);
            return;
        }
        let landed = self.log.commands_flushed() + u64::try_from(batch.len()).unwrap_or(0);
        let (commands, answers): (Vec<Command>, Vec<oneshot::Sender<Proposed>>) = batch
            .into_iter()
            .map(|proposal| (proposal.command, proposal.answer))
            .unzip();
        let applied = Arc::clone(&self.applied);
        match self.raft.client_write_many(commands).await {
            Ok(results) => {
                // Raft that stops ends it early, and an ended one may not be asked again.
                let mut results = results.fuse();
                let mut answering: JoinHandle<()> = crate::task::spawn(async move {
                    for answer in answers {
                        let result = results.next().await;
                        // A writer that has gone away does not need to know.
                        drop(answer.send(sort(result, &applied)));
                    }
                });
                loop {
                    let flush = self.log.next_flush();
                    if self.log.commands_flushed() >= landed {
                        break;
                    }
                    tokio::select! {
                        () = flush => {}
                        _ = &mut answering => break,
                    }
                }
            }
            Err(error) => {
                let error = fatal(&error, &applied);
                for answer in answers {
                    drop(answer.send(Err(error.clone())));
                }
            }
        }
    }

    /// Refuses a batch that could not be finished, before anything of it is written.
    async fn admit(&self, batch: &VecDeque<Proposal>) -> Result<(), CommitError> {
        if let Some(reason) = self.applied.poison.reason() {
            return Err(CommitError::Fatal(reason));
        }
        let each = crate::raft::wire::record::RECORD_OVERHEAD_BYTES;
        let bytes = batch.iter().map(|proposal| proposal.command.len() + each);
        ensure_room(&self.log, &self.applied, bytes.sum()).await
    }
}

/// Refuses `bytes` of entries for which the log or the state has no room.
pub(in crate::raft) async fn ensure_room(
    log: &LogStore,
    applied: &Applied,
    bytes: usize,
) -> Result<(), CommitError> {
    if applied.is_disk_full() && applied.state.is_overfull() {
        applied.due.notify_one();
        return Err(CommitError::DiskFull(NO_CHECKPOINT.into()));
    }
    match log.reserve(bytes).await {
        Ok(()) => {
            applied.note_room(true);
            Ok(())
        }
        Err(error) if is_disk_full(&error) => {
            applied.note_room(false);
            applied.want_room();
            Err(CommitError::DiskFull(NO_SEGMENT.into()))
        }
        Err(error) => Err(CommitError::Unavailable(error.to_string())),
    }
}

/// Returns true for the errors by which a device says that it has no room.
fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn refuse(proposals: VecDeque<Proposal>, error: &CommitError) {
    for proposal in proposals {
        drop(proposal.answer.send(Err(error.clone())));
    }
}

/// Translates raft's answer into the store's errors.
fn sort(
    result: Option<Result<WriteResult<TypeConfig>, Fatal<TypeConfig>>>,
    applied: &Applied,
) -> Proposed {
    match result {
        Some(Ok(Ok(response))) => match response.response {
            Outcome::Applied => Ok(Revision(response.log_id.index())),
            Outcome::Conflict => Err(CommitError::Conflict),
            Outcome::Nothing => Err(CommitError::Fatal("a command was not applied".into())),
        },
        // Turned away before it was proposed: certainly nothing was written.
        Some(Ok(Err(ClientWriteError::ForwardToLeader(_)))) => Err(CommitError::NotLeader),
        // Another leader may have committed it, or may still.
        Some(Ok(Err(error))) => Err(CommitError::Unavailable(error.to_string())),
        Some(Err(error)) => Err(fatal(&error, applied)),
        None => Err(CommitError::Unavailable("raft stopped".into())),
    }
}

fn fatal(error: &Fatal<TypeConfig>, applied: &Applied) -> CommitError {
    match (applied.poison.reason(), error) {
        (Some(reason), _) => CommitError::Fatal(reason),
        (None, Fatal::Stopped) => CommitError::Unavailable("raft stopped".into()),
        (None, error) => CommitError::Fatal(error.to_string()),
    }
}
