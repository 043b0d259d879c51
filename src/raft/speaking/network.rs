//! Calls to peers, as openraft makes them.
//!
//! An answer is as hostile as a question. Where proofs of the keys are required, raft is never
//! shown a vote that only an answer tells of (see `proof::Hints`), and at no time an
//! acknowledgement of what was not sent or a conflict with what was acknowledged before.

use super::voice::Voice;
use crate::peer::{CallError, Member};
use crate::raft::applying::snapshot;
use crate::raft::applying::state_machine::SnapshotData;
use crate::raft::wire::message::{Answer, Append, Ask, Candidacy, Transfer};
use crate::raft::wire::record::{Ballot, Position};
use crate::raft::wire::types::{LogId, Peer, TypeConfig, Vote, log_id, position};
use openraft::entry::RaftEntry;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::network::v2::RaftNetworkV2;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::type_config::alias::SnapshotOf;
use openraft::{OptionalSend, RaftNetworkFactory};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest wait for the answer to entries: a peer flushes them first, and its disk may be slow.
const APPEND_WITHIN: Duration = Duration::from_secs(5);
/// The time after which a snapshot that makes no progress is given up.
const SNAPSHOT_STALLED: Duration = Duration::from_secs(20);

/// The time between checks whether a sealed member's acknowledgement still has to wait.
const HOLD_STEP: Duration = Duration::from_millis(50);

/// Makes links to peers.
pub(in crate::raft) struct Network(pub(in crate::raft) Arc<Voice>);

/// The link to one peer.
pub(in crate::raft) struct Link {
    target: u64,
    member: Member,
    voice: Arc<Voice>,
}

impl Link {
    async fn ask(&self, ask: &Ask, within: Duration) -> Result<Answer, CallError> {
        let asked = self.voice.ask(self.target, &self.member, ask, &[], within);
        asked.await
    }

    /// Returns true when votes in answers are hints only.
    fn is_wary(&self) -> bool {
        self.voice.proofs.required().is_some()
    }

    /// Notes that an answer tells of a vote above the one that was sent, and returns an error for
    /// raft.
    fn hint<T>(&self, vote: Ballot) -> Rpc<T> {
        self.voice.hints.note(self.target, vote.term);
        Err(refused(format!("it holds a vote in term {}", vote.term)))
    }

    fn voted(
        &self,
        request: &VoteRequest<TypeConfig>,
        answer: &Answer,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        let Answer::Voted {
            vote,
            granted,
            last,
        } = answer
        else {
            return unexpected(answer);
        };
        if !self.is_wary() {
            let vote = Vote::from(*vote);
            return Ok(VoteResponse::new(vote, last.map(log_id), *granted));
        }
        if *granted {
            return Ok(VoteResponse::new(request.vote, None, true));
        }
        let (term, mine) = (request.vote.leader_id.term, request.last_log_id.as_ref());
        if vote.term >= term {
            self.voice.hints.note(self.target, vote.term);
        }
        if *last > mine.map(position) {
            self.voice.lacks(self.target);
        }
        // Below all others, so that raft goes on with the answers of others.
        Ok(VoteResponse::new(Vote::new(0, 0), None, false))
    }

    /// Judges an answer to entries, or to a heartbeat; `sent` describes the request.
    async fn appended(
        &self,
        sent: &Sent,
        answer: Answer,
    ) -> Rpc<AppendEntriesResponse<TypeConfig>> {
        let voice = &self.voice;
        match answer {
            Answer::Appended => {
                self.hold(sent, sent.last()).await?;
                voice.acknowledged.note(sent.term, self.target, sent.last());
                Ok(AppendEntriesResponse::Success)
            }
            // Part of what was sent, but not nothing of it: raft would send it all again at once.
            Answer::AppendedUpTo(last) if sent.has(last) && last.map(log_id) != sent.prev => {
                let last = last.map(log_id);
                self.hold(sent, last).await?;
                voice.acknowledged.note(sent.term, self.target, last);
                Ok(AppendEntriesResponse::PartialSuccess(last))
            }
            Answer::Conflict => match sent.prev {
                Some(prev) if !voice.acknowledged.has(sent.term, self.target, &prev) => {
                    Ok(AppendEntriesResponse::Conflict)
                }
                _ => {
                    voice.fell_behind(self.target);
                    Err(refused("its log is behind what it acknowledged".into()))
                }
            },
            Answer::HigherVote(vote) if self.is_wary() => self.hint(vote),
            Answer::HigherVote(vote) => Ok(AppendEntriesResponse::HigherVote(vote.into())),
            answer => unexpected(&answer),
        }
    }

