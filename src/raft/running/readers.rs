//! The reads that wait until this node knows the committed index.

use crate::store::ReadError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The most reads that wait for a question; more are refused.
pub(in crate::raft) const WAITING_MAX: usize = 16_384;

pub(in crate::raft) type Waiter = oneshot::Sender<Result<(), ReadError>>;

/// Queues the reads that wait until the leader is asked again.
#[derive(Default)]
pub(in crate::raft) struct Readers(Mutex<Queue>);

#[derive(Default)]
pub(in crate::raft) struct Queue {
    pub(in crate::raft) waiting: Vec<Waiter>,
    /// True while a task asks.
    pub(in crate::raft) is_asked: bool,
}

impl Readers {
    pub(in crate::raft) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
