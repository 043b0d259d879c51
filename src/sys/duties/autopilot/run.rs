//! The loop on the active node.

use super::{Action, Autopilot, Config, decide};
use crate::barrier::{BarrierError, Unsealed};
use crate::sys::ports::{Cluster, MemberChange};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The pause before a failed change is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Watches the members and changes them as [`decide`] says, until the barrier is sealed. The caller
/// aborts it when the node is active no more.
pub async fn run(autopilot: Arc<Autopilot>, barrier: Arc<Unsealed>, cluster: Arc<dyn Cluster>) {
    autopilot.restart(Instant::now());
    let mut changes = cluster.changes();
    loop {
        changes.mark_unchanged();
        let pause = match step(&autopilot, &barrier, cluster.as_ref(), Instant::now()).await {
            Ok(pause) => pause,
            Err(BarrierError::Sealed) => return,
            Err(error) => {
                tracing::warn!(%error, "autopilot cannot read its configuration");
                Some(RETRY_PAUSE)
            }
        };
        tokio::select! {
            () = autopilot.woken() => {}
            Ok(()) = changes.changed() => {}
            () = sleep(pause) => {}
        }
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

/// Looks once and makes at most one change. Returns the time after which to look again.
pub(super) async fn step(
    autopilot: &Autopilot,
    barrier: &Arc<Unsealed>,
    cluster: &dyn Cluster,
    now: Instant,
) -> Result<Option<Duration>, BarrierError> {
    let (_, config) = Config::read(barrier)?;
    let look = autopilot.look(&config, &cluster.membership(), now);
    let verdict = decide(&config, &look);
    let Some(action) = verdict.action else {
        return Ok(verdict.look_again);
    };
    let (node_id, change) = match action {
        Action::Promote(node_id) => (node_id, MemberChange::Promote),
        Action::Remove(node_id) => (node_id, MemberChange::Remove { force: false }),
    };
    let done = cluster.change_member(node_id.clone(), change).await;
    match (done, change) {
        (Ok(()), MemberChange::Promote) => crate::telemetry::info!(%node_id, "promoted to voter"),
        (Ok(()), _) => tracing::warn!(%node_id, "removed: it was dead"),
        (Err(error), _) => {
            tracing::warn!(%node_id, %error, "autopilot could not change a member");
            return Ok(Some(RETRY_PAUSE));
        }
    }
    Ok(verdict.look_again)
}
