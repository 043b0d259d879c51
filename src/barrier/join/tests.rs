//! Attacks on joining; each test is named by its attack.

use super::super::{SealConfig, SealType, Sealed};
use super::*;
use crate::store::{Inmem, Storage};
use std::sync::Arc;

const ISSUER: Issuer = [7; 16];
const NOW: Timestamp = Timestamp::from_secs(1_000);

/// A cluster: its seal key and its active node's barrier.
struct Cluster {
    seal_key: Key256,
    storage: Arc<Inmem>,
    active: Arc<Unsealed>,
}

async fn cluster() -> Cluster {
    let storage = Arc::new(Inmem::new());
    let sealed = Sealed::new(Arc::clone(&storage) as _);
    let seal_key = Key256::generate();
    let config = SealConfig {
        seal_type: SealType::Shamir,
        shares: 5,
        threshold: 3,
    };
    let fresh = sealed.initialize(&seal_key, config, NOW).unwrap();
    fresh.barrier.commit(fresh.batch, NOW).await.unwrap();
    let active = sealed.unseal(&seal_key).unwrap();
    Cluster {
        seal_key,
        storage,
        active,
    }
}

impl Cluster {
    fn challenge(&self) -> Vec<u8> {
        self.active
            .examiner(ISSUER)
            .unwrap()
            .challenge("pi-2", NOW)
            .unwrap()
    }

    fn join_key(&self) -> JoinKey {
        JoinKey::of_seal_key(&self.seal_key)
    }

    fn judge(
        &self,
        name: &str,
        challenge: &[u8],
        statement: &[u8],
        proof: &[u8],
        now: Timestamp,
    ) -> Result<AcceptedAnswer, BarrierError> {
        self.active
            .examiner(ISSUER)
            .and_then(|by| by.judge(name, challenge, statement, proof, now))
    }
}

#[tokio::test]
async fn who_holds_the_unseal_keys_gets_in_and_reads_the_reply() {
    let cluster = cluster().await;
    let challenge = cluster.challenge();
    let opened = cluster.join_key().open(&challenge).unwrap();
    let proof = opened.prove(b"says");
    let later = NOW.plus(Duration::from_secs(29));
    let accepted = cluster.judge("pi-2", &challenge, b"says", &proof, later);
    let reply = accepted.unwrap().reply(b"members");
    assert_eq!(opened.open_reply(&proof, &reply).unwrap(), b"members");
}

#[tokio::test]
async fn wrong_unseal_keys_open_no_challenge() {
    let cluster = cluster().await;
    let other = JoinKey::of_seal_key(&Key256::generate());
    let opened = other.open(&cluster.challenge());
    assert!(matches!(opened, Err(BarrierError::WrongJoinKey)));
}

#[tokio::test]
async fn a_guessed_proof_is_refused() {
    let cluster = cluster().await;
    let challenge = cluster.challenge();
    for proof in [&[][..], &[0; 31], &[0; 32], &[0; 33]] {
        let judged = cluster.judge("pi-2", &challenge, b"says", proof, NOW);
        assert!(matches!(judged, Err(BarrierError::WrongProof)));
    }
}

#[tokio::test]
async fn an_answer_cannot_be_replayed_with_another_key_or_address() {
    let cluster = cluster().await;
    let challenge = cluster.challenge();
    let opened = cluster.join_key().open(&challenge).unwrap();
    let proof = opened.prove(b"address and key");
    for altered in [&b"address and kez"[..], b"address and key ", b""] {
        let judged = cluster.judge("pi-2", &challenge, altered, &proof, NOW);
        assert!(matches!(judged, Err(BarrierError::WrongProof)));
    }
}

#[tokio::test]
async fn an_answer_cannot_be_replayed_under_another_name() {
    let cluster = cluster().await;
    let challenge = cluster.challenge();
    let proof = cluster.join_key().open(&challenge).unwrap().prove(b"says");
    let judged = cluster.judge("pi-3", &challenge, b"says", &proof, NOW);
    assert!(matches!(judged, Err(BarrierError::WrongProof)));
}

#[tokio::test]
async fn an_answer_does_not_fit_another_challenge() {
    let cluster = cluster().await;
    let proof = cluster.join_key().open(&cluster.challenge()).unwrap();
    let proof = proof.prove(b"says");
    let judged = cluster.judge("pi-2", &cluster.challenge(), b"says", &proof, NOW);
    assert!(matches!(judged, Err(BarrierError::WrongProof)));
}

#[tokio::test]
async fn an_expired_challenge_is_refused() {
    let cluster = cluster().await;
    let challenge = cluster.challenge();
    let proof = cluster.join_key().open(&challenge).unwrap().prove(b"says");
    let later = NOW.plus(CHALLENGE_TTL);
    let judged = cluster.judge("pi-2", &challenge, b"says", &proof, later);
    assert!(matches!(judged, Err(BarrierError::ChallengeExpired)));
}

