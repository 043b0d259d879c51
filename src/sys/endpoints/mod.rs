//! The engine behind the `sys/` mount: one file for each family of endpoints, with their rows and
//! the functions that answer them. `table.rs` puts the rows together, `run.rs` has the kinds of
//! functions, and `system.rs` the state that all of them see.

mod acts;
mod audits;
mod catalog;
pub(super) mod ceremony;
mod config;
mod drill;
mod ending;
mod engine;
pub(super) mod generate_root;
pub(super) mod generation;
mod guesses;
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
mod rekey;
mod rewrap;
mod run;
pub(super) mod snapshots;
mod system;
pub(super) mod table;
mod tools;
mod tune;

pub use engine::KIND;
pub use generation::RootGenerations;
pub use guesses::Guesses;
pub use rekey::Rekeys;
pub use system::{FindNode, Options, System};
pub use table::{
    is_metrics, is_rekey, is_rekey_without_token, is_root_generation, is_seal, place, uploads,
};
