//! A node that serves only the repair of its store.
//!
//! It opens the data directory that a stopped node left, takes no part in its cluster, and answers
//! `sys/generate-recovery-token` and `sys/raw` only. [`crate::raft::Recovered`] describes its
//! writes, and their consequences for the other members.

use super::error::StartError;
use super::run::Runs;
use super::start::{DRAIN_MAX, check, sizes};
use super::{listeners, storage};
use crate::barrier::BarrierError;
use crate::clock::ClusterClock;
use crate::config::{self, Config};
use crate::http::{self, Bound, Gate};
use crate::memory::Sizes;
use crate::raft::{self, Recovered};
use crate::router::Role;
use crate::seal::Providers;
use crate::store::Storage;
use crate::sys::RecoveryMode;
use std::sync::Arc;
use tokio::sync::watch;

/// A node in recovery mode.
pub struct Recovery {
    storage: Arc<Recovered>,
    server: http::Server,
    config: Config,
    _role: watch::Sender<Role>,
}

impl Recovery {
    /// Opens the store, binds the listeners, answers.
    ///
    /// # Errors
    /// See [`StartError`]; nothing listens and no file is held then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let seals = super::seals::of_config(&config)?;
        Self::start_with(config, seals.all()).await
    }

    /// Starts a node as [`Recovery::start`] does, with these providers of the seal key.
    pub(super) async fn start_with(
        config: Config,
        providers: Providers,
    ) -> Result<Self, StartError> {
        check(&config)?;
        let Some(config::Storage::Raft(raft)) = &config.storage else {
            return Err(StartError::Unsupported(
                "recovery mode needs the storage \"raft\": nothing else outlives its process"
                    .into(),
            ));
        };
        let memory = sizes(&config);
        let mut options = raft::Options::new(&raft.path, storage::node_id(raft));
        options.memory = memory;
        let opened = Recovered::open(options).await;
        let storage = opened.map_err(|error| StartError::Storage(error.to_string()))?;
        match Self::serve(&config, &storage, memory, providers).await {
            Ok((server, role)) => Ok(Self {
                storage,
                server,
                config,
                _role: role,
            }),
            Err(error) => {
                storage.shutdown().await;
                Err(error)
            }
        }
    }

    async fn serve(
        config: &Config,
        storage: &Arc<Recovered>,
        memory: &Sizes,
        providers: Providers,
    ) -> Result<(http::Server, watch::Sender<Role>), StartError> {
        let clock = Arc::new(ClusterClock::start(storage.status().time_floor));
        let unread = |error: BarrierError| StartError::Storage(error.to_string());
        let is_alone = providers.is_empty();
        let mode = RecoveryMode::new(Arc::clone(storage) as _, clock, providers);
        let mode = Arc::new(mode.map_err(unread)?);
        let seal = mode.seal().map_err(unread)?;
        if seal.is_auto() && is_alone {
            return Err(StartError::Unsupported(format!(
                "a provider keeps the key of this store: give its seal stanza, seal {:?}",
                seal.kind()
            )));
        }
        let role = watch::Sender::new(Role::Sealed);
        let gate = Gate {
            role: role.subscribe(),
            lifecycle: Arc::clone(&mode) as _,
            forwarder: None,
            recovery: Some(mode),
        };
        let server = http::serve(listeners::options(&config.listeners, memory), gate).await?;
        match storage.others() {
            0 => tracing::warn!("recovery mode"),
            others => tracing::warn!(
                others,
                "recovery mode: the first write makes this node the only member of its cluster"
            ),
        }
        Ok((server, role))
    }

    /// Returns the addresses that the node listens on, in the order of the configuration.
    pub fn bound(&self) -> &[Bound] {
        self.server.addresses()
    }

    /// Returns the configuration that the node was started with.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

impl Runs for Recovery {
    fn reload(&self) {
        for (address, error) in self.server.reload().err().unwrap_or_default() {
            tracing::error!(%address, %error, "certificates were not reloaded");
        }
    }

    async fn progress(&self) {
        self.storage.status();
    }

    fn describe(&self) -> String {
        "recovery mode: serves sys/raw only".into()
    }

    async fn failed(&self) -> String {
        self.storage.failed().await
    }

    async fn shutdown(self) {
        if !self.server.shutdown(DRAIN_MAX).await {
            tracing::warn!("requests were cut off");
        }
        self.storage.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
