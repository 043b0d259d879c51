//! The migration of the seal: from people to providers, back, and from providers to others.
//!
//! ```text
//! shares with `migrate`, on a node of the new configuration
//!      |  enough, right
//!      v
//! unsealed, allowed (in memory) ---this node is active---> one entry: the new seal
//!      |                                                       |
//!      +-- another node migrated, or the keys were replaced ---+--> forgotten
//! ```
//!
//! Until that entry is committed the old seal opens, whatever was begun; afterwards the new one
//! does. So a node that is killed meanwhile finds the one or the other. Which migration there is
//! follows from the stored seal and this node's stanzas alone (`seal/migration.rs`).
//!
//! The key that the shares made up is kept until then, since it is a part of the new seal: unseal
//! keys become recovery keys, and the other way round. It is checked again when the entry is made.

use super::seals::{Tried, first_wait, longer, rest};
use super::shared::{Allowed, Shared};
use crate::barrier::{BarrierError, CurrentSeal, SealRecord, Unsealed};
use crate::seal::{Collected, Direction, SealError, SealMigration, SealRoute};
use crate::secret::Key256;
use crate::store::CommitError;
use crate::sys::{LifecycleError, NO_SEAL_MIGRATION, SealStatus, ShareInput};
use std::sync::{Arc, Weak};

/// The refusal of a share without `migrate`, as OpenBao has it, and the remedy.
const PENDING: &str = "migrate option not provided and seal migration is pending: give the share \
                       with migrate (operator unseal -migrate)";
const NONE_FOUND: &str = "this node's configuration names the seal that the cluster has; give the \
                          new one's stanza, and disabled = \"true\" in that of a seal to leave";
/// The refusal of shares that make another key, as OpenBao has it.
const NOT_VERIFIED: &str = "invalid key: failed to verify recovery key";
const NO_RECOVERY_KEYS: &str = "this cluster has no recovery keys, whose holders allow a \
                                migration: make them first";
const GONE: &str = "where it is gone for good, open the node by emergency shares, without migrate, \
                    and give these anew";
const REPLACED: &str = "the keys were replaced since the migration of the seal was allowed, and \
                        the old seal stays: give enough of the present ones with migrate again";

/// The result of one attempt to put a new seal into force.
enum Attempt {
    /// No migration is allowed.
    Idle,
    /// It is in force.
    Done,
    /// The seal was changed meanwhile: look again.
    Again,
}

/// Carries out the migration that is allowed, while this node is active.
pub(super) async fn run(shared: Weak<Shared>) {
    let Some(allowed) = shared
        .upgrade()
        .map(|node| Arc::clone(&node.migration_allowed))
    else {
        return;
    };
    let mut wait = first_wait();
    loop {
        let Some(node) = shared.upgrade() else { return };
        let tried = node.migrate().await;
        drop(node);
        match tried {
            Tried::Idle => {
                wait = first_wait();
                allowed.notified().await;
            }
            Tried::Failed => {
                drop(tokio::time::timeout(rest(wait), allowed.notified()).await);
                wait = longer(wait);
            }
        }
    }
}

impl Shared {
    /// Returns the way from the stored seal to the configured one; none is left before
    /// initialization and for a joiner.
    pub(super) fn route(&self) -> SealRoute {
        let record = self.state().seal.clone();
        record.map_or(SealRoute::Stays, |record| self.seals.route(&record))
    }

    /// Logs the way, when it is another one than before.
    pub(super) fn tell_route(&self) {
        let route = self.route();
        {
            let mut state = self.state();
            if std::mem::replace(&mut state.route, route.clone()) == route {
                return;
            }
            if !matches!(route, SealRoute::Migrates(_)) {
                // It is done, or void: the key that allowed it is needed no more.
                state.allowed = None;
                state.unmigrated = None;
            }
        }
        match route {
            SealRoute::Stays => {}
            SealRoute::Migrates(SealMigration { from, to, .. }) => tracing::warn!(
                from,
                to,
                "entering seal migration mode: this node does not unseal by itself; give enough \
                 shares with operator unseal -migrate"
            ),
            SealRoute::Strange(why) => {
                tracing::error!(why, "this node's seal is not the cluster's")
            }
        }
    }

