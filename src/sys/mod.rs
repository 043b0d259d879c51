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
//! The engine answers `sys/seal`, `sys/step-down` (update) and `sys/ha-status` and `sys/metrics`
//! (read) with an empty success; [`Step`] then does what was allowed.

pub mod duties;
mod endpoints;
pub mod open;
mod ports;
mod recovery;
pub mod snapshot;

pub use endpoints::{
    KIND, Options, RootGenerations, Step, System, is_metrics, is_root_generation, metrics, place,
};
pub use ports::{
    Challenge, Cluster, HaStatus, InitRequest, InitResult, JoinAnswer, JoinRequest, LeaderStatus,
    Lifecycle, LifecycleError, MemberChange, MemberError, MemberStatus, Membership, Metering,
    SealStatus, ShareInput,
};
pub use recovery::{RecoveryCall, RecoveryMode};

#[cfg(test)]
mod tests;
