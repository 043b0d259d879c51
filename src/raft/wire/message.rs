//! Messages between members: coffer's own types, in postcard, with a version.
//!
//! ```text
//! request 1   <1: 1 byte> <Envelope> <Ask> <commands, one after the other>
//! answer 1    <1: 1 byte> <Status> <Answer>
//! request 2   <2: 1 byte> <Envelope> <standing> <mandate> <Ask> <commands>
//! answer 2    <2: 1 byte> <Status> <standing> <Answer>
//! ```
//!
//! Version 2 carries proofs of the keys (see `proof`): standing, that the sender is unsealed, and,
//! with a message that only a leader or candidate may send, a mandate. Version 1 is spoken while
//! the cluster requires no proof, and refused afterwards. The bytes of commands follow the message,
//! so that they are not copied when it is read. New variants go to the end.

use super::record::{Ballot, Members, Position, WireError};
use super::types::{Command, LogEntry, TypeConfig, Vote, log_id, position};
use crate::clock::Timestamp;
use crate::store::state::Staging;
use bytes::{Bytes, BytesMut};
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of a message, which is its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::raft) enum Wire {
    /// The version without proofs, as the release before spoke.
    Plain = 1,
    /// The version with proofs.
    Proven = 2,
}

/// The proofs that go with a message; empty ones in version 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::raft) struct Proofs {
    /// The proof that the sender is unsealed.
    pub(in crate::raft) standing: Proof,
    /// The proof that the sender may lead in the term of which the message speaks.
    pub(in crate::raft) mandate: Proof,
}

/// A node's account of itself, which comes with every message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::raft) struct Status {
    /// True when the node has its keys and may lead.
    pub(in crate::raft) elects: bool,
    /// The name of the node's host.
    pub(in crate::raft) hostname: String,
    /// The node's version of coffer.
    pub(in crate::raft) version: String,
    /// The index of the last entry that the node applied.
    pub(in crate::raft) applied: u64,
}

/// The sender of a message, its receiver, and the sender's status.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::raft) struct Envelope {
    pub(in crate::raft) from: u64,
    /// The receiver's number. A node that starts anew has another; it must not take messages for
    /// the old one.
    pub(in crate::raft) to: u64,
    pub(in crate::raft) status: Status,
}

/// A request.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::raft) enum Ask {
    Append(Append),
    PreVote(Candidacy),
    Vote(Candidacy),
    /// Asks the receiver to campaign at once, at the leader's word.
    Lead(Transfer),
    /// Asks for the last committed position.
    ReadIndex,
    /// Asks for the members.
    Members,
    /// Tells the sender's name, cluster address and API address from now on.
    Addresses(String, String, String),
    /// Tells the receiver that the entry at this index removed it. Version 1 only.
    Farewell(u64),
    /// Asks for the sender's removal: it led before the receiver, and was to remove itself. Version
    /// 1 only.
    Leave,
    /// Tells the receiver that the last of these entries, which is committed, removed it.
    Removed(Append),
    /// Asks for the sender's removal: it led in this term, before the receiver, and was to remove
    /// itself.
    LeaveAfter(u64),
    /// Asks whether the receiver would lead in another's place.
    Fit,
    /// Asks whether the receiver's disk takes new data.
    Space,
}

/// A batch of entries; an empty one is a heartbeat.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::raft) struct Append {
    pub(in crate::raft) vote: Ballot,
    prev: Option<Position>,
    pub(in crate::raft) committed: Option<Position>,
    entries: Vec<EntryHead>,
}

/// An entry without its command's bytes.
#[derive(Debug, Serialize, Deserialize)]
struct EntryHead {
    at: Position,
    content: Content,
}

#[derive(Debug, Serialize, Deserialize)]
enum Content {
    Blank,
    /// A command of this many bytes.
    Command(usize),
    Membership(Members),
}

/// A candidate, and the end of its log.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::raft) struct Candidacy {
    pub(in crate::raft) vote: Ballot,
    pub(in crate::raft) last: Option<Position>,
    /// True when the leader itself asked for the election.
    pub(in crate::raft) transfer: bool,
}

