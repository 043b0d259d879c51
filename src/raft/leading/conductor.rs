//! Follows raft, and tells the rest of the node of the leader, of the members to hear and of the
//! timers to run.
//!
//! A lone node has no timers: its conductor sleeps until raft or another room changes something.

use super::absence::Absence;
use super::handover::LetGo;
use crate::peer::Member;
use crate::raft::disk::device::STALL_MAX;
use crate::raft::members::joint;
use crate::raft::members::parting::Parting;
use crate::raft::running::leadership::Leadership;
use crate::raft::running::shared::{Metrics, Shared};
use openraft::async_runtime::WatchReceiver;
use openraft::{Instant as _, ServerState};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Follows raft for an open storage.
pub(in crate::raft) struct Conductor {
    shared: Arc<Shared>,
    /// The nodes that the network was told to hear.
    heard: Option<Vec<Member>>,
    /// Nodes that were members until a moment ago.
    parting: Parting,
    /// The last orders to raft: whether timers run, whether the node may campaign.
    timers: (bool, bool),
    since: Instant,
    /// The time of the last attempt to have this node's record brought up to date.
    introduced: Option<Instant>,
    /// The time of the last question for the members.
    asked: Option<Instant>,
    /// The time of the last question whether another node can lead.
    asked_fit: Option<Instant>,
    /// The time of the last question whether another node has space.
    asked_space: Option<Instant>,
    /// The time of the last survey of the voters' space, and the last entry at that time.
    surveyed: Option<(Instant, u64)>,
    absence: Absence,
}

/// Limits the time of a handover for which no caller waits.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(2);
/// The time between attempts to have this node's record brought up to date.
const INTRODUCE_EVERY: Duration = Duration::from_secs(3);
/// The time between questions whether another node can lead, while none does and this one stands
/// back.
const STAND_IN_EVERY: Duration = Duration::from_millis(500);
/// The time between questions whether another node has space, while the leader has little.
const ASK_SPACE_EVERY: Duration = Duration::from_secs(5);
/// The time between surveys of the voters' space, while entries come or new data is refused.
const SURVEY_EVERY: Duration = Duration::from_secs(5);
/// The time between questions for the members, while no node leads.
const ASK_EVERY: Duration = Duration::from_secs(2);

