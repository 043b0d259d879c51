//! The `sys/` API, in rooms that stand one above the other:
//!
//! | room | what lives there |
//! |---|---|
//! | `recovery.rs` | what a node in recovery mode answers instead of everything else |
//! | `endpoints/` | the engine behind the `sys/` mount: `sys/mounts`, `sys/leases`, `sys/policies` … |
//! | `open/` | what answers while sealed, before a token can be checked: `sys/init`, `sys/unseal`, `sys/health`, joining |
//! | `duties/` | what the active node does by itself: autopilot, snapshots by the clock |
//! | `snapshot/` | saving the whole state and restoring it |
//! | `ports/` | what all of these need of the node, which implements it |
//!
//! What only the node can do (seal, step-down, numbers, snapshots) the engine asks of it through
//! [`Lifecycle`], between the audit's two lines about the request: `endpoints/acts.rs`.

pub mod duties;
mod endpoints;
pub mod open;
mod ports;
mod recovery;
pub mod snapshot;

pub use endpoints::{
    FindNode, KIND, Options, RootGenerations, System, is_metrics, is_root_generation, is_seal,
    metrics, place, uploads,
};
pub use ports::{
    Challenge, Cluster, HaStatus, InitRequest, InitResult, JoinAnswer, JoinRequest, LeaderStatus,
    Lifecycle, LifecycleError, MemberChange, MemberError, MemberStatus, Membership, Metering,
    SealStatus, ShareInput,
};
pub use recovery::{RecoveryCall, RecoveryMode};

#[cfg(test)]
mod tests;
