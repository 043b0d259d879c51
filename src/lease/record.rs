//! One lease.

use crate::clock::Timestamp;
use crate::store::Revision;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The undoing when the lease ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo {
    /// The end of a token and of all below it: the token record's id.
    Token(String),
    /// The revocation of what an engine handed out: the mount's path, and the engine's own note as
    /// JSON.
    Secret {
        /// Path of the mount: `database/`.
        mount: String,
        /// Note of the engine: a JSON object.
        internal: String,
    },
}

/// A promise with an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its id, `auth/token/create/h1a2b…`: the path that made it, and a name.
    pub id: String,
    /// Time at which it was made.
    pub issue_time: Timestamp,
    /// Time at which it ends; never zero.
    pub expire_time: Timestamp,
    /// Time of its last renewal; zero for never.
    pub last_renewal: Timestamp,
    /// Time past which no renewal reaches; zero is no such limit.
    pub max_expire_time: Timestamp,
    /// True when it may be renewed.
    pub renewable: bool,
    /// The token that it dies with; empty for none.
    pub owner: String,
    /// The undoing at its end.
    pub undo: Undo,
    /// The log entry that wrote it; zero for a new one.
    pub revision: Revision,
}

impl Lease {
    /// Returns the life left at `now`.
    pub fn ttl(&self, now: Timestamp) -> Duration {
        self.expire_time.since(now)
    }

    /// Returns true when it has ended at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expire_time <= now
    }

    /// Returns the part of the id before its last segment: `auth/token/create`.
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
