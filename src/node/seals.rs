//! Providers of the seal key: those that the configuration names, and unsealing by them.
//!
//! A provider may be away when the node starts. The node is sealed then, reports the reason, and
//! tries again with a wait that grows, until it is open. A node that an operator sealed stays
//! sealed until it is started again, and so does one that was removed from its cluster.

use super::error::StartError;
use super::shared::{Backend, Shared};
use crate::barrier::{SealRecord, WRAPPED_KEYS_MAX, WrappedKey};
use crate::config::{Config, Seal};
use crate::router::Role;
use crate::seal::{self, Provider, Providers, SealRoute, SealSet, Settings, Variables};
use crate::secret::{Key256, Secret, fill_random};
use crate::sys::LifecycleError;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The first wait after a failure; each one is twice as long as that before it.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest wait.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// The most milliseconds that are added to a wait at random, so that nodes whose power came back
/// together do not ask together.
const JITTER_MS: u64 = 500;

/// The time between two looks at the providers' health, and after one that found a fault. Vault's.
const HEALTH_EVERY: Duration = Duration::from_secs(600);
const HEALTH_AGAIN: Duration = Duration::from_secs(60);

/// Returns the seals of the configuration. Shamir's has no provider: people keep its key.
///
/// # Errors
/// [`StartError::Unsupported`] names a stanza that cannot be used, and its fault.
pub(super) fn of_config(config: &Config) -> Result<SealSet, StartError> {
    let stanzas = config.seals.iter().filter(|seal| seal.kind != "shamir");
    let (disabled, mut enabled): (Vec<&Seal>, Vec<&Seal>) = stanzas.partition(|seal| seal.disabled);
    enabled.sort_by_key(|seal| seal.priority);
    if enabled.len().max(disabled.len()) > WRAPPED_KEYS_MAX {
        let why = format!("there are more than {WRAPPED_KEYS_MAX} seals");
        return Err(StartError::Unsupported(why));
    }
    let is_alike = |one: &Seal, other: &Seal| one.kind == other.kind && one.name == other.name;
    for (at, seal) in enabled.iter().enumerate() {
        let mut before = enabled.iter().take(at);
        let is_twin = |other: &&Seal| is_alike(other, seal) || other.priority == seal.priority;
        if before.any(is_twin) {
            let why = "several seals need a name and a priority of their own each";
            return Err(refused(seal, why));
        }
    }
    for (at, seal) in disabled.iter().enumerate() {
        let mut others = enabled.iter().chain(disabled.iter().take(at));
        if others.any(|other| is_alike(other, seal)) {
            let why = "it is disabled, and another stanza has its kind and its name: give the new \
                       one a name of its own";
            return Err(refused(seal, why));
        }
    }
    Ok(SealSet {
        enabled: providers(&enabled)?,
        disabled: providers(&disabled)?,
    })
}

/// Returns the providers of these stanzas, in their order.
fn providers(stanzas: &[&Seal]) -> Result<Providers, StartError> {
    let variables = Variables::of_process();
    let providers = stanzas.iter().map(|seal| {
        let fields = seal.fields.iter().map(|(key, value)| {
            let value = Secret::new(value.expose().clone());
            (key.clone(), value)
        });
        let settings = Settings {
            kind: seal.kind.clone(),
            name: seal.name.clone().unwrap_or_default(),
            fields: fields.collect(),
            variables: variables.clone(),
        };
        seal::provider(&settings).map_err(|error| refused(seal, &error.to_string()))
    });
    Ok(Providers::new(providers.collect::<Result<_, _>>()?))
}

fn refused(seal: &Seal, why: &str) -> StartError {
    StartError::Unsupported(format!("{}: seal {:?}: {why}", seal.position, seal.kind))
}

/// Unseals by the providers whenever the node is sealed, and looks after them, until it stops.
pub(super) fn follow(shared: &Arc<Shared>) {
    shared.tell_route();
    if shared.seals.enabled.is_empty() {
        return;
    }
    crate::task::spawn(run(Arc::downgrade(shared)));
    crate::task::spawn(watch_health(Arc::downgrade(shared)));
    for provider in shared.seals.enabled.each() {
        crate::task::spawn(tend(Arc::downgrade(shared), Arc::clone(provider)));
    }
}

/// Keeps a provider usable while the node lives.
async fn tend(shared: Weak<Shared>, provider: Arc<dyn Provider>) {
    while let Some(wait) = provider.tend().await {
        tokio::time::sleep(wait).await;
        if shared.upgrade().is_none_or(|node| node.state().stopping) {
            return;
        }
    }
}

