//! The steps of a node's life, as the API asks for them.

use super::identity::Cluster;
use super::shared::{Active, Shared};
use super::{host, sweeper, systemd};
use crate::barrier::{BarrierError, SealConfig, Unsealed};
use crate::clock::Timestamp;
use crate::mount;
use crate::router::Role;
use crate::seal::{self, Collected, SealError};
use crate::secret::{Key256, SecretString};
use crate::store::{BoxFuture, CommitError};
use crate::sys::{
    HaStatus, InitRequest, InitResult, LeaderStatus, Lifecycle, LifecycleError, SealStatus,
    ShareInput,
};
use crate::token;
use std::sync::Arc;

/// The listeners' handle on the shared.
pub(super) struct Handle(pub(super) Arc<Shared>);

impl Lifecycle for Handle {
    fn seal_status(&self) -> SealStatus {
        self.0.seal_status()
    }

    fn leader(&self) -> LeaderStatus {
        let shared = &self.0;
        let storage = shared.storage.status();
        let since = shared.state().active.as_ref().map(|active| active.since);
        let addresses = shared.addresses();
        let ha = shared.facts.ha_enabled;
        LeaderStatus {
            ha_enabled: ha,
            is_self: ha && since.is_some(),
            active_time: since.filter(|_| ha).unwrap_or_default(),
            leader_address: if ha { addresses.api } else { String::new() },
            leader_cluster_address: if ha { addresses.cluster } else { String::new() },
            raft_committed_index: ha.then_some(storage.committed_index),
            raft_applied_index: ha.then_some(storage.applied_index),
        }
    }

    fn ha_status(&self) -> Vec<HaStatus> {
        let addresses = self.0.addresses();
        vec![HaStatus {
            hostname: host::name(),
            api_address: addresses.api,
            cluster_address: addresses.cluster,
            active_node: self.0.state().active.is_some(),
            last_echo: Timestamp::default(),
            version: env!("CARGO_PKG_VERSION").into(),
        }]
    }

    fn initialize(
        &self,
        request: InitRequest,
    ) -> BoxFuture<'_, Result<InitResult, LifecycleError>> {
        let shared = Arc::clone(&self.0);
        to_the_end(async move {
            let shares = i64::from(request.secret_shares);
            let threshold = i64::from(request.secret_threshold);
            shared.initialize_with(shares, threshold, None).await
        })
    }

    fn unseal(&self, share: ShareInput) -> BoxFuture<'_, Result<SealStatus, LifecycleError>> {
        let shared = Arc::clone(&self.0);
        to_the_end(async move { shared.submit_share(share).await })
    }

    fn reset_unseal(&self) -> SealStatus {
        self.0.state().progress.reset();
        self.0.seal_status()
    }

    fn seal(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        Box::pin(async {
            let _one = self.0.step.lock().await;
            self.0.drop_keys();
            tracing::info!("vault is sealed");
            Ok(())
        })
    }

    fn step_down(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        let shared = Arc::clone(&self.0);
        to_the_end(async move { shared.step_down().await })
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

/// Takes a step to its end even when the client goes away: one that is cut short would leave a
/// store that is initialised beside a node that does not know, or a node that serves nobody.
fn to_the_end<T: Send + 'static>(
    step: impl Future<Output = Result<T, LifecycleError>> + Send + 'static,
) -> BoxFuture<'static, Result<T, LifecycleError>> {
    let task = tokio::spawn(step);
    Box::pin(async move {
        task.await.unwrap_or_else(|error| {
            let message = format!("the task of a step ended early: {error}");
            Err(LifecycleError::Internal(message))
        })
    })
}

impl Shared {
    pub(super) fn seal_status(&self) -> SealStatus {
        let state = self.state();
        let (t, n) = state
            .seal
            .map_or((0, 0), |seal| (seal.threshold, seal.shares));
        let cluster = state.active.as_ref().map(|active| active.cluster.clone());
        SealStatus {
            seal_type: "shamir".into(),
            initialized: state.seal.is_some(),
            sealed: state.active.is_none(),
            t,
            n,
            progress: state.progress.count(),
            nonce: state.progress.nonce(),
            cluster_name: cluster.as_ref().map(|cluster| cluster.name.clone()),
            cluster_id: cluster.map(|cluster| cluster.id),
            storage_type: self.facts.storage_type.into(),
            recovery_seal: false,
        }
    }

    /// Makes everything that a cluster starts with, in one log entry. The node stays sealed.
    pub(super) async fn initialize_with(
        self: &Arc<Self>,
        shares: i64,
        threshold: i64,
        root_token: Option<SecretString>,
    ) -> Result<InitResult, LifecycleError> {
        let _one = self.step.lock().await;
        if self.state().seal.is_some() {
            return Err(LifecycleError::AlreadyInitialized);
        }
        let config = seal::check_config(shares, threshold).map_err(invalid)?;
        let (seal_key, shares) = seal::generate(config).map_err(invalid)?;
        self.leadership
            .take()
            .await
            .map_err(LifecycleError::Internal)?;
        let made = self.write_first_entry(&seal_key, config, root_token).await;
        self.leadership.give_up();
        let root_token = made?;
        self.state().seal = Some(config);
        self.publish(Role::Sealed);
        tracing::info!(
            shares = config.shares,
            threshold = config.threshold,
            "security barrier initialized"
        );
        Ok(InitResult { shares, root_token })
    }

