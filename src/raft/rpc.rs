//! What members say to one another: our own words, in postcard, with a version.
//!
//! ```text
//! request   <version: 1 byte> <Envelope> <Ask> <commands, one after the other>
//! answer    <version: 1 byte> <Status> <Answer>
//! ```
//!
//! The bytes of commands follow the message, so that they are not copied when it is read. New
//! variants go to the end.

use super::types::{Command, LogEntry, TypeConfig, Vote, log_id, position};
use super::wire::{Ballot, Members, Position, WireError};
use crate::clock::Timestamp;
use crate::store::state::Staging;
use bytes::{Bytes, BytesMut};
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// First byte of every message.
const VERSION: u8 = 1;

/// What a node tells of itself with everything it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    /// It has its keys and may lead.
    pub(super) elects: bool,
    /// Its host's name.
    pub(super) hostname: String,
    /// Its version.
    pub(super) version: String,
    /// Index of the last entry that it applied.
    pub(super) applied: u64,
}

/// From whom to whom.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) from: u64,
    /// A node that starts anew has another number; it must not take what was for the old one.
    pub(super) to: u64,
    pub(super) status: Status,
}

/// A request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    Append(Append),
    PreVote(Candidacy),
    Vote(Candidacy),
    /// Campaign at once: the leader says so.
    Lead(Transfer),
    /// Up to where is the log committed?
    ReadIndex,
    /// Who is in the cluster?
    Members,
    /// I am called and reached so from now on: name, cluster, API.
    Addresses(String, String, String),
    /// You were removed by the entry at this index.
    Farewell(u64),
    /// Remove me: I led before you, and was to remove myself.
    Leave,
}

/// A batch of entries, or none: a heartbeat.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Append {
    pub(super) vote: Ballot,
    prev: Option<Position>,
    committed: Option<Position>,
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
    /// A command of so many bytes.
    Command(usize),
    Membership(Members),
}

/// Who wants to lead, and how far its log goes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Candidacy {
    pub(super) vote: Ballot,
    pub(super) last: Option<Position>,
    /// The leader itself asked for it.
    pub(super) transfer: bool,
}

/// See [`Ask::Lead`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Transfer {
    pub(super) from: Ballot,
    pub(super) to: u64,
    pub(super) last: Option<Position>,
}

/// Head of the stream of a snapshot; its body is described in `snapshot.rs`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SnapshotHead {
    pub(super) vote: Ballot,
    pub(super) last: Option<Position>,
    pub(super) members: Option<(Position, Members)>,
    pub(super) time_floor: Timestamp,
    /// A restore under way.
    pub(super) staging: Option<Staging>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    Appended,
    AppendedUpTo(Option<Position>),
    Conflict,
    HigherVote(Ballot),
    Voted {
        vote: Ballot,
        granted: bool,
        last: Option<Position>,
    },
    /// Whether the node campaigns now.
    Leading(bool),
    ReadIndex(Position),
    NotLeader,
    /// The members, and the entry that made them.
    Members(Option<(Position, Members)>),
    Done,
    /// A snapshot was taken, or refused by a higher vote.
    Installed(Ballot),
}

impl Append {
    /// Takes a request apart: the message, and the bytes of its commands.
    pub(super) fn of(request: AppendEntriesRequest<TypeConfig>) -> (Self, Vec<Bytes>) {
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

    /// The request again. Commands share the bytes of `bodies`.
    pub(super) fn into_request(
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

/// A message of two parts, and the bytes that follow it.
pub(super) fn encode(
    first: &impl Serialize,
    second: &impl Serialize,
    bodies: &[Bytes],
) -> Result<Bytes, WireError> {
    let malformed = |_| WireError::Malformed("message");
    let head = postcard::to_extend(&(first, second), vec![VERSION]).map_err(malformed)?;
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

/// Reads what [`encode`] made.
pub(super) fn decode<A: DeserializeOwned, B: DeserializeOwned>(
    bytes: &Bytes,
) -> Result<(A, B, Bytes), WireError> {
    let head = match bytes.split_first() {
        Some((&VERSION, head)) => head,
        Some((&version, _)) => return Err(WireError::Version(version)),
        None => return Err(WireError::Malformed("message")),
    };
    let taken = postcard::take_from_bytes::<(A, B)>(head);
    let ((first, second), rest) = taken.map_err(|_| WireError::Malformed("message"))?;
    let at = bytes.len() - rest.len();
    Ok((first, second, bytes.slice(at..)))
}

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
        let bytes = encode(&envelope, &Ask::Append(message), &bodies).unwrap();
        let (envelope, ask, rest) = decode::<Envelope, Ask>(&bytes).unwrap();
        assert_eq!((envelope.from, envelope.to), (7, 8));
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
        let error = decode::<Status, Answer>(&newer).unwrap_err();
        assert_eq!(error, WireError::Version(9));
        assert!(decode::<Status, Answer>(&Bytes::new()).is_err());
        assert!(decode::<Status, Answer>(&Bytes::from_static(&[1, 200])).is_err());
    }
}
