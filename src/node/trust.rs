//! Proof of the keys, as this node gives and requires it.
//!
//! The seed of the cluster's signing key comes from the keyring, so only unsealed nodes have it.
//! Its public half is a record that is readable while sealed; raft is told whenever that record
//! changes. A cluster that was made by a release before proofs gets the record from its active
//! node, as soon as every member was heard to run a release that gives them.

use super::shared::Shared;
use crate::barrier::{BarrierError, Batch, ClusterKey, PublishedKey, Unsealed};
use crate::raft::{ClusterPublicKey, MemberInfo, RaftStorage, SIGNATURE_BYTES, Signer};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The time between two looks at the members' versions, while one is too old.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The number of looks between two lines of the log that name the members that are too old.
const TELL_AFTER: u32 = 60;
/// The first release that gives proofs of the keys.
const PROVES_SINCE: (u64, u64) = (0, 2);

/// The cluster's signing key. Boxed, so that moving it leaves no copy; ring does not wipe its keys,
/// so on drop this one is overwritten by the key of a zero seed.
pub(super) struct ClusterSigner(Box<Ed25519KeyPair>);

impl ClusterSigner {
    /// Derives the cluster's signing key from the keyring.
    ///
    /// # Errors
    /// [`BarrierError::Sealed`].
    pub fn new(barrier: &Unsealed) -> Result<Self, BarrierError> {
        let seed = barrier.cluster_key(ClusterKey::Leadership)?;
        Ok(Self(Box::new(of_seed(seed.expose()))))
    }
}

impl Drop for ClusterSigner {
    fn drop(&mut self) {
        *self.0 = of_seed(&[0; 32]);
        std::hint::black_box(&self.0);
    }
}

fn of_seed(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("every 32 bytes are a seed")
}

impl Signer for ClusterSigner {
    fn cluster_key(&self) -> ClusterPublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        ClusterPublicKey(key)
    }

    fn sign(&self, statement: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(self.0.sign(statement).as_ref());
        signature
    }
}

impl Shared {
    /// Tells raft which proofs to require, as the store has it.
    pub(super) fn follow_cluster_key(&self) {
        let Some(raft) = self.leadership.raft() else {
            return;
        };
        let required = match self.sealed.published_key() {
            Ok(PublishedKey::Key(key)) => raft.require_proof(Some(ClusterPublicKey(key))),
            Ok(PublishedKey::Void) => raft.require_proof(None),
            // Proofs that were required once are required still.
            Ok(PublishedKey::Never) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "the cluster's public key cannot be read");
                return;
            }
        };
        if let Err(error) = required {
            tracing::error!(%error, "the cluster's public key cannot be kept");
        }
    }

    /// Has the store name the cluster's public key, while this node is active.
    pub(super) fn publish_cluster_key(
        self: &Arc<Self>,
        barrier: &Arc<Unsealed>,
    ) -> impl Future<Output = ()> + Send + 'static {
        publish(Arc::downgrade(self), Arc::clone(barrier))
    }
}

async fn publish(shared: Weak<Shared>, barrier: Arc<Unsealed>) {
    let Ok(signer) = ClusterSigner::new(&barrier) else {
        return;
    };
    let key = signer.cluster_key();
    for look in 0_u32.. {
        let Some(node) = shared.upgrade() else { return };
        let Some(raft) = node.leadership.raft() else {
            return;
        };
        let known = node.sealed.published_key();
        if known.is_ok_and(|known| known == PublishedKey::Key(key.0)) {
            return;
        }
        let old = too_old(raft);
        if old.is_empty() {
            let mut batch = Batch::new();
            batch.publish_cluster_key(&key.0);
            match barrier.commit(batch, node.clock.now()).await {
                Ok(_) => {
                    crate::telemetry::info!(
                        "all members give proof of the keys: required from now on"
                    );
                    return;
                }
                Err(error) => tracing::warn!(%error, "proof of the keys is not required yet"),
            }
        } else if look % TELL_AFTER == TELL_AFTER - 1 {
            tracing::warn!(
                members = old.join(", "),
                "proof of the keys is not required yet: these members run a release that does \
                 not give it, or were not heard; upgrade or remove them"
            );
        }
        drop(node);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Returns the members that were not heard to run a release that gives proofs.
fn too_old(raft: &RaftStorage) -> Vec<String> {
    let members = raft.members().into_iter();
    let old = members.filter(|member| !proves(member));
    old.map(|member| member.name).collect()
}

fn proves(member: &MemberInfo) -> bool {
    gives_proofs(&member.version)
}

/// Returns true for the version of a release that gives proofs of the keys.
pub(super) fn gives_proofs(version: &str) -> bool {
    let mut numbers = version.split(['.', '-', '+']);
    let mut number = || numbers.next().and_then(|text| text.parse::<u64>().ok());
    match (number(), number()) {
        (Some(major), Some(minor)) => (major, minor) >= PROVES_SINCE,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_give_proofs() {
        for version in ["0.2.0", "0.2.0-rc.1", "0.10.3", "1.0.0+build"] {
            assert!(gives_proofs(version), "{version}");
        }
        for version in ["", "0.1.0", "0.1.99", "0", "x.y", "-1.2"] {
            assert!(!gives_proofs(version), "{version}");
        }
        assert!(gives_proofs(env!("CARGO_PKG_VERSION")));
    }
}
