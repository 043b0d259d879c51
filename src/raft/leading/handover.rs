//! Gives leadership to another node.

use super::heirs::Heir;
use crate::peer::Member;
use crate::raft::members::error::ChangeError;
use crate::raft::members::member::MemberInfo;
use crate::raft::running::leadership::Leadership;
use crate::raft::running::shared::Shared;
use crate::raft::wire::message::{Answer, Ask, Transfer, Wire};
use crate::raft::wire::record::{Ballot, Position};
use crate::raft::wire::types::{TypeConfig, Vote, log_id, position};
use openraft::async_runtime::WatchReceiver;
use openraft::raft::{TransferLeaderRequest, VoteRequest};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Limits the time that a leader takes to have itself removed.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// The time between attempts to have this node removed.
const LEAVE_RETRY: Duration = Duration::from_millis(30);
/// The time between attempts to have another node lead.
const TRANSFER_RETRY: Duration = Duration::from_millis(500);
/// Limits the time until the conductor notices that another node leads.
const NOTICE_WITHIN: Duration = Duration::from_secs(1);
/// Limits the time for another node to say that it campaigns.
const BEQUEATH_WITHIN: Duration = Duration::from_secs(1);
/// The node id for which a vote counts for no node: no node has it.
const NOBODY: u64 = 0;

/// The reason for which a leader hands leadership over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::raft) enum LetGo {
    /// The leader was told to, or may not lead: any node that can lead is better.
    Must,
    /// The leader's device keeps a write waiting: only a node whose device does not is better.
    Stalls,
    /// The leader's disk is nearly full: only a node with space is better.
    Full,
}

impl Shared {
    /// Hands leadership to the best node, stands back, and returns once another one leads, which
    /// may take `within`. Meanwhile no writes are accepted. When the other one does not take it in
    /// time, this node steps back all the same; where there is no other one, it leads on.
    pub(in crate::raft) async fn hand_over(&self, within: Duration) -> Result<(), ChangeError> {
        let _one = self.handing.lock().await;
        match self.pass_on(within, LetGo::Must).await {
            Err(_) if self.applied.poison.is_set() => self.bequeath().await,
            handed => handed,
        }
    }

    /// Asks another node to campaign, without raft, which ends with the first write of its log that
    /// fails: that node need not wait for a lease that will not be renewed. Its log decides, and
    /// the votes of the others, as always.
    ///
    /// A node that has this node's last entry is elected for certain. This node may not have heard
    /// which one that is before raft ended, so the others are asked to lead if they have it, one
    /// after another, and only then without that condition.
    async fn bequeath(&self) -> Result<(), ChangeError> {
        let vote = Ballot::from(&self.metrics().vote);
        if !vote.committed || vote.node != self.id {
            return Err(ChangeError::NotLeader);
        }
        let last = self.log.last().as_ref().map(position);
        let heirs = self.heirs().await;
        let flushed_within = self.timing.election_min / 2;
        for (last, within) in [(last, flushed_within), (None, BEQUEATH_WITHIN)] {
            for Heir { member: heir, .. } in &heirs {
                let transfer = Transfer {
                    from: vote,
                    to: heir.raft_id,
                    last,
                };
                if self.has_campaign(heir, transfer, within).await {
                    crate::telemetry::info!(to = heir.name, "leaving leadership to another node");
                    return Ok(());
                }
            }
        }
        let why = "no other node takes leadership now";
        Err(ChangeError::Unavailable(why.into()))
    }

    /// Asks a node to campaign, and returns true when it does.
    async fn has_campaign(&self, heir: &MemberInfo, transfer: Transfer, within: Duration) -> bool {
        let to = Member {
            name: heir.name.clone(),
            address: heir.cluster_address.clone(),
            public_key: heir.public_key.clone(),
        };
        let ask = Ask::Lead(transfer);
        let asked = self.voice.ask(heir.raft_id, &to, &ask, &[], within);
        matches!(asked.await, Ok(Answer::Leading(true)))
    }

    /// Does the same as [`Shared::hand_over`], unless a handover is under way.
    pub(in crate::raft) async fn try_hand_over(
        &self,
        within: Duration,
        why: LetGo,
    ) -> Result<(), ChangeError> {
        match self.handing.try_lock() {
            Ok(_one) => self.pass_on(within, why).await,
            Err(_) => Ok(()),
        }
    }

    /// Hands leadership over; the caller holds `handing`, so that one handover runs at a time.
    async fn pass_on(&self, within: Duration, why: LetGo) -> Result<(), ChangeError> {
        self.ensure_raft_leads()?;
        let heirs = self.heirs().await;
        let heir = heirs
            .first()
            .filter(|heir| heir.is_fit || why == LetGo::Must);
        let Some(Heir { member: heir, .. }) = heir else {
            let why = match why {
                LetGo::Must => "no other node can lead: none is an unsealed voter that is reached",
                LetGo::Stalls => "no other node says that its device keeps up",
                LetGo::Full => "no other node says that its disk has space",
            };
            return Err(ChangeError::Refused(why.into()));
        };
        // Asking took a moment.
        self.ensure_raft_leads()?;
        match why {
            LetGo::Must => {}
            LetGo::Stalls => {
                tracing::warn!("the device keeps a write waiting; leadership goes to another node");
            }
            LetGo::Full => {
                tracing::warn!("the disk is nearly full; leadership goes to a node with space");
            }
        }
        let term = self.metrics().vote.leader_id.term;
        crate::telemetry::info!(to = heir.name, "handing leadership over");
        self.standing_back.begin(term);
        // The conductor does the same, and lets it campaign again in the end.
        self.raft.runtime_config().elect(false);
        if self.transfer(heir.raft_id, within).await? {
            self.notice().await;
            return Ok(());
        }
        self.step_back(term).await;
        self.notice().await;
        let why = format!("{} did not take leadership in time", heir.name);
        Err(ChangeError::Unavailable(why))
    }

