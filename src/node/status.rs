//! The node's account of itself.

use super::host;
use super::shared::Shared;
use crate::barrier::SealRecord;
use crate::clock::Timestamp;
use crate::raft::MemberInfo;
use crate::router::Phase;
use crate::sys::{HaStatus, LeaderStatus, SealStatus};

impl Shared {
    pub(super) fn seal_status(&self) -> SealStatus {
        let state = self.state();
        let seal = state.seal.clone().or_else(|| self.joiner.seal());
        let (t, n) = seal.as_ref().map_or((0, 0), |seal| {
            let config = seal.config;
            (config.threshold, config.shares)
        });
        let kind = seal.as_ref().map(|seal| seal.kind().to_owned());
        let kind = kind.or_else(|| self.providers.kind());
        let session = state.session.as_ref();
        let cluster = session.map(|session| session.cluster.clone());
        SealStatus {
            seal_type: kind.unwrap_or_else(|| "shamir".into()),
            initialized: seal.is_some(),
            sealed: session.is_none(),
            t,
            n,
            progress: state.progress.count(),
            nonce: state.progress.nonce(),
            cluster_name: cluster.as_ref().map(|cluster| cluster.name.clone()),
            cluster_id: cluster.map(|cluster| cluster.id),
            storage_type: self.facts.storage_type.into(),
            recovery_seal: seal.as_ref().is_some_and(SealRecord::is_auto),
            warnings: state.locked.clone().into_iter().collect(),
        }
    }

    /// Returns the active node, as far as this node knows. Only the active node tells since when it
    /// is.
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
                    ..
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

    /// Lists the nodes, the active one first, then those that could take over. Members known to be
    /// sealed are left out, as in Vault; this node tells of the rest as far as it knows, and the
    /// active one knows most.
    pub(super) fn ha_status(&self) -> Vec<HaStatus> {
        let members = self.leadership.raft().map(|raft| raft.members());
        let mut others = members.unwrap_or_default();
        if let Some(raft) = self.leadership.raft() {
            let id = raft.raft_id();
            others.retain(|member| member.raft_id != id && member.elects != Some(false));
        }
        let now = self.clock.now();
        let mut all = vec![self.own_row()];
        all.extend(others.into_iter().map(|member| row(member, now)));
        all.sort_by_key(|node| !node.active_node);
        all
    }

    fn own_row(&self) -> HaStatus {
        let addresses = self.addresses();
        HaStatus {
            hostname: host::name(),
            api_address: addresses.api,
            cluster_address: addresses.cluster,
            active_node: self.state().reign.is_some(),
            last_echo: Timestamp::default(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// Returns the row of another member, heard of `last_contact` before `now`.
fn row(member: MemberInfo, now: Timestamp) -> HaStatus {
    let echo = member.last_contact.map(|ago| now.minus(ago));
    HaStatus {
        hostname: member.hostname,
        api_address: member.api_address,
        cluster_address: format!("https://{}", member.cluster_address),
        active_node: member.leader,
        // The active node is not one that echoes.
        last_echo: echo.filter(|_| !member.leader).unwrap_or_default(),
        version: member.version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_standby_was_heard_of_before_now() {
        let member = MemberInfo {
            cluster_address: "b:8201".into(),
            last_contact: Some(Duration::from_secs(2)),
            ..MemberInfo::default()
        };
        let shown = row(member.clone(), Timestamp::from_secs(100));
        assert_eq!(shown.last_echo, Timestamp::from_secs(98));
        assert_eq!(shown.cluster_address, "https://b:8201");
        let leads = MemberInfo {
            leader: true,
            ..member
        };
        let shown = row(leads, Timestamp::from_secs(100));
        assert!(shown.active_node && shown.last_echo.is_zero());
    }
}
