//! The stored facts about a token.

use crate::clock::Timestamp;
use crate::engine::{Caller, TokenType};
use crate::policy::ROOT;
use crate::store::Revision;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A token without its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// Name of its record: a keyed hash of its text. Empty for batch tokens.
    pub id: String,
    /// Entry that wrote the record; zero for batch tokens.
    pub revision: Revision,
    /// Handle for those who do not hold the token. Empty for batch tokens.
    pub accessor: String,
    /// [`Token::id`] of the parent; empty for orphans.
    pub parent: String,
    /// Names of its policies, sorted.
    pub policies: Vec<String>,
    /// API path that made it: `auth/token/create`.
    pub path: String,
    /// The notes that its maker wrote on it.
    pub metadata: BTreeMap<String, String>,
    /// Name for people: `root`, `token-backup`, `userpass-anna`.
    pub display_name: String,
    /// Uses left; zero is without limit.
    pub num_uses: u64,
    /// Time at which it was made.
    pub creation_time: Timestamp,
    /// Time at which it ends; zero is never.
    pub expire_time: Timestamp,
    /// Life as granted first; zero is for ever.
    pub ttl: Duration,
    /// Hard limit of its life; zero is none.
    pub explicit_max_ttl: Duration,
    /// Renewal period; zero is none.
    pub period: Duration,
    /// True when it may be renewed.
    pub renewable: bool,
    /// Time of its last renewal; zero is never.
    pub last_renewal: Timestamp,
    /// Role of the token engine; empty for none.
    pub role: String,
    /// Identity; empty for none.
    pub entity_id: String,
    /// Addresses it may be used from; empty is all.
    pub bound_cidrs: Vec<String>,
    /// Service or batch.
    pub token_type: TokenType,
    /// The longest life that its mount and method allowed when it was made; bounds renewals without
    /// period.
    pub max_ttl: Duration,
    /// Number of its ancestors.
    pub depth: u16,
    /// Name of its own part of the cubbyhole; empty for batch tokens.
    pub cubbyhole_id: String,
}

impl Token {
    /// Returns true when the root policy is among its policies.
    pub fn is_root(&self) -> bool {
        self.policies.iter().any(|policy| policy == ROOT)
    }

    /// Returns true when its own time has come at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        !self.expire_time.is_zero() && self.expire_time <= now
    }

    /// Returns true when an auth method let it in, other than the one of tokens.
    pub fn is_login(&self) -> bool {
        self.path.starts_with("auth/") && !self.path.starts_with("auth/token/")
    }

    /// Returns true for a batch token.
    pub fn is_batch(&self) -> bool {
        self.token_type == TokenType::Batch
    }

    /// Returns the life left at `now`; zero for a token without end.
    pub fn ttl_left(&self, now: Timestamp) -> Duration {
        self.expire_time.since(now)
    }

    /// Returns the id of its lease; `None` where it has none (batch tokens, and tokens without
    /// end).
    pub fn lease_id(&self) -> Option<String> {
        let leased = !self.is_batch() && !self.expire_time.is_zero();
        leased.then(|| format!("{}/{}", self.path, self.id))
    }

    /// Returns true when it may be used from `address`. A token without bounds may be used from
    /// anywhere; one with bounds not from a unix socket.
    pub fn permits_address(&self, address: Option<std::net::IpAddr>) -> bool {
        self.bound_cidrs.is_empty()
            || address.is_some_and(|address| {
                self.bound_cidrs
                    .iter()
                    .any(|cidr| super::text::cidr_contains(cidr, address))
            })
    }

    /// Returns the part of it that an engine may know. [`Caller::has_sudo`] is for the router to
    /// fill in.
    pub fn caller(&self) -> Caller {
        Caller {
            token_id: self.id.clone(),
            accessor: self.accessor.clone(),
            display_name: self.display_name.clone(),
            policies: self.policies.clone(),
            entity_id: self.entity_id.clone(),
            cubbyhole_id: self.cubbyhole_id.clone(),
            is_batch: self.is_batch(),
            is_root: self.is_root(),
            has_sudo: false,
            token: None,
        }
    }
}

/// The stored form, in the record and inside a batch token; the variant is the version.
#[derive(Serialize, Deserialize)]
pub(super) enum TokenRecord {
    V1(Box<V1>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct V1 {
    accessor: String,
    parent: String,
    policies: Vec<String>,
    path: String,
    metadata: BTreeMap<String, String>,
    display_name: String,
    num_uses: u64,
    creation_time: Timestamp,
    expire_time: Timestamp,
    ttl_s: u64,
    explicit_max_ttl_s: u64,
    period_s: u64,
    renewable: bool,
    last_renewal: Timestamp,
    role: String,
    entity_id: String,
    bound_cidrs: Vec<String>,
    token_type: TokenType,
    max_ttl_s: u64,
    depth: u16,
}

impl TokenRecord {
    pub fn from_token(token: &Token) -> Self {
        let token = token.clone();
        Self::V1(Box::new(V1 {
            accessor: token.accessor,
            parent: token.parent,
            policies: token.policies,
            path: token.path,
            metadata: token.metadata,
            display_name: token.display_name,
            num_uses: token.num_uses,
            creation_time: token.creation_time,
            expire_time: token.expire_time,
            ttl_s: token.ttl.as_secs(),
            explicit_max_ttl_s: token.explicit_max_ttl.as_secs(),
            period_s: token.period.as_secs(),
            renewable: token.renewable,
            last_renewal: token.last_renewal,
            role: token.role,
            entity_id: token.entity_id,
            bound_cidrs: token.bound_cidrs,
            token_type: token.token_type,
            max_ttl_s: token.max_ttl.as_secs(),
            depth: token.depth,
        }))
    }

    pub fn into_token(self, id: &str, revision: Revision) -> Token {
        let Self::V1(record) = self;
        Token {
            id: id.to_owned(),
            revision,
            accessor: record.accessor,
            parent: record.parent,
            policies: record.policies,
            path: record.path,
            metadata: record.metadata,
            display_name: record.display_name,
            num_uses: record.num_uses,
            creation_time: record.creation_time,
            expire_time: record.expire_time,
            ttl: Duration::from_secs(record.ttl_s),
            explicit_max_ttl: Duration::from_secs(record.explicit_max_ttl_s),
            period: Duration::from_secs(record.period_s),
            renewable: record.renewable,
            last_renewal: record.last_renewal,
            role: record.role,
            entity_id: record.entity_id,
            bound_cidrs: record.bound_cidrs,
            token_type: record.token_type,
            max_ttl: Duration::from_secs(record.max_ttl_s),
            depth: record.depth,
            cubbyhole_id: id.to_owned(),
        }
    }
}
