//! Reserved storage keys, of records that must be readable while sealed.
//!
//! They have a namespace byte of their own, 0x00, which no encrypted name starts with:
//!
//! ```text
//! 0x00 "seal-config"      how the seal key is kept, in clear: `seal_record.rs`    local
//! 0x00 "root-key"         the root key, sealed by the seal key                    local
//! 0x00 "join-key"         the join key, sealed by the root key                    local
//! 0x00 "recovery-key"     the check of the recovery key, sealed by the root key           local
//! 0x00 "share-hashes"     hashes of the shares that people hold, sealed by the root key  local
//! 0x00 "keyring"          the keyring, sealed by the root key
//! 0x00 "cluster-key"      the public half of the cluster's signing key, in clear: 32 bytes, or
//!                         none where a restore made it void
//! 0x00 "local/" <name>    what else belongs to this cluster alone: `local.rs`     local
//! ```
//!
//! A local record is this cluster's and no other's: neither a restore nor a replication between
//! clusters carries it over. Those without the prefix are where release 0.2 looks for them.

pub(super) const SEAL_CONFIG: &[u8] = b"\0seal-config";
pub(super) const ROOT_KEY: &[u8] = b"\0root-key";
pub(super) const KEYRING: &[u8] = b"\0keyring";
pub(super) const JOIN_KEY: &[u8] = b"\0join-key";
pub(super) const RECOVERY_KEY: &[u8] = b"\0recovery-key";
pub(super) const SHARE_HASHES: &[u8] = b"\0share-hashes";
pub(super) const CLUSTER_KEY: &[u8] = b"\0cluster-key";
/// The beginning of the keys of local records, apart from those in [`SEAL`].
pub(super) const LOCAL: &[u8] = b"\0local/";
/// The first byte of all reserved keys, and of no others.
pub(super) const NAMESPACE: u8 = 0;

/// The keys of the local records that belong to the root key and its seal. A restore keeps or
/// replaces them together.
pub(super) const SEAL: [&[u8]; 5] = [SEAL_CONFIG, ROOT_KEY, JOIN_KEY, RECOVERY_KEY, SHARE_HASHES];

/// Returns true when `key`, a storage key, stays readable while sealed: the seal's, the root key's,
/// the keyring's, the cluster's public one, or a local one.
pub fn is_reserved(key: &[u8]) -> bool {
    [SEAL_CONFIG, ROOT_KEY, KEYRING, CLUSTER_KEY].contains(&key) || key.starts_with(LOCAL)
}
