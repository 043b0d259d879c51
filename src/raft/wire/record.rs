//! Records of the log, which messages carry too: coffer's own types, in postcard, with a version.
//!
//! openraft's types change between its releases; these do not. Variants are numbered by their
//! order, so new ones go to the end and old ones stay.
//!
//! ```text
//! command   see `command`
//! record    <variant: varint> <fields: postcard>     inside a group of the log
//! ```

use super::types::{Command, LogEntry, Membership, Peer, Vote, log_id, position};
use bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub use crate::store::state::Position;

/// The bytes that a record may take besides a command's own: variant, position, length.
pub(in crate::raft) const RECORD_OVERHEAD_BYTES: usize = 32;

/// The reason for which bytes cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The operator's fault: a newer version wrote the bytes. Run that version.
    #[error("format {0} is not known to this version")]
    Version(u8),
    /// Fatal: the bytes are damaged.
    #[error("{0} cannot be decoded")]
    Malformed(&'static str),
}

/// A vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// The term voted in.
    pub term: u64,
    /// The node voted for.
    pub node: u64,
    /// True once a quorum granted it.
    pub committed: bool,
}

/// The voters, as one or two overlapping quorums, and the nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The voters; two sets while the membership changes.
    pub configs: Vec<BTreeSet<u64>>,
    /// The nodes, voters and learners.
    pub nodes: BTreeMap<u64, Peer>,
}

/// [`Members`] as nodes without a cluster wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersAlone {
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, PeerAlone>,
}

/// A node of [`MembersAlone`]: name, cluster address, public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PeerAlone(String, String, Vec<u8>);

impl From<MembersAlone> for Members {
    fn from(old: MembersAlone) -> Self {
        let peer = |PeerAlone(name, cluster_address, public_key)| Peer {
            name,
            cluster_address,
            public_key,
            ..Peer::default()
        };
        let nodes = old.nodes.into_iter();
        Self {
            configs: old.configs,
            nodes: nodes.map(|(id, old)| (id, peer(old))).collect(),
        }
    }
}

/// One item of a group of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The first record of every segment, with all that is needed to read on without the segments
    /// before.
    Start(Start),
    /// A saved vote.
    Vote(Ballot),
    /// An entry without content.
    Blank(Position),
    /// An entry with a command.
    Command(Position, Bytes),
    /// An entry with a membership, as nodes without a cluster wrote it.
    MembershipAlone(Position, MembersAlone),
    /// A place after which entries are void; all entries when there is none.
    Truncate(Option<Position>),
    /// A place up to which entries are no longer needed.
    Purge(Position),
    /// An entry with a membership.
    Membership(Position, Members),
}

/// The first record of a segment: see [`Record::Start`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The last saved vote.
    pub vote: Option<Ballot>,
    /// The last entry that was purged.
    pub purged: Option<Position>,
    /// The last entry before this segment.
    pub last: Option<Position>,
    /// The oldest segment whose entries are still needed.
    pub oldest_generation: u64,
}

/// The number of [`Record::Command`] among the variants.
const COMMAND: u32 = 3;

/// Returns the command in the encoded record of the entry `index`; `None` for any other record.
/// Bytes after the record are passed over.
pub(in crate::raft) fn command_of(record: &[u8], index: u64) -> Option<&[u8]> {
    let (variant, rest) = postcard::take_from_bytes::<u32>(record).ok()?;
    let (at, rest) = postcard::take_from_bytes::<Position>(rest).ok()?;
    if variant != COMMAND || at.index != index {
        return None;
    }
    let (command, _) = postcard::take_from_bytes::<&[u8]>(rest).ok()?;
    Some(command)
}

impl Record {
    /// Returns the place of the entry that the record holds, if it holds one.
    pub fn entry_position(&self) -> Option<Position> {
        match self {
            Self::Blank(position)
            | Self::Command(position, _)
            | Self::MembershipAlone(position, _)
            | Self::Membership(position, _) => Some(*position),
            Self::Start(_) | Self::Vote(_) | Self::Truncate(_) | Self::Purge(_) => None,
        }
    }

    /// Returns an upper bound of the bytes that the record takes when encoded.
    pub(in crate::raft) fn size_bound(&self) -> usize {
        RECORD_OVERHEAD_BYTES
            + match self {
                Self::Command(_, bytes) => bytes.len(),
                Self::Membership(_, members) => {
                    let configs: usize = members.configs.iter().map(|c| 10 + 10 * c.len()).sum();
                    let nodes = members.nodes.values();
                    let nodes = nodes.map(|peer| {
                        let addresses = peer.cluster_address.len() + peer.api_address.len();
                        60 + peer.name.len() + addresses + peer.public_key.len()
                    });
                    20 + configs + nodes.sum::<usize>()
                }
                Self::Start(_) => 96,
                // Read, never written.
                Self::MembershipAlone(..)
                | Self::Vote(_)
                | Self::Blank(_)
                | Self::Truncate(_)
                | Self::Purge(_) => 0,
            }
    }

    /// Returns the record of an entry.
    pub(in crate::raft) fn of(entry: &LogEntry) -> Self {
        let position = position(&entry.log_id());
        match &entry.payload {
            EntryPayload::Blank => Self::Blank(position),
            EntryPayload::Normal(command) => Self::Command(position, command.0.clone()),
            EntryPayload::Membership(members) => Self::Membership(position, members.into()),
        }
    }

