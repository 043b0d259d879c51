//! The progress of a state.

use super::StateError;
use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Raft's term of the leader that wrote the entry.
    pub term: u64,
    /// The entry's index.
    pub index: u64,
}

/// The last applied entry, and its effects besides records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The last applied entry.
    pub position: Option<Position>,
    /// The last applied membership, as `raft` encodes it, and its entry.
    pub membership: Option<(Position, Vec<u8>)>,
    /// The highest cluster time among the applied transactions.
    pub time_floor: Timestamp,
    /// The restore under way, if there is one.
    pub staging: Option<Staging>,
}

/// The progress of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staging {
    /// The restore's id.
    pub id: u128,
    /// The number of chunks applied.
    pub chunks: u64,
}

/// The first byte of an encoded mark. A mark of version 1 names no restore.
const VERSION: u8 = 2;

/// The byte by which postcard encodes that there is no restore.
const NO_STAGING: u8 = 0;

impl Mark {
    /// Encodes the mark as it is kept in fjall.
    pub(super) fn encode(&self) -> Result<Vec<u8>, StateError> {
        postcard::to_extend(self, vec![VERSION]).map_err(|_| StateError::Damaged("mark"))
    }

    /// Decodes the bytes of [`Mark::encode`].
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                postcard::from_bytes(rest).map_err(|_| StateError::Damaged("mark"))
            }
            Some((&1, rest)) => {
                let rest = [rest, &[NO_STAGING]].concat();
                postcard::from_bytes(&rest).map_err(|_| StateError::Damaged("mark"))
            }
            Some((&version, _)) => Err(StateError::Version(version)),
            None => Err(StateError::Damaged("empty mark")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_version_1_are_read() {
        let mark = Mark {
            position: Some(Position { term: 2, index: 7 }),
            membership: Some((Position { term: 1, index: 1 }, vec![1, 2])),
            time_floor: Timestamp(9),
            staging: None,
        };
        let mut bytes = mark.encode().unwrap();
        assert_eq!(Mark::decode(&bytes).unwrap(), mark);
        bytes.pop();
        bytes[0] = 1;
        assert_eq!(Mark::decode(&bytes).unwrap(), mark);
        bytes[0] = 3;
        assert!(matches!(Mark::decode(&bytes), Err(StateError::Version(3))));
    }
}