#[tokio::test]
async fn a_challenge_of_an_earlier_active_node_has_expired() {
    let cluster = cluster().await;
    let challenge = cluster.challenge();
    let proof = cluster.join_key().open(&challenge).unwrap().prove(b"says");
    let active = &cluster.active;
    let judged = active
        .examiner([8; 16])
        .and_then(|by| by.judge("pi-2", &challenge, b"says", &proof, NOW));
    assert!(matches!(judged, Err(BarrierError::ChallengeExpired)));
}

#[tokio::test]
async fn a_challenge_of_another_cluster_is_refused() {
    let (one, other) = (cluster().await, cluster().await);
    let challenge = other.challenge();
    let proof = other.join_key().open(&challenge).unwrap().prove(b"says");
    let judged = one.judge("pi-2", &challenge, b"says", &proof, NOW);
    assert!(matches!(judged, Err(BarrierError::WrongJoinKey)));
}

#[tokio::test]
async fn a_holder_of_the_keys_cannot_make_its_own_challenge() {
    let cluster = cluster().await;
    let cipher = cluster.join_key().cipher("join challenge");
    let token = Token {
        issuer: ISSUER,
        nonce: [1; 16],
        expires: Timestamp(u64::MAX),
        node_id: "pi-2",
    };
    let inner = record::seal(
        &Cipher::new(Key256::generate()),
        0,
        &nonces::single(),
        RecordKind::Challenge,
        &token.encode(),
    );
    let forged = record::seal(&cipher, 0, &nonces::single(), RecordKind::Challenge, &inner);
    let proof = cluster.join_key().open(&forged).unwrap().prove(b"says");
    let judged = cluster.judge("pi-2", &forged, b"says", &proof, NOW);
    assert!(matches!(judged, Err(BarrierError::WrongJoinKey)));
}

#[tokio::test]
async fn every_altered_byte_of_a_challenge_shows() {
    let cluster = cluster().await;
    let challenge = cluster.challenge();
    for at in 0..challenge.len() {
        let mut altered = challenge.clone();
        altered[at] ^= 1;
        // The key term in the head is not looked at: the key is not one of the keyring's.
        if (1..5).contains(&at) {
            continue;
        }
        let opened = cluster.join_key().open(&altered);
        assert!(opened.is_err(), "byte {at}");
    }
    assert!(cluster.join_key().open(&[]).is_err());
    assert!(cluster.join_key().open(&vec![1; 1 << 20]).is_err());
}

#[tokio::test]
async fn a_reply_to_someone_else_or_by_someone_else_is_not_believed() {
    let cluster = cluster().await;
    let challenge = cluster.challenge();
    let opened = cluster.join_key().open(&challenge).unwrap();
    let (mine, earlier) = (opened.prove(b"mine"), opened.prove(b"earlier"));
    let accepted = cluster.judge("pi-2", &challenge, b"earlier", &earlier, NOW);
    let reply = accepted.unwrap().reply(b"members");
    assert!(opened.open_reply(&mine, &reply).is_err());
    let forged = record::seal(
        &Cipher::new(Key256::generate()),
        0,
        &nonces::single(),
        RecordKind::JoinReply(&mine),
        b"members",
    );
    assert!(opened.open_reply(&mine, &forged).is_err());
}

#[tokio::test]
async fn a_new_seal_ends_the_old_join_key() {
    let cluster = cluster().await;
    let fresh = Key256::generate();
    let config = SealConfig {
        seal_type: SealType::Shamir,
        shares: 1,
        threshold: 1,
    };
    let before = cluster.active.current_seal().unwrap();
    let batch = cluster.active.reseal(&fresh, config, &before).unwrap();
    cluster.active.commit(batch, NOW).await.unwrap();
    let challenge = cluster.challenge();
    assert!(cluster.join_key().open(&challenge).is_err());
    let opened = JoinKey::of_seal_key(&fresh).open(&challenge).unwrap();
    let proof = opened.prove(b"says");
    assert!(
        cluster
            .judge("pi-2", &challenge, b"says", &proof, NOW)
            .is_ok()
    );
}

#[tokio::test]
async fn a_store_from_before_join_keys_uses_the_key_it_was_unsealed_with() {
    let cluster = cluster().await;
    let record = crate::store::Transaction {
        time: NOW,
        preconditions: Vec::new(),
        ops: vec![crate::store::Op::Delete {
            key: crate::store::Key::from_static(reserved::JOIN_KEY),
        }],
    };
    cluster.storage.commit(record).await.unwrap();
    cluster.active.rotate(NOW).await.unwrap();
    let challenge = cluster.challenge();
    assert!(cluster.join_key().open(&challenge).is_ok());
    cluster.active.seal();
    let after = cluster
        .active
        .examiner(ISSUER)
        .and_then(|by| by.challenge("pi-2", NOW));
    assert!(matches!(after, Err(BarrierError::Sealed)));
}
