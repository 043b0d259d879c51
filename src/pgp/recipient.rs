//! The key that a session key is encrypted to: RSA (RFC 9580, section 5.1.3) or a curve (5.1.5).

use super::PgpError;
use super::blocks::CipherBlocks;
use super::material::{EllipticCurve, FINGERPRINT_BYTES, KeyPacket, Material, NATIVE_POINT};
use super::packet::push_mpi;
use super::rsa::RsaNumbers;
use crate::secret::{Secret, SecretBytes, fill_random};
use ring::agreement::{
    ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral,
};
use ring::digest::{self, SHA256, SHA384, SHA512};
use ring::rand::SystemRandom;

const PACKET_VERSION: u8 = 3;
const ALGORITHM_RSA: u8 = 1;
const ALGORITHM_ECDH: u8 = 18;
/// The name in the derivation of a key from a shared secret, padded to 20 bytes.
const SENDER: &[u8; 20] = b"Anonymous Sender    ";
/// The length to which a session key is padded before it is wrapped.
const WRAPPED_BYTES: usize = 40;
/// The bytes that wrapping works in (RFC 3394).
const HALF_BLOCK: usize = 8;

const CANNOT: PgpError = PgpError::CannotEncrypt("the numbers of its subkey are no valid key");

/// A key to encrypt to.
#[derive(Clone, Debug)]
pub(super) struct Recipient {
    fingerprint: [u8; FINGERPRINT_BYTES],
    numbers: Numbers,
}

#[derive(Clone, Debug)]
enum Numbers {
    Rsa(RsaNumbers),
    Ecdh {
        curve: EllipticCurve,
        point: Vec<u8>,
        hash: u8,
        cipher: u8,
    },
}

impl Recipient {
    /// Returns `key` as one to encrypt to, or the reason for which it is none.
    pub(super) fn new(key: &KeyPacket<'_>) -> Result<Self, &'static str> {
        let numbers = match key.material {
            Material::Rsa {
                modulus,
                exponent,
                encrypts: true,
            } => Numbers::Rsa(RsaNumbers::new(modulus, exponent)?),
            Material::Ecdh {
                curve,
                point,
                hash: hash @ 8..=10,
                cipher: cipher @ 7..=9,
            } => Numbers::Ecdh {
                curve,
                point: point.to_vec(),
                hash,
                cipher,
            },
            _ => {
                return Err("its subkey is of an algorithm that is not supported; \
                            RSA, Curve25519, NIST P-256 and P-384 are");
            }
        };
        Ok(Self {
            fingerprint: key.fingerprint(),
            numbers,
        })
    }

    /// Returns the body of the packet that holds `session`, encrypted to this key.
    pub(super) fn seal(&self, session: &SecretBytes) -> Result<Vec<u8>, PgpError> {
        let (_, key_id) = self.fingerprint.split_at(FINGERPRINT_BYTES - 8);
        let mut body = vec![PACKET_VERSION];
        body.extend_from_slice(key_id);
        match &self.numbers {
            Numbers::Rsa(numbers) => {
                body.push(ALGORITHM_RSA);
                push_mpi(&mut body, &rsa(numbers, session)?);
            }
            Numbers::Ecdh {
                curve,
                point,
                hash,
                cipher,
            } => {
                let agreed = agree(*curve, point)?;
                let param = self.derivation(*curve, *hash, *cipher);
                let key = derive(&agreed.secret, &param, *hash, *cipher);
                let wrapped = wrap(&key, session)?;
                body.push(ALGORITHM_ECDH);
                push_mpi(&mut body, &agreed.point);
                body.push(u8::try_from(wrapped.len()).map_err(|_| CANNOT)?);
                body.extend(wrapped);
            }
        }
        Ok(body)
    }

    /// Returns the facts that the wrapping key is bound to.
    fn derivation(&self, curve: EllipticCurve, hash: u8, cipher: u8) -> Vec<u8> {
        let oid = curve.oid();
        let length = u8::try_from(oid.len()).expect("ten bytes at most");
        let mut param = vec![length];
        param.extend_from_slice(oid);
        param.extend([ALGORITHM_ECDH, 3, 1, hash, cipher]);
        param.extend_from_slice(SENDER);
        param.extend_from_slice(&self.fingerprint);
        param
    }
}

/// Encrypts by RSA with the padding of PKCS #1, version 1.5.
fn rsa(numbers: &RsaNumbers, session: &SecretBytes) -> Result<Vec<u8>, PgpError> {
    let session = session.expose();
    let length = numbers.modulus_bytes();
    let padding = length.checked_sub(session.len() + 3).ok_or(CANNOT)?;
    let mut padded = Secret::new(vec![0; length]);
    {
        let (head, tail) = padded.expose_mut().split_at_mut(2 + padding);
        let (mark, random) = head.split_at_mut(2);
        mark.copy_from_slice(&[0, 2]);
        fill_random(random);
        while random.contains(&0) {
            let zeros = random.iter_mut().filter(|byte| **byte == 0);
            zeros.for_each(|byte| fill_random(std::slice::from_mut(byte)));
        }
        let (_, room) = tail.split_at_mut(1);
        room.copy_from_slice(session);
    }
    numbers.power(&padded).ok_or(CANNOT)
}

/// A secret that the recipient can agree on, too, by the point.
struct Agreed {
    /// The point of the key that was made for this message, in OpenPGP's form.
    point: Vec<u8>,
    secret: SecretBytes,
}

fn agree(curve: EllipticCurve, point: &[u8]) -> Result<Agreed, PgpError> {
    let algorithm = match curve {
        EllipticCurve::P256 => &ECDH_P256,
        EllipticCurve::P384 => &ECDH_P384,
        EllipticCurve::Curve25519 => &X25519,
    };
    let is_native = curve == EllipticCurve::Curve25519;
    let theirs = match point {
        [NATIVE_POINT, theirs @ ..] if is_native => theirs,
        _ if is_native => return Err(CANNOT),
        theirs => theirs,
    };
    let ours = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new());
    let ours = ours.map_err(|_| CANNOT)?;
    let public = ours.compute_public_key().map_err(|_| CANNOT)?;
    let mut point = Vec::new();
    if is_native {
        point.push(NATIVE_POINT);
    }
    point.extend_from_slice(public.as_ref());
    let theirs = UnparsedPublicKey::new(algorithm, theirs);
    let secret = agree_ephemeral(ours, &theirs, |secret| Secret::new(secret.to_vec()));
    let secret = secret.map_err(|_| CANNOT)?;
    Ok(Agreed { point, secret })
}

