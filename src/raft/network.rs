//! Calls to peers, as openraft makes them.

use super::rpc::{Answer, Append, Ask, Candidacy, Transfer};
use super::snapshot;
use super::state_machine::SnapshotData;
use super::types::{Peer, TypeConfig, Vote, log_id, position};
use super::voice::Voice;
use super::wire::Ballot;
use crate::peer::{CallError, Member};
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
use std::time::Duration;

/// Longest wait for the answer to entries: a peer flushes them first, and its disk may be slow.
const APPEND_WITHIN: Duration = Duration::from_secs(5);
/// A snapshot of which nothing moved for this long is given up.
const SNAPSHOT_STALLED: Duration = Duration::from_secs(20);

/// Makes links to peers.
pub(super) struct Network(pub(super) Arc<Voice>);

/// The way to one peer.
pub(super) struct Link {
    target: u64,
    member: Member,
    voice: Arc<Voice>,
}

impl Link {
    async fn ask(&self, ask: &Ask, within: Duration) -> Result<Answer, CallError> {
        let asked = self.voice.ask(self.target, &self.member, ask, &[], within);
        asked.await
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

/// What openraft waits longer after, and what it may try again at once.
fn sort(error: &CallError) -> RPCError<TypeConfig> {
    match error {
        CallError::Unreachable { .. } | CallError::NotMember(_) | CallError::Refused(_) => {
            Unreachable::new(error).into()
        }
        CallError::TimedOut(_) | CallError::Busy(_) => NetworkError::new(error).into(),
    }
}

/// A peer answered another question.
fn unexpected<T>(answer: &Answer) -> Rpc<T> {
    let error = CallError::Refused(format!("unexpected answer {answer:?}"));
    Err(sort(&error))
}

fn voted(answer: &Answer) -> Rpc<VoteResponse<TypeConfig>> {
    match answer {
        Answer::Voted {
            vote,
            granted,
            last,
        } => {
            let vote = Vote::from(*vote);
            Ok(VoteResponse::new(vote, last.map(log_id), *granted))
        }
        answer => unexpected(answer),
    }
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
        let (message, bodies) = Append::of(request);
        let (ask, voice) = (Ask::Append(message), &self.voice);
        let asked = voice.ask(self.target, &self.member, &ask, &bodies, within);
        match asked.await.map_err(|error| sort(&error))? {
            Answer::Appended => Ok(AppendEntriesResponse::Success),
            Answer::AppendedUpTo(last) => {
                Ok(AppendEntriesResponse::PartialSuccess(last.map(log_id)))
            }
            Answer::Conflict => Ok(AppendEntriesResponse::Conflict),
            Answer::HigherVote(vote) => Ok(AppendEntriesResponse::HigherVote(vote.into())),
            answer => unexpected(&answer),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        let ask = Ask::Vote(Candidacy::from(&request));
        let asked = self.ask(&ask, option.hard_ttl()).await;
        voted(&asked.map_err(|error| sort(&error))?)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        let ask = Ask::PreVote(Candidacy::from(&request));
        let asked = self.ask(&ask, option.hard_ttl()).await;
        voted(&asked.map_err(|error| sort(&error))?)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let (head, body) = snapshot::send(&vote, snapshot);
        let (voice, member) = (&self.voice, &self.member);
        let sending = voice.stream(self.target, member, &head, body, SNAPSHOT_STALLED);
        let answer = tokio::select! {
            closed = cancel => return Err(closed.into()),
            answer = sending => answer,
        };
        match answer.map_err(|error| sort(&error))? {
            Answer::Installed(vote) => Ok(SnapshotResponse::new(vote.into())),
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
