//! Standing back: a node that let go of leadership does not campaign for a while, as Vault's does
//! after `sys/step-down`, so that leadership moves and stays where it went.
//!
//! It votes for others, and leads when the leader hands leadership to it for want of a better
//! node. It stands back no longer once it finds that nobody else can lead: see
//! [`Shared::stand_in`].

use super::member::MemberInfo;
use super::rpc::{Answer, Ask};
use super::shared::Shared;
use crate::peer::Member;
use futures_util::future::join_all;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long; the time of Vault's.
const STAND_BACK: Duration = Duration::from_secs(10);
/// How long the answer of another node may take.
const ASK_WITHIN: Duration = Duration::from_secs(1);
/// How long a device is remembered that kept a write waiting.
const STALL_MEMORY: Duration = Duration::from_secs(600);

/// One per open storage.
#[derive(Default)]
pub(super) struct StandingBack(Mutex<Option<Since>>);

struct Since {
    at: Instant,
    /// The last term that it led.
    term: u64,
}

impl StandingBack {
    /// This node lets go of the term that it leads.
    pub(super) fn begin(&self, term: u64) {
        let at = Instant::now();
        self.set(Some(Since { at, term }));
    }

    /// True while it lasts.
    pub(super) fn is_on(&self) -> bool {
        let since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = since.as_ref();
        since.is_some_and(|since| since.at.elapsed() < STAND_BACK)
    }

    /// Nobody else can lead.
    pub(super) fn end(&self) {
        self.set(None);
    }

    /// This node leads `term`: when that is a later one than it let go, others wanted it to.
    pub(super) fn leads(&self, term: u64) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.as_ref().is_some_and(|since| since.term < term) {
            *since = None;
        }
    }

    fn set(&self, since: Option<Since>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

/// A voter that could lead after this one.
pub(super) struct Heir {
    pub(super) member: MemberInfo,
    /// It says that it would: it does not stand back, and its device keeps no write waiting.
    pub(super) is_fit: bool,
}

impl Shared {
    /// What this node answers when it is asked whether it would lead in another's place.
    pub(super) fn is_fit(&self) -> bool {
        self.may_lead() && !self.standing_back.is_on() && !self.log.stalled_within(STALL_MEMORY)
    }

    /// Asks all other voters, and gives those that could lead, the best one first: one that is fit
    /// before one that is not, and of these the one with the longest log. What heartbeats told may
    /// be old: a node may have been unsealed since.
    pub(super) async fn heirs(&self) -> Vec<Heir> {
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

    /// Asks a voter, and gives also whether it is unsealed if it says so. One of a release that
    /// does not know the question is taken only for want of another.
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

    /// While nobody leads: stands back no longer when no other voter is reached, unsealed and fit,
    /// or when the log of one that wants to lead is shorter than this node's.
    pub(super) async fn stand_in(&self) {
        let is_needed =
            self.refusals.since().is_some() || !self.heirs().await.iter().any(|heir| heir.is_fit);
        if is_needed && self.standing_back.is_on() {
            crate::telemetry::info!("nobody else can lead: this node stands back no longer");
            self.standing_back.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_others_want_this_node_to_lead_or_nobody_else_can() {
        let standing_back = StandingBack::default();
        assert!(!standing_back.is_on());
        standing_back.begin(7);
        standing_back.leads(7);
        assert!(standing_back.is_on(), "raft has not noticed yet");
        standing_back.leads(9);
        assert!(!standing_back.is_on());
        standing_back.begin(9);
        standing_back.end();
        assert!(!standing_back.is_on());
    }

    #[test]
    fn it_ends_after_ten_seconds() {
        let standing_back = StandingBack::default();
        let since = |ago| Since {
            at: Instant::now() - ago,
            term: 1,
        };
        standing_back.set(Some(since(Duration::from_millis(9_900))));
        assert!(standing_back.is_on());
        standing_back.set(Some(since(Duration::from_secs(10))));
        assert!(!standing_back.is_on());
    }
}
