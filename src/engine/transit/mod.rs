//! transit: encrypts, decrypts, signs and hashes for its callers, and keeps nothing but the keys.
//!
//! Owns the records `config`, `key/<name>` and `version/<name>/<number>` of its view. The record of
//! a key has its settings and the times of its versions; the secret bytes of each version have a
//! record of their own: a request opens two small records, however often a key was rotated.
//!
//! Invariants
//! - No plaintext is stored, and no key leaves its records unless it was made exportable.
//! - A standby encrypts, decrypts, signs and verifies by itself; only what changes a key goes to
//!   the active node.
//! - Keyed hashes are compared in constant time, and RSA's private operations are blinded.
//! - Two plaintexts share a nonce under one key only where convergent encryption was asked for, and
//!   then only when text, context and associated data are the same.

mod base;
mod batch;
mod cipher;
mod ciphertext;
mod crypt;
mod engine;
mod export;
mod keys;
mod kind;
mod pair;
mod record;
mod scheme;
mod sign;
mod table;
#[cfg(test)]
mod tests;
mod version;

pub use engine::{KIND, Transit};