/// Asks the providers now and then whether they would answer, and has the active node renew the
/// copies of the seal key. What failed is looked at again sooner.
async fn watch_health(shared: Weak<Shared>) {
    let Some(mut role) = shared.upgrade().map(|node| node.role()) else {
        return;
    };
    loop {
        let Some(node) = shared.upgrade() else { return };
        if node.state().stopping {
            return;
        }
        let is_active = matches!(*role.borrow_and_update(), Role::Active { .. });
        let mut is_well = true;
        if node.state().session.is_some() {
            is_well = node.look_at_health().await;
            if is_active {
                is_well &= node.renew_copies().await;
            }
        }
        drop(node);
        tokio::select! {
            changed = role.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(if is_well { HEALTH_EVERY } else { HEALTH_AGAIN }) => {}
        }
    }
}

async fn run(shared: Weak<Shared>) {
    let Some(mut role) = shared.upgrade().map(|node| node.role()) else {
        return;
    };
    let mut wait = RETRY_MIN;
    loop {
        let Some(node) = shared.upgrade() else { return };
        if node.state().stopping {
            return;
        }
        drop(role.borrow_and_update());
        let tried = node.try_providers().await;
        // An open node has nothing to look at before its role changes, and sleeps.
        let is_open = node.state().session.is_some();
        drop(node);
        let pause = match tried {
            Tried::Idle => RETRY_MAX,
            Tried::Failed => wait,
        };
        wait = match tried {
            Tried::Idle => RETRY_MIN,
            Tried::Failed => longer(wait),
        };
        tokio::select! {
            changed = role.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(rest(pause)), if !is_open => {}
        }
    }
}

/// Returns the first wait after a failure.
pub(super) const fn first_wait() -> Duration {
    RETRY_MIN
}

/// Returns the wait after one of `wait`.
pub(super) fn longer(wait: Duration) -> Duration {
    (wait * 2).min(RETRY_MAX)
}

/// Returns a wait of about `wait`.
pub(super) fn rest(wait: Duration) -> Duration {
    wait + jitter()
}

fn jitter() -> Duration {
    let mut random = [0; 8];
    fill_random(&mut random);
    Duration::from_millis(u64::from_be_bytes(random) % JITTER_MS)
}

/// The result of one round.
pub(super) enum Tried {
    /// There was nothing to do, or it is done.
    Idle,
    /// No provider gave the key, or it did not open the store.
    Failed,
}

impl Shared {
    async fn try_providers(self: &Arc<Self>) -> Tried {
        let Some(record) = self.waits_for_providers() else {
            self.set_locked(None);
            return Tried::Idle;
        };
        let why = match self.seals.enabled.unwrap(&record.wrapped).await {
            Ok(key) => match self.open_with(key).await {
                Ok(()) => None,
                Err(error) => Some(error.to_string()),
            },
            Err(unkept) => Some(unkept.to_string()),
        };
        let tried = why.as_ref().map_or(Tried::Idle, |_| Tried::Failed);
        self.set_locked(why);
        tried
    }

    /// Returns the record of the seal key, when this node is to be unsealed by providers now.
    fn waits_for_providers(&self) -> Option<SealRecord> {
        let record = {
            let state = self.state();
            if state.session.is_some() || state.held {
                return None;
            }
            state.seal.clone()
        };
        let record = record.or_else(|| self.joiner.seal())?;
        // An error is told by the step that unseals.
        if self.is_non_secret().unwrap_or(false) {
            return None;
        }
        let waits = record.is_auto() && self.is_my_seal(&record) && !self.joiner.is_answering();
        (waits && !self.leadership.is_removed()).then_some(record)
    }

    /// Unseals a member, or has a joiner answer the cluster that it found.
    async fn open_with(self: &Arc<Self>, key: Key256) -> Result<(), LifecycleError> {
        let _one = self.step.lock().await;
        if self.waits_for_providers().is_none() {
            // Another step unsealed it first, or sealed it.
            return Ok(());
        }
        let is_member = self.state().seal.is_some();
        match is_member {
            true => self.unseal_with(&key).await,
            false => self.join_with(key).await,
        }
    }

    /// Keeps, and logs once, the reason why this node is still sealed.
    fn set_locked(&self, why: Option<String>) {
        let mut state = self.state();
        if state.locked == why {
            return;
        }
        match &why {
            Some(why) => tracing::warn!(why, "sealed, and no seal gives the key yet: trying on"),
            None => crate::telemetry::debug!("no seal is waited for"),
        }
        state.locked = why;
    }

