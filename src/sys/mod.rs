//! The `sys/` API, in rooms that stand one above the other:
//!
//! | room | contents |
//! |---|---|
//! | `recovery.rs` | the endpoints that a node in recovery mode answers instead of all others |
//! | `endpoints/` | the engine behind the `sys/` mount: `sys/mounts`, `sys/leases`, `sys/policies` … |
//! | `open/` | the endpoints that answer while sealed, before a token can be checked: `sys/init`, `sys/unseal`, `sys/health`, joining |
//! | `duties/` | the work of the active node by itself: autopilot, snapshots by the clock |
//! | `snapshot/` | saving the whole state and restoring it |
//! | `ports/` | the traits by which all of these reach the node, which implements them |
//!
//! The engine asks the node for its own acts (seal, step-down, numbers, snapshots) through
//! [`Lifecycle`], between the audit's two lines about the request: `endpoints/acts.rs`.

pub mod duties;
mod endpoints;
pub mod open;
mod ports;
mod recovery;
pub mod snapshot;

pub use endpoints::{
    FindNode, Guesses, KIND, Options, Rekeys, RootGenerations, System, is_metrics, is_rekey,
    is_rekey_without_token, is_root_generation, is_seal, metrics, place, uploads,
};
pub use ports::{
    Challenge, Cluster, HaStatus, InitRequest, InitResult, JoinAnswer, JoinRequest, JoinTokenMade,
    LeaderStatus, Lifecycle, LifecycleError, MemberChange, MemberError, MemberStatus, Membership,
    Metering, NO_SEAL_MIGRATION, SealBackends, SealStatus, ShareInput, TOKEN_ID_BYTES,
};
pub use recovery::{RecoveryCall, RecoveryMode};

#[cfg(test)]
mod tests;
