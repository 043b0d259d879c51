//! The duties of the active node, done by itself without being asked: [`autopilot`] and
//! [`snapshots`] by the clock.
//!
//! Each duty has its settings behind the barrier, a loop (`run`) that `node` starts when it becomes
//! active and drops when it is active no more, and what the endpoints show of it.

pub mod autopilot;
pub mod snapshots;
