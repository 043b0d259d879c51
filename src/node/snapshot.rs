//! Saves and restores snapshots, for the API.

use super::shared::{Session, Shared};
use crate::barrier::Unsealed;
use crate::stream::Chunks;
use crate::sys::duties::snapshots;
use crate::sys::{LifecycleError, snapshot};
use std::sync::Arc;

impl Shared {
    pub(super) async fn save_snapshot(&self) -> Result<Chunks, LifecycleError> {
        let (barrier, cluster_id) = self.unsealed()?;
        snapshot::save(&barrier, &cluster_id).await
    }

    pub(super) async fn restore_snapshot(
        &self,
        archive: Chunks,
        force: bool,
    ) -> Result<(), LifecycleError> {
        let (barrier, _) = self.unsealed()?;
        snapshot::restore(&barrier, archive, force).await?;
        // The snapshot may come from a cluster whose clock was ahead.
        self.clock.raise(self.storage.status().time_floor);
        Ok(())
    }

    /// Takes scheduled snapshots, for as long as this node is active.
    pub(super) fn snapshots(&self, session: &Session) -> impl Future<Output = ()> + use<> {
        snapshots::run(
            Arc::clone(&self.snapshots),
            Arc::clone(&session.barrier),
            Arc::clone(&self.clock),
            session.cluster.id.clone(),
        )
    }

    /// Returns the barrier of this unsealed node, and the cluster's id.
    pub(super) fn unsealed(&self) -> Result<(Arc<Unsealed>, String), LifecycleError> {
        let state = self.state();
        let session = state.session.as_ref().ok_or(LifecycleError::Sealed)?;
        Ok((Arc::clone(&session.barrier), session.cluster.id.clone()))
    }
}
