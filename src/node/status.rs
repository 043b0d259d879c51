//! What the node says of itself.

use super::host;
use super::phase::Phase;
use super::shared::Shared;
use crate::clock::Timestamp;
use crate::sys::{HaStatus, LeaderStatus, SealStatus};

impl Shared {
    pub(super) fn seal_status(&self) -> SealStatus {
        let state = self.state();
        let (t, n) = state
            .seal
            .map_or((0, 0), |seal| (seal.threshold, seal.shares));
        let session = state.session.as_ref();
        let cluster = session.map(|session| session.cluster.clone());
        SealStatus {
            seal_type: "shamir".into(),
            initialized: state.seal.is_some(),
            sealed: session.is_none(),
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

    /// Who is active, as far as this node knows. The time is only the active node's to tell.
    pub(super) fn leader_status(&self) -> LeaderStatus {
        if !self.facts.ha_enabled {
            return LeaderStatus::default();
        }
        let storage = self.storage.status();
        let mut status = LeaderStatus {
            ha_enabled: true,
            raft_committed_index: Some(storage.committed_index),
            raft_applied_index: Some(storage.applied_index),
            ..LeaderStatus::default()
        };
        let state = self.state();
        match (&state.phase, &state.reign) {
            (Phase::Active { .. }, Some(reign)) => {
                let addresses = self.addresses();
                status.is_self = true;
                status.active_time = reign.since;
                status.leader_address = addresses.api;
                status.leader_cluster_address = addresses.cluster;
            }
            (
                Phase::Standby {
                    leader: Some(leader),
                },
                _,
            ) => {
                status.leader_address = leader.api_address.clone();
                status.leader_cluster_address = leader.cluster_address.clone();
            }
            _ => {}
        }
        status
    }

    pub(super) fn ha_status(&self) -> Vec<HaStatus> {
        let addresses = self.addresses();
        vec![HaStatus {
            hostname: host::name(),
            api_address: addresses.api,
            cluster_address: addresses.cluster,
            active_node: self.state().reign.is_some(),
            last_echo: Timestamp::default(),
            version: env!("CARGO_PKG_VERSION").into(),
        }]
    }
}
