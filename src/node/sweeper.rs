//! Removes expired records, and has engines revoke expired leases, in the background of an active
//! node.

use crate::clock::{Clock, Timestamp};
use crate::engine::Error;
use crate::router::Router;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// The longest pause. An expired record reads as absent long before it is swept.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The shortest pause: a store that refuses writes is not asked again at once.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// Sweeps until the task is aborted.
pub(super) fn spawn(router: Arc<Router>, clock: Arc<dyn Clock>) -> AbortHandle {
    let task = crate::task::spawn(async move {
        loop {
            let next = router.sweep().await;
            let pause = pause(next, &*clock, "what has expired could not be swept away");
            tokio::time::sleep(PAUSE_MIN).await;
            tokio::select! {
                () = tokio::time::sleep(pause.saturating_sub(PAUSE_MIN)) => {}
                () = router.sweep_changed() => {}
            }
        }
    });
    task.abort_handle()
}

/// Has engines revoke the leases that are due, until the task is aborted.
pub(super) fn revoke(router: Arc<Router>, clock: Arc<dyn Clock>) -> AbortHandle {
    let task = crate::task::spawn(async move {
        let revoker = router.revoker();
        loop {
            let next = revoker.revoke_due().await;
            let failed = next.is_err();
            let pause = pause(next, &*clock, "what has expired could not be revoked");
            if failed {
                tokio::time::sleep(PAUSE_MIN).await;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = revoker.changed() => {}
            }
        }
    });
    task.abort_handle()
}

fn pause(next: Result<Option<Timestamp>, Error>, clock: &dyn Clock, failed: &str) -> Duration {
    let pause = match next {
        Ok(Some(deadline)) => deadline.since(clock.now()),
        Ok(None) => PAUSE_MAX,
        Err(error) => {
            tracing::warn!(%error, "{failed}");
            PAUSE_MAX
        }
    };
    pause.clamp(PAUSE_MIN, PAUSE_MAX)
}
