//! Time. The only room that reads a clock; everything else is handed a [`Timestamp`].
//!
//! Cluster time continues from the replicated floor by this machine's monotonic clock. It adopts
//! the wall clock only when the kernel says that it is synchronised (or the machine has a
//! battery-backed clock), and only forwards.

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
