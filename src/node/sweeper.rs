//! Removes expired records, in the background of an active node.

use crate::clock::Clock;
use crate::router::Router;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// The longest pause: deadlines made meanwhile are noticed then. An expired record reads as absent
/// long before it is swept, so no client waits for this.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The shortest pause: a store that refuses writes is not asked again at once.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// Sweeps until the task is aborted.
pub(super) fn spawn(router: Arc<Router>, clock: Arc<dyn Clock>) -> AbortHandle {
    let task = crate::task::spawn(async move {
        loop {
            let pause = match router.sweep().await {
                Ok(Some(deadline)) => deadline.since(clock.now()),
                Ok(None) => PAUSE_MAX,
                Err(error) => {
                    tracing::warn!(%error, "what has expired could not be swept away");
                    PAUSE_MAX
                }
            };
            tokio::time::sleep(pause.clamp(PAUSE_MIN, PAUSE_MAX)).await;
        }
    });
    task.abort_handle()
}
