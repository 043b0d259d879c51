//! Changes of the voters that stopped half way.
//!
//! A change of the voters has two steps: first both the old and the new voters must agree, then the
//! new ones alone. The node that proposes it drives both, so when it dies or loses leadership in
//! between, the next leader takes the second one.

use super::change::Changes;
use crate::raft::running::shared::{Metrics, Shared};
use std::collections::BTreeSet;

/// Returns true when the first step is committed and the second was not taken.
pub(in crate::raft) fn is_unfinished(seen: &Metrics) -> bool {
    let members = &seen.membership_config;
    members.log_id() == seen.committed_membership_config.log_id()
        && members.membership().get_joint_config().len() > 1
}

impl Shared {
    /// Returns true while two configurations of the voters are in force.
    pub(in crate::raft) fn is_joint(&self) -> bool {
        let members = self.membership();
        members.membership().get_joint_config().len() > 1
    }

    /// Takes the second step, on the leader, unless a change is under way here, which takes it
    /// itself.
    pub(in crate::raft) async fn finish_change(&self) {
        let Ok(_one) = self.changing.try_lock() else {
            return;
        };
        if !self.leads() || !is_unfinished(&self.metrics()) {
            return;
        }
        let parting = self.parting_voters();
        let infos = self.members().into_iter();
        let parting: Vec<_> = infos
            .filter(|member| parting.contains(&member.raft_id))
            .collect();
        // A member that is demoted is marked so before; all others that lose their vote are
        // removed.
        let retain = parting.iter().any(|member| member.non_voter);
        crate::telemetry::info!("finishing a change of the members that stopped half way");
        let flatten = Changes::AddVoterIds(BTreeSet::new());
        if let Err(error) = self.propose(flatten, retain).await {
            tracing::warn!(%error, "a change of the members stays half done for now");
            return;
        }
        for member in parting.iter().filter(|_| !retain) {
            self.see_off(member).await;
        }
    }

    /// Returns the members that vote in the old configuration only.
    fn parting_voters(&self) -> BTreeSet<u64> {
        let members = self.membership();
        let members = members.membership();
        let stay = members.get_joint_config().last();
        let stays = |id: &u64| stay.is_some_and(|stay| stay.contains(id));
        members.voter_ids().filter(|id| !stays(id)).collect()
    }
}
