//! The token method: `auth/token/`.
//!
//! Owns the token roles (`role/<name>` below its mount) and the rules of who may make, see, renew
//! and end which token.
//!
//! Invariants
//! - Nobody without root makes a root token, under any spelling of the name.
//! - Without `sudo` a token's children have at most its policies, have it as parent, have no
//!   period and no text of their maker's choice.
//! - A token's text appears only in the answer that makes it and in answers to its own holder.

mod create;
mod describe;
mod engine;
mod handle;
#[cfg(test)]
mod harness;
mod policies;
mod role;
mod roles;
mod table;

pub use engine::TokenEngine;
#[cfg(test)]
pub(crate) use table::TABLE;
pub use table::{KIND, MOUNT};

use crate::barrier::Codec;

/// Returns the codec that shows the record at `path`, below the token method's mount, as text.
pub fn codec(path: &str) -> Option<Codec> {
    path.starts_with("role/").then_some(role::CODEC)
}
