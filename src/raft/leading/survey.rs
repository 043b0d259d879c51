//! The space on the disks of the other voters.

use crate::peer::Member;
use crate::raft::members::member::MemberInfo;
use crate::raft::running::shared::Shared;
use crate::raft::wire::message::{Answer, Ask};
use futures_util::future::join_all;
use std::time::Duration;

/// Limits the time for the answer of another node.
const ASK_WITHIN: Duration = Duration::from_secs(1);

impl Shared {
    /// Returns true when this node's disk takes new data.
    pub(in crate::raft) fn has_space(&self) -> bool {
        !self.applied.space.look()
    }

    /// Asks all other voters whether their disks take new data, and has this node refuse it while
    /// those that do are no majority: else it would fill the others until no write at all, not even
    /// a deletion, could commit. A voter that does not answer is taken to have space.
    pub(in crate::raft) async fn survey_space(&self) {
        let others = self.members().into_iter();
        let others = others.filter(|member| member.voter && member.raft_id != self.id);
        let asked = join_all(others.map(|member| self.ask_for_space(member))).await;
        let voters = asked.len() + 1;
        let short: Vec<String> = asked.into_iter().flatten().collect();
        let with_space = voters - short.len() - usize::from(!self.has_space());
        let is_majority = with_space > voters / 2;
        let short = if is_majority { Vec::new() } else { short };
        self.applied.space.hear_of_others(short);
    }

    /// Returns the name of a voter that says that its disk takes no new data.
    async fn ask_for_space(&self, member: MemberInfo) -> Option<String> {
        let to = Member {
            name: member.name.clone(),
            address: member.cluster_address.clone(),
            public_key: member.public_key.clone(),
        };
        let ask = &Ask::Space;
        let asked = self.voice.ask(member.raft_id, &to, ask, &[], ASK_WITHIN);
        (asked.await.ok()? == Answer::Space(false)).then_some(member.name)
    }
}
