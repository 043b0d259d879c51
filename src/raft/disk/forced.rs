//! A membership that the operator put in the place of those that log and state have.
//!
//! A cluster that lost its quorum cannot decide about its members. So the decision is made outside
//! raft, while raft does not run, and changes nothing that raft has decided: every entry keeps its
//! place and its term, and only the content of the entries with memberships is replaced. Elections
//! then compare the logs as always, so of several nodes that were given the same membership the one
//! whose log goes furthest leads, and entries that only the others have were never committed among
//! them. (An entry with the new membership would need a place of its own at the end of each log,
//! and with it logs could no longer be compared.)
//!
//! The membership is in a file of its own, which takes its place by a rename: before the rename
//! nothing has changed, after it everything has.
//!
//! ```text
//! raft/members.forced   <version: 1 byte> <Stored: postcard> <CRC-32 of all before: 4 bytes LE>
//! ```
//!
//! Nodes that are not in the new membership are not told of it. A majority of them would go on as
//! a second cluster; they must be wiped before they join again.

use super::data_dir::write_whole;
use super::error::OpenError;
use crate::raft::wire::record::{Members, Position, WireError};
use crate::raft::wire::types::{self, LogEntry};
use openraft::EntryPayload;
use serde::{Deserialize, Serialize};
use std::path::Path;

const NAME: &str = "members.forced";
const TEMPORARY: &str = "members.new";
const VERSION: u8 = 1;
const SUM_BYTES: usize = 4;

/// A membership in force, and the entries that it replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::raft) struct Forced {
    /// The entries with memberships that were known when this one was forced.
    pub(in crate::raft) entries: Vec<Position>,
    pub(in crate::raft) members: Members,
}

impl Forced {
    /// Reads the file in `dir`; `None` when there is none.
    pub fn load(dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io("read", &path)(error)),
        };
        let damaged = || OpenError::Damaged(format!("{} is not readable", path.display()));
        let (body, sum) = bytes.split_last_chunk::<SUM_BYTES>().ok_or_else(damaged)?;
        let (version, stored) = body.split_first().ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(OpenError::Version {
                path: path.clone(),
                version: u64::from(*version),
            });
        }
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(damaged());
        }
        postcard::from_bytes(stored)
            .map(Some)
            .map_err(|_| damaged())
    }

    pub(in crate::raft) fn save(&self, dir: &Path) -> Result<(), OpenError> {
        let malformed = |_| damaged(WireError::Malformed("membership"));
        let mut bytes = postcard::to_extend(self, vec![VERSION]).map_err(malformed)?;
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        write_whole(dir, TEMPORARY, NAME, &bytes)
    }

    /// Returns the membership that the entry at `at` stands for, if it is one of those replaced.
    pub(in crate::raft) fn members(&self, at: Position) -> Option<&Members> {
        self.entries.contains(&at).then_some(&self.members)
    }

    /// Replaces the membership in `entry` by the one in force.
    pub fn correct(&self, entry: &mut LogEntry) -> Result<(), WireError> {
        if let EntryPayload::Membership(said) = &mut entry.payload
            && let Some(members) = self.members(types::position(&entry.log_id))
        {
            *said = members.clone().try_into()?;
        }
        Ok(())
    }
}

pub(in crate::raft) fn damaged(error: WireError) -> OpenError {
    OpenError::Damaged(error.to_string())
}
