//! One lease.

use crate::clock::Timestamp;
use crate::store::Revision;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What must be undone when the lease ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo {
    /// A token and all below it: the token record's id.
    Token(String),
    /// What an engine handed out: the mount's path, and the engine's own note as JSON.
    Secret {
        /// `database/`.
        mount: String,
        /// The engine's note of it: a JSON object.
        internal: String,
    },
}

/// A promise with an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// `auth/token/create/h1a2b…`: the path that made it, and a name.
    pub id: String,
    /// When it was made.
    pub issue_time: Timestamp,
    /// When it ends; never zero.
    pub expire_time: Timestamp,
    /// When it was renewed last; zero for never.
    pub last_renewal: Timestamp,
    /// Past this no renewal reaches; zero is no such limit.
    pub max_expire_time: Timestamp,
    /// May it be renewed?
    pub renewable: bool,
    /// The token that it dies with; empty for none.
    pub owner: String,
    /// What to undo.
    pub undo: Undo,
    /// Entry that wrote it; zero for a new one.
    pub revision: Revision,
}

impl Lease {
    /// How long it still lives at `now`.
    pub fn ttl(&self, now: Timestamp) -> Duration {
        self.expire_time.since(now)
    }

    /// Has it ended at `now`?
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expire_time <= now
    }

    /// The part of the id before its last segment: `auth/token/create`.
    pub fn path(&self) -> &str {
        self.id.rsplit_once('/').map_or("", |(path, _)| path)
    }
}

/// The stored form; the variant is the version.
#[derive(Serialize, Deserialize)]
pub(super) enum LeaseRecord {
    V1 {
        issue_time: Timestamp,
        expire_time: Timestamp,
        last_renewal: Timestamp,
        max_expire_time: Timestamp,
        renewable: bool,
        owner: String,
        undo: Undo,
    },
}

impl LeaseRecord {
    pub fn from_lease(lease: &Lease) -> Self {
        Self::V1 {
            issue_time: lease.issue_time,
            expire_time: lease.expire_time,
            last_renewal: lease.last_renewal,
            max_expire_time: lease.max_expire_time,
            renewable: lease.renewable,
            owner: lease.owner.clone(),
            undo: lease.undo.clone(),
        }
    }

    pub fn into_lease(self, id: String, revision: Revision) -> Lease {
        let Self::V1 {
            issue_time,
            expire_time,
            last_renewal,
            max_expire_time,
            renewable,
            owner,
            undo,
        } = self;
        Lease {
            id,
            issue_time,
            expire_time,
            last_renewal,
            max_expire_time,
            renewable,
            owner,
            undo,
            revision,
        }
    }
}
