//! The node's account of itself.

use super::host;
use super::shared::Shared;
use crate::barrier::SealRecord;
use crate::clock::Timestamp;
use crate::raft::MemberInfo;
use crate::router::Phase;
use crate::seal::{Description, Provider, SealRoute};
use crate::sys::{HaStatus, LeaderStatus, SealBackends, SealStatus};
use std::sync::Arc;

impl Shared {
    pub(super) fn seal_status(&self) -> SealStatus {
        let non_secret = self.is_non_secret().unwrap_or(false);
        let state = self.state();
        let seal = state.seal.clone().or_else(|| self.joiner.seal());
        let shared = seal.as_ref().map(SealRecord::ceremony);
        let (t, n) = shared.map_or((0, 0), |shared| (shared.threshold, shared.shares));
        let route = state.seal.as_ref().map(|seal| self.seals.route(seal));
        let route = route.unwrap_or_default();
        let migration = matches!(route, SealRoute::Migrates(_));
        // While a migration is pending the seal is the one that is to be, as in OpenBao.
        let (seal_type, recovery_seal) = match seal.as_ref().filter(|_| !migration) {
            Some(seal) => (seal.kind().to_owned(), seal.is_auto()),
            None => (self.seals.kind(), !self.seals.enabled.is_empty()),
        };
        let progress = match migration && state.progress.count() == 0 {
            true => &state.migrating,
            false => &state.progress,
        };
        let session = state.session.as_ref();
        let cluster = session.map(|session| session.cluster.clone());
        let locked = state.locked.clone().filter(|_| session.is_none());
        let warnings = [locked, state.unmigrated.clone(), route.fault()];
        SealStatus {
            seal_type,
            initialized: seal.is_some(),
            sealed: session.is_none(),
            non_secret,
            t,
            n,
            emergency: seal
                .as_ref()
                .and_then(SealRecord::emergency)
                .map(|shares| (shares.threshold, shares.shares)),
            progress: progress.count(),
            nonce: progress.nonce(),
            cluster_name: cluster.as_ref().map(|cluster| cluster.name.clone()),
            cluster_id: cluster.map(|cluster| cluster.id),
            storage_type: self.facts.storage_type.into(),
            migration,
            recovery_seal,
            warnings: warnings.into_iter().flatten().collect(),
        }
    }

    /// Returns the seals, as they were found last.
    pub(super) fn seal_backends(&self) -> SealBackends {
        let disabled = self.seals.disabled.each().iter();
        let disabled = disabled.map(|one| shown(one.describe())).collect();
        if self.seals.enabled.is_empty() {
            return SealBackends {
                each: vec![("shamir".into(), None)],
                fully_wrapped: true,
                disabled,
            };
        }
        let state = self.state();
        let copies = state.seal.as_ref().map(|seal| &seal.wrapped);
        let describe = |provider: &Arc<dyn Provider>| provider.describe();
        let all: Vec<Description> = self.seals.enabled.each().iter().map(describe).collect();
        let is_kept = |which: &Description| {
            let mut copies = copies.into_iter().flatten();
            copies.any(|one| one.kind == which.kind && one.name == which.name)
        };
        let fully_wrapped = all.iter().all(is_kept);
        let each = all.into_iter().map(|which| {
            let mut found = state.backends.iter();
            let ill_since = found.find(|one| one.which == which);
            let ill_since = ill_since.and_then(|one| one.ill_since);
            (shown(which), ill_since)
        });
        SealBackends {
            each: each.collect(),
            fully_wrapped,
            disabled,
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

/// Returns the name by which a seal is shown.
fn shown(which: Description) -> String {
    match which.name.is_empty() {
        true => which.kind,
        false => which.name,
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
