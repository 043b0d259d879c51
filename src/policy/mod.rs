//! ACL policies: parse, compile, decide.
//!
//! Owns the policy texts of the barrier (`sys/policy/<name>`), the built-in policies, the
//! compiled [`Acl`] of a list of names, and [`Authorized`], the proof that a request was
//! granted.
//!
//! Invariants
//! - A request that no rule grants is denied; a deny on a path beats every grant on the same path.
//! - Only this room makes an [`Authorized`], and only after an [`Acl`] granted the request (or for
//!   a path that needs no token).
//! - Names are lower case; no two names differ only in case or in white space around them.
//!
//! It never reads a token and never looks at a mount.

mod acl;
mod authorized;
mod builtin;
mod capability;
mod hcl;
mod json;
mod name;
mod parameters;
mod parse;
mod record;
mod rule;
mod select;
mod source;
mod store;
mod template;
mod value;

pub use acl::{Acl, Question};
pub use authorized::{Authorized, Denied};
pub use builtin::{DEFAULT, RESPONSE_WRAPPING, ROOT};
pub use capability::{Capabilities, Capability};
pub use name::{check_attachable, normalize, normalize_list, sanitize};
pub use parameters::{Parameters, ReadField};
pub use parse::{PATHS_MAX, POLICY_BYTES_MAX, Policy};
pub use rule::{PathRule, Permissions};
pub use store::{CODEC, Draft, Store, StoredPolicy};
pub use template::Subject;
pub use value::glob_matches;

/// Reasons to refuse a policy; always the client's fault, and answered with 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is wrong; the client corrects it at the place named.
    #[error("failed to parse policy: {0}")]
    Syntax(String),
    /// The text is too long; the client splits the policy.
    #[error("failed to parse policy: it is longer than {POLICY_BYTES_MAX} bytes")]
    TooLong,
    /// The policy has too many paths; the client splits it.
    #[error("failed to parse policy: it names more than {PATHS_MAX} paths")]
    TooManyPaths,
    /// The policy is built in; the client chooses another name.
    #[error("cannot {verb} {name:?} policy")]
    BuiltIn {
        /// `update` or `delete`.
        verb: &'static str,
        /// The policy's name.
        name: String,
    },
    /// The name is invalid; the client chooses another.
    #[error("invalid policy name")]
    Name,
    /// The expiration has passed; the client chooses a later time.
    #[error("refusing to update policy as expiration time has already elapsed")]
    Elapsed,
    /// The policy may be written with `cas` only; the client sends it.
    #[error("check-and-set parameter required for this call")]
    CasMissing,
    /// The policy exists, and `cas` requires that it does not.
    #[error("check-and-set parameter set to -1 on existing entry")]
    CasExists,
    /// The policy was written meanwhile; the client reads it again.
    #[error("check-and-set parameter {cas} did not match the current version {version}")]
    Cas {
        /// The expected version.
        cas: i64,
        /// The present version; zero for none.
        version: u64,
    },
    /// The token may not be given this policy.
    #[error("{0}")]
    Unattachable(String),
}

impl From<PolicyError> for crate::engine::Error {
    fn from(error: PolicyError) -> Self {
        Self::invalid(error.to_string())
    }
}
