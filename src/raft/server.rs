//! Answers the requests of peers.
//!
//! Heeds messages that only an unsealed member may send only with a mandate, where proof of the
//! keys is required; drops and counts others before raft sees them.

use crate::peer::{PublicKey, Service};
use crate::raft::applying::snapshot;
use crate::raft::applying::state_machine::{SnapshotData, blocking};
use crate::raft::leading::proposer;
use crate::raft::members::whereabouts::Whereabouts;
use crate::raft::proof::Refused;
use crate::raft::running::shared::Shared;
use crate::raft::wire::message::{
    self, Answer, Append, Ask, Candidacy, Envelope, SnapshotHead, Transfer, Wire,
};
use crate::raft::wire::record::{Ballot, Members, RECORD_OVERHEAD_BYTES};
use crate::raft::wire::types::{TypeConfig, Vote, log_id, position};
use crate::stream::Chunks;
use crate::task::BoxFuture;
use bytes::Bytes;
use openraft::async_runtime::WatchReceiver;
use openraft::entry::RaftEntry;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest,
};
use openraft::type_config::alias::SnapshotOf;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Limits the time that a heartbeat waits for a flush before it is answered without one.
const HEARTBEAT_PATIENCE: Duration = Duration::from_millis(20);

/// The service that the network calls.
pub(super) struct Server {
    shared: Arc<Shared>,
    /// The time of the start, before which this process may have promised a leader its lease.
    opened: Instant,
    /// Held while a snapshot comes in, so that one comes at a time.
    incoming: tokio::sync::Mutex<()>,
    /// True while entries are refused for want of space.
    full: AtomicBool,
}

