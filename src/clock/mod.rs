//! Time. The only room that reads a clock; all others are handed a [`Timestamp`].
//!
//! Cluster time continues from the replicated floor by this machine's monotonic clock. Cluster time
//! adopts the wall clock only when systemd-timesyncd has synchronised it (or the machine has a
//! hardware clock), and only forwards.

mod cluster;
mod duration;
mod instant;
mod machine;
mod timestamp;

pub use cluster::{Clock, ClusterClock, ManualClock};
pub use duration::{format_duration, parse_duration};
pub use instant::parse_instant;
pub use machine::{Machine, ThisMachine, wall_clock};
pub use timestamp::Timestamp;
