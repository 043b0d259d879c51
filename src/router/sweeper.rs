//! Work that no request asks for: ending tokens that are over, deleting what was unmounted.

use super::router::Router;
use crate::barrier::BarrierError;
use crate::clock::Timestamp;
use crate::engine::Error;
use crate::store::CommitError;

/// Most tokens that one entry ends.
const TOKENS_MAX: usize = 64;
/// Most entries before others get a turn.
const ROUNDS_MAX: usize = 16;

impl Router {
    /// Does the work that is due, in entries of bounded size. Returns the time of the next call
    /// that will find something, as far as is known now; zero when that is at once.
    pub async fn sweep(&self) -> Result<Option<Timestamp>, Error> {
        if !self.parts.barrier.storage().status().leads {
            return Ok(None);
        }
        for _ in 0..ROUNDS_MAX {
            let again = self.sweep_tokens().await? | self.sweep_purges().await?;
            if !again {
                return Ok(self.parts.tokens.next_sweep());
            }
        }
        Ok(Some(Timestamp::default()))
    }

    /// Returns when there may be something to sweep before [`Router::sweep`] said.
    pub async fn sweep_changed(&self) {
        self.parts.tokens.leases().due_changed().await;
    }

    async fn sweep_tokens(&self) -> Result<bool, Error> {
        let now = self.parts.clock.now();
        if self.parts.tokens.next_sweep().is_some_and(|due| due > now) {
            return Ok(false);
        }
        let sweep = self.parts.tokens.sweep(now, TOKENS_MAX)?;
        if sweep.batch.is_empty() {
            return Ok(sweep.more);
        }
        match self.parts.barrier.commit(sweep.batch, now).await {
            // Someone used what was to be swept; the next round looks again.
            Ok(_) | Err(BarrierError::Commit(CommitError::Conflict)) => Ok(sweep.more),
            Err(error) => Err(error.into()),
        }
    }

    async fn sweep_purges(&self) -> Result<bool, Error> {
        let Some(batch) = self.parts.mounts.purges().next()? else {
            return Ok(false);
        };
        self.parts
            .barrier
            .commit(batch, self.parts.clock.now())
            .await?;
        Ok(true)
    }
}
