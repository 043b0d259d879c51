//! Providers of the seal key: those that the configuration names, and unsealing by them.
//!
//! A provider may be away when the node starts. The node is sealed then, reports the reason, and
//! tries again with a wait that grows, until it is open. A node that an operator sealed stays
//! sealed until it is started again, and so does one that was removed from its cluster.

use super::error::StartError;
use super::shared::Shared;
use crate::barrier::SealRecord;
use crate::config::Config;
use crate::seal::Providers;
use crate::secret::{Key256, fill_random};
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

/// Returns the providers of the configuration. Shamir's seal has none: people keep its key.
///
/// # Errors
/// [`StartError::Unsupported`] names a stanza of a kind that is not in this build.
pub(super) fn providers(config: &Config) -> Result<Providers, StartError> {
    let mut stanzas = config.seals.iter().filter(|seal| !seal.disabled);
    match stanzas.find(|seal| seal.kind != "shamir") {
        None => Ok(Providers::default()),
        Some(seal) => Err(StartError::Unsupported(format!(
            "{}: seal {:?} is not in this build, which unseals with shamir shares only: remove \
             the stanza",
            seal.position, seal.kind
        ))),
    }
}

/// Unseals by the providers whenever the node is sealed, until it stops.
pub(super) fn follow(shared: &Arc<Shared>) {
    if !shared.providers.is_empty() {
        crate::task::spawn(run(Arc::downgrade(shared)));
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
        let rest = match tried {
            Tried::Idle => RETRY_MAX,
            Tried::Failed => wait,
        };
        wait = match tried {
            Tried::Idle => RETRY_MIN,
            Tried::Failed => (wait * 2).min(RETRY_MAX),
        };
        tokio::select! {
            changed = role.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(rest + jitter()), if !is_open => {}
        }
    }
}

fn jitter() -> Duration {
    let mut random = [0; 8];
    fill_random(&mut random);
    Duration::from_millis(u64::from_be_bytes(random) % JITTER_MS)
}

/// The result of one round.
enum Tried {
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
        let why = match self.providers.unwrap(&record.wrapped).await {
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
        let waits = record.is_auto() && !self.joiner.is_answering();
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

    /// Makes a seal key, and has all providers keep it.
    pub(super) async fn new_kept_key(&self) -> Result<(Key256, SealRecord), LifecycleError> {
        let key = Key256::generate();
        let wrapped = self.providers.wrap(&key).await;
        let wrapped = wrapped.map_err(|unkept| LifecycleError::Invalid(unkept.to_string()))?;
        Ok((key, SealRecord::of_providers(wrapped)))
    }
}

#[cfg(test)]
mod tests;
