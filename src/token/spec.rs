//! The specification of a new token.

use super::ttl::{Wish, grant};
use super::{Token, TokenError};
use crate::clock::Timestamp;
use crate::engine::{Auth, MountContext, TokenType};
use crate::policy::{self, RESPONSE_WRAPPING, ROOT};
use crate::secret::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A token to be. The code that fills it in has checked that the maker may make it.
#[derive(Debug, Default)]
pub struct Spec {
    /// The text of the token, when it is not to be random.
    pub text: Option<SecretString>,
    /// [`Token::id`] of the parent; empty for an orphan.
    pub parent: String,
    /// Names of its policies, normalized and sorted: see [`policy::sanitize`].
    pub policies: Vec<String>,
    /// API path that makes it, without a trailing slash.
    pub path: String,
    /// The notes that its maker writes on it.
    pub metadata: BTreeMap<String, String>,
    /// Name for people.
    pub display_name: String,
    /// Number of uses; zero is without limit.
    pub num_uses: u64,
    /// Life of the token; zero is for ever.
    pub ttl: Duration,
    /// Hard limit of its life; zero is none.
    pub explicit_max_ttl: Duration,
    /// Renewal period; zero is none.
    pub period: Duration,
    /// The longest life that mount and method allow.
    pub max_ttl: Duration,
    /// True when it may be renewed.
    pub renewable: bool,
    /// Role of the token engine.
    pub role: String,
    /// The identity that it belongs to.
    pub entity_id: String,
    /// Addresses that it may be used from.
    pub bound_cidrs: Vec<String>,
    /// Service or batch.
    pub token_type: TokenType,
    /// The note of the method that it logs in through, for the token's renewal.
    pub internal: Map<String, Value>,
}

/// A new token with its text, which is given once and known to nobody else.
#[derive(Debug)]
pub struct Minted {
    /// The text that the client sends.
    pub token: SecretString,
    /// The token as it is stored.
    pub entry: Arc<Token>,
}

impl Spec {
    /// Returns a root token without end, as initialization and root generation make it.
    pub fn root() -> Self {
        Self {
            policies: vec![ROOT.to_owned()],
            path: "auth/token/root".to_owned(),
            display_name: "root".to_owned(),
            ..Self::default()
        }
    }

    /// Returns a token that opens one wrapped answer, once.
    pub fn wrapping(path: &str, ttl: Duration) -> Self {
        Self {
            policies: vec![RESPONSE_WRAPPING.to_owned()],
            path: path.trim_end_matches('/').to_owned(),
            num_uses: 1,
            ttl,
            explicit_max_ttl: ttl,
            ..Self::default()
        }
    }

    /// Returns the token of a login at `path` (full API path) through `mount`, with warnings.
    /// Refuses policies and lives that no login may give.
    pub fn login(
        auth: &Auth,
        path: &str,
        mount: &MountContext,
        now: Timestamp,
    ) -> Result<(Self, Vec<String>), TokenError> {
        let invalid = |error: policy::PolicyError| TokenError::invalid(error.to_string());
        policy::check_attachable(&auth.policies, true).map_err(invalid)?;
        let policies = policy::sanitize(&auth.policies, !auth.no_default_policy);
        if policies.iter().any(|policy| policy == ROOT) {
            return Err(TokenError::invalid(
                "auth methods cannot create root tokens",
            ));
        }
        let (ttl, warnings) = grant(&Wish {
            ttl: auth.ttl,
            period: auth.period,
            explicit_max_ttl: auth.explicit_max_ttl,
            method_max_ttl: auth.max_ttl,
            mount_default_ttl: mount.default_lease_ttl,
            mount_max_ttl: mount.max_lease_ttl,
            start: now,
            now,
        })?;
        let batch = auth.token_type == TokenType::Batch;
        let spec = Self {
            policies,
            path: path.trim_end_matches('/').to_owned(),
            metadata: auth.metadata.clone(),
            display_name: auth.display_name.clone(),
            num_uses: if batch { 0 } else { auth.num_uses },
            ttl,
            explicit_max_ttl: auth.explicit_max_ttl,
            period: auth.period,
            max_ttl: tighter(auth.max_ttl, mount.max_lease_ttl),
            renewable: auth.renewable && !batch,
            entity_id: auth.entity_id.clone(),
            bound_cidrs: auth.bound_cidrs.clone(),
            token_type: auth.token_type,
            internal: auth.internal.clone(),
            ..Self::default()
        };
        Ok((spec, warnings))
    }
}

fn tighter(limit: Duration, mount: Duration) -> Duration {
    if limit.is_zero() {
        mount
    } else {
        limit.min(mount)
    }
}

impl Minted {
    /// Returns the `auth` part of the answer.
    pub fn into_auth(self) -> Auth {
        let entry = &self.entry;
        Auth {
            accessor: entry.accessor.clone(),
            policies: entry.policies.clone(),
            token_policies: entry.policies.clone(),
            metadata: entry.metadata.clone(),
            ttl: entry.ttl,
            explicit_max_ttl: entry.explicit_max_ttl,
            period: entry.period,
            renewable: entry.renewable,
            num_uses: entry.num_uses,
            token_type: entry.token_type,
            orphan: entry.parent.is_empty(),
            entity_id: entry.entity_id.clone(),
            display_name: entry.display_name.clone(),
            bound_cidrs: entry.bound_cidrs.clone(),
            client_token: Some(self.token),
            ..Auth::default()
        }
    }
}
