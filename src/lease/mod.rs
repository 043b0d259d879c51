//! Leases: their deadlines, and the undoing that follows them.
//!
//! Owns the lease records (`sys/lease/id/<lease id>`), the index by deadline
//! (`sys/lease/expiry/<bucket>/...` for tokens, `sys/lease/revoke/<bucket>/...` for what an engine
//! has to revoke), the index by owner (`sys/lease/owner/<token>/...`) and the failures of leases
//! that could not be revoked (`sys/lease/failed/<lease id>`).
//!
//! Invariants
//! - A lease past its deadline reads as absent, whether it was swept away yet or not.
//! - Record and indexes change in one batch.
//! - A lease that an engine granted stays in the index until the engine has revoked it: the index
//!   is the queue, so it survives a restart and is where the next active node goes on.
//! - Finding what is due costs what is due, not what exists: opening a store reads nothing.
//!
//! It knows deadlines, neither tokens nor engines: `token` ends what is [`Store::due`], `router`
//! has engines revoke what is [`Store::to_revoke`].

mod agenda;
mod failure;
mod record;
mod schedule;
mod store;

pub use failure::{ATTEMPTS_MAX, Failure};
pub use record::{Lease, Undo};
pub use store::{Due, LIST_MAX, Store, Stray};

use crate::barrier::Codec;

/// Returns the codec that shows the record at `path`, below `sys/lease/`, as text.
pub fn codec(path: &str) -> Option<Codec> {
    match path.split_once('/')? {
        ("id", _) => Some(Codec::of::<record::LeaseRecord>()),
        ("expiry" | "revoke", _) => Some(Codec::of::<String>()),
        ("failed", _) => Some(Codec::of::<failure::FailureRecord>()),
        _ => None,
    }
}
