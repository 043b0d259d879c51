//! How far a state is.

use super::StateError;
use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Raft's term of the leader that wrote the entry.
    pub term: u64,
    /// Its index.
    pub index: u64,
}

/// The last applied entry and what it leaves behind besides records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The last applied entry.
    pub position: Option<Position>,
    /// The last applied membership, as `raft` encodes it, and its entry.
    pub membership: Option<(Position, Vec<u8>)>,
    /// Highest cluster time among the applied transactions.
    pub time_floor: Timestamp,
}

/// First byte of an encoded mark.
const VERSION: u8 = 1;

impl Mark {
    /// The bytes kept in fjall.
    pub(super) fn encode(&self) -> Result<Vec<u8>, StateError> {
        postcard::to_extend(self, vec![VERSION]).map_err(|_| StateError::Damaged("mark"))
    }

    /// Reads [`Mark::encode`]'s bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                postcard::from_bytes(rest).map_err(|_| StateError::Damaged("mark"))
            }
            Some((&version, _)) => Err(StateError::Version(version)),
            None => Err(StateError::Damaged("empty mark")),
        }
    }
}