impl Conductor {
    pub(in crate::raft) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            heard: None,
            parting: Parting::default(),
            timers: (false, false),
            since: Instant::now(),
            introduced: None,
            asked: None,
            asked_fit: None,
            asked_space: None,
            surveyed: None,
            absence: Absence::default(),
        }
    }

    /// Runs until raft stops, and then publishes that no node leads, lest the last leader stand for
    /// ever. Poisons the node when raft stopped by itself.
    pub(in crate::raft) async fn run(mut self) {
        self.watch().await;
        let shared = &self.shared;
        shared.leadership.send_replace(Leadership::None);
        if !shared.closing.load(Ordering::Acquire) {
            let why = shared.raft.is_initialized().await.err();
            let why = why.map_or_else(|| "nobody says why".into(), |why| why.to_string());
            shared
                .applied
                .poison
                .set(&format!("consensus stopped: {why}"));
        }
    }

    async fn watch(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut metrics = shared.raft.server_metrics();
        let mut applied = shared.raft.watch_apply_progress();
        let mut elects = shared.voice.elects.subscribe();
        let mut trusted = shared.trusted.subscribe();
        loop {
            let seen = metrics.borrow_and_update().clone();
            let works = !shared.applied.poison.is_set();
            self.follow(&seen).await;
            // Only a leader that is not ready yet has to wait for its applied entries.
            let is_pending = is_leader(&seen) && *shared.leadership.borrow() == Leadership::None;
            let waits = is_pending && shared.may_lead();
            let ticks = self.timers.0;
            let parts = self.parting.ends();
            tokio::select! {
                changed = metrics.changed() => if changed.is_err() { return },
                changed = elects.changed() => if changed.is_err() { return },
                changed = trusted.changed() => if changed.is_err() { return },
                changed = applied.changed(), if waits => if changed.is_err() { return },
                _ = shared.applied.poison.wait(), if works => {}
                () = shared.refusals.noted.notified() => {}
                () = tokio::time::sleep(parts.unwrap_or_default()), if parts.is_some() => {}
                () = tokio::time::sleep(shared.timing.heartbeat), if ticks => {
                    self.tick(&seen).await;
                }
            }
        }
    }

    async fn follow(&mut self, seen: &Metrics) {
        if is_leader(seen) {
            self.shared.standing_back.leads(seen.vote.leader_id.term);
        }
        self.come_back(seen);
        self.hear(seen);
        self.tell_members();
        self.set_timers(seen);
        set_alone(&self.shared, seen);
        lead_alone(&self.shared, seen).await;
        self.publish(seen);
        self.introduce(seen);
        self.finish_change(seen);
    }

    /// Tells those who follow the members of a change.
    fn tell_members(&self) {
        let at = self.shared.members_index();
        self.shared.members_at.send_if_modified(|told| {
            let changes = *told != at;
            *told = at;
            changes
        });
    }

    /// Finishes a change of the members that stopped half way.
    fn finish_change(&self, seen: &Metrics) {
        let serves = matches!(*self.shared.leadership.borrow(), Leadership::Leader { .. });
        if serves && joint::is_unfinished(seen) {
            let shared = Arc::clone(&self.shared);
            crate::task::spawn(async move { shared.finish_change().await });
        }
    }

    fn publish(&self, seen: &Metrics) {
        let leadership = self.leadership(seen);
        if leadership != Leadership::None {
            self.shared.refusals.clear();
            self.shared.needed.send_if_modified(std::mem::take);
            self.trust_members_only(seen);
        }
        self.shared.leadership.send_if_modified(|current| {
            let changes = *current != leadership;
            if changes {
                crate::telemetry::debug!(?leadership, "leadership");
                *current = leadership;
            }
            changes
        });
    }

    /// Forgets the nodes that this one was told to trust, once it is a member: from then on
    /// membership alone decides which nodes it hears.
    fn trust_members_only(&self, seen: &Metrics) {
        let members = seen.membership_config.membership();
        if members.get_node(&self.shared.id).is_some() {
            self.shared.trusted.send_if_modified(|trusted| {
                let changes = !trusted.is_empty();
                trusted.clear();
                changes
            });
        }
    }

    /// Notes that this node is a member again when one that was removed was added again.
    fn come_back(&self, seen: &Metrics) {
        let shared = &self.shared;
        let members = seen.membership_config.membership();
        let at = seen
            .membership_config
            .log_id()
            .as_ref()
            .map_or(0, |at| at.index());
        let removed_at = shared.removed_at.load(Ordering::Acquire);
        // While two configurations overlap, one may be that which is left.
        let is_member =
            members.get_node(&shared.id).is_some() && members.get_joint_config().len() == 1;
        if shared.removed.load(Ordering::Acquire) && is_member && at > removed_at {
            crate::telemetry::info!("this node is a member again");
            shared.removed.store(false, Ordering::Release);
        }
    }

    fn leadership(&self, seen: &Metrics) -> Leadership {
        let shared = &self.shared;
        if shared.removed.load(Ordering::Acquire) {
            return Leadership::None;
        }
        if is_leader(seen) {
            let term = seen.vote.leader_id.term;
            let (applied, _) = shared.applied.state.progress();
            let is_ready = applied.is_some_and(|applied| applied.term == term);
            return match is_ready && shared.may_lead() && !self.is_cut_off() {
                true => Leadership::Leader { term },
                false => Leadership::None,
            };
        }
        let leader = seen.current_leader.filter(|leader| *leader != shared.id);
        let node = leader.and_then(|id| seen.membership_config.membership().get_node(&id));
        match (leader, node) {
            (Some(id), Some(peer)) if !self.is_lost(id) => Leadership::Follower {
                leader: peer.clone(),
            },
            _ => Leadership::None,
        }
    }

    /// Returns true for a leader that no quorum has answered for so long that there may be another.
    fn is_cut_off(&self) -> bool {
        let data = self.shared.raft.data_metrics();
        let data = data.borrow_watched();
        let answered = data.last_quorum_acked.map(|at| at.elapsed());
        // A lone voter is its own quorum and has no such time.
        self.timers.0
            && !self.shared.log.is_alone()
            && answered.is_some_and(|age| age > self.shared.timing.silence())
    }

    /// Returns true for a leader that has not spoken as such for so long that there may be another.
    fn is_lost(&self, leader: u64) -> bool {
        let silence = self.shared.timing.silence();
        self.since.elapsed() > silence && !self.shared.voice.is_led_by(leader, silence)
    }

    /// Checks all conditions that change without an event, while there are other members.
    async fn tick(&mut self, seen: &Metrics) {
        self.tell_of_absence();
        if is_leader(seen) {
            self.survey();
            self.let_go();
            self.heed_hints(seen).await;
        } else if *self.shared.leadership.borrow() == Leadership::None {
            self.tell_that_it_is_needed(seen);
            self.heed_hints(seen).await;
            self.ask_around(seen);
            self.stand_in();
        }
    }

    /// Asks the voters for their space now and then, while entries come or it was too little.
    fn survey(&mut self) {
        let shared = &self.shared;
        let told = shared.applied.told().unwrap_or(0);
        let is_early = self.surveyed.is_some_and(|(at, upto)| {
            let is_idle = upto == told && !shared.applied.space.others_are_short();
            is_idle || at.elapsed() < SURVEY_EVERY
        });
        if is_early {
            return;
        }
        self.surveyed = Some((Instant::now(), told));
        let shared = Arc::clone(shared);
        crate::task::spawn(async move { shared.survey_space().await });
    }

    /// Asks whether another node can lead, and has this node lead after all when none can, though
    /// it stands back.
    fn stand_in(&mut self) {
        let shared = &self.shared;
        let is_early = self
            .asked_fit
            .is_some_and(|at| at.elapsed() < STAND_IN_EVERY);
        if is_early || !shared.may_lead() || !shared.standing_back.is_on() {
            return;
        }
        self.asked_fit = Some(Instant::now());
        let shared = Arc::clone(shared);
        crate::task::spawn(async move { shared.stand_in().await });
    }

    /// Logs now and then that there is no leader: a member that was removed while it was away is
    /// refused by all others, and cannot tell that from a cluster without a leader.
    fn tell_of_absence(&mut self) {
        let shared = &self.shared;
        if *shared.leadership.borrow() != Leadership::None || !shared.may_lead() {
            self.absence.end();
        } else if let Some(age) = self.absence.note(Instant::now()) {
            let ahead = shared.voice.ahead(age);
            let members = shared.members().into_iter();
            let ahead = members.filter(|member| Some(member.raft_id) == ahead);
            for member in ahead {
                tracing::warn!(
                    node = member.name,
                    "that member says that it holds entries which this node lacks: unseal it"
                );
            }
            tracing::warn!(
                for_s = age.as_secs(),
                "no leader is known: see that most voters run, are reached and are unsealed, and \
                 that this node is still a member (coffer operator raft list-peers on another)"
            );
        }
    }

    /// Hands leadership over when this leader is sealed, since it serves no client, when its device
    /// is busy, since it keeps all waiting, or nearly full, since it takes no new data. A busy or
    /// full one keeps leadership unless another node says that its own device is better.
    fn let_go(&mut self) {
        let shared = &self.shared;
        if shared.handing.try_lock().is_err() {
            return;
        }
        let is_stalled = shared.log.write_age() > STALL_MAX;
        let why = match shared.may_lead() {
            false => LetGo::Must,
            true if is_stalled => LetGo::Stalls,
            true if shared.applied.space.is_low() => {
                let asked = self.asked_space;
                if asked.is_some_and(|at| at.elapsed() < ASK_SPACE_EVERY) {
                    return;
                }
                self.asked_space = Some(Instant::now());
                LetGo::Full
            }
            true => return,
        };
        let shared = Arc::clone(shared);
        crate::task::spawn(async move {
            if let Err(error) = shared.try_hand_over(HAND_OVER_WITHIN, why).await {
                crate::telemetry::debug!(%error, "leadership stays");
            }
        });
    }

    /// Notes that this node is needed when it is a sealed voter that refused a candidate for its
    /// shorter log while no node leads: it holds entries that the others need. It may not lead, so
    /// an operator must unseal it: its log and its lights say so.
    fn tell_that_it_is_needed(&self, seen: &Metrics) {
        let shared = &self.shared;
        let mut voters = seen.membership_config.membership().voter_ids();
        let is_voter = voters.any(|voter| voter == shared.id);
        let refused = shared.refusals.since();
        let lasts = refused.is_some_and(|since| since.elapsed() > shared.timing.silence());
        if is_voter && lasts && !shared.may_lead() && !*shared.needed.borrow() {
            shared.needed.send_replace(true);
            tracing::warn!(
                "this sealed node holds acknowledged entries that the others lack, and nobody can \
                 lead without them: unseal this node"
            );
        }
    }

    /// Raises the term when a member told of a vote above it, since that member takes nothing from
    /// a lower term.
    async fn heed_hints(&self, seen: &Metrics) {
        let shared = &self.shared;
        let term = seen.vote.leader_id.term;
        if !shared.may_lead() {
            return;
        }
        if is_leader(seen) {
            if let Some(above) = shared.voice.hints.for_leader(term) {
                crate::telemetry::info!(
                    above,
                    "leading in a higher term, since a member voted in it"
                );
                shared.lead_above(above).await;
            }
        } else if let Some(above) = shared.voice.hints.for_candidate(term) {
            shared.lift_term(above).await;
        }
    }

    /// Asks the members that this node knows for the current members: after members changed while
    /// it was away it may not know the leader.
    fn ask_around(&mut self, seen: &Metrics) {
        if self.asked.is_some_and(|at| at.elapsed() < ASK_EVERY) {
            return;
        }
        self.asked = Some(Instant::now());
        let members = seen.membership_config.membership();
        let (id, shared) = (self.shared.id, &self.shared);
        for (peer, node) in members.nodes().filter(|(peer, _)| **peer != id) {
            let (peer, member, shared) = (*peer, node.member(), Arc::clone(shared));
            crate::task::spawn(async move { shared.ask_members(peer, &member).await });
        }
    }

    /// Has this node's record in the membership brought up to date, when there is a leader.
    fn introduce(&mut self, seen: &Metrics) {
        let shared = &self.shared;
        let is_early = self
            .introduced
            .is_some_and(|at| at.elapsed() < INTRODUCE_EVERY);
        if is_early || *shared.leadership.borrow() == Leadership::None {
            return;
        }
        let is_decided =
            seen.membership_config.log_id() == seen.committed_membership_config.log_id();
        let is_outdated = shared
            .own_record()
            .is_some_and(|(known, wanted)| known != wanted);
        if is_decided && is_outdated {
            self.introduced = Some(Instant::now());
            let shared = Arc::clone(shared);
            crate::task::spawn(async move {
                if let Err(error) = shared.introduce().await {
                    crate::telemetry::debug!(%error, "the own record stays as it is");
                }
            });
        }
    }

    /// Tells the network which nodes may speak to this one.
    fn hear(&mut self, seen: &Metrics) {
        let shared = &self.shared;
        let Some(network) = &shared.voice.network else {
            return;
        };
        // The newer one is right where both name a node.
        let configs = [&seen.committed_membership_config, &seen.membership_config];
        let nodes = configs
            .iter()
            .flat_map(|config| config.membership().nodes());
        let members: BTreeMap<u64, Member> = nodes
            .filter(|(id, peer)| **id != shared.id && !peer.public_key.is_empty())
            .map(|(id, peer)| (*id, peer.member()))
            .collect();
        shared.voice.know(&members);
        let voters = seen.membership_config.membership().get_joint_config();
        shared.voice.acknowledged.set_voters(voters);
        let mut members: Vec<Member> = members.into_values().collect();
        let parting = self.parting.follow(&members);
        for other in parting.iter().chain(shared.trusted.borrow().iter()) {
            if !members
                .iter()
                .any(|member| member.public_key == other.public_key)
            {
                members.push(other.clone());
            }
        }
        if self.heard.as_ref() != Some(&members) {
            network.set_members(members.clone());
            self.heard = Some(members);
        }
    }

    /// Starts or stops raft's timers; they run only while there is another member.
    fn set_timers(&mut self, seen: &Metrics) {
        let shared = &self.shared;
        let members = seen.membership_config.membership();
        let is_removed = shared.removed.load(Ordering::Acquire);
        let timers = (
            members.nodes().nth(1).is_some() && !is_removed,
            shared.may_campaign(),
        );
        if self.timers != timers {
            let config = shared.raft.runtime_config();
            config.elect(timers.1);
            config.tick(timers.0);
            self.timers = timers;
        }
    }
}

pub(in crate::raft) fn is_leader(seen: &Metrics) -> bool {
    seen.state == ServerState::Leader
}

/// Notes in the log store that this node is the only voter, and so needs no other's answer.
fn set_alone(shared: &Shared, seen: &Metrics) {
    let id = shared.id;
    let members = &seen.membership_config;
    let Some(at) = members.log_id() else {
        return;
    };
    let decided = Some(at) == seen.committed_membership_config.log_id().as_ref();
    let mut voters = members.membership().voter_ids();
    if decided && is_leader(seen) && voters.all(|voter| voter == id) {
        shared.log.lead_alone(at.index());
    }
}

/// Has a lone voter campaign at once, since it asks no other node.
async fn lead_alone(shared: &Shared, seen: &Metrics) {
    let membership = seen.membership_config.membership();
    let mut voters = membership.voter_ids().peekable();
    let is_alone = voters.peek().is_some() && voters.all(|voter| voter == shared.id);
    let is_idle = matches!(seen.state, ServerState::Follower | ServerState::Learner);
    if is_alone && is_idle && shared.may_lead() {
        // Raft that stopped is noticed by the loop.
        drop(shared.raft.trigger().elect(false).await);
    }
}
