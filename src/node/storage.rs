//! Opening the store that the configuration names.

use super::host;
use super::phase::Leads;
use crate::config::{self, Config};
use crate::raft::{self, RaftStorage};
use crate::store::{Inmem, Storage};
use std::sync::Arc;

/// Who may lead, and how.
pub(super) enum Leadership {
    /// A store without other nodes.
    Always,
    /// By election.
    Raft(Arc<RaftStorage>),
}

/// An open store.
pub(super) struct Opened {
    pub storage: Arc<dyn Storage>,
    pub leadership: Leadership,
    pub kind: &'static str,
    pub ha_enabled: bool,
}

/// Opens it. `Err` is for the operator.
pub(super) async fn open(config: &Config) -> Result<Opened, String> {
    match &config.storage {
        Some(config::Storage::Inmem) => Ok(Opened {
            storage: Arc::new(Inmem::new()),
            leadership: Leadership::Always,
            kind: "inmem",
            ha_enabled: false,
        }),
        Some(config::Storage::Raft(raft)) => open_raft(config, raft).await,
        Some(config::Storage::Other { kind, position, .. }) => Err(format!(
            "{position}: storage {kind:?} cannot be served from: this build knows \"raft\" and \
             \"inmem\""
        )),
        None => Err("a storage stanza is required".into()),
    }
}

async fn open_raft(config: &Config, raft: &config::Raft) -> Result<Opened, String> {
    let mut options = raft::Options::new(&raft.path, node_id(raft));
    options.cluster_address = cluster_address(config);
    let storage = RaftStorage::open(options).await;
    let storage = storage.map_err(|error| error.to_string())?;
    Ok(Opened {
        storage: Arc::clone(&storage) as _,
        leadership: Leadership::Raft(storage),
        kind: "raft",
        ha_enabled: true,
    })
}

/// `host:port` as peers are listed: what was configured, or where the first listener listens.
fn cluster_address(config: &Config) -> String {
    let configured = config.cluster_address.as_deref();
    let url = configured.and_then(|url| url.split_once("://"));
    let first = config
        .listeners
        .first()
        .map(|first| first.cluster_address.as_str());
    let address = url.map(|(_, rest)| rest).or(first).unwrap_or_default();
    match address.strip_prefix(':') {
        Some(port) => format!("{}:{port}", host::name()),
        None => address.to_owned(),
    }
}

/// The configured name, or the host's.
pub(super) fn node_id(raft: &config::Raft) -> String {
    match raft.node_id.as_str() {
        "" => host::name(),
        id => id.to_owned(),
    }
}

impl Leadership {
    /// Who leads right now.
    pub fn leads(&self) -> Leads {
        match self {
            Self::Always => Leads::Me { term: 0 },
            Self::Raft(raft) if raft.status().leads => Leads::Me {
                term: raft.status().term,
            },
            Self::Raft(_) => Leads::Nobody,
        }
    }

    /// Tells when that changes.
    pub fn watch(&self) -> Watch {
        Watch
    }

    /// Begins a new cluster with this node.
    pub async fn found(&self) -> Result<(), String> {
        match self {
            Self::Always => Ok(()),
            Self::Raft(raft) => raft.found().await.map_err(|error| error.to_string()),
        }
    }

    /// Lets this node lead, and returns once it does where nobody else could.
    pub async fn take(&self) -> Result<(), String> {
        match self {
            Self::Always => Ok(()),
            Self::Raft(raft) => raft
                .become_leader()
                .await
                .map_err(|error| error.to_string()),
        }
    }

    /// A sealed node must not lead.
    pub fn give_up(&self) {
        match self {
            Self::Always => {}
            Self::Raft(raft) => raft.set_elect(false),
        }
    }

    /// Makes another node lead, and returns once it does.
    pub async fn hand_over(&self) -> Result<(), String> {
        Err("there is no other node".into())
    }
}

/// See [`Leadership::watch`].
pub(super) struct Watch;

impl Watch {
    pub async fn changed(&mut self) {
        std::future::pending().await
    }
}
