//! Snapshots of the whole state: [`save`] as a stream, and [`restore`] from one.
//!
//! Both run on the active node, once the router has authorized and audited the call.
//!
//! Invariants
//! - A snapshot that does not hold together, or that another cluster made, changes nothing.
//! - Memory does not grow with the data; what comes in lies in a nameless file meanwhile.

pub mod auto;
mod incoming;
mod restore;
mod save;

pub use restore::restore;
pub use save::{save, save_to};

use super::lifecycle::LifecycleError;
use super::step::Step;
use super::table::Run;
use crate::barrier::{BarrierError, Unsealed};
use crate::engine::table::{Access, Answers, Endpoint, Field, FieldKind, Op, Place, Row};
use crate::store::archive::ArchiveError;
use auto::endpoint;
use subtle::ConstantTimeEq;

/// The largest snapshot that is taken in, in bytes. The device's space is the nearer limit.
pub const SNAPSHOT_BYTES_MAX: u64 = 16 << 30;

/// In Vault's words.
const NO_RAFT: &str = "raft storage is not in use";
/// Separates these proofs from every other use of the keys.
const DOMAIN: &str = "snapshot sums";
const SEAL_VERSION: u8 = 1;

const NAME: Field = Field::path("name", "Name of the settings.");

/// Snapshots, and those by the clock.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot",
            place: Place::ActiveItself,
            takes_anything: true,
            answers: Answers::Bytes,
            summary: "Saves a snapshot when it is read, restores one when it is written.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, Run::Node(Step::Snapshot)),
            (Op::ACT, Run::Node(Step::Snapshot)),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot-force",
            place: Place::ActiveItself,
            takes_anything: true,
            answers: Answers::Bytes,
            summary: "Restores a snapshot, whoever made it.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::ACT, Run::Node(Step::SnapshotForce))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot-auto/config",
            access: Access::Sudo,
            place: Place::Active,
            summary: "Lists the settings for snapshots by the clock.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::LIST, Run::Answer(endpoint::list))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot-auto/config/:name",
            access: Access::Sudo,
            place: Place::Active,
            fields: &[
                NAME,
                Field::new("file_prefix", FieldKind::Text, "What files begin with.")
                    .default("vault-snapshot"),
                Field::new("interval", FieldKind::Seconds, "Between snapshots.").required(),
                Field::new("local_max_space", FieldKind::Integer, "Bytes of all files.").required(),
                Field::new("path_prefix", FieldKind::Text, "The directory.").required(),
                Field::new("retain", FieldKind::Integer, "How many are kept.").default("1"),
                Field::new("storage_type", FieldKind::Text, "local.").required(),
            ],
            summary: "Settings for snapshots by the clock.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, Run::Answer(endpoint::read)),
            (Op::WRITE, Run::Answer(endpoint::write)),
            (Op::DELETE, Run::Answer(endpoint::delete)),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot-auto/status/:name",
            place: Place::Active,
            fields: &[NAME],
            summary: "Shows how the last snapshots went.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(endpoint::status))],
    },
];

/// Proof that this cluster made the snapshot with these sums: a version byte and a keyed hash.
/// Not under a key term: it holds also after rotations, and after restores of older snapshots.
fn seal(barrier: &Unsealed, sums: &[u8]) -> Result<Vec<u8>, BarrierError> {
    let mut sealed = vec![SEAL_VERSION];
    sealed.extend_from_slice(&barrier.mac(DOMAIN, sums)?);
    Ok(sealed)
}

fn is_ours(barrier: &Unsealed, sums: &[u8], sealed: &[u8]) -> Result<bool, BarrierError> {
    Ok(seal(barrier, sums)?.ct_eq(sealed).into())
}

fn archive_error(error: ArchiveError) -> LifecycleError {
    match error.is_clients() {
        true => LifecycleError::Invalid(error.to_string()),
        false => LifecycleError::Internal(error.to_string()),
    }
}

fn internal(error: impl std::fmt::Display) -> LifecycleError {
    LifecycleError::Internal(error.to_string())
}
