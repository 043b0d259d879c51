//! The steps of a node's life: initialise, unseal, seal, step down, stop.

use super::identity::Cluster;
use super::shared::{Session, Shared};
use super::trust::ClusterSigner;
use crate::barrier::{BarrierError, Batch, SealRecord, SharedKey, Unsealed};
use crate::clock::Timestamp;
use crate::mount;
use crate::raft::Signer;
use crate::seal::{self, Collected, SealConfig, SealError};
use crate::secret::{Key256, Secret, SecretBytes, SecretString};
use crate::store::CommitError;
use crate::sys::{InitRequest, InitResult, LifecycleError, SealStatus, ShareInput};
use crate::token;
use std::sync::Arc;
use std::time::Duration;

/// The longest that an unseal key waits for a member's own store to be known.
const STORE_WITHIN: Duration = Duration::from_secs(3);

impl Shared {
    /// Makes all records that a cluster starts with, in one log entry. The node stays sealed.
    pub(super) async fn initialize_with(
        self: &Arc<Self>,
        request: InitRequest,
        root_token: Option<SecretString>,
    ) -> Result<InitResult, LifecycleError> {
        let _one = self.step.lock().await;
        if self.state().seal.is_some() {
            return Err(LifecycleError::AlreadyInitialized);
        }
        if let Some(address) = self.cluster_to_join().await {
            return Err(LifecycleError::Invalid(second_cluster(&address)));
        }
        let new = self.new_seal(&request).await?;
        if self.leadership.has_others() {
            // It is a member of a cluster whose first entries have not come yet.
            return Err(LifecycleError::AlreadyInitialized);
        }
        let internal = LifecycleError::Internal;
        self.leadership.found().await.map_err(internal)?;
        self.leadership.take(None).await.map_err(internal)?;
        let cluster = Cluster::new(self.facts.cluster_name.as_deref());
        let made = self.write_first_entry(&new, &cluster, root_token).await;
        self.leadership.give_up();
        let root_token = made?;
        let shared = new.record.ceremony();
        self.state().seal = Some(new.record);
        self.settle();
        crate::telemetry::info!(
            shares = shared.shares,
            threshold = shared.threshold,
            "security barrier initialized"
        );
        Ok(InitResult {
            shares: new.shares,
            recovery_shares: new.recovery.map(|recovery| recovery.shares),
            root_token,
            cluster_name: cluster.name,
            cluster_id: cluster.id,
        })
    }

    /// Makes a seal key, and a recovery key where providers keep the seal key.
    async fn new_seal(&self, request: &InitRequest) -> Result<NewSeal, LifecycleError> {
        let unsealing = (request.secret_shares, request.secret_threshold);
        let recovery = (request.recovery_shares, request.recovery_threshold);
        let emergency = (request.emergency_shares, request.emergency_threshold);
        let Some(kind) = self.seals.enabled.kind() else {
            refuse(recovery, "recovery_shares,recovery_threshold", "shamir")?;
            refuse(emergency, "emergency_shares,emergency_threshold", "shamir")?;
            let (config, key, shares) = split_key(unsealing)?;
            return Ok(NewSeal {
                key,
                record: config.into(),
                shares,
                recovery: None,
            });
        };
        refuse(unsealing, "secret_shares,secret_threshold", &kind)?;
        let (config, recovery_key, shares) = split_key(recovery)?;
        let recovery = NewRecovery {
            key: recovery_key,
            shares,
        };
        let emergency = match emergency {
            (0, 0) => None,
            (shares, threshold) => {
                let config = seal::check_config(shares.into(), threshold.into());
                Some(config.map_err(invalid)?)
            }
        };
        let (key, wrapped) = self.new_kept_key().await?;
        let mut record = SealRecord::of_providers(wrapped);
        record.recovery = Some(config);
        record.set_emergency(emergency);
        let shares = emergency.map(|config| seal::shares_of(&key, config));
        Ok(NewSeal {
            key,
            record,
            shares: shares.transpose().map_err(invalid)?.unwrap_or_default(),
            recovery: Some(recovery),
        })
    }

