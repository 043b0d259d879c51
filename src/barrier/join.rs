//! Joining: a node that holds the unseal keys, and nothing else, proves that to the active node,
//! and the active node proves to it that it is the one looked for.
//!
//! Both sides can know the *join key*: HMAC-SHA256 of the seal key. The joiner computes it from
//! the shares; the active node, which forgot the seal key after unsealing, keeps it sealed by the
//! root key. From it come a key for challenges, one for proofs and one for replies.
//!
//! ```text
//! token:      version 1 | issuer (16) | nonce (16) | expires, ns (8) | node_id
//! inner:      record sealed by the cluster's own key: the token
//! challenge:  record sealed by the key for challenges: inner
//! proof:      HMAC by the key for proofs: length of inner (8) | inner | statement
//! reply:      record sealed by the key for replies, bound to the proof
//! ```
//!
//! So nothing is stored for a challenge, and a flood of questions costs no memory. Only a holder of
//! the unseal keys reads a challenge; the proof covers the joiner's whole statement; a reply
//! belongs to one proof and opens for no other node, so a node that only pretends to lead learns
//! nothing and is not believed. A challenge is good for [`CHALLENGE_TTL`], for one name, with the
//! process that issued it.
//!
//! A joiner that is never to be unsealed holds the key of a join token instead. The messages are
//! the same; all their keys come from that one.

use super::join_key::{JoinKey, PROOF_BYTES};
use super::record::{self, Parsed, RecordKind};
use super::xchacha::Cipher;
use super::{BarrierError, Unsealed, nonces, reserved};
use crate::clock::Timestamp;
use crate::secret::{Key256, fill_random};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The time for which a challenge may be answered. A joiner asks for it when it has its keys, so
/// this is a few exchanges over a slow network.
pub const CHALLENGE_TTL: Duration = Duration::from_secs(30);
/// The longest challenge that is looked at, in bytes.
pub const CHALLENGE_BYTES_MAX: usize = 1024;
/// The longest `node_id` that joins, in bytes.
pub const NODE_ID_BYTES_MAX: usize = 256;

const TOKEN_VERSION: u8 = 1;
const ID_BYTES: usize = 16;

/// The id of the process that issued a challenge, made anew at each start of the node.
pub type Issuer = [u8; ID_BYTES];

/// A challenge that this node's unseal keys opened.
pub struct OpenedChallenge {
    key: JoinKey,
    inner: Vec<u8>,
}

/// An answer whose proof held.
pub struct AcceptedAnswer {
    key: JoinKey,
    proof: [u8; PROOF_BYTES],
    /// The nonce, which tells this challenge from all others.
    pub nonce: [u8; ID_BYTES],
    /// The time at which the challenge would have expired.
    pub expires: Timestamp,
}

impl JoinKey {
    /// Opens a challenge, as the joiner's step. [`BarrierError::WrongJoinKey`] means that the
    /// challenge is of a cluster that other keys unseal, or was altered.
    pub fn open(self, challenge: &[u8]) -> Result<OpenedChallenge, BarrierError> {
        if challenge.len() > CHALLENGE_BYTES_MAX {
            return Err(BarrierError::WrongJoinKey);
        }
        let cipher = self.cipher("join challenge");
        let opened = Parsed::new(challenge).and_then(|it| it.open(&cipher, RecordKind::Challenge));
        let opened = opened.map_err(|_| BarrierError::WrongJoinKey)?;
        Ok(OpenedChallenge {
            inner: opened.expose().clone(),
            key: self,
        })
    }
}

impl OpenedChallenge {
    /// Computes the proof that this node holds the unseal keys and makes `statement`.
    pub fn prove(&self, statement: &[u8]) -> [u8; PROOF_BYTES] {
        self.key.proof(&self.inner, statement)
    }

    /// Opens the leader's reply to that proof. [`BarrierError::Tampered`] means that the sender of
    /// the reply does not hold the keys, or replied to something else.
    pub fn open_reply(
        &self,
        proof: &[u8; PROOF_BYTES],
        reply: &[u8],
    ) -> Result<Vec<u8>, BarrierError> {
        let cipher = self.key.cipher("join reply");
        let opened = Parsed::new(reply)?.open(&cipher, RecordKind::JoinReply(proof))?;
        Ok(opened.expose().clone())
    }
}

impl AcceptedAnswer {
    /// Seals the reply to the joiner, for this joiner alone.
    pub fn reply(&self, plaintext: &[u8]) -> Vec<u8> {
        let cipher = self.key.cipher("join reply");
        let kind = RecordKind::JoinReply(&self.proof);
        record::seal(&cipher, 0, &nonces::single(), kind, plaintext)
    }
}

