//! The composition root: joins storage, barrier, router and listeners into one node, and takes it
//! through its states.
//!
//! ```text
//! start -> Uninitialised -> (init) -> Sealed -> (unseal) -> Standby <-> Active -> (seal) -> Sealed
//!                                                   any state -> Stopping
//! ```
//!
//! Owns the role that every listener watches, the cluster's name and id, this node's identity and
//! its listeners for other nodes, the duties of the active node (sweeping, autopilot), signals, the
//! condition that the status lights show, the counts of the device's wear, and the hardening of the
//! process.
//!
//! Invariants
//! - The listeners answer before anything else that takes time; start-up does no work in
//!   proportion to the data.
//! - One step (initialise, unseal, seal, step down) at a time. The role does not wait for it: it
//!   follows from the situation ([`phase`]), so a lost leadership is published at once.
//! - A standby commits nothing.
//! - Keys live from unseal to seal; sealing drops the router and with it all holders of plaintext.
//! - Idle means idle: in a node without others no timer runs that is shorter than a minute, and
//!   the sweeper writes only when something has expired.
//! - A store that failed ends the node.

mod addresses;
mod advertise;
mod announce;
mod assemble;
mod assembly;
mod controller;
mod descriptors;
mod dev;
mod error;
mod forward;
mod hardening;
mod host;
mod identity;
mod join;
mod kinds;
mod lifecycle;
mod lights;
mod listeners;
mod members;
mod migration;
mod non_secret;
mod pages;
mod peering;
mod phase;
mod pid_file;
mod readings;
mod recovery;
mod run;
mod sanitized;
mod seals;
mod seen_twice;
mod shared;
mod signals;
mod snapshot;
mod start;
mod status;
mod steps;
mod storage;
mod sweeper;
mod systemd;
mod tally;
mod trust;
mod wear;

pub use crate::secret::{MemoryError, lock_memory};
pub use addresses::Addresses;
pub use assemble::{Assembly, assemble};
pub use descriptors::wanted as descriptors_wanted;
pub use dev::{Dev, DevStart};
pub use error::StartError;
pub use hardening::{forbid_dumps, restrict_umask};
pub use kinds::{KINDS, needs_sudo};
pub use listeners::{check_certificate, shown};
pub use pid_file::PidFile;
pub use recovery::Recovery;
pub use run::{Runs, run};
pub use signals::{Signal, Signals};
pub use start::{Node, check as check_config, memory};