    /// Notes the providers' health, and logs what changed. Returns true where all are well.
    async fn look_at_health(&self) -> bool {
        let now = self.clock.now();
        let told = self.seals.enabled.health().await;
        let mut state = self.state();
        let before = std::mem::take(&mut state.backends);
        state.backends = told
            .into_iter()
            .map(|(which, healthy)| {
                let old = before.iter().find(|old| old.which == which);
                let was_ill = old.and_then(|old| old.ill_since);
                match (&healthy, was_ill) {
                    (Err(error), None) => {
                        tracing::warn!(seal = %which, %error, "a seal is unhealthy")
                    }
                    (Ok(()), Some(_)) => {
                        crate::telemetry::info!(seal = %which, "a seal is healthy again");
                    }
                    _ => {}
                }
                let ill_since = healthy.is_err().then(|| was_ill.unwrap_or(now));
                Backend { which, ill_since }
            })
            .collect();
        state.backends.iter().all(|one| one.ill_since.is_none())
    }

    /// Has each provider keep the seal key under the newest version of its own key, so that older
    /// ones may be retired, and has those keep it that came since. Returns false where this is to
    /// be tried again.
    async fn renew_copies(&self) -> bool {
        let session = self.state().session.clone();
        let Some(barrier) = session.map(|session| session.barrier) else {
            return true;
        };
        let before = match barrier.current_seal() {
            Ok(before) if before.record.is_auto() && self.is_my_seal(&before.record) => before,
            _ => return true,
        };
        let key = match self.seals.enabled.unwrap(&before.record.wrapped).await {
            Ok(key) => key,
            Err(error) => {
                crate::telemetry::debug!(%error, "no seal gives this cluster's key now");
                return false;
            }
        };
        // A provider may give back anything.
        if let Err(error) = self.sealed.check(&key) {
            tracing::error!(%error, "the key that a seal gives is not this cluster's");
            return false;
        }
        let mut kept = before.record.wrapped.clone();
        kept.retain(|one| !self.seals.disabled.keep_any(std::slice::from_ref(one)));
        let is_left = kept.len() < before.record.wrapped.len();
        let renewed = self.seals.enabled.renew(&key, &kept).await;
        // Its health, which is looked at with it, is logged when it changes.
        for (which, error) in &renewed.failed {
            crate::telemetry::debug!(seal = %which, %error, "a seal does not keep the newest copy");
        }
        let is_whole = renewed.failed.is_empty();
        if !renewed.changes && !is_left {
            return is_whole;
        }
        let mut record = before.record.clone();
        record.wrapped = renewed.wrapped;
        let batch = barrier.reseal(&key, record, &before);
        let written = match batch {
            Ok(batch) => barrier.commit(batch, self.clock.now()).await.map(drop),
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => {
                crate::telemetry::info!("the seals keep this cluster's key anew");
                is_whole
            }
            Err(error) => {
                tracing::warn!(%error, "the renewed copies of the seal key are not kept");
                false
            }
        }
    }

    /// Makes a seal key, and has all providers keep it.
    ///
    /// # Errors
    /// [`LifecycleError::Invalid`] where one does not, or where they are not the cluster's.
    pub(super) async fn new_kept_key(&self) -> Result<(Key256, Vec<WrappedKey>), LifecycleError> {
        let record = self.state().seal.clone();
        if let Some(record) = record.filter(|record| !self.is_my_seal(record)) {
            return Err(LifecycleError::Invalid(format!(
                "this node's seals are not the cluster's, which is {}: migrate it first",
                record.kind()
            )));
        }
        self.new_key_at_providers().await
    }

    /// Makes a seal key, and has all providers of enabled stanzas keep it, whatever seal the
    /// cluster has.
    pub(super) async fn new_key_at_providers(
        &self,
    ) -> Result<(Key256, Vec<WrappedKey>), LifecycleError> {
        let key = Key256::generate();
        let wrapped = self.seals.enabled.wrap(&key).await;
        let wrapped = wrapped.map_err(|unkept| LifecycleError::Invalid(unkept.to_string()))?;
        Ok((key, wrapped))
    }

    /// Returns true where the cluster's seal is the one of this node's configuration.
    fn is_my_seal(&self, record: &SealRecord) -> bool {
        self.seals.route(record) == SealRoute::Stays
    }
}

#[cfg(test)]
pub(in crate::node) mod tests;
