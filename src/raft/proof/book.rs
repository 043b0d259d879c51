//! Makes this node's proofs, and remembers the proofs of others that it checked.

use super::{ClusterPublicKey, RETRY, SIGNATURE_BYTES, Signer, file, statement};
use crate::peer::PublicKey;
use crate::raft::disk::error::OpenError;
use crate::raft::wire::message::Proof;
use crate::raft::wire::record::{Members, Position};
use bytes::Bytes;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The time between two lines of the log about one member.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The time for which a member may speak the older version before the log tells of it.
const GRACE: Duration = Duration::from_secs(5);

/// The reason for which a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::raft) enum Refused {
    /// The sender is sealed, or has no keys at all.
    #[error("only an unsealed member may say this, and the proof of it is missing or wrong")]
    Unproven,
    /// The sender speaks in the name of another member.
    #[error("a member speaks for itself only")]
    Forged,
    /// The sender's version is older than the proof.
    #[error(
        "this cluster requires proof of the keys, which the sender's version does not give: \
         upgrade coffer there"
    )]
    OldWire,
}

/// Makes the proofs of an open storage, and checks those of its peers.
pub(in crate::raft) struct ProofBook {
    id: u64,
    key: PublicKey,
    dir: PathBuf,
    required: Mutex<Option<ClusterPublicKey>>,
    own: Mutex<Option<Own>>,
    known: Mutex<HashMap<u64, Known>>,
    refused: AtomicU64,
}

/// The proofs that this node can make.
struct Own {
    signer: Arc<dyn Signer>,
    cluster: ClusterPublicKey,
    standing: Proof,
    mandate: Option<(u64, Proof)>,
}

/// The proofs of a member that were checked.
#[derive(Default)]
struct Known {
    key: PublicKey,
    standing: Option<Proof>,
    mandate: Option<(u64, Proof)>,
    /// The time from which the member's next proof may be checked, after a wrong one.
    retry_at: Option<Instant>,
    told_at: Option<Instant>,
    refused_since: Option<Instant>,
}

impl ProofBook {
    /// Opens the book of the data directory at `dir`, with the cluster key that it holds. `id` and
    /// `key` are this node's.
    pub(in crate::raft) fn open(dir: &Path, id: u64, key: PublicKey) -> Result<Self, OpenError> {
        Ok(Self {
            id,
            key,
            dir: dir.to_path_buf(),
            required: Mutex::new(file::read(dir)?),
            own: Mutex::default(),
            known: Mutex::default(),
            refused: AtomicU64::new(0),
        })
    }

    /// Returns the key that proofs are checked against; `None` while no proof is required.
    pub(in crate::raft) fn required(&self) -> Option<ClusterPublicKey> {
        *lock(&self.required)
    }

    /// Requires proofs under `key` from now on, and after every start; `None` requires none.
    /// Returns true when that changes something.
    pub(in crate::raft) fn require(&self, key: Option<ClusterPublicKey>) -> io::Result<bool> {
        let mut required = lock(&self.required);
        if *required == key {
            return Ok(false);
        }
        file::write(&self.dir, key)?;
        *required = key;
        lock(&self.known).clear();
        Ok(true)
    }

    /// Takes the signer of an unsealed node, or drops it with all that it signed.
    pub(in crate::raft) fn set_signer(&self, signer: Option<Arc<dyn Signer>>) {
        let own = signer.map(|signer| {
            let cluster = signer.cluster_key();
            let standing = statement::standing(&cluster, self.id, &self.key);
            Own {
                standing: signed(&*signer, &standing),
                cluster,
                signer,
                mandate: None,
            }
        });
        *lock(&self.own) = own;
    }

    /// Returns true when this node can prove that it may lead, or when no proof is required.
    pub(in crate::raft) fn may_lead(&self) -> bool {
        let required = self.required();
        required.is_none_or(|key| {
            lock(&self.own)
                .as_ref()
                .is_some_and(|own| own.cluster == key)
        })
    }

    /// Returns the proof that this node is unsealed; empty when it is not.
    pub(in crate::raft) fn standing(&self) -> Proof {
        let own = lock(&self.own);
        own.as_ref()
            .map_or_else(Proof::default, |own| own.standing.clone())
    }

    /// Returns the proof that this node may lead in `term`; empty when it may not.
    pub(in crate::raft) fn mandate(&self, term: u64) -> Proof {
        let mut own = lock(&self.own);
        let Some(own) = own.as_mut() else {
            return Proof::default();
        };
        if let Some((signed_term, proof)) = &own.mandate
            && *signed_term == term
        {
            return proof.clone();
        }
        let statement = statement::mandate(&own.cluster, self.id, &self.key, term);
        let proof = signed(&*own.signer, &statement);
        own.mandate = Some((term, proof.clone()));
        proof
    }

