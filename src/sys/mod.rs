//! The `sys/` API: init, unseal, health and the rest that must answer while sealed (`open`), and
//! the engine behind the `sys/` mount. That engine answers `sys/seal`, `sys/step-down` (update) and
//! `sys/ha-status` and `sys/metrics` (read) with an empty success; [`Step`] then does what was
//! allowed.
//!
//! [`assemble`] puts the router of an unsealed node together.

mod assemble;
mod audits;
pub mod autopilot;
mod bootstrap;
mod catalog;
mod cluster;
mod config;
mod generate_root;
mod generation;
mod info;
mod keyring;
mod kinds;
mod leases;
mod lifecycle;
mod loggers;
pub mod metrics;
mod mounts;
pub mod open;
mod openapi;
mod policies;
mod raft;
mod raw;
mod record_kinds;
mod recovery;
pub mod snapshot;
mod step;
mod system;
mod table;
mod tools;
mod tune;

pub use assemble::{Assembly, assemble};
pub use cluster::{
    Challenge, Cluster, JoinAnswer, JoinRequest, MemberChange, MemberError, MemberStatus,
    Membership,
};
pub use kinds::KINDS;
pub use lifecycle::{
    HaStatus, InitRequest, InitResult, LeaderStatus, Lifecycle, LifecycleError, Metering,
    SealStatus, ShareInput,
};
pub use recovery::{RecoveryCall, RecoveryMode};
pub use step::Step;
pub use table::{is_metrics, is_root_generation, place};

#[cfg(test)]
mod tests;