/// A leader's order to campaign: see [`Ask::Lead`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::raft) struct Transfer {
    pub(in crate::raft) from: Ballot,
    pub(in crate::raft) to: u64,
    pub(in crate::raft) last: Option<Position>,
}

/// The head of the stream of a snapshot; its body is described in `snapshot.rs`.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::raft) struct SnapshotHead {
    pub(in crate::raft) vote: Ballot,
    pub(in crate::raft) last: Option<Position>,
    pub(in crate::raft) members: Option<(Position, Members)>,
    pub(in crate::raft) time_floor: Timestamp,
    /// A restore under way.
    pub(in crate::raft) staging: Option<Staging>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::raft) enum Answer {
    Appended,
    AppendedUpTo(Option<Position>),
    Conflict,
    HigherVote(Ballot),
    Voted {
        vote: Ballot,
        granted: bool,
        last: Option<Position>,
    },
    /// True when the node campaigns now.
    Leading(bool),
    ReadIndex(Position),
    NotLeader,
    /// The members, and the entry that made them.
    Members(Option<(Position, Members)>),
    Done,
    /// A snapshot was taken, or refused by a higher vote.
    Installed(Ballot),
    /// The members, the entry that made them, and an unsealed member's signature.
    Roster(Position, Members, Proof),
    /// True when the node would lead.
    Fit(bool),
    /// True when the node's disk takes new data.
    Space(bool),
}

impl Ask {
    /// Returns the vote for which the sender must have a mandate; `None` for a request that every
    /// member may send.
    pub(in crate::raft) fn mandated(&self, from: u64) -> Option<Ballot> {
        match self {
            Self::Append(append) | Self::Removed(append) => Some(append.vote),
            Self::PreVote(candidacy) | Self::Vote(candidacy) => Some(candidacy.vote),
            Self::Lead(transfer) => Some(transfer.from),
            Self::LeaveAfter(term) => Some(Ballot {
                term: *term,
                node: from,
                committed: true,
            }),
            Self::ReadIndex
            | Self::Members
            | Self::Fit
            | Self::Space
            | Self::Addresses(..)
            | Self::Farewell(_)
            | Self::Leave => None,
        }
    }

    /// Returns true for a request that no node sends, whatever it is: a leader's whose vote is not
    /// granted by a quorum, or a candidate's whose vote is.
    pub(in crate::raft) fn is_contradictory(&self) -> bool {
        match self {
            Self::Append(append) | Self::Removed(append) => !append.vote.committed,
            Self::Lead(transfer) => !transfer.from.committed,
            Self::PreVote(candidacy) | Self::Vote(candidacy) => candidacy.vote.committed,
            _ => false,
        }
    }

    /// Returns true for requests of older versions that no member may send where proofs are
    /// required.
    pub(in crate::raft) fn is_outdated(&self) -> bool {
        matches!(self, Self::Farewell(_) | Self::Leave)
    }
}

impl Append {
    /// Splits a request into the message and the bytes of its commands.
    pub(in crate::raft) fn of(request: AppendEntriesRequest<TypeConfig>) -> (Self, Vec<Bytes>) {
        let mut bodies = Vec::new();
        let mut entries = Vec::with_capacity(request.entries.len());
        for entry in request.entries {
            let at = position(&entry.log_id());
            let content = match entry.payload {
                EntryPayload::Blank => Content::Blank,
                EntryPayload::Membership(members) => Content::Membership((&members).into()),
                EntryPayload::Normal(command) => {
                    bodies.push(command.0);
                    Content::Command(bodies.last().map_or(0, Bytes::len))
                }
            };
            entries.push(EntryHead { at, content });
        }
        let message = Self {
            vote: Ballot::from(&request.vote),
            prev: request.prev_log_id.as_ref().map(position),
            committed: request.leader_commit.as_ref().map(position),
            entries,
        };
        (message, bodies)
    }

