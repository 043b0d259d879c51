//! Nodes in one process under seeded faults: network and log devices are the test's own.
//!
//! The seed decides the faults and their times; the threads of the log and the timers of raft run
//! in real time, so a seed repeats its faults and not every interleaving.

mod disk;
mod faults;
mod record;
mod robbery;
mod run;
mod signer;
mod world;

pub use record::{MARKER, act};
pub use robbery::Robbery;
pub use signer::ClusterSigner;
pub use world::World;
