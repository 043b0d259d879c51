//! Leases: deadlines, and what to undo when they pass.
//!
//! Owns the lease records (`sys/lease/id/<lease id>`), the index by deadline
//! (`sys/lease/expiry/<bucket>/...`) and the index by owner (`sys/lease/owner/<token>/...`).
//!
//! Invariants
//! - A lease past its deadline reads as absent, whether it was swept away yet or not.
//! - Record and indexes change in one batch.
//! - Finding what is due costs what is due, not what exists: opening a store reads nothing.
//!
//! It knows deadlines, not tokens: whoever asks for what is [`Store::due`] knows how to undo it.

mod record;
mod schedule;
mod store;

pub use record::{Lease, Undo};
pub use store::{Due, LIST_MAX, Store, Stray};

use crate::barrier::Codec;

/// Returns the codec that shows the record at `path`, below `sys/lease/`, as text.
pub fn codec(path: &str) -> Option<Codec> {
    match path.split_once('/')? {
        ("id", _) => Some(Codec::of::<record::LeaseRecord>()),
        ("expiry", _) => Some(Codec::of::<String>()),
        _ => None,
    }
}