    /// Refuses a share that was given without `migrate`, where it would open nothing.
    pub(super) fn check_unsealing(&self) -> Result<(), LifecycleError> {
        self.check_may_unseal()?;
        let record = self.state().seal.clone();
        let Some(record) = record else { return Ok(()) };
        let route = self.seals.route(&record);
        match route {
            // Shares of the seal key open whatever the configuration says.
            _ if record.emergency().is_some() => Ok(()),
            SealRoute::Stays => Ok(()),
            SealRoute::Migrates(_) => Err(LifecycleError::Invalid(PENDING.into())),
            SealRoute::Strange(why) => Err(LifecycleError::Invalid(why)),
        }
    }

    /// Takes one share that allows the migration of the seal; at the threshold the node is
    /// unsealed, and migrates when it is active.
    pub(super) async fn submit_share_to_migrate(
        self: &Arc<Self>,
        share: ShareInput,
    ) -> Result<SealStatus, LifecycleError> {
        self.wait_for_store().await;
        let _one = self.step.lock().await;
        self.check_may_unseal()?;
        let migration = match self.route() {
            SealRoute::Migrates(migration) => migration,
            SealRoute::Stays => {
                let why = format!("{NO_SEAL_MIGRATION}: {NONE_FOUND}");
                return Err(LifecycleError::Invalid(why));
            }
            SealRoute::Strange(why) => return Err(LifecycleError::Invalid(why)),
        };
        if self.leadership.is_removed() {
            return Err(LifecycleError::Invalid(super::steps::REMOVED.into()));
        }
        let (record, collected) = {
            let mut state = self.state();
            let record = state.seal.clone().ok_or(LifecycleError::NotInitialized)?;
            let collected = state.migrating.submit(record.ceremony(), share);
            (record, collected)
        };
        self.lights_changed.notify_one();
        let collected = collected.map_err(|error| match error {
            SealError::NotShared => LifecycleError::Invalid(NO_RECOVERY_KEYS.into()),
            error => LifecycleError::Invalid(error.to_string()),
        })?;
        if let Collected::Key(key) = collected {
            self.allow(migration, &record, key).await?;
        }
        Ok(self.seal_status())
    }

    /// Checks the key that shares made up, unseals with it, or with what a provider gives, and
    /// keeps it for the migration.
    async fn allow(
        self: &Arc<Self>,
        migration: SealMigration,
        record: &SealRecord,
        key: Key256,
    ) -> Result<(), LifecycleError> {
        let session = self.state().session.clone();
        let seal_key = match (migration.direction, &session) {
            (Direction::ToProviders, _) => {
                self.sealed.check(&key).map_err(super::steps::not_opened)?;
                Some(key.duplicate())
            }
            (_, Some(session)) => {
                session
                    .barrier
                    .check_recovery_key(&key)
                    .map_err(unverified)?;
                None
            }
            (_, None) => Some(self.key_of_the_old_seal(record, &key).await?),
        };
        {
            let mut state = self.state();
            state.allowed = Some(Allowed { migration, key });
            state.unmigrated = None;
        }
        let opened = match seal_key {
            Some(seal_key) if session.is_none() => self.unseal_with(&seal_key).await,
            _ => Ok(()),
        };
        if opened.is_err() {
            self.state().allowed = None;
        }
        self.migration_allowed.notify_one();
        opened
    }

    /// Returns the seal key, which the providers that are left give, once the recovery key is
    /// found to be right.
    async fn key_of_the_old_seal(
        &self,
        record: &SealRecord,
        recovery: &Key256,
    ) -> Result<Key256, LifecycleError> {
        let invalid = |why: String| LifecycleError::Invalid(format!("{NOT_VERIFIED}: {why}"));
        let unwrapped = self.seals.disabled.unwrap(&record.wrapped).await;
        let seal_key = unwrapped.map_err(|unkept| match record.emergency() {
            Some(_) => invalid(format!("{unkept}; {GONE}")),
            None => invalid(unkept.to_string()),
        })?;
        let barrier = self.sealed.unseal(&seal_key);
        let barrier = barrier.map_err(|error| invalid(error.to_string()))?;
        let checked = barrier.check_recovery_key(recovery).map_err(unverified);
        barrier.seal();
        checked.map(|()| seal_key)
    }

    /// Migrates the seal, where that was allowed and is not done.
    async fn migrate(&self) -> Tried {
        loop {
            match self.try_to_migrate().await {
                Ok(Attempt::Again) => {}
                Ok(Attempt::Idle) => return Tried::Idle,
                Ok(Attempt::Done) => {
                    let mut state = self.state();
                    state.allowed = None;
                    state.unmigrated = None;
                    return Tried::Idle;
                }
                Err(why) => {
                    let mut state = self.state();
                    if state.unmigrated.as_ref() != Some(&why) {
                        tracing::warn!(why, "the seal is not migrated yet, and the old one stays");
                    }
                    state.unmigrated = Some(why);
                    return match state.allowed {
                        Some(_) => Tried::Failed,
                        None => Tried::Idle,
                    };
                }
            }
        }
    }