    /// Returns the entry that the record holds, if it holds one.
    pub(in crate::raft) fn into_entry(self) -> Result<Option<LogEntry>, WireError> {
        let (position, payload) = match self {
            Self::Blank(position) => (position, EntryPayload::Blank),
            Self::Command(position, bytes) => (position, EntryPayload::Normal(Command(bytes))),
            Self::Membership(position, members) => {
                (position, EntryPayload::Membership(members.try_into()?))
            }
            Self::MembershipAlone(position, old) => (
                position,
                EntryPayload::Membership(Members::from(old).try_into()?),
            ),
            Self::Start(_) | Self::Vote(_) | Self::Truncate(_) | Self::Purge(_) => return Ok(None),
        };
        Ok(Some(LogEntry::new(log_id(position), payload)))
    }
}

impl From<&Membership> for Members {
    fn from(membership: &Membership) -> Self {
        Self {
            configs: membership.get_joint_config().clone(),
            nodes: membership
                .nodes()
                .map(|(id, peer)| (*id, peer.clone()))
                .collect(),
        }
    }
}

impl TryFrom<Members> for Membership {
    type Error = WireError;

    fn try_from(members: Members) -> Result<Self, WireError> {
        if members.configs.is_empty() && members.nodes.is_empty() {
            return Ok(Self::default());
        }
        Self::new(members.configs, members.nodes).map_err(|_| WireError::Malformed("membership"))
    }
}

impl From<&Vote> for Ballot {
    fn from(vote: &Vote) -> Self {
        Self {
            term: vote.leader_id.term,
            node: vote.leader_id.voted_for,
            committed: vote.committed,
        }
    }
}

impl From<Ballot> for Vote {
    fn from(ballot: Ballot) -> Self {
        if ballot.committed {
            Self::new_committed(ballot.term, ballot.node)
        } else {
            Self::new(ballot.term, ballot.node)
        }
    }
}

/// The first byte of a membership in the state's mark. Without it the bytes are a [`MembersAlone`],
/// whose first byte counts configurations and is two at most.
const MEMBERS_VERSION: u8 = 0x42;

/// Encodes a membership for the state's mark.
pub(in crate::raft) fn encode_members(membership: &Membership) -> Result<Vec<u8>, WireError> {
    postcard::to_extend(&Members::from(membership), vec![MEMBERS_VERSION])
        .map_err(|_| WireError::Malformed("membership"))
}

/// Decodes a membership that [`encode_members`] made.
pub(in crate::raft) fn decode_members(bytes: &[u8]) -> Result<Membership, WireError> {
    let malformed = |_| WireError::Malformed("membership");
    let members: Members = match bytes.split_first() {
        Some((&MEMBERS_VERSION, rest)) => postcard::from_bytes(rest).map_err(malformed)?,
        Some((&version, _)) if version > 2 => return Err(WireError::Version(version)),
        _ => postcard::from_bytes::<MembersAlone>(bytes)
            .map_err(malformed)?
            .into(),
    };
    members.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_bounds_hold() {
        let big = u64::MAX;
        let place = Position {
            term: big,
            index: big,
        };
        let peer = Peer {
            name: "n".repeat(40),
            cluster_address: "a".repeat(60),
            public_key: vec![1; 91],
            api_address: "b".repeat(60),
            non_voter: true,
        };
        let ids: BTreeSet<u64> = (big - 5..big).collect();
        let ballot = Ballot {
            term: big,
            node: big,
            committed: true,
        };
        let records = [
            Record::Start(Start {
                vote: Some(ballot),
                purged: Some(place),
                last: Some(place),
                oldest_generation: big,
            }),
            Record::Vote(ballot),
            Record::Blank(place),
            Record::Command(place, Bytes::from(vec![0; 5000])),
            Record::Membership(
                place,
                Members {
                    configs: vec![ids.clone(), ids.clone()],
                    nodes: ids.iter().map(|id| (*id, peer.clone())).collect(),
                },
            ),
            Record::Truncate(Some(place)),
            Record::Purge(place),
        ];
        for record in records {
            let bytes = postcard::to_stdvec(&record).unwrap();
            assert!(bytes.len() <= record.size_bound(), "{record:?}");
            assert_eq!(postcard::from_bytes::<Record>(&bytes).unwrap(), record);
        }
    }

    #[test]
    fn what_a_lone_node_wrote_is_still_read() {
        // Written by the version before clusters: record 4 of the log, and the state's mark.
        let peer = PeerAlone("a".into(), "h:1".into(), Vec::new());
        let old = MembersAlone {
            configs: vec![BTreeSet::from([7])],
            nodes: BTreeMap::from([(7, peer)]),
        };
        let mut bytes = vec![4, 3, 9];
        let mark = [1, 1, 7, 1, 7, 1, b'a', 3, b'h', b':', b'1', 0];
        bytes.extend(mark);
        let record: Record = postcard::from_bytes(&bytes).unwrap();
        let place = Position { term: 3, index: 9 };
        assert_eq!(record, Record::MembershipAlone(place, old));
        let entry = record.into_entry().unwrap().unwrap();
        let EntryPayload::Membership(members) = entry.payload else {
            panic!("not a membership");
        };
        assert_eq!(decode_members(&mark).unwrap(), members);
        let node = members.get_node(&7).unwrap();
        assert_eq!((&*node.name, &*node.cluster_address), ("a", "h:1"));
        let again = encode_members(&members).unwrap();
        assert_eq!(decode_members(&again).unwrap(), members);
        assert_eq!(decode_members(&[9]), Err(WireError::Version(9)));
    }
}
