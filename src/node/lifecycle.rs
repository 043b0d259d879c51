//! Answers the API's requests to the node itself, in every role.

use super::shared::Shared;
use crate::barrier::WrappedKey;
use crate::clock::Timestamp;
use crate::secret::Key256;
use crate::store::BoxFuture;
use crate::stream::Chunks;
use crate::sys::{
    Cluster, HaStatus, InitRequest, InitResult, LeaderStatus, Lifecycle, LifecycleError, Metering,
    SealBackends, SealStatus, ShareInput,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The listeners' handle on the node.
pub(super) struct Handle(pub(super) Arc<Shared>);

impl Lifecycle for Handle {
    fn seal_status(&self) -> SealStatus {
        self.0.seal_status()
    }

    fn seal_backends(&self) -> SealBackends {
        self.0.seal_backends()
    }

    fn leader(&self) -> LeaderStatus {
        self.0.leader_status()
    }

    fn ha_status(&self) -> Vec<HaStatus> {
        self.0.ha_status()
    }

    fn initialize(
        &self,
        request: InitRequest,
    ) -> BoxFuture<'_, Result<InitResult, LifecycleError>> {
        let shared = Arc::clone(&self.0);
        to_the_end(async move { shared.initialize_with(request, None).await })
    }

    fn unseal(&self, share: ShareInput) -> BoxFuture<'_, Result<SealStatus, LifecycleError>> {
        let shared = Arc::clone(&self.0);
        to_the_end(async move { shared.submit_share(share).await })
    }

    fn unseal_to_migrate(
        &self,
        share: ShareInput,
    ) -> BoxFuture<'_, Result<SealStatus, LifecycleError>> {
        let shared = Arc::clone(&self.0);
        to_the_end(async move { shared.submit_share_to_migrate(share).await })
    }

    fn reset_unseal(&self) -> SealStatus {
        {
            let mut state = self.0.state();
            state.progress.reset();
            state.migrating.reset();
        }
        self.0.lights_changed.notify_one();
        self.0.seal_status()
    }

    fn seal(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        let shared = Arc::clone(&self.0);
        to_the_end(async move { shared.seal().await })
    }

    fn step_down(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        let shared = Arc::clone(&self.0);
        to_the_end(async move { shared.step_down().await })
    }

    fn new_kept_key(&self) -> BoxFuture<'_, Result<(Key256, Vec<WrappedKey>), LifecycleError>> {
        Box::pin(self.0.new_kept_key())
    }

    fn save_snapshot(&self) -> BoxFuture<'_, Result<Chunks, LifecycleError>> {
        Box::pin(self.0.save_snapshot())
    }

    fn restore_snapshot(
        &self,
        archive: Chunks,
        force: bool,
    ) -> BoxFuture<'_, Result<(), LifecycleError>> {
        let shared = Arc::clone(&self.0);
        to_the_end(async move { shared.restore_snapshot(archive, force).await })
    }

    fn metering(&self) -> BoxFuture<'_, Metering> {
        Box::pin(self.0.metering())
    }

    fn wear(&self) -> BoxFuture<'_, Map<String, Value>> {
        Box::pin(async {
            let worn = self.0.worn().await;
            worn.map(|report| report.json()).unwrap_or_default()
        })
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn cluster(&self) -> Option<Arc<dyn Cluster>> {
        self.0.cluster()
    }
}

/// Runs a step to its end even when the client goes away: one that is cut short would leave a store
/// that is initialised beside a node that does not know, or a node that serves no client.
fn to_the_end<T: Send + 'static>(
    step: impl Future<Output = Result<T, LifecycleError>> + Send + 'static,
) -> BoxFuture<'static, Result<T, LifecycleError>> {
    let task = crate::task::spawn(step);
    Box::pin(async move {
        task.await.unwrap_or_else(|error| {
            let message = format!("the task of a step ended early: {error}");
            Err(LifecycleError::Internal(message))
        })
    })
}
