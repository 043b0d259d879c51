//! The duties of the active node, done in the background: [`autopilot`], [`snapshots`] by the
//! clock, and [`rewrap`], the re-encryption of what older key terms hold.
//!
//! Each duty has its settings behind the barrier, a loop (`run`) that `node` starts when it becomes
//! active and drops when it is active no more, and what the endpoints show of it.

pub mod autopilot;
pub mod rewrap;
pub mod snapshots;