    async fn write_first_entry(
        &self,
        seal_key: &Key256,
        config: SealConfig,
        root_token: Option<SecretString>,
    ) -> Result<SecretString, LifecycleError> {
        let now = self.clock.now();
        let fresh = self
            .sealed
            .initialize(seal_key, config, now)
            .map_err(internal)?;
        let (barrier, mut batch) = (fresh.barrier, fresh.batch);
        let cluster = Cluster::new(self.facts.cluster_name.as_deref());
        cluster.put(&barrier, &mut batch).map_err(internal)?;
        let mounts = mount::Table::new(&barrier).map_err(internal)?;
        mounts.install(&mut batch).map_err(internal)?;
        let leases = Arc::new(crate::lease::Store::new(&barrier));
        let tokens = token::Store::new(&barrier, leases).map_err(internal)?;
        let mut spec = token::Spec::root();
        spec.text = root_token;
        let minted = tokens.create(&mut batch, spec, now).map_err(internal)?;
        let committed = barrier.commit(batch, now).await;
        barrier.seal();
        match committed {
            Ok(_) => Ok(minted.token),
            Err(BarrierError::Commit(CommitError::Conflict)) => {
                Err(LifecycleError::AlreadyInitialized)
            }
            Err(error) => Err(internal(error)),
        }
    }

    /// Takes one share; at the threshold the node becomes active.
    pub(super) async fn submit_share(
        self: &Arc<Self>,
        share: ShareInput,
    ) -> Result<SealStatus, LifecycleError> {
        let _one = self.step.lock().await;
        let collected = {
            let mut state = self.state();
            let config = state.seal.ok_or(LifecycleError::NotInitialized)?;
            match state.active {
                Some(_) => None,
                None => Some(state.progress.submit(config, share).map_err(invalid)?),
            }
        };
        if let Some(Collected::Key(key)) = collected {
            let barrier = self.sealed.unseal(&key).map_err(|error| match error {
                BarrierError::WrongSealKey => LifecycleError::Invalid(WRONG_KEY.into()),
                error => internal(error),
            })?;
            self.become_active(barrier).await?;
            tracing::info!("vault is unsealed");
        }
        Ok(self.seal_status())
    }

    /// Leads, builds what needs the keys, and opens the gate.
    async fn become_active(self: &Arc<Self>, barrier: Arc<Unsealed>) -> Result<(), LifecycleError> {
        let active = self.build_active(&barrier).await;
        let active = active.inspect_err(|_| {
            barrier.seal();
            self.leadership.give_up();
            self.publish(Role::Sealed);
        })?;
        let router = Arc::clone(&active.router);
        self.state().active = Some(active);
        self.publish(Role::Active { router });
        systemd::status("active");
        Ok(())
    }

    async fn build_active(
        self: &Arc<Self>,
        barrier: &Arc<Unsealed>,
    ) -> Result<Active, LifecycleError> {
        self.leadership
            .take()
            .await
            .map_err(LifecycleError::Internal)?;
        self.clock.raise(self.storage.status().time_floor);
        let cluster = Cluster::read(barrier).map_err(internal)?;
        let router = Arc::new(super::start::router(self, barrier)?);
        let sweeper = sweeper::spawn(Arc::clone(&router), Arc::clone(&self.clock));
        Ok(Active {
            barrier: Arc::clone(barrier),
            router,
            since: self.clock.now(),
            cluster,
            sweeper,
        })
    }

    /// Closes the gate first, so that no new request finds a router without keys.
    pub(super) fn drop_keys(&self) {
        let active = self.state().active.take();
        self.publish(Role::Sealed);
        if let Some(active) = active {
            active.sweeper.abort();
            active.barrier.seal();
        }
        self.leadership.give_up();
        systemd::status("sealed");
    }

    /// With no other node to take over, this one is active again at once: with a new router, so
    /// that nothing cached outlives the step.
    async fn step_down(self: &Arc<Self>) -> Result<(), LifecycleError> {
        let _one = self.step.lock().await;
        let active = self.state().active.take();
        let active = active.ok_or(LifecycleError::Sealed)?;
        active.sweeper.abort();
        self.publish(Role::Standby {
            router: Arc::clone(&active.router),
            leader: None,
        });
        tracing::warn!("stepped down; no other node can take over");
        self.become_active(active.barrier).await
    }
}

/// In Vault's words, so that scripts that look for them find them.
const WRONG_KEY: &str =
    "failed to decrypt encrypted stored keys: cipher: message authentication failed";

fn invalid(error: SealError) -> LifecycleError {
    LifecycleError::Invalid(error.to_string())
}

fn internal(error: impl std::fmt::Display) -> LifecycleError {
    LifecycleError::Internal(error.to_string())
}
