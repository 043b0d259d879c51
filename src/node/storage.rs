//! Opening the store that the configuration names.

use super::host;
use crate::config::{self, Config};
use crate::store::{Inmem, Storage};
use std::sync::Arc;

/// Who may lead, and how.
pub(super) enum Leadership {
    /// A store without other nodes.
    Always,
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
        Some(config::Storage::Raft(raft)) => {
            let _node_id = node_id(raft);
            Err("not built".into())
        }
        Some(config::Storage::Other { kind, position, .. }) => Err(format!(
            "{position}: storage {kind:?} cannot be served from: this build knows \"raft\" and \
             \"inmem\""
        )),
        None => Err("a storage stanza is required".into()),
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
    /// Returns once this node leads.
    pub async fn take(&self) -> Result<(), String> {
        match self {
            Self::Always => Ok(()),
        }
    }

    /// A sealed node must not lead.
    pub fn give_up(&self) {
        match self {
            Self::Always => {}
        }
    }
}
