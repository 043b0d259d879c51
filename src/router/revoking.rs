//! The queue of revocations, worked off in the background of an active node.

use super::revoker::{AT_ONCE_MAX, Revoker, is_of_the_store};
use crate::barrier::{BarrierError, Batch};
use crate::clock::Timestamp;
use crate::engine::Error;
use crate::store::CommitError;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;

/// Most leases that are kept in mind before their turn comes.
const AHEAD_MAX: usize = 4 * AT_ONCE_MAX;

impl Revoker {
    /// Revokes everything that is due, at most [`AT_ONCE_MAX`] at a time. Returns the time at which
    /// more is due, as far as is known now; `None` for nothing.
    ///
    /// # Errors
    /// As the barrier says. What failed at an engine is due again later.
    pub async fn revoke_due(&self) -> Result<Option<Timestamp>, Error> {
        let mut ahead = VecDeque::new();
        let mut running = FuturesUnordered::new();
        let mut failed = None;
        loop {
            if ahead.is_empty() && running.len() < AT_ONCE_MAX && failed.is_none() {
                match self.look_ahead().await {
                    Ok(found) => ahead = found,
                    Err(error) => failed = Some(error),
                }
            }
            while running.len() < AT_ONCE_MAX
                && failed.is_none()
                && let Some(id) = ahead.pop_front()
            {
                // What others have in hand is theirs to write down, however it ends.
                if let Ok(claim) = self.claim(&id) {
                    running.push(self.revoke_claimed(claim));
                }
            }
            if running.is_empty() {
                return failed.map_or_else(|| Ok(self.leases.next_revocation()), Err);
            }
            tokio::select! {
                done = running.next() => {
                    // What an engine failed at is written down.
                    if let Some(Err(error)) = done && is_of_the_store(&error) {
                        failed = Some(error);
                    }
                }
                () = self.leases.revocations_changed(), if failed.is_none() => {}
            }
        }
    }

    /// Returns when there may be something to revoke before [`Revoker::revoke_due`] said.
    pub async fn changed(&self) {
        self.leases.revocations_changed().await;
    }

    /// Returns the next leases that are due, while this node leads: a node that cannot write down
    /// that something was done does nothing elsewhere.
    async fn look_ahead(&self) -> Result<VecDeque<String>, Error> {
        let storage = self.barrier.storage();
        if !storage.status().leads {
            return Ok(VecDeque::new());
        }
        storage.read_barrier().await.map_err(BarrierError::from)?;
        let now = self.clock.now();
        let due = self
            .leases
            .to_revoke(now, AHEAD_MAX, |id| self.is_busy(id))?;
        let mut batch = Batch::new();
        for stray in &due.strays {
            self.leases.forget(&mut batch, stray);
        }
        if !batch.is_empty() {
            match self.barrier.commit(batch, now).await {
                // The next look finds what is left.
                Ok(_) | Err(BarrierError::Commit(CommitError::Conflict)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(due.leases.into_iter().map(|lease| lease.id).collect())
    }
}
