//! The engine behind the `sys/` mount: one file for each family of endpoints, with their rows and
//! what answers them. `table.rs` puts the rows together, `system.rs` is what all of them see.

mod acts;
mod audits;
mod catalog;
mod config;
mod ending;
pub(super) mod generate_root;
pub(super) mod generation;
mod info;
mod keyring;
mod leases;
mod loggers;
pub mod metrics;
mod mounts;
mod openapi;
mod policies;
mod raft;
pub(super) mod raw;
mod record_kinds;
pub(super) mod snapshots;
mod system;
pub(super) mod table;
mod tools;
mod tune;

pub use acts::FindNode;
pub use generate_root::RootGenerations;
pub use system::{KIND, Options, System};
pub use table::{is_metrics, is_root_generation, is_seal, place, uploads};
