//! Work that no request asks for: ending what is over, deleting what was unmounted.

use super::router::Router;
use crate::barrier::BarrierError;
use crate::engine::Error;
use crate::store::CommitError;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often it is looked whether something is due. Looking reads memory only.
const INTERVAL: Duration = Duration::from_secs(1);
/// Most tokens that one entry ends.
const TOKENS_MAX: usize = 64;
/// Most entries before others get a turn.
const ROUNDS_MAX: usize = 16;

impl Router {
    /// Sweeps in the background until the router is dropped. Needs a tokio runtime.
    pub fn start_sweeper(self: &Arc<Self>) {
        let router = Arc::downgrade(self);
        tokio::spawn(run(router));
    }

    /// Does what is due, in entries of bounded size. True when more is due already.
    pub async fn sweep(&self) -> Result<bool, Error> {
        if !self.parts.barrier.storage().status().leads {
            return Ok(false);
        }
        for _ in 0..ROUNDS_MAX {
            let again = self.sweep_tokens().await? | self.sweep_purges().await?;
            if !again {
                return Ok(false);
            }
        }
        Ok(true)
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

async fn run(router: Weak<Router>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(router) = router.upgrade() else {
            return;
        };
        if let Err(error) = router.sweep().await {
            if matches!(error.cause, Some(BarrierError::Sealed)) {
                return;
            }
            router.notice(&error);
            tracing::warn!(%error, "sweeping failed; it is tried again");
        }
    }
}
