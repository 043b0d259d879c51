//! A whole state as one file, which `operator raft snapshot save` writes and `restore` reads.
//!
//! Owns the archive's layout, which Vault's and OpenBao's clients know how to check, and the format
//! of the state inside, which is coffer's. Everything in it is ciphertext or a public parameter.
//!
//! ```text
//! gzip of tar, members in this order
//!   meta.json           index, term and the size of state.bin, as raft's tools know them
//!   state.bin           the records, see `records`
//!   SHA256SUMS          of the two above
//!   SHA256SUMS.sealed   proof that a cluster's own keys vouch for SHA256SUMS, see `seal`
//! ```
//!
//! Invariants
//! - Writing and reading are streams: memory does not grow with the data.
//! - [`read`] has looked at every byte before it says that an archive is whole.
//! - No membership is written, and none is read.
//!
//! It knows no keys: the writer brings the seal, and the reader checks it.

mod error;
mod gather;
pub mod probe;
mod read;
mod records;
mod write;

pub use error::ArchiveError;
pub use gather::{Contents, Totals};
pub use read::{Checked, Meta, check, restore};
pub use records::{Header, KEY_BYTES_MAX, VALUE_BYTES_MAX};
pub use write::{Sizes, write};

/// The members of the archive.
const META: &str = "meta.json";
const STATE: &str = "state.bin";
const SUMS: &str = "SHA256SUMS";
const SEALED: &str = "SHA256SUMS.sealed";

#[cfg(test)]
mod tests;