    async fn write_first_entry(
        &self,
        new: &NewSeal,
        cluster: &Cluster,
        root_token: Option<SecretString>,
    ) -> Result<SecretString, LifecycleError> {
        self.clock.found();
        let now = self.clock.now();
        let fresh = self
            .sealed
            .initialize(&new.key, new.record.clone(), now)
            .map_err(internal)?;
        let (barrier, mut batch) = (fresh.barrier, fresh.batch);
        if let Some(recovery) = &new.recovery {
            let put = barrier.put_recovery_key(&mut batch, &recovery.key);
            put.map_err(internal)?;
        }
        let barrier = new.put_share_hashes(barrier, &mut batch, now).await?;
        cluster.put(&barrier, &mut batch).map_err(internal)?;
        let signer = ClusterSigner::new(&barrier).map_err(internal)?;
        batch.publish_cluster_key(&signer.cluster_key().0);
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

    /// Takes one share; at the threshold the node is unsealed.
    pub(super) async fn submit_share(
        self: &Arc<Self>,
        share: ShareInput,
    ) -> Result<SealStatus, LifecycleError> {
        self.wait_for_store().await;
        let _one = self.step.lock().await;
        self.check_unsealing()?;
        let collected = {
            let mut state = self.state();
            let seal = state.seal.clone().or_else(|| self.joiner.seal());
            let config = seal.ok_or(LifecycleError::NotInitialized)?.config;
            match state.session {
                Some(_) => None,
                None => Some(state.progress.submit(config, share)),
            }
        };
        self.lights_changed.notify_one();
        let collected = collected.transpose().map_err(invalid)?;
        if collected.is_some() && self.leadership.is_removed() {
            return Err(LifecycleError::Invalid(REMOVED.into()));
        }
        if let Some(Collected::Key(key)) = collected {
            let is_member = self.state().seal.is_some();
            match is_member {
                true => self.unseal_with(&key).await?,
                false => self.join_with(key).await?,
            }
        }
        Ok(self.seal_status())
    }

    /// Waits until the seal of a member that has just started is known: it may not know yet which
    /// part of its own log is committed, and the leader tells it with the next heartbeat.
    pub(super) async fn wait_for_store(&self) {
        let is_known = || self.state().seal.is_some() || self.joiner.seal().is_some();
        if is_known() || !self.leadership.has_others() {
            return;
        }
        let mut role = self.role();
        // When the time is over, the client learns that nothing is known.
        drop(tokio::time::timeout(STORE_WITHIN, role.wait_for(|_| is_known())).await);
    }

    /// Opens the store with the whole key.
    pub(super) async fn unseal_with(self: &Arc<Self>, key: &Key256) -> Result<(), LifecycleError> {
        self.check_may_unseal()?;
        let barrier = self.sealed.unseal(key).map_err(not_opened)?;
        self.begin_session(&barrier).await.inspect_err(|_| {
            barrier.seal();
            self.leadership.give_up();
        })?;
        crate::telemetry::info!("vault is unsealed");
        Ok(())
    }

    /// Builds the parts that need the keys, from the applied state, and writes nothing. A node
    /// without others is active on return; any other answers as a standby, and may be elected from
    /// now on.
    async fn begin_session(
        self: &Arc<Self>,
        barrier: &Arc<Unsealed>,
    ) -> Result<(), LifecycleError> {
        let session = Session {
            cluster: Cluster::read(barrier).map_err(internal)?,
            router: Arc::new(super::assembly::router(self, barrier)?),
            barrier: Arc::clone(barrier),
        };
        let signer = ClusterSigner::new(barrier).map_err(internal)?;
        self.leadership
            .take(Some(Arc::new(signer)))
            .await
            .map_err(LifecycleError::Internal)?;
        self.state().session = Some(session);
        self.settle();
        Ok(())
    }

    /// Seals the node. Another node leads before the keys are gone, where one can.
    pub(super) async fn seal(self: &Arc<Self>) -> Result<(), LifecycleError> {
        let _one = self.step.lock().await;
        self.let_others_lead().await;
        self.state().held = true;
        self.drop_keys();
        crate::telemetry::info!("vault is sealed");
        Ok(())
    }

    /// Steps down. The node stands back for ten seconds then, as in Vault. With no other node to
    /// take over, this one is active again at once.
    pub(super) async fn step_down(self: &Arc<Self>) -> Result<(), LifecycleError> {
        let _one = self.step.lock().await;
        if self.state().session.is_none() {
            return Err(LifecycleError::Sealed);
        }
        if let Err(why) = self.hand_over().await {
            tracing::warn!(%why, "stepped down, and no other node has taken over yet");
            self.interrupt();
        }
        self.settle();
        Ok(())
    }

    /// Stops the node: others take over while requests are still answered, then the gate closes.
    pub(super) async fn stop(self: &Arc<Self>) {
        self.joiner.stop();
        self.let_others_lead().await;
        self.state().stopping = true;
        self.settle();
    }

    /// Hands leadership over before this node goes; it goes even when no other one leads.
    async fn let_others_lead(self: &Arc<Self>) {
        if let Err(why) = self.hand_over().await {
            crate::telemetry::debug!(%why, "no other node has taken over yet");
        }
    }

    /// Hands leadership over if this node is active, and returns once another node leads, or the
    /// reason why none does.
    async fn hand_over(self: &Arc<Self>) -> Result<(), String> {
        if self.state().reign.is_none() {
            return Ok(());
        }
        self.leadership.hand_over().await?;
        self.settle();
        Ok(())
    }
}

/// A seal that is about to be made.
struct NewSeal {
    key: Key256,
    record: SealRecord,
    /// The shares of the seal key that people are to keep.
    shares: Vec<SecretBytes>,
    recovery: Option<NewRecovery>,
}

impl NewSeal {
    /// Adds the hashes of the shares to `batch`; returns the barrier, which is borne by the thread
    /// that hashes.
    async fn put_share_hashes(
        &self,
        barrier: Arc<Unsealed>,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<Arc<Unsealed>, LifecycleError> {
        let copied = |shares: &[SecretBytes]| -> Vec<SecretBytes> {
            let copies = shares.iter().map(|share| share.expose().clone());
            copies.map(Secret::new).collect()
        };
        let config = self.record.config;
        let of_seal = (SharedKey::Seal, &self.key, &self.shares, config.threshold);
        let threshold = self.record.ceremony().threshold;
        let of_recovery = self.recovery.as_ref().map(|recovery| {
            (
                SharedKey::Recovery,
                &recovery.key,
                &recovery.shares,
                threshold,
            )
        });
        let sets = [of_recovery, Some(of_seal)].into_iter().flatten();
        let sets: Vec<_> = sets
            .filter(|(_, _, shares, _)| !shares.is_empty())
            .map(|(which, key, shares, needed)| (which, key.duplicate(), copied(shares), needed))
            .collect();
        let work = move || {
            let hashed = sets.iter().map(|(which, key, shares, needed)| {
                let hashed = barrier.hash_shares(key, shares, *needed);
                hashed.map(|hashed| (*which, hashed))
            });
            let hashed = hashed.collect::<Result<Vec<_>, _>>();
            hashed.map(|hashed| (barrier, hashed))
        };
        let hashed = crate::task::compute(work).await.map_err(internal)?;
        let (barrier, hashed) = hashed.map_err(internal)?;
        let put = barrier.put_share_hashes(batch, &hashed, now);
        put.map_err(internal)?;
        Ok(barrier)
    }
}

struct NewRecovery {
    key: Key256,
    shares: Vec<SecretBytes>,
}

type SplitKey = (SealConfig, Key256, Vec<SecretBytes>);

/// Makes a key of so many shares, so many of which make it up.
fn split_key((shares, threshold): (u8, u8)) -> Result<SplitKey, LifecycleError> {
    let config = seal::check_config(shares.into(), threshold.into()).map_err(invalid)?;
    let (key, shares) = seal::generate(config).map_err(invalid)?;
    Ok((config, key, shares))
}

/// Refuses numbers of shares that the seal does not have.
fn refuse(numbers: (u8, u8), names: &str, kind: &str) -> Result<(), LifecycleError> {
    match numbers {
        (0, 0) => Ok(()),
        _ => Err(LifecycleError::Invalid(format!(
            "parameters {names} not applicable to seal type {kind}"
        ))),
    }
}

/// The refusal of wrong keys, in Vault's words, so that scripts that look for them find them.
const WRONG_KEY: &str =
    "failed to decrypt encrypted stored keys: cipher: message authentication failed";

pub(super) const REMOVED: &str = "this node was removed from the cluster: empty its data \
                                  directory and let it join again";

fn second_cluster(address: &str) -> String {
    format!(
        "an initialized cluster was found ({address}), and this node is to join it: a second one \
         beside it is not made. Unseal this node to join, or take retry_join out of its \
         configuration"
    )
}

/// Returns the refusal of a key that does not open the store.
pub(super) fn not_opened(error: BarrierError) -> LifecycleError {
    match error {
        BarrierError::WrongSealKey => LifecycleError::Invalid(WRONG_KEY.into()),
        error => internal(error),
    }
}

fn invalid(error: SealError) -> LifecycleError {
    LifecycleError::Invalid(error.to_string())
}

fn internal(error: impl std::fmt::Display) -> LifecycleError {
    LifecycleError::Internal(error.to_string())
}