    async fn try_to_migrate(&self) -> Result<Attempt, String> {
        let (barrier, wanted, key) = {
            let state = self.state();
            match (&state.session, &state.allowed) {
                (Some(session), Some(allowed)) => (
                    Arc::clone(&session.barrier),
                    allowed.migration.clone(),
                    allowed.key.duplicate(),
                ),
                _ => return Ok(Attempt::Idle),
            }
        };
        let before = barrier.current_seal().map_err(|error| error.to_string())?;
        if self.seals.route(&before.record).migration().as_ref() != Some(&wanted) {
            crate::telemetry::info!("the cluster's seal was changed by another node");
            return Ok(Attempt::Done);
        }
        let checked = match wanted.direction {
            Direction::ToProviders => self.sealed.check(&key),
            _ => barrier.check_recovery_key(&key),
        };
        if let Err(error) = checked {
            let is_read = matches!(error, BarrierError::Read(_) | BarrierError::Sealed);
            if !is_read {
                self.state().allowed = None;
                return Err(REPLACED.into());
            }
            return Err(error.to_string());
        }
        crate::telemetry::info!(
            from = wanted.from,
            to = wanted.to,
            "seal migration initiated"
        );
        self.put_new_seal(&barrier, wanted.direction, &key, &before)
            .await
    }

    async fn put_new_seal(
        &self,
        barrier: &Unsealed,
        direction: Direction,
        key: &Key256,
        before: &CurrentSeal,
    ) -> Result<Attempt, String> {
        let shares = before.record.ceremony();
        let failed = |error: LifecycleError| error.to_string();
        let batch = match direction {
            Direction::ToShares => {
                let record = SealRecord::from(shares);
                barrier.migrate_seal(key, &record, None, before)
            }
            Direction::ToProviders => {
                let (seal_key, wrapped) = self.new_key_at_providers().await.map_err(failed)?;
                let mut record = SealRecord::of_providers(wrapped);
                record.recovery = Some(shares);
                barrier.migrate_seal(&seal_key, &record, Some(key), before)
            }
            Direction::BetweenProviders => {
                let (seal_key, mut record) = self.seal_between(&before.record).await?;
                record.recovery = Some(shares);
                barrier.migrate_seal(&seal_key, &record, None, before)
            }
        };
        let batch = batch.map_err(|error| error.to_string())?;
        match barrier.commit(batch, self.clock.now()).await {
            Ok(_) => {
                tracing::warn!("seal migration complete: the old seal opens nothing any more");
                Ok(Attempt::Done)
            }
            Err(BarrierError::Commit(CommitError::Conflict)) => Ok(Attempt::Again),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Shared {
    /// Has the new providers keep a new seal key, or the present one, so that its emergency shares
    /// stay. They end where no old provider gives it any more.
    async fn seal_between(&self, before: &SealRecord) -> Result<(Key256, SealRecord), String> {
        let mut present = None;
        if before.emergency().is_some() {
            let unwrapped = self.seals.disabled.unwrap(&before.wrapped).await.ok();
            present = unwrapped.filter(|key| self.sealed.check(key).is_ok());
            if present.is_none() {
                tracing::warn!(
                    "no seal that the cluster leaves gives its key: the emergency shares end with \
                     it; make new ones with operator rekey -emergency-shares"
                );
            }
        }
        let emergency = before.emergency().filter(|_| present.is_some());
        let key = present.unwrap_or_else(Key256::generate);
        let wrapped = self.seals.enabled.wrap(&key).await;
        let wrapped = wrapped.map_err(|unkept| unkept.to_string())?;
        let mut record = SealRecord::of_providers(wrapped);
        record.set_emergency(emergency);
        Ok((key, record))
    }
}

fn unverified(error: BarrierError) -> LifecycleError {
    let text = error.to_string();
    let why = text.rsplit(": ").next().unwrap_or(&text);
    match error {
        BarrierError::WrongRecoveryKey => LifecycleError::Invalid(format!("{NOT_VERIFIED}: {why}")),
        error => LifecycleError::Internal(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
