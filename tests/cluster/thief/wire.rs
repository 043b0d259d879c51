//! The messages of members as an attacker would write them: from the bytes that
//! `src/raft/wire/message.rs` describes, without its code, so that any field can be forged.

use bytes::Bytes;
use coffer::raft::Peer;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The versions of messages: without proofs of the keys, and with them.
pub const PLAIN: u8 = 1;
pub const PROVEN: u8 = 2;

/// A signature, or a forged one.
pub type Proof = Bytes;

/// The proofs that the sender is unsealed, and that it may lead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proofs {
    pub standing: Proof,
    pub mandate: Proof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    pub term: u64,
    pub index: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    pub term: u64,
    pub node: u64,
    pub committed: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Members {
    pub configs: Vec<BTreeSet<u64>>,
    pub nodes: BTreeMap<u64, Peer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub elects: bool,
    pub hostname: String,
    pub version: String,
    pub applied: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    pub from: u64,
    pub to: u64,
    pub status: Status,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    Append(Append),
    PreVote(Candidacy),
    Vote(Candidacy),
    Lead(Transfer),
    ReadIndex,
    Members,
    Addresses(String, String, String),
    Farewell(u64),
    Leave,
    Removed(Append),
    LeaveAfter(u64),
    Fit,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Append {
    pub vote: Ballot,
    pub prev: Option<Position>,
    pub committed: Option<Position>,
    pub entries: Vec<EntryHead>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntryHead {
    pub at: Position,
    pub content: Content,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Content {
    Blank,
    Command(usize),
    Membership(Members),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Candidacy {
    pub vote: Ballot,
    pub last: Option<Position>,
    pub transfer: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Transfer {
    pub from: Ballot,
    pub to: u64,
    pub last: Option<Position>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotHead {
    pub vote: Ballot,
    pub last: Option<Position>,
    pub members: Option<(Position, Members)>,
    pub time_floor: u64,
    pub staging: Option<(u128, u64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    Appended,
    AppendedUpTo(Option<Position>),
    Conflict,
    HigherVote(Ballot),
    Voted {
        vote: Ballot,
        granted: bool,
        last: Option<Position>,
    },
    Leading(bool),
    ReadIndex(Position),
    NotLeader,
    Members(Option<(Position, Members)>),
    Done,
    Installed(Ballot),
    Roster(Position, Members, Proof),
    Fit(bool),
}

/// Encodes a question, or the head of a stream.
pub fn ask(version: u8, envelope: &Envelope, proofs: &Proofs, ask: &impl Serialize) -> Bytes {
    match version {
        PLAIN => write(version, &(envelope, ask)),
        _ => write(version, &(envelope, proofs, ask)),
    }
}

/// Encodes an answer.
pub fn reply(version: u8, status: &Status, standing: &Proof, answer: &Answer) -> Bytes {
    match version {
        PLAIN => write(version, &(status, answer)),
        _ => write(version, &(status, standing, answer)),
    }
}

fn write(version: u8, message: &impl Serialize) -> Bytes {
    let bytes = postcard::to_extend(message, vec![version]);
    bytes.expect("it can be written").into()
}

/// Reads a question, as far as it is understood.
pub fn read_ask(bytes: &[u8]) -> Option<(Envelope, Proofs, Ask)> {
    match *bytes {
        [PLAIN, ref rest @ ..] => {
            let (envelope, ask) = read(rest)?;
            Some((envelope, Proofs::default(), ask))
        }
        [_, ref rest @ ..] => read(rest),
        [] => None,
    }
}

/// Reads an answer.
pub fn read_reply(bytes: &[u8]) -> Option<(Proof, Answer)> {
    match *bytes {
        [PLAIN, ref rest @ ..] => {
            let (_, answer) = read::<(Status, Answer)>(rest)?;
            Some((Proof::new(), answer))
        }
        [_, ref rest @ ..] => {
            let (_, standing, answer) = read::<(Status, Proof, Answer)>(rest)?;
            Some((standing, answer))
        }
        [] => None,
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (message, _) = postcard::take_from_bytes::<T>(bytes).ok()?;
    Some(message)
}

#[derive(Serialize, Deserialize)]
struct RequestHead {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    address: Option<std::net::SocketAddr>,
    certificates: Vec<Vec<u8>>,
}

#[derive(Serialize)]
struct AnswerHead {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
}

/// Encodes a client's request as a standby would have forwarded it before forwarding was sealed.
pub fn request(method: &str, target: &str, token: &str, from: &str, body: &[u8]) -> Bytes {
    let head = RequestHead {
        method: method.into(),
        target: target.into(),
        headers: vec![("x-vault-token".into(), token.as_bytes().to_vec())],
        address: from.parse().ok(),
        certificates: Vec::new(),
    };
    framed(&[1], &head, body)
}

/// Encodes bytes in the form of a sealed request, or of the request for a channel of that kind.
pub fn sealed_request(kind: u8, channel: [u8; 16], number: u64, sealed: &[u8]) -> Bytes {
    let mut bytes = vec![PROVEN, kind];
    bytes.extend(channel);
    bytes.extend(number.to_be_bytes());
    bytes.extend(sealed);
    bytes.into()
}

/// Encodes bytes in the form of a sealed answer, or of a refusal.
pub fn sealed_answer(is_refusal: bool, rest: &[u8]) -> Bytes {
    let mut bytes = vec![PROVEN, u8::from(is_refusal)];
    bytes.extend(rest);
    bytes.into()
}

/// Encodes an answer to a client, as the active node would have given it.
pub fn answer(status: u16, body: &[u8]) -> Bytes {
    let headers = vec![("content-type".into(), b"application/json".to_vec())];
    framed(&[1, 0], &AnswerHead { status, headers }, body)
}

fn framed(start: &[u8], head: &impl Serialize, body: &[u8]) -> Bytes {
    let head = postcard::to_stdvec(head).expect("it can be written");
    let mut bytes = start.to_vec();
    bytes.extend(u32::try_from(head.len()).unwrap().to_be_bytes());
    bytes.extend(head);
    bytes.extend(body);
    bytes.into()
}
