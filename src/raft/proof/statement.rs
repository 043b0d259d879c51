//! The statements that are signed.
//!
//! ```text
//! standing   "coffer standing 1" | cluster key (32) | raft id (8) | pinned key
//! mandate    "coffer mandate 1"  | cluster key (32) | raft id (8) | term (8) | pinned key
//! roster     "coffer roster 1"   | cluster key (32) | term (8) | index (8) | members, postcard
//! ```
//!
//! Numbers are big-endian. The only part of variable length stands last, so no two statements have
//! the same bytes.

use super::ClusterPublicKey;
use crate::peer::PublicKey;
use crate::raft::wire::record::{Members, Position};

/// Returns the statement that the member `id`, which is pinned to `key`, is unsealed.
pub(super) fn standing(cluster: &ClusterPublicKey, id: u64, key: &PublicKey) -> Vec<u8> {
    join(
        b"coffer standing 1",
        &[&cluster.0, &id.to_be_bytes(), &key.0],
    )
}

/// Returns the statement that the member `id`, which is pinned to `key`, may lead in `term`.
pub(in crate::raft) fn mandate(
    cluster: &ClusterPublicKey,
    id: u64,
    key: &PublicKey,
    term: u64,
) -> Vec<u8> {
    join(
        b"coffer mandate 1",
        &[&cluster.0, &id.to_be_bytes(), &term.to_be_bytes(), &key.0],
    )
}

/// Returns the statement that the entry at `at` made `members`.
pub(super) fn roster(cluster: &ClusterPublicKey, at: Position, members: &Members) -> Vec<u8> {
    let bytes = postcard::to_stdvec(members).unwrap_or_default();
    join(
        b"coffer roster 1",
        &[
            &cluster.0,
            &at.term.to_be_bytes(),
            &at.index.to_be_bytes(),
            &bytes,
        ],
    )
}

fn join(label: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = label.to_vec();
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}