/// Derives the wrapping key from a shared secret (RFC 9580, section 11.5).
fn derive(secret: &SecretBytes, param: &[u8], hash: u8, cipher: u8) -> SecretBytes {
    let algorithm = match hash {
        8 => &SHA256,
        9 => &SHA384,
        _ => &SHA512,
    };
    let mut context = digest::Context::new(algorithm);
    context.update(&[0, 0, 0, 1]);
    context.update(secret.expose());
    context.update(param);
    let made = context.finish();
    let bytes = match cipher {
        7 => 16,
        8 => 24,
        _ => 32,
    };
    Secret::new(made.as_ref().iter().take(bytes).copied().collect())
}

/// Wraps `session`, padded, under `key` (RFC 3394).
fn wrap(key: &SecretBytes, session: &SecretBytes) -> Result<Vec<u8>, PgpError> {
    let cipher = CipherBlocks::new(key).ok_or(CANNOT)?;
    let padding = WRAPPED_BYTES
        .checked_sub(session.expose().len())
        .ok_or(CANNOT)?;
    let byte = u8::try_from(padding).map_err(|_| CANNOT)?;
    let mut padded = Secret::new(Vec::with_capacity(WRAPPED_BYTES));
    padded.expose_mut().extend_from_slice(session.expose());
    padded.expose_mut().resize(WRAPPED_BYTES, byte);
    let mut check = [0xa6; HALF_BLOCK];
    let mut count: u64 = 0;
    for _ in 0..6 {
        for part in padded.expose_mut().chunks_exact_mut(HALF_BLOCK) {
            count += 1;
            let mut block = [0; 2 * HALF_BLOCK];
            let (head, tail) = block.split_at_mut(HALF_BLOCK);
            head.copy_from_slice(&check);
            tail.copy_from_slice(part);
            cipher.encrypt(&mut block);
            let (head, tail) = block.split_at(HALF_BLOCK);
            part.copy_from_slice(tail);
            for ((check, made), count) in check.iter_mut().zip(head).zip(count.to_be_bytes()) {
                *check = made ^ count;
            }
        }
    }
    Ok([&check, padded.expose().as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3394 has no vector of 40 bytes; this one was made by OpenSSL.
    #[test]
    fn wrapping_agrees_with_another_implementation() {
        let key = Secret::new((0..32).collect());
        let session = Secret::new(vec![5; 35]);
        let wrapped = wrap(&key, &session).unwrap();
        assert_eq!(
            hex::encode(wrapped),
            "54e919216ee1bd903a17cd39fee5e79339c825d2e8a3487b278f27e1a4c0996e\
             d081150b5f08b21eb50510e296018038"
        );
    }
}
