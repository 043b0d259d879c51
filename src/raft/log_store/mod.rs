//! The replicated log on the device: preallocated segments, written once, in order.
//!
//! Owns the files `raft/*.log`. They hold all that raft must not forget: entries, votes,
//! truncations, purges.
//!
//! Invariants
//! - A write whose callback ran is on the device; at most one write is in flight.
//! - A block that was acknowledged is never written again before its segment is purged.
//! - A group's sequence number is never used twice; recovery relies on it to tell a write that was
//!   cut short from damage, and fails closed on damage.
//! - After a failed write nothing is written any more ([`super::disk::poison::Poison`]).
//!
//! It never looks into commands, never reads a clock, and writes only when raft asks.
//!
//! # A segment
//!
//! ```text
//! +---------------------+-------+-------+-----+---------------------------------+
//! | group with `Start`  | group | group | ... | zeros, or groups of an earlier  |
//! | generation g        |  g    |  g    |     | generation, of lower sequence   |
//! +---------------------+-------+-------+-----+---------------------------------+
//! ```
//!
//! A group is described in `group.rs`, a record in `raft/wire/record.rs`, recovery in
//! `recovery.rs`.

pub mod bench;
mod front;
mod group;
mod index;
mod probe;
mod recovery;
mod segment_file;
mod segments;
mod shared;
mod store;
mod values;
mod writer;

pub use super::disk::log_error::LogError;
pub use probe::read_group;
pub use segment_file::exists;
use segments::Segment;
pub use store::{LogOptions, LogStore, Recovery};

#[cfg(test)]
mod tests;
