//! The connections that have not identified themselves yet, and their limit.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// The connections that have not identified themselves yet, by age. Each holds the end of a
/// channel; dropping it closes the oldest when there are too many. So connections that stay silent
/// keep out no later ones.
#[derive(Default)]
pub(super) struct Knocking {
    waiting: Mutex<(u64, Visitors)>,
}

/// The senders that keep these connections, each with a number.
type Visitors = VecDeque<(u64, oneshot::Sender<()>)>;

impl Knocking {
    pub fn enter(&self, most: usize) -> (u64, oneshot::Receiver<()>) {
        let (stay, sent_away) = oneshot::channel();
        let mut guard = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, waiting) = &mut *guard;
        *last += 1;
        while waiting.len() >= most.max(1) {
            waiting.pop_front();
        }
        waiting.push_back((*last, stay));
        (*last, sent_away)
    }

    pub fn leave(&self, number: u64) {
        let mut guard = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        guard.1.retain(|(other, _)| *other != number);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.waiting.lock().unwrap().1.len()
    }
}
