//! Reserved storage keys: what must be readable while sealed.
//!
//! They have a namespace byte of their own, 0x00, which no encrypted name starts with:
//!
//! ```text
//! 0x00 "seal-config"   SealConfig, in clear
//! 0x00 "root-key"      the root key, sealed by the seal key
//! 0x00 "keyring"       the keyring, sealed by the root key
//! 0x00 "join-key"      the join key, sealed by the root key
//! 0x00 "cluster-key"   the public half of the cluster's signing key, in clear: 32 bytes, or none
//!                      where a restore made it void
//! ```

pub(super) const SEAL_CONFIG: &[u8] = b"\0seal-config";
pub(super) const ROOT_KEY: &[u8] = b"\0root-key";
pub(super) const KEYRING: &[u8] = b"\0keyring";
pub(super) const JOIN_KEY: &[u8] = b"\0join-key";
pub(super) const CLUSTER_KEY: &[u8] = b"\0cluster-key";

/// Is it one of the keys that stay readable while sealed: the seal's, the root key's, the
/// keyring's, the cluster's public one? `key` is a storage key.
pub fn is_reserved(key: &[u8]) -> bool {
    [SEAL_CONFIG, ROOT_KEY, KEYRING, CLUSTER_KEY].contains(&key)
}
