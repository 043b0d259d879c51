//! Opens the store that the configuration names.

use super::host;
use super::peering::Peering;
use super::phase::Leads;
use crate::config::{self, Config};
use crate::memory::Sizes;
use crate::peer::Network;
use crate::raft::{self, RaftStorage, Signer};
use crate::router::Leader;
use crate::store::state::Limits;
use crate::store::{Inmem, Storage};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The longest wait for another node to take over; the network may be gone, and the operator waits.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(2);

/// The way in which a node comes to lead.
pub(super) enum Leadership {
    /// A store without other nodes, whose node always leads.
    Always,
    /// A replicated store, whose leader is elected.
    Raft(Arc<RaftStorage>),
}

/// An open store.
pub(super) struct OpenedStorage {
    pub storage: Arc<dyn Storage>,
    pub leadership: Leadership,
    pub kind: &'static str,
    pub ha_enabled: bool,
}

/// Opens the configured store. The error is a message for the operator.
pub(super) async fn open(
    config: &Config,
    peering: Option<&Peering>,
    memory: &'static Sizes,
) -> Result<OpenedStorage, String> {
    match &config.storage {
        Some(config::Storage::Inmem) => Ok(OpenedStorage {
            storage: Arc::new(Inmem::new()),
            leadership: Leadership::Always,
            kind: "inmem",
            ha_enabled: false,
        }),
        Some(config::Storage::Raft(raft)) => open_raft(raft, peering, memory).await,
        Some(config::Storage::Other { kind, position, .. }) => Err(format!(
            "{position}: storage {kind:?} cannot be served from: this build knows \"raft\" and \
             \"inmem\""
        )),
        None => Err("a storage stanza is required".into()),
    }
}

async fn open_raft(
    raft: &config::Raft,
    peering: Option<&Peering>,
    memory: &'static Sizes,
) -> Result<OpenedStorage, String> {
    let mut options = raft::Options::new(&raft.path, node_id(raft));
    options.hostname = host::name();
    options.memory = memory;
    options.limits = Limits::of(memory);
    options.timing = raft::Timing::multiplied(raft.performance_multiplier);
    if let Some(peering) = peering {
        options.public_key = peering.peers.public_key();
        options.cluster_address = peering.address.clone();
        options.api_address = peering.api_address.clone();
        options.network = Some(Arc::clone(&peering.peers) as Arc<dyn Network>);
    }
    let storage = RaftStorage::open(options).await;
    let storage = storage.map_err(|error| error.to_string())?;
    Ok(OpenedStorage {
        storage: Arc::clone(&storage) as _,
        leadership: Leadership::Raft(storage),
        kind: "raft",
        ha_enabled: true,
    })
}

/// Returns the configured name of this node, or the host's.
pub(super) fn node_id(raft: &config::Raft) -> String {
    match raft.node_id.as_str() {
        "" => host::name(),
        id => id.to_owned(),
    }
}

impl Leadership {
    /// Returns the present leader.
    pub fn leads(&self) -> Leads {
        let Some(raft) = self.raft() else {
            return Leads::Me { term: 0 };
        };
        match &*raft.leadership().borrow() {
            raft::Leadership::None => Leads::Nobody,
            raft::Leadership::Follower { leader } => Leads::Other(Leader {
                api_address: leader.api_address.clone(),
                cluster_address: format!("https://{}", leader.cluster_address),
            }),
            raft::Leadership::Leader { term } => Leads::Me { term: *term },
        }
    }

    /// Watches for changes of the leader.
    pub fn watch(&self) -> Watch {
        Watch(self.raft().map(|raft| raft.leadership()))
    }

    /// Begins a new cluster with this node, unless it is in one.
    pub async fn found(&self) -> Result<(), String> {
        match self.raft() {
            None => Ok(()),
            Some(raft) => raft.found().await.map_err(|error| error.to_string()),
        }
    }

    /// Returns true where other nodes decide, too: then no caller can be made to wait for this one
    /// to lead.
    pub fn has_others(&self) -> bool {
        let Some(raft) = self.raft() else {
            return false;
        };
        let id = raft.raft_id();
        let members = raft.members();
        members
            .iter()
            .any(|member| member.voter && member.raft_id != id)
    }

    /// Returns true once this node was told that it is no member any more.
    pub fn is_removed(&self) -> bool {
        self.raft().is_some_and(|raft| raft.is_removed())
    }

    /// Returns true when members have to prove that they are unsealed. The cluster begins to ask
    /// for it once all its members can, and never stops; until then the release before is
    /// understood.
    pub fn requires_proof(&self) -> bool {
        self.raft().is_some_and(|raft| raft.requires_proof())
    }

    /// Follows whether others wait for this sealed node: it has acknowledged entries that no
    /// unsealed one has, and no node leads. `None` where that is never so.
    pub fn needed(&self) -> Option<watch::Receiver<bool>> {
        self.raft().map(|raft| raft.needed())
    }

    /// Follows the raft ids of members whose logs fell behind the entries that they had
    /// acknowledged.
    pub fn fallen(&self) -> Option<watch::Receiver<BTreeSet<u64>>> {
        self.raft().map(|raft| raft.fallen())
    }

    /// Lets this node lead, with the signer of an unsealed one; `None` before there are keys. A
    /// node without others leads when this returns.
    pub async fn take(&self, signer: Option<Arc<dyn Signer>>) -> Result<(), String> {
        let Some(raft) = self.raft() else {
            return Ok(());
        };
        if let Some(signer) = signer {
            raft.set_signer(Some(signer));
        }
        match self.has_others() {
            true => {
                raft.set_elect(true);
                Ok(())
            }
            false => raft
                .become_leader()
                .await
                .map_err(|error| error.to_string()),
        }
    }

    /// Keeps this node from leading, as a sealed one must be.
    pub fn give_up(&self) {
        if let Some(raft) = self.raft() {
            raft.set_signer(None);
        }
    }

    /// Makes another node lead, and returns once it does. The error gives the reason why none does.
    pub async fn hand_over(&self) -> Result<(), String> {
        match self.raft() {
            None => Err("there are no other nodes".into()),
            Some(raft) => raft
                .hand_over(HAND_OVER_WITHIN)
                .await
                .map_err(|error| error.to_string()),
        }
    }

    /// Returns the replicated store; `None` for one without other nodes.
    pub fn raft(&self) -> Option<&Arc<RaftStorage>> {
        match self {
            Self::Always => None,
            Self::Raft(raft) => Some(raft),
        }
    }
}

/// Watches for changes of the leader: see [`Leadership::watch`].
pub(super) struct Watch(Option<watch::Receiver<raft::Leadership>>);

impl Watch {
    /// Returns at the next change of the leader; false when there will be none.
    pub async fn changed(&mut self) -> bool {
        match &mut self.0 {
            Some(leadership) => leadership.changed().await.is_ok(),
            None => std::future::pending().await,
        }
    }
}
