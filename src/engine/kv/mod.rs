//! kv: secrets under paths, unversioned (v1) or versioned (v2, chosen by the mount's option
//! `version`).
//!
//! Owns the records below its mount: `s/<path>` for v1; for v2 `config`, `m/<path>` (a secret's
//! settings and its list of versions) and `d<id><version>` (one version's data, under the random
//! id that the metadata record names).
//!
//! Invariants
//! - One request is one batch, and whatever follows from a metadata record expects that record's
//!   revision, so concurrent writers never lose a version to each other.
//! - A data record belongs to exactly one metadata record; pruning, destroying and deleting
//!   remove it in the batch that stops naming it.
//! - A secret that is deleted and written anew gets another id, so an old data record put back
//!   by someone who holds the disk is never read.
//!
//! Plaintext is wiped as bytes ([`crate::secret::SecretBytes`]); as JSON values on their way to or
//! from the client it is not, because `serde_json` cannot.

mod engine;
#[cfg(test)]
pub(super) mod harness;
pub(super) mod list;
pub(super) mod record;
mod v1;
mod v2;

pub use engine::{KIND, Kv};
pub use v2::{UPGRADE_SECRETS_MAX, merge_patch, upgrade};

use crate::barrier::Codec;

/// Returns the codec that shows the record at `path`, below a mount of kv, as text.
pub fn codec(path: &str) -> Codec {
    match path.split_once('/') {
        Some(("m", _)) => v2::METADATA_CODEC,
        None if path == "config" => v2::CONFIG_CODEC,
        _ => record::CODEC,
    }
}
