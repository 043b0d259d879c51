//! The cluster's signing key, as `node` derives it for raft.

use coffer::barrier::{ClusterKey, Unsealed};
use coffer::raft::{ClusterPublicKey, SIGNATURE_BYTES, Signer};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// The key with which an unsealed node signs.
pub struct ClusterSigner {
    pair: Ed25519KeyPair,
    claimed: ClusterPublicKey,
}

impl ClusterSigner {
    pub fn new(barrier: &Unsealed) -> Self {
        let seed = barrier.cluster_key(ClusterKey::Leadership).unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).unwrap();
        let claimed = ClusterPublicKey(pair.public_key().as_ref().try_into().unwrap());
        Self { pair, claimed }
    }

    /// Returns a signer that pretends to hold `claimed` and signs with a key of its own.
    pub fn forged(claimed: ClusterPublicKey) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[66; 32]).unwrap();
        Self { pair, claimed }
    }
}

impl Signer for ClusterSigner {
    fn cluster_key(&self) -> ClusterPublicKey {
        self.claimed
    }

    fn sign(&self, statement: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.pair.sign(statement).as_ref().try_into().unwrap()
    }
}