    /// Waits while this member's acknowledgement must wait for those of others.
    async fn hold(&self, sent: &Sent, last: Option<LogId>) -> Rpc<()> {
        let Some(last) = last.filter(|_| !sent.is_heartbeat) else {
            return Ok(());
        };
        let deadline = Instant::now() + APPEND_WITHIN;
        while self.voice.must_wait(sent.term, self.target, &last) {
            if Instant::now() > deadline {
                return Err(NetworkError::from_string("unsealed voters are slow").into());
            }
            let changed = self.voice.acknowledged.changed.notified();
            // It is looked again either way.
            drop(tokio::time::timeout(HOLD_STEP, changed).await);
        }
        Ok(())
    }
}

/// The entries that were sent with a request.
struct Sent {
    term: u64,
    prev: Option<LogId>,
    entries: Vec<LogId>,
    is_heartbeat: bool,
}

impl Sent {
    fn of(request: &AppendEntriesRequest<TypeConfig>) -> Self {
        Self {
            term: request.vote.leader_id.term,
            prev: request.prev_log_id,
            entries: request.entries.iter().map(|entry| entry.log_id()).collect(),
            is_heartbeat: request.entries.is_empty(),
        }
    }

    fn last(&self) -> Option<LogId> {
        self.entries.last().copied().or(self.prev)
    }

    /// Returns true for a place that a follower can have reached by the entries that were sent.
    fn has(&self, place: Option<Position>) -> bool {
        let place = place.map(log_id);
        place == self.prev || self.entries.iter().any(|entry| Some(*entry) == place)
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: u64, node: &Peer) -> Link {
        Link {
            target,
            member: node.member(),
            voice: Arc::clone(&self.0),
        }
    }
}

type Rpc<T> = Result<T, RPCError<TypeConfig>>;

/// Makes raft's error of a failed call: after some openraft waits longer, others it tries again at
/// once.
fn sort(error: &CallError) -> RPCError<TypeConfig> {
    match error {
        CallError::Unreachable { .. } | CallError::NotMember(_) | CallError::Refused(_) => {
            Unreachable::new(error).into()
        }
        CallError::TimedOut(_) | CallError::Busy(_) => NetworkError::new(error).into(),
    }
}

/// Returns the error for an answer to another question.
fn unexpected<T>(answer: &Answer) -> Rpc<T> {
    let error = CallError::Refused(format!("unexpected answer {answer:?}"));
    Err(sort(&error))
}

/// Returns the error that raft gets instead of an answer that it is not shown.
fn refused(why: String) -> RPCError<TypeConfig> {
    sort(&CallError::Refused(why))
}

impl RaftNetworkV2<TypeConfig> for Link {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<TypeConfig>> {
        let within = match request.entries.is_empty() {
            true => option.hard_ttl(),
            false => APPEND_WITHIN.max(option.hard_ttl()),
        };
        let sent = Sent::of(&request);
        let (message, bodies) = Append::of(request);
        let (ask, voice) = (Ask::Append(message), &self.voice);
        let asked = voice.ask(self.target, &self.member, &ask, &bodies, within);
        let answer = asked.await.map_err(|error| sort(&error))?;
        self.appended(&sent, answer).await
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        let ask = Ask::Vote(Candidacy::from(&request));
        let asked = self.ask(&ask, option.hard_ttl()).await;
        self.voted(&request, &asked.map_err(|error| sort(&error))?)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        let ask = Ask::PreVote(Candidacy::from(&request));
        let asked = self.ask(&ask, option.hard_ttl()).await;
        self.voted(&request, &asked.map_err(|error| sort(&error))?)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        if !self.voice.may_send_snapshot(self.target) {
            let why = "a sealed member had a snapshot a moment ago";
            return Err(refused(why.into()).into());
        }
        let last = snapshot.meta.last_log_id;
        let (head, body) = snapshot::send(&vote, snapshot);
        let (voice, member) = (&self.voice, &self.member);
        let sending = voice.stream(self.target, member, &head, body, SNAPSHOT_STALLED);
        let answer = tokio::select! {
            closed = cancel => return Err(closed.into()),
            answer = sending => answer,
        };
        match answer.map_err(|error| sort(&error))? {
            Answer::Installed(other) if self.is_wary() && other != Ballot::from(&vote) => {
                Ok(self.hint(other)?)
            }
            Answer::Installed(installed) => {
                let term = vote.leader_id.term;
                voice.acknowledged.note(term, self.target, last);
                Ok(SnapshotResponse::new(installed.into()))
            }
            answer => Ok(unexpected(&answer)?),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<TransferLeaderResponse<TypeConfig>> {
        let ask = Ask::Lead(Transfer {
            from: Ballot::from(request.from_leader()),
            to: *request.to_node_id(),
            last: request.last_log_id().map(position),
        });
        let asked = self.ask(&ask, option.hard_ttl()).await;
        match asked.map_err(|error| sort(&error))? {
            Answer::Leading(true) => Ok(Ok(())),
            Answer::Leading(false) => Ok(Err(TransferLeaderError::LogNotFlushed {
                expected: request.last_log_id().copied(),
                actual: None,
            })),
            answer => unexpected(&answer),
        }
    }
}