    /// Signs a list of the members; the proof is empty when this node is sealed.
    pub(in crate::raft) fn roster(&self, at: Position, members: &Members) -> Proof {
        let own = lock(&self.own);
        own.as_ref().map_or_else(Proof::default, |own| {
            signed(&*own.signer, &statement::roster(&own.cluster, at, members))
        })
    }

    /// Returns true when an unsealed member made that list, or when no proof is required.
    pub(in crate::raft) fn is_roster(
        &self,
        at: Position,
        members: &Members,
        proof: &Proof,
    ) -> bool {
        let required = self.required();
        required.is_none_or(|key| holds(&key, &statement::roster(&key, at, members), proof))
    }

    /// Returns true when `proof` shows that the member `id`, pinned to `key`, is unsealed, or when
    /// no proof is required.
    pub(in crate::raft) fn stands(&self, id: u64, key: &PublicKey, proof: &Proof) -> bool {
        let Some(cluster) = self.required() else {
            return true;
        };
        if proof.0.is_empty() {
            return false;
        }
        let mut all = lock(&self.known);
        let known = of(&mut all, id, key);
        if known.standing.as_ref() == Some(proof) {
            return true;
        }
        let statement = statement::standing(&cluster, id, key);
        let stands = known.check(&cluster, &statement, proof);
        if stands {
            known.standing = Some(proof.clone());
        }
        stands
    }

    /// Returns true when `proof` shows that the member `id`, pinned to `key`, may lead in `term`,
    /// or when no proof is required.
    pub(in crate::raft) fn leads(
        &self,
        id: u64,
        key: &PublicKey,
        term: u64,
        proof: &Proof,
    ) -> bool {
        let Some(cluster) = self.required() else {
            return true;
        };
        let mut all = lock(&self.known);
        let known = of(&mut all, id, key);
        if let Some((proven, by)) = &known.mandate
            && *proven == term
            && by == proof
        {
            return true;
        }
        let statement = statement::mandate(&cluster, id, key, term);
        let leads = known.check(&cluster, &statement, proof);
        if leads {
            known.mandate = Some((term, proof.clone()));
        }
        leads
    }

    /// Counts a message that was dropped, and logs it once a minute for each member.
    pub(in crate::raft) fn refuse(&self, id: u64, key: &PublicKey, why: Refused) {
        self.refused.fetch_add(1, Ordering::AcqRel);
        let mut all = lock(&self.known);
        let known = of(&mut all, id, key);
        let now = Instant::now();
        let since = *known.refused_since.get_or_insert(now);
        // While the key is published, members that have not applied that yet speak as before.
        let is_early = why == Refused::OldWire && now.saturating_duration_since(since) < GRACE;
        let is_due = known
            .told_at
            .is_none_or(|at| now.saturating_duration_since(at) >= TELL_EVERY);
        if !is_due || is_early {
            return;
        }
        known.told_at = Some(now);
        match why {
            Refused::OldWire => tracing::warn!(raft_id = id, %why, "dropped a member's message"),
            Refused::Unproven | Refused::Forged => tracing::warn!(
                raft_id = id,
                %why,
                "dropped a member's message; if its card may have been stolen, remove it: coffer \
                 operator raft remove-peer"
            ),
        }
    }

    /// Counts the messages that were dropped since the start.
    pub(in crate::raft) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Acquire)
    }
}

impl Known {
    fn check(&mut self, cluster: &ClusterPublicKey, statement: &[u8], proof: &Proof) -> bool {
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| now < at) {
            return false;
        }
        let sound = holds(cluster, statement, proof);
        self.retry_at = (!sound).then(|| now + RETRY);
        sound
    }
}

/// Returns the proofs of a member; forgets those that it made under another pinned key.
fn of<'a>(all: &'a mut HashMap<u64, Known>, id: u64, key: &PublicKey) -> &'a mut Known {
    let known = all.entry(id).or_default();
    if known.key != *key {
        *known = Known {
            key: key.clone(),
            ..Known::default()
        };
    }
    known
}

fn signed(signer: &dyn Signer, statement: &[u8]) -> Proof {
    Proof(Bytes::copy_from_slice(&signer.sign(statement)))
}

fn holds(cluster: &ClusterPublicKey, statement: &[u8], proof: &Proof) -> bool {
    proof.0.len() == SIGNATURE_BYTES
        && UnparsedPublicKey::new(&ED25519, &cluster.0)
            .verify(statement, &proof.0)
            .is_ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
