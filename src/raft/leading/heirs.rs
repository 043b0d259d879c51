//! The voters that could lead after this node.

use crate::peer::Member;
use crate::raft::members::member::MemberInfo;
use crate::raft::running::shared::Shared;
use crate::raft::wire::message::{Answer, Ask};
use futures_util::future::join_all;
use std::time::Duration;

/// Limits the time for the answer of another node.
const ASK_WITHIN: Duration = Duration::from_secs(1);
/// The time for which a device that kept a write waiting is remembered.
const STALL_MEMORY: Duration = Duration::from_secs(600);

/// A voter that could lead after this one.
pub(in crate::raft) struct Heir {
    pub(in crate::raft) member: MemberInfo,
    /// True when the voter says that it would lead: it does not stand back, and its device keeps no
    /// write waiting and is not nearly full.
    pub(in crate::raft) is_fit: bool,
}

impl Shared {
    /// Returns true when this node would lead in another's place.
    pub(in crate::raft) fn is_fit(&self) -> bool {
        let is_sound = !self.log.stalled_within(STALL_MEMORY) && self.has_space();
        self.may_lead() && !self.standing_back.is_on() && is_sound
    }

    /// Asks all other voters, and returns those that could lead, the best one first: one that is
    /// fit before one that is not, and of these the one with the longest log. The last heartbeats
    /// may be out of date: a node may have been unsealed since.
    pub(in crate::raft) async fn heirs(&self) -> Vec<Heir> {
        let silence = self.timing.silence();
        let others = self.members().into_iter();
        let others = others.filter(|member| member.voter && member.raft_id != self.id);
        let asked = others.map(|member| self.ask_whether_fit(member));
        let asked = join_all(asked).await.into_iter();
        let could = asked.filter(|(heir, elects)| {
            let heard = heir.member.last_contact.is_some_and(|ago| ago < silence);
            elects.unwrap_or(heard && heir.member.elects == Some(true))
        });
        let mut heirs: Vec<Heir> = could.map(|(heir, _)| heir).collect();
        heirs.sort_by_key(|heir| {
            let member = &heir.member;
            std::cmp::Reverse((heir.is_fit, member.last_term, member.last_index))
        });
        heirs
    }

    /// Asks a voter whether it is fit, and returns also whether it is unsealed, if it says so. A
    /// voter of a release that does not know the question is taken only for want of another.
    async fn ask_whether_fit(&self, member: MemberInfo) -> (Heir, Option<bool>) {
        let to = Member {
            name: member.name.clone(),
            address: member.cluster_address.clone(),
            public_key: member.public_key.clone(),
        };
        let (id, ask) = (member.raft_id, Ask::Fit);
        let asked = self.voice.ask_as_it_stands(id, &to, &ask, &[], ASK_WITHIN);
        let (elects, is_fit) = match asked.await {
            Ok((elects, answer)) => (Some(elects), elects && answer == Answer::Fit(true)),
            Err(_) => (None, false),
        };
        (Heir { member, is_fit }, elects)
    }

    /// Ends standing back, while no node leads, when no other voter is reached, unsealed and fit,
    /// or when a candidate's log is shorter than this node's.
    pub(in crate::raft) async fn stand_in(&self) {
        let is_needed =
            self.refusals.since().is_some() || !self.heirs().await.iter().any(|heir| heir.is_fit);
        if is_needed && self.standing_back.is_on() {
            crate::telemetry::info!("nobody else can lead: this node stands back no longer");
            self.standing_back.end();
        }
    }
}
