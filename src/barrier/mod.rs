//! The barrier: everything below it is ciphertext, values and names alike.
//!
//! Owns the keyring, the record format, name encryption, and the two handles that the rooms above
//! read and write through: a [`View`] of one subtree and a [`Batch`] of changes.
//!
//! ```text
//! seal key --seals--> root key --seals--> keyring --seals--> records
//! (shares, providers) (reserved)    |     (reserved)  \----> names, keyed hashes, cluster keys
//!                                   +---> join key, check of the recovery key, hashes of shares
//! ```
//!
//! Invariants
//! - [`Sealed`] and [`Unsealed`] are types: only an unsealed barrier can encrypt or decrypt, and
//!   only the right seal key makes one. Sealing drops the keys, even while other rooms hold
//!   handles.
//! - A record opens only at the path it was sealed for.
//! - One [`Batch`] becomes one log entry.
//! - Nothing is added under a key term that was dropped (`sealed_batch.rs`), and a term is dropped
//!   only when nothing is under it (`rewrap.rs`).
//! - Records that belong to this cluster alone, the seal's among them, outlive a restore
//!   (`local.rs`).
//! - A node joins by proving that it holds the unseal keys, which never travel (`join.rs`).
//! - A change of the seal commits over the seal that its holders allowed to change, and over no
//!   other (`current_seal.rs`).
//! - Keys are wiped when dropped and leave this room only as sealed records.

mod batch;
mod blobs;
mod cluster_key;
mod codec;
mod current_seal;
mod join;
mod join_key;
mod keyring;
mod keys;
mod local;
mod mac;
mod messages;
mod names;
mod nonces;
mod plaintext;
mod published;
mod record;
mod recovery_key;
mod resealing;
mod reserved;
mod rewrap;
mod rotation;
mod seal_record;
mod sealed;
mod sealed_batch;
mod settling;
mod share_hashes;
mod slot;
mod unsealed;
mod usage;
mod view;
mod watch;
mod xchacha;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wiping;
mod wrapped_key;

pub use batch::{Batch, Commit};
pub use cluster_key::ClusterKey;
pub use codec::Codec;
pub use current_seal::CurrentSeal;
pub use join::{
    AcceptedAnswer, CHALLENGE_BYTES_MAX, CHALLENGE_TTL, Examiner, Issuer, NODE_ID_BYTES_MAX,
    OpenedChallenge,
};
pub use join_key::{JoinKey, PROOF_BYTES};
pub use keyring::{
    ENCRYPTIONS_HARD_MAX, ENCRYPTIONS_MAX, ENCRYPTIONS_MIN, INTERVAL_S_MIN, KEY_TERMS_MAX,
    OlderTerm, RotationConfig,
};
pub use local::LocalRecord;
pub use messages::{MESSAGE_NONCE_BYTES, MESSAGE_OVERHEAD_BYTES};
pub use plaintext::Plaintext;
pub use published::PublishedKey;
pub use reserved::is_reserved;
pub use rewrap::{RewrapWalk, STEP_BYTES_MAX, STEP_RECORDS_MAX};
pub use rotation::KeyStatus;
pub use seal_record::{SealConfig, SealRecord, SealType, WRAPPED_KEYS_MAX, WrappedKey};
pub use sealed::{Fresh, Sealed};
pub use share_hashes::{HashedShares, ShareGeneration, SharedKey};
pub use slot::{Entry, Slot};
pub use unsealed::Unsealed;
pub use view::View;
pub use wrapped_key::{unwrap_key, wrap_key};

/// The reason for which the barrier does not serve.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BarrierError {
    /// Not now or fatal: the store's error tells which.
    #[error(transparent)]
    Read(#[from] crate::store::ReadError),
    /// The store refused or failed a commit; its error tells why.
    #[error(transparent)]
    Commit(#[from] crate::store::CommitError),
    /// Fatal: a record failed authentication; the disk or the data was tampered with.
    #[error("record failed authentication")]
    Tampered,
    /// Fatal: a record names a key term that the keyring lacks.
    #[error("record is sealed under unknown key term {0}")]
    UnknownKeyTerm(u32),
    /// The client's fault: the path cannot be stored.
    #[error(transparent)]
    Path(#[from] crate::path::PathError),
    /// A stored record does not decode; the message names the kind, never the content.
    #[error("stored {0} record does not decode")]
    Decode(&'static str),
    /// A fault of this program: a value does not fit its stored format; the message names the kind.
    #[error("{0} does not fit its record")]
    Encode(&'static str),
    /// Not now: the barrier was sealed meanwhile.
    #[error("the barrier is sealed")]
    Sealed,
    /// The operator's fault: initialize the store first.
    #[error("the barrier is not initialized")]
    NotInitialized,
    /// The operator's fault: the store has a keyring already, and it stays untouched.
    #[error("the barrier is already initialized")]
    AlreadyInitialized,
    /// The operator's fault: the seal key, or the shares it was made of, are not this store's.
    #[error(
        "unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: \
         message authentication failed"
    )]
    WrongSealKey,
    /// The operator's fault: the recovery key, or the shares it was made of, are not this store's.
    #[error("recovery key verification failed: recovery key does not match submitted values")]
    WrongRecoveryKey,
    /// The joiner's operator's fault: the unseal keys, or the cluster, are the wrong ones.
    #[error("the challenge does not open: the unseal keys are not those of that cluster")]
    WrongJoinKey,
    /// Not now: ask for a fresh challenge.
    #[error("the challenge has expired")]
    ChallengeExpired,
    /// The joiner's fault: its statement is not the one that it proved.
    #[error("the proof does not fit what the joiner says")]
    WrongProof,
    /// Not now: the store was sealed before join keys were kept; unseal this node once more.
    #[error("no join key is known: seal and unseal the active node")]
    NoJoinKey,
    /// The operator's fault: the keyring is full; this takes years of daily rotations.
    #[error("the keyring holds {KEY_TERMS_MAX} key terms, which is the most")]
    TooManyKeyTerms,
    /// The client's fault: see [`RotationConfig`].
    #[error("max_operations must be in the range [{ENCRYPTIONS_MIN},{ENCRYPTIONS_MAX}]")]
    RotationOperations,
    /// The client's fault: see [`RotationConfig`].
    #[error("interval must be greater or equal to 24h0m0s")]
    RotationInterval,
}