    /// Returns the request again. Its commands share the bytes of `bodies`.
    pub(in crate::raft) fn into_request(
        self,
        mut bodies: Bytes,
    ) -> Result<AppendEntriesRequest<TypeConfig>, WireError> {
        let mut entries = Vec::with_capacity(self.entries.len());
        for EntryHead { at, content } in self.entries {
            let payload = match content {
                Content::Blank => EntryPayload::Blank,
                Content::Membership(members) => EntryPayload::Membership(members.try_into()?),
                Content::Command(bytes) if bytes <= bodies.len() => {
                    EntryPayload::Normal(Command(bodies.split_to(bytes)))
                }
                Content::Command(_) => return Err(WireError::Malformed("entries")),
            };
            entries.push(LogEntry::new(log_id(at), payload));
        }
        if !bodies.is_empty() {
            return Err(WireError::Malformed("entries"));
        }
        Ok(AppendEntriesRequest {
            vote: Vote::from(self.vote),
            prev_log_id: self.prev.map(log_id),
            entries,
            leader_commit: self.committed.map(log_id),
        })
    }
}

impl From<&VoteRequest<TypeConfig>> for Candidacy {
    fn from(request: &VoteRequest<TypeConfig>) -> Self {
        Self {
            vote: Ballot::from(&request.vote),
            last: request.last_log_id.as_ref().map(position),
            transfer: request.leadership_transfer,
        }
    }
}

impl From<Candidacy> for VoteRequest<TypeConfig> {
    fn from(candidacy: Candidacy) -> Self {
        Self {
            vote: candidacy.vote.into(),
            last_log_id: candidacy.last.map(log_id),
            leadership_transfer: candidacy.transfer,
        }
    }
}

/// Encodes a request, followed by `bodies`.
pub(in crate::raft) fn encode_ask(
    wire: Wire,
    envelope: &Envelope,
    proofs: &Proofs,
    ask: &impl Serialize,
    bodies: &[Bytes],
) -> Result<Bytes, WireError> {
    match wire {
        Wire::Plain => encode(wire, &(envelope, ask), bodies),
        Wire::Proven => encode(wire, &(envelope, proofs, ask), bodies),
    }
}

/// Decodes a request that [`encode_ask`] made.
pub(in crate::raft) fn decode_ask<A: DeserializeOwned>(
    bytes: &Bytes,
) -> Result<(Wire, Envelope, Proofs, A, Bytes), WireError> {
    let wire = wire(bytes)?;
    match wire {
        Wire::Plain => {
            let ((envelope, ask), rest) = decode(bytes)?;
            Ok((wire, envelope, Proofs::default(), ask, rest))
        }
        Wire::Proven => {
            let ((envelope, proofs, ask), rest) = decode(bytes)?;
            Ok((wire, envelope, proofs, ask, rest))
        }
    }
}

/// Encodes an answer.
pub(in crate::raft) fn encode_answer(
    wire: Wire,
    status: &Status,
    standing: &Proof,
    answer: &Answer,
) -> Result<Bytes, WireError> {
    match wire {
        Wire::Plain => encode(wire, &(status, answer), &[]),
        Wire::Proven => encode(wire, &(status, standing, answer), &[]),
    }
}

/// Decodes an answer that [`encode_answer`] made.
pub(in crate::raft) fn decode_answer(bytes: &Bytes) -> Result<(Status, Proof, Answer), WireError> {
    match wire(bytes)? {
        Wire::Plain => {
            let ((status, answer), _) = decode(bytes)?;
            Ok((status, Proof::default(), answer))
        }
        Wire::Proven => decode(bytes).map(|(message, _)| message),
    }
}

fn wire(bytes: &Bytes) -> Result<Wire, WireError> {
    match bytes.first() {
        Some(1) => Ok(Wire::Plain),
        Some(2) => Ok(Wire::Proven),
        Some(version) => Err(WireError::Version(*version)),
        None => Err(WireError::Malformed("message")),
    }
}