impl Server {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            shared,
            opened: Instant::now(),
            incoming: tokio::sync::Mutex::new(()),
            full: AtomicBool::new(false),
        })
    }

    /// Notes the sender's status, and refuses a sender that is not the member that it names, or
    /// that looks for another node. `vote` is the one for which the message needs a mandate.
    fn admit(&self, from: &PublicKey, said: &Said, vote: Option<Ballot>) -> Result<(), String> {
        let shared = &self.shared;
        if shared.closing.load(Ordering::Acquire) {
            // Raft would say so by an error in the log, with all that it was sent.
            return Err("this node is stopping".into());
        }
        let (envelope, proofs) = (&said.envelope, &shared.voice.proofs);
        let id = envelope.from;
        if envelope.to != shared.id {
            return Err(format!("this is not node {}", envelope.to));
        }
        if !shared.is_peer(id, from) {
            return Err(format!("node {id} is not a member here"));
        }
        let refused = match (proofs.required(), vote) {
            (None, _) => None,
            (Some(_), _) if said.wire == Wire::Plain => Some(Refused::OldWire),
            (Some(_), Some(vote)) if vote.node != id => Some(Refused::Forged),
            (Some(_), Some(vote)) if !proofs.leads(id, from, vote.term, &said.proofs.mandate) => {
                Some(Refused::Unproven)
            }
            (Some(_), _) => None,
        };
        if let Some(why) = refused {
            proofs.refuse(id, from, why);
            return Err(why.to_string());
        }
        let (status, standing) = (envelope.status.clone(), &said.proofs.standing);
        shared.voice.note(id, from, status, standing);
        Ok(())
    }

    async fn answer(&self, from: PublicKey, request: Bytes) -> Result<Bytes, String> {
        let (said, ask, bodies) = read::<Ask>(&request)?;
        let peer = said.envelope.from;
        self.admit(&from, &said, ask.mandated(peer))?;
        let proofs = &self.shared.voice.proofs;
        let is_wrong = ask.is_outdated() || ask.is_contradictory();
        if is_wrong && proofs.required().is_some() {
            proofs.refuse(peer, &from, Refused::Unproven);
            return Err(Refused::Unproven.to_string());
        }
        let answer = match ask {
            Ask::Append(append) => self.append(append, bodies).await?,
            Ask::PreVote(candidacy) => self.vote(candidacy, true).await?,
            Ask::Vote(candidacy) => self.vote(candidacy, false).await?,
            Ask::Lead(transfer) => self.lead(transfer).await?,
            Ask::Fit => Answer::Fit(self.shared.is_fit()),
            Ask::Space => Answer::Space(self.shared.has_space()),
            Ask::ReadIndex => self.read_index().await,
            Ask::Members => self.members(said.wire),
            Ask::Addresses(name, cluster, api) => {
                let is_unsealed = proofs.stands(peer, &from, &said.proofs.standing);
                let told = Whereabouts { name, cluster, api };
                let changed = self.shared.readdress(peer, told, is_unsealed).await;
                changed.map_err(|error| error.to_string())?;
                Answer::Done
            }
            Ask::Leave | Ask::LeaveAfter(_) => {
                let left = self.shared.let_leave(peer).await;
                left.map_err(|error| error.to_string())?;
                Answer::Done
            }
            Ask::Farewell(index) => {
                self.shared.farewell(index);
                Answer::Done
            }
            Ask::Removed(append) => self.removed(append, bodies).await?,
        };
        self.seal(said.wire, &answer)
    }

    fn seal(&self, wire: Wire, answer: &Answer) -> Result<Bytes, String> {
        let voice = &self.shared.voice;
        let standing = voice.proofs.standing();
        let sealed = message::encode_answer(wire, &voice.status(), &standing, answer);
        sealed.map_err(|error| error.to_string())
    }

    /// Answers a leader whose last entry removed this node. The removal counts once this node's own
    /// log holds that entry and knows it committed.
    async fn removed(&self, append: Append, bodies: Bytes) -> Result<Answer, String> {
        let shared = &self.shared;
        let at = append.committed.ok_or("no entry removed this node")?;
        let answer = self.append(append, bodies).await?;
        if answer == Answer::Appended {
            shared.believe_removal(at).await;
        }
        Ok(answer)
    }

    async fn append(&self, append: Append, bodies: Bytes) -> Result<Answer, String> {
        let size = bodies.len();
        self.ensure_one_leader(append.vote).await?;
        let request = append.into_request(bodies);
        let request = request.map_err(|error| error.to_string())?;
        self.ensure_keeps_committed(&request)?;
        if request.entries.is_empty() {
            return self.heartbeat(request).await;
        }
        let size = size + request.entries.len() * RECORD_OVERHEAD_BYTES;
        self.ensure_room(size).await?;
        let appended = self.shared.raft.append_entries(request).await;
        Ok(appended_answer(
            appended.map_err(|error| error.to_string())?,
        ))
    }

    /// Refuses a second leader of one term, which a member that voted twice has made: this node
    /// stops leading when it is the first, and takes nothing from the second. Notes any other
    /// leader that was not deposed, as far as this node knows.
    async fn ensure_one_leader(&self, vote: Ballot) -> Result<(), String> {
        let shared = &self.shared;
        let mine = shared.metrics().vote;
        let is_other = mine.committed && mine.leader_id.voted_for != vote.node;
        if vote.term != mine.leader_id.term || !is_other {
            if vote.term >= mine.leader_id.term {
                shared.voice.was_led_by(vote.node);
            }
            return Ok(());
        }
        tracing::error!(
            term = vote.term,
            leaders = ?[mine.leader_id.voted_for, vote.node],
            "two nodes lead in one term, so a member voted twice: look for a stolen card and \
             remove it (coffer operator raft remove-peer)"
        );
        shared.step_back(vote.term).await;
        Err(format!("there is another leader in term {}", vote.term))
    }

    /// Refuses entries that contradict what this node knows to be committed. The leader that sends
    /// them, or this node's disk, lost acknowledged writes; the node keeps its files and stops.
    fn ensure_keeps_committed(
        &self,
        request: &AppendEntriesRequest<TypeConfig>,
    ) -> Result<(), String> {
        if request.vote.leader_id.term < self.shared.metrics().vote.leader_id.term {
            // Raft refuses a leader that was deposed.
            return Ok(());
        }
        let entries = request.entries.iter().map(|entry| entry.log_id());
        let mut sent = request.prev_log_id.into_iter().chain(entries);
        match sent.find(|id| self.shared.log.contradicts_committed(id)) {
            None => Ok(()),
            Some(id) => {
                let why = format!(
                    "the leader of term {} contradicts the committed entry {}: one of the two \
                     lost acknowledged writes; this node keeps its files as they are",
                    request.vote.leader_id.term,
                    id.index()
                );
                self.shared.applied.poison.set(&why);
                Err(why)
            }
        }
    }

    /// Refuses entries that a full disk has no room for, before anything of them is written: the
    /// leader takes this node for unreachable and tries again later.
    async fn ensure_room(&self, bytes: usize) -> Result<(), String> {
        let shared = &self.shared;
        let room = proposer::ensure_room(&shared.log, &shared.applied, bytes).await;
        let is_full = room.is_err();
        if self.full.swap(is_full, Ordering::AcqRel) != is_full {
            match &room {
                Err(error) => tracing::warn!(%error, "this node takes no entries for now"),
                Ok(()) => crate::telemetry::info!("this node takes entries again"),
            }
        }
        room.map_err(|error| error.to_string())
    }

    /// Answers a heartbeat, which asks whether this node still follows and not whether its disk is
    /// fast: one that would wait for a flush is answered once raft has taken it.
    async fn heartbeat(&self, request: AppendEntriesRequest<TypeConfig>) -> Result<Answer, String> {
        let raft = &self.shared.raft;
        let vote = request.vote;
        let mut appending = std::pin::pin!(raft.append_entries(request));
        if let Ok(appended) = tokio::time::timeout(HEARTBEAT_PATIENCE, &mut appending).await {
            return Ok(appended_answer(
                appended.map_err(|error| error.to_string())?,
            ));
        }
        // Raft takes one message after the other, so it has taken the heartbeat before this.
        let taken = raft.with_raft_state(move |state| *state.vote_ref() == vote);
        tokio::select! {
            biased;
            appended = &mut appending => {
                Ok(appended_answer(appended.map_err(|error| error.to_string())?))
            }
            Ok(true) = taken => Ok(Answer::Appended),
        }
    }

    async fn vote(&self, candidacy: Candidacy, only_asks: bool) -> Result<Answer, String> {
        let forgetful = self.opened.elapsed() < self.shared.timing.election_max;
        if forgetful && !candidacy.transfer {
            // Before it was stopped this node may have told a leader that it follows it.
            return Err("this node has just started".into());
        }
        let request = VoteRequest::from(candidacy);
        let raft = &self.shared.raft;
        let response = match only_asks {
            true => raft.pre_vote(request).await,
            false => raft.vote(request).await,
        };
        let response = response.map_err(|error| error.to_string())?;
        let last = response.last_log_id.as_ref().map(position);
        if !response.vote_granted && candidacy.last < last {
            self.shared.refusals.note();
        }
        Ok(Answer::Voted {
            vote: Ballot::from(&response.vote),
            granted: response.vote_granted,
            last,
        })
    }

    async fn lead(&self, transfer: Transfer) -> Result<Answer, String> {
        let shared = &self.shared;
        if transfer.to == shared.id && !shared.may_lead() {
            return Ok(Answer::Leading(false));
        }
        let last = transfer.last.map(log_id);
        let request = TransferLeaderRequest::new(transfer.from.into(), transfer.to, last);
        let handled = shared.raft.handle_transfer_leader(request).await;
        let handled = handled.map_err(|error| error.to_string())?;
        Ok(Answer::Leading(handled.is_ok()))
    }

    async fn read_index(&self) -> Answer {
        let upto = self.shared.read_index().await;
        upto.map_or(Answer::NotLeader, Answer::ReadIndex)
    }

    fn members(&self, wire: Wire) -> Answer {
        let metrics = self.shared.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let stored = &metrics.committed_membership_config;
        let at = stored.log_id().as_ref().map(position);
        match (at, wire) {
            (Some(at), Wire::Proven) => {
                let members = Members::from(stored.membership());
                let proof = self.shared.voice.proofs.roster(at, &members);
                Answer::Roster(at, members, proof)
            }
            (at, _) => Answer::Members(at.map(|at| (at, Members::from(stored.membership())))),
        }
    }

    async fn take_snapshot(&self, head: SnapshotHead, body: Chunks) -> Result<Answer, String> {
        let _one = self.incoming.lock().await;
        let shared = &self.shared;
        let vote = Vote::from(head.vote);
        self.ensure_one_leader(head.vote).await?;
        if head.last.is_some_and(|last| last.term > head.vote.term) {
            return Err("a snapshot that is newer than its leader".into());
        }
        let (mark, meta) = snapshot::read_head(head).map_err(|error| error.to_string())?;
        let mine = shared.raft.server_metrics().borrow_watched().vote;
        if mine > vote {
            return Ok(Answer::Installed(Ballot::from(&mine)));
        }
        let applied = Arc::clone(&shared.applied);
        let has_space = blocking(move || applied.state.has_space_for_another()).await;
        if !has_space.unwrap_or(true) {
            tracing::warn!(
                "the disk has no space for the leader's state beside this node's own: free some"
            );
            return Err("no space left on device for a snapshot".into());
        }
        let (image, feeding) = snapshot::receive(body);
        let applied = Arc::clone(&shared.applied);
        let receiving = blocking(move || applied.state.receive(&mark, image));
        let ((), arrival) = tokio::join!(feeding, receiving);
        let arrival = arrival.map_err(|error| error.to_string())?;
        let arrival = arrival.map_err(|error| {
            tracing::warn!(%error, "a snapshot did not come whole");
            error.to_string()
        })?;
        let snapshot = SnapshotOf::<TypeConfig, SnapshotData> {
            meta,
            snapshot: SnapshotData::Arrived(arrival),
        };
        let installed = shared.raft.install_full_snapshot(vote, snapshot).await;
        let installed = installed.map_err(|error| error.to_string())?;
        Ok(Answer::Installed(Ballot::from(&installed.vote)))
    }
}