/// The inside of a challenge.
struct Token<'a> {
    issuer: Issuer,
    nonce: [u8; ID_BYTES],
    expires: Timestamp,
    node_id: &'a str,
}

impl<'a> Token<'a> {
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![TOKEN_VERSION];
        out.extend(self.issuer);
        out.extend(self.nonce);
        out.extend(self.expires.0.to_be_bytes());
        out.extend_from_slice(self.node_id.as_bytes());
        out
    }

    fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (issuer, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (expires, node_id) = rest.split_first_chunk()?;
        if *version != TOKEN_VERSION {
            return None;
        }
        Some(Self {
            issuer: *issuer,
            nonce: *nonce,
            expires: Timestamp(u64::from_be_bytes(*expires)),
            node_id: std::str::from_utf8(node_id).ok()?,
        })
    }
}

/// The active node's side of joining, by the one key that its joiners are to hold.
pub struct Examiner<'a> {
    barrier: &'a Unsealed,
    key: JoinKey,
    issuer: Issuer,
}

impl Examiner<'_> {
    /// Makes a challenge for a joiner of this name, good from `now` for [`CHALLENGE_TTL`].
    ///
    /// # Errors
    /// [`BarrierError::Sealed`].
    pub fn challenge(&self, node_id: &str, now: Timestamp) -> Result<Vec<u8>, BarrierError> {
        let mut nonce = [0; ID_BYTES];
        fill_random(&mut nonce);
        let token = Token {
            issuer: self.issuer,
            nonce,
            expires: now.plus(CHALLENGE_TTL),
            node_id,
        };
        // Not under a key term: a flood must not wear it out.
        let kind = RecordKind::Challenge;
        let inner = record::seal(
            &self.barrier.token_cipher()?,
            0,
            &nonces::single(),
            kind,
            &token.encode(),
        );
        let outer = self.key.cipher("join challenge");
        Ok(record::seal(&outer, 0, &nonces::single(), kind, &inner))
    }

    /// Judges an answer: `challenge` as it was given, the joiner's statement, and its proof.
    ///
    /// # Errors
    /// [`BarrierError::WrongJoinKey`], [`BarrierError::ChallengeExpired`] and
    /// [`BarrierError::WrongProof`] are the joiner's fault.
    pub fn judge(
        &self,
        node_id: &str,
        challenge: &[u8],
        statement: &[u8],
        proof: &[u8],
        now: Timestamp,
    ) -> Result<AcceptedAnswer, BarrierError> {
        let opened = self.key.duplicate().open(challenge)?;
        let token = Parsed::new(&opened.inner)
            .and_then(|inner| inner.open(&self.barrier.token_cipher()?, RecordKind::Challenge))
            .map_err(|error| match error {
                BarrierError::Tampered => BarrierError::WrongJoinKey,
                other => other,
            })?;
        let token = Token::decode(token.expose()).ok_or(BarrierError::WrongJoinKey)?;
        let expected = opened.prove(statement);
        if !bool::from(expected.ct_eq(proof)) || token.node_id != node_id {
            return Err(BarrierError::WrongProof);
        }
        if now >= token.expires || token.issuer != self.issuer {
            return Err(BarrierError::ChallengeExpired);
        }
        let (nonce, expires) = (token.nonce, token.expires);
        Ok(AcceptedAnswer {
            key: opened.key,
            proof: expected,
            nonce,
            expires,
        })
    }
}

impl Unsealed {
    /// Returns the examiner of joiners that are to hold the unseal keys.
    ///
    /// # Errors
    /// [`BarrierError::Sealed`], [`BarrierError::NoJoinKey`].
    pub fn examiner(&self, issuer: Issuer) -> Result<Examiner<'_>, BarrierError> {
        Ok(self.examiner_by(issuer, self.join_key()?))
    }

    /// Returns the examiner of joiners that are to hold `key`, which a join token gives.
    pub fn examiner_by(&self, issuer: Issuer, key: JoinKey) -> Examiner<'_> {
        Examiner {
            barrier: self,
            key,
            issuer,
        }
    }

    /// Returns the join key that the store has had since the seal was made, or else the one that
    /// this node's own unsealing derived.
    fn join_key(&self) -> Result<JoinKey, BarrierError> {
        let keys = self.keys()?;
        if let Some(record) = self.storage.get(reserved::JOIN_KEY)? {
            return keys.root_key.open_join_key(&record.value);
        }
        let derived = keys.derived_join_key.as_ref().map(JoinKey::duplicate);
        derived.ok_or(BarrierError::NoJoinKey)
    }

    fn token_cipher(&self) -> Result<Cipher, BarrierError> {
        let key = self.mac("join token", &[])?;
        Ok(Cipher::new(
            Key256::from_slice(&key).ok_or(BarrierError::Decode("join token key"))?,
        ))
    }
}

#[cfg(test)]
mod tests;
