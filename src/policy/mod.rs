//! ACL policies: parse, compile, decide.
//!
//! Owns the policy texts of the barrier (`sys/policy/<name>`), the built-in policies, the
//! compiled [`Acl`] of a list of names, and [`Authorized`], the proof that a request was asked
//! about.
//!
//! Invariants
//! - What no rule grants is denied; a deny on a path beats every grant on the same path.
//! - Only this room makes an [`Authorized`], and only after an [`Acl`] said yes (or for a path
//!   that needs no token).
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

/// Why a policy is refused; always the client's fault, and answered with 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Correct the text at the place named.
    #[error("failed to parse policy: {0}")]
    Syntax(String),
    /// Split the policy.
    #[error("failed to parse policy: it is longer than {POLICY_BYTES_MAX} bytes")]
    TooLong,
    /// Split the policy.
    #[error("failed to parse policy: it names more than {PATHS_MAX} paths")]
    TooManyPaths,
    /// Choose another name: this one is built in.
    #[error("cannot {verb} {name:?} policy")]
    BuiltIn {
        /// `update` or `delete`.
        verb: &'static str,
        /// Which.
        name: String,
    },
    /// Choose another name.
    #[error("invalid policy name")]
    Name,
    /// Choose a later time.
    #[error("refusing to update policy as expiration time has already elapsed")]
    Elapsed,
    /// Send `cas`: the policy may be written with it only.
    #[error("check-and-set parameter required for this call")]
    CasMissing,
    /// It is there already.
    #[error("check-and-set parameter set to -1 on existing entry")]
    CasExists,
    /// Read it again: somebody wrote it meanwhile.
    #[error("check-and-set parameter {cas} did not match the current version {version}")]
    Cas {
        /// What was expected.
        cas: i64,
        /// What is there; zero for nothing.
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