    /// Waits until the conductor has told the rest of this node that it leads no more.
    async fn notice(&self) {
        let mut leadership = self.leadership.subscribe();
        let noticed = leadership.wait_for(|now| !matches!(now, Leadership::Leader { .. }));
        // It may lead again by now, and then there is nothing to notice.
        drop(tokio::time::timeout(NOTICE_WITHIN, noticed).await);
    }

    /// Has `heir` campaign until another node leads. One try may fail, by a device that is slow to
    /// write the last entries or by a lost message.
    async fn transfer(&self, heir: u64, within: Duration) -> Result<bool, ChangeError> {
        let deadline = Instant::now() + within;
        let mut metrics = self.raft.server_metrics();
        loop {
            let told = self.raft.trigger().transfer_leader(heir).await;
            told.map_err(|error| ChangeError::Unavailable(error.to_string()))?;
            let led = async {
                loop {
                    let leader = metrics.borrow_and_update().current_leader;
                    if leader.is_some_and(|leader| leader != self.id) {
                        return;
                    }
                    if metrics.changed().await.is_err() {
                        return;
                    }
                }
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if tokio::time::timeout(left.min(TRANSFER_RETRY), led)
                .await
                .is_ok()
            {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// Hands leadership over and has the next leader remove this node.
    pub(in crate::raft) async fn leave(&self) -> Result<(), ChangeError> {
        let deadline = Instant::now() + LEAVE_WITHIN;
        let led = self.metrics().vote.leader_id.term;
        self.hand_over(LEAVE_WITHIN).await?;
        loop {
            match self.ask_to_leave(led).await {
                Ok(()) => break,
                // The farewell says it all; the answer to this came too late.
                Err(_) if self.removed.load(Ordering::Acquire) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(ChangeError::Unavailable(error));
                }
                // It may not be ready to serve yet.
                Err(_) => tokio::time::sleep(LEAVE_RETRY).await,
            }
        }
        self.farewell(self.members_index() + 1);
        Ok(())
    }

    /// Asks the leader to remove this node, which led last in the term `led`.
    async fn ask_to_leave(&self, led: u64) -> Result<(), String> {
        let metrics = self.metrics();
        let members = metrics.membership_config.membership();
        let leader = metrics.current_leader.ok_or("there is no leader")?;
        let node = members.get_node(&leader).ok_or("the leader is not known")?;
        let member = node.member();
        let ask = match self.voice.wire() {
            Wire::Plain => Ask::Leave,
            Wire::Proven => Ask::LeaveAfter(led),
        };
        let asked = self.voice.ask(leader, &member, &ask, &[], LEAVE_WITHIN);
        match asked.await.map_err(|error| error.to_string())? {
            Answer::Done => Ok(()),
            answer => Err(format!("unexpected answer {answer:?}")),
        }
    }

    /// Removes a member that asks for it, on the leader. The node that led before has checked the
    /// quorum.
    pub(in crate::raft) async fn let_leave(&self, id: u64) -> Result<(), ChangeError> {
        let _one = self.changing.lock().await;
        self.ensure_leads()?;
        let members = self.members();
        match members.iter().find(|member| member.raft_id == id) {
            Some(member) => self.remove(member).await,
            None => Ok(()),
        }
    }

    /// Ends this node's `term`, in which raft accepts nothing any more: it votes for no node in the
    /// next one. That takes no vote from a node that leads already.
    pub(in crate::raft) async fn step_back(&self, term: u64) {
        let metrics = self.metrics();
        if self.raft.is_leader() && metrics.vote.leader_id.term == term {
            self.lift_term(term + 1).await;
        }
    }

    /// Leads on in a term above `term`: ends this one, and has itself elected as if leadership was
    /// handed to it, so that no node waits for a lease to run out.
    pub(in crate::raft) async fn lead_above(&self, term: u64) {
        let above = term.saturating_add(1);
        self.lift_term(above).await;
        let from = Vote::new(above, NOBODY);
        let request = TransferLeaderRequest::<TypeConfig>::new(from, self.id, None);
        // Raft that stopped leads no more.
        drop(self.raft.handle_transfer_leader(request).await);
    }

    /// Votes for no node in `term`, unless this node has voted in that term or a later one.
    pub(in crate::raft) async fn lift_term(&self, term: u64) {
        let beyond = Position {
            term: u64::MAX,
            index: u64::MAX,
        };
        let request = VoteRequest::<TypeConfig> {
            vote: Vote::new(term, NOBODY),
            last_log_id: Some(log_id(beyond)),
            leadership_transfer: true,
        };
        // Raft that stopped leads no more.
        drop(self.raft.vote(request).await);
    }
}