fn encode(wire: Wire, message: &impl Serialize, bodies: &[Bytes]) -> Result<Bytes, WireError> {
    let malformed = |_| WireError::Malformed("message");
    let head = postcard::to_extend(message, vec![wire as u8]).map_err(malformed)?;
    if bodies.is_empty() {
        return Ok(head.into());
    }
    let total = head.len() + bodies.iter().map(Bytes::len).sum::<usize>();
    let mut bytes = BytesMut::with_capacity(total);
    bytes.extend_from_slice(&head);
    for body in bodies {
        bytes.extend_from_slice(body);
    }
    Ok(bytes.freeze())
}

/// Decodes a message that [`encode`] made, after its version.
fn decode<T: DeserializeOwned>(bytes: &Bytes) -> Result<(T, Bytes), WireError> {
    let head = bytes.get(1..).unwrap_or_default();
    let taken = postcard::take_from_bytes::<T>(head);
    let (message, rest) = taken.map_err(|_| WireError::Malformed("message"))?;
    let at = bytes.len() - rest.len();
    Ok((message, bytes.slice(at..)))
}

/// A signature on its way between members; empty where none can be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::raft) struct Proof(pub(in crate::raft) Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_comes_out_as_it_went_in_and_shares_its_bytes() {
        let place = |index| log_id(Position { term: 3, index });
        let command = |size: u8| Command(Bytes::from(vec![size; usize::from(size)]));
        let request = AppendEntriesRequest::<TypeConfig> {
            vote: Vote::new_committed(3, 7),
            prev_log_id: Some(place(4)),
            entries: vec![
                LogEntry::new(place(5), EntryPayload::Normal(command(200))),
                LogEntry::new(place(6), EntryPayload::Blank),
                LogEntry::new(place(7), EntryPayload::Normal(command(0))),
                LogEntry::new(place(8), EntryPayload::Normal(command(9))),
            ],
            leader_commit: Some(place(2)),
        };
        let (message, bodies) = Append::of(request.clone());
        let envelope = Envelope {
            from: 7,
            to: 8,
            status: Status::default(),
        };
        let (proofs, ask) = (Proofs::default(), Ask::Append(message));
        let bytes = encode_ask(Wire::Proven, &envelope, &proofs, &ask, &bodies).unwrap();
        let (wire, envelope, _, ask, rest) = decode_ask::<Ask>(&bytes).unwrap();
        assert_eq!((wire, envelope.from, envelope.to), (Wire::Proven, 7, 8));
        let Ask::Append(message) = ask else {
            panic!("not an append");
        };
        let again = message.into_request(rest).unwrap();
        assert_eq!(format!("{again:?}"), format!("{request:?}"));
        let EntryPayload::Normal(first) = &again.entries.first().unwrap().payload else {
            panic!("not a command");
        };
        assert!(bytes.as_ptr_range().contains(&first.0.as_ptr()));
    }

    #[test]
    fn damage_is_told() {
        let request = AppendEntriesRequest::<TypeConfig> {
            vote: Vote::new_committed(3, 7),
            prev_log_id: None,
            entries: Vec::new(),
            leader_commit: None,
        };
        let (message, _) = Append::of(request);
        assert!(message.into_request(Bytes::from_static(b"x")).is_err());
        let newer = Bytes::from_static(&[9, 0]);
        let error = decode_answer(&newer).unwrap_err();
        assert_eq!(error, WireError::Version(9));
        assert!(decode_answer(&Bytes::new()).is_err());
        assert!(decode_answer(&Bytes::from_static(&[1, 200])).is_err());
    }

    #[test]
    fn the_release_before_is_understood() {
        // An envelope from 7 to 8, and a question for the members, as version 0.1 sent them.
        let plain = Bytes::from_static(&[1, 7, 8, 1, 1, b'h', 1, b'v', 3, 5]);
        let (wire, envelope, proofs, ask, _) = decode_ask::<Ask>(&plain).unwrap();
        assert_eq!((wire, envelope.from, envelope.to), (Wire::Plain, 7, 8));
        assert!(envelope.status.elects && matches!(ask, Ask::Members));
        assert_eq!(proofs, Proofs::default());
        let again = encode_ask(Wire::Plain, &envelope, &proofs, &ask, &[]).unwrap();
        assert_eq!(again, plain);
    }
}