/// A request's version, sender and proofs.
struct Said {
    wire: Wire,
    envelope: Envelope,
    proofs: message::Proofs,
}

fn read<A: DeserializeOwned>(bytes: &Bytes) -> Result<(Said, A, Bytes), String> {
    let read = message::decode_ask::<A>(bytes);
    let (wire, envelope, proofs, ask, rest) = read.map_err(|error| error.to_string())?;
    let said = Said {
        wire,
        envelope,
        proofs,
    };
    Ok((said, ask, rest))
}

fn appended_answer(response: AppendEntriesResponse<TypeConfig>) -> Answer {
    match response {
        AppendEntriesResponse::Success => Answer::Appended,
        AppendEntriesResponse::PartialSuccess(last) => {
            Answer::AppendedUpTo(last.as_ref().map(position))
        }
        AppendEntriesResponse::Conflict => Answer::Conflict,
        AppendEntriesResponse::HigherVote(vote) => Answer::HigherVote(Ballot::from(&vote)),
    }
}

impl Service for Server {
    fn call(&self, from: PublicKey, request: Bytes) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(self.answer(from, request))
    }

    fn stream(
        &self,
        from: PublicKey,
        head: Bytes,
        body: Chunks,
    ) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(async move {
            let (said, head, _) = read::<SnapshotHead>(&head)?;
            self.admit(&from, &said, Some(head.vote))?;
            let answer = self.take_snapshot(head, body).await?;
            self.seal(said.wire, &answer)
        })
    }

    /// Prepares to succeed the leader, if it is the one whose connection ended.
    fn parted(&self, from: &PublicKey) {
        let metrics = self.shared.metrics();
        let members = metrics.membership_config.membership();
        let leader = metrics.current_leader;
        let leader = leader.and_then(|id| Some((id, members.get_node(&id)?)));
        if let Some((id, peer)) = leader.filter(|(_, peer)| *peer.public_key == *from.0) {
            let member = self
                .shared
                .voice
                .current(id)
                .unwrap_or_else(|| peer.member());
            crate::task::spawn(Arc::clone(&self.shared).succeed(id, member));
        }
    }
}
