//! Key pairs: making, reading and showing them, signing, and RSA's encryption.

use super::kind::KeyType;
use super::scheme::{Marshaling, Padding, Salt, Scheme};
use crate::engine::Error;
use crate::engine::hash::with_hash;
use crate::secret::{Secret, SecretBytes, fill_random};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey};
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::traits::PublicKeyParts;
use rsa::{Oaep, PrivateKey, Pss, PublicKey};
use std::convert::Infallible;

/// The bytes of a seed and of a public key of Ed25519.
pub(super) const ED25519_BYTES: usize = 32;

/// The form of a key that is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// The type's own.
    Usual,
    /// The bytes, in base64.
    Raw,
    /// PKCS #8 or a SubjectPublicKeyInfo, in base64.
    Der,
    /// The same as PEM.
    Pem,
}

/// A key pair.
pub(super) enum Pair {
    /// Ed25519.
    Ed25519(Box<Ed25519KeyPair>),
    /// ECDSA with P-256.
    P256(Box<p256::ecdsa::SigningKey>),
    /// ECDSA with P-384.
    P384(Box<p384::ecdsa::SigningKey>),
    /// ECDSA with P-521.
    P521(Box<p521::ecdsa::SigningKey>),
    /// RSA.
    Rsa(Box<PrivateKey>),
}

/// Does something with the key of whichever curve it is.
macro_rules! with_curve {
    ($pair:expr, $bits:ident, $key:ident, $Signature:ident => $done:expr, $($rest:tt)*) => {
        match $pair {
            Pair::P256($key) => {
                use p256::ecdsa::Signature as $Signature;
                let $bits = 256;
                $done
            }
            Pair::P384($key) => {
                use p384::ecdsa::Signature as $Signature;
                let $bits = 384;
                $done
            }
            Pair::P521($key) => {
                use p521::ecdsa::Signature as $Signature;
                let $bits = 521;
                $done
            }
            $($rest)*
        }
    };
}

fn broken() -> Error {
    Error::internal("a key pair of transit cannot be read")
}

impl Pair {
    /// Makes a pair. RSA takes from a tenth of a second to a minute.
    pub(super) fn generate(kind: KeyType) -> Result<Self, Error> {
        match kind {
            KeyType::EcdsaP256 | KeyType::EcdsaP384 | KeyType::EcdsaP521 => loop {
                // All but a few of the numbers are keys; the others are drawn again.
                let bytes = match kind {
                    KeyType::EcdsaP256 => 32,
                    KeyType::EcdsaP384 => 48,
                    _ => 66,
                };
                let mut scalar = Secret::new(vec![0; bytes]);
                fill_random(scalar.expose_mut());
                if let (KeyType::EcdsaP521, Some(first)) = (kind, scalar.expose_mut().first_mut()) {
                    *first &= 1;
                }
                if let Ok(pair) = Self::read(kind, scalar.expose()) {
                    return Ok(pair);
                }
            },
            KeyType::Ed25519 => {
                let mut seed = Secret::new(vec![0; ED25519_BYTES]);
                fill_random(seed.expose_mut());
                Self::read(kind, seed.expose())
            }
            kind if kind.is_rsa() => {
                let key = PrivateKey::new(&mut Random, kind.rsa_bits());
                Ok(Self::Rsa(Box::new(key.map_err(|_| broken())?)))
            }
            _ => Err(broken()),
        }
    }

    /// Reads what [`Pair::stored`] returned: a seed (what follows it does not count), a scalar, or
    /// PKCS #1.
    pub(super) fn read(kind: KeyType, stored: &[u8]) -> Result<Self, Error> {
        Ok(match kind {
            KeyType::Ed25519 => {
                let seed = stored.get(..ED25519_BYTES).ok_or_else(broken)?;
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| broken())?;
                Self::Ed25519(Box::new(pair))
            }
            KeyType::EcdsaP256 => {
                let key = p256::ecdsa::SigningKey::from_slice(stored).map_err(|_| broken())?;
                Self::P256(Box::new(key))
            }
            KeyType::EcdsaP384 => {
                let key = p384::ecdsa::SigningKey::from_slice(stored).map_err(|_| broken())?;
                Self::P384(Box::new(key))
            }
            KeyType::EcdsaP521 => {
                let key = p521::ecdsa::SigningKey::from_slice(stored).map_err(|_| broken())?;
                Self::P521(Box::new(key))
            }
            _ => {
                let key = PrivateKey::from_pkcs1_der(stored).map_err(|_| broken())?;
                if key.size() * 8 != kind.rsa_bits() {
                    return Err(broken());
                }
                Self::Rsa(Box::new(key))
            }
        })
    }

    /// Returns the bytes that are stored of a pair that is not Ed25519's, of which the seed is.
    pub(super) fn stored(&self) -> Result<SecretBytes, Error> {
        Ok(Secret::new(match self {
            Self::Ed25519(_) => return Err(broken()),
            Self::P256(key) => key.to_bytes().to_vec(),
            Self::P384(key) => key.to_bytes().to_vec(),
            Self::P521(key) => key.to_bytes().to_vec(),
            Self::Rsa(key) => key
                .to_pkcs1_der()
                .map_err(|_| broken())?
                .as_bytes()
                .to_vec(),
        }))
    }

    /// Returns the public key: in base64 for Ed25519, else as PEM.
    pub(super) fn public_text(&self) -> Result<String, Error> {
        let text = match self {
            Self::Ed25519(pair) => return Ok(STANDARD.encode(pair.public_key())),
            Self::P256(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
            Self::P384(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
            Self::P521(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
            Self::Rsa(key) => key.to_public_key().to_public_key_pem(LineEnding::LF),
        };
        text.map_err(|_| broken())
    }

    /// Returns the public key of ECDSA or RSA, exported.
    pub(super) fn exported_public(&self, form: KeyForm) -> Result<String, Error> {
        let encoded = match self {
            Self::Ed25519(_) => return Err(broken()),
            Self::P256(key) => key.verifying_key().to_public_key_der(),
            Self::P384(key) => key.verifying_key().to_public_key_der(),
            Self::P521(key) => key.verifying_key().to_public_key_der(),
            Self::Rsa(key) => key.to_public_key().to_public_key_der(),
        };
        match form {
            KeyForm::Der => Ok(STANDARD.encode(encoded.map_err(|_| broken())?.as_bytes())),
            _ => Ok(self.trimmed(self.public_text()?)),
        }
    }

    /// Returns the private key of ECDSA or RSA, exported.
    pub(super) fn exported_private(&self, form: KeyForm) -> Result<String, Error> {
        if form == KeyForm::Usual {
            let text = match self {
                Self::Ed25519(_) => return Err(broken()),
                Self::P256(key) => p256::SecretKey::from(&**key)
                    .to_sec1_pem(LineEnding::LF)
                    .ok(),
                Self::P384(key) => p384::SecretKey::from(&**key)
                    .to_sec1_pem(LineEnding::LF)
                    .ok(),
                Self::P521(key) => p521::SecretKey::from(&**key)
                    .to_sec1_pem(LineEnding::LF)
                    .ok(),
                Self::Rsa(key) => key.to_pkcs1_pem(LineEnding::LF).ok(),
            };
            return Ok(self.trimmed(text.ok_or_else(broken)?.to_string()));
        }
        let document = match self {
            Self::Ed25519(_) => return Err(broken()),
            Self::P256(key) => key.to_pkcs8_der(),
            Self::P384(key) => key.to_pkcs8_der(),
            Self::P521(key) => key.to_pkcs8_der(),
            Self::Rsa(key) => key.to_pkcs8_der(),
        };
        let document = document.map_err(|_| broken())?;
        match form {
            KeyForm::Der => Ok(STANDARD.encode(document.as_bytes())),
            _ => {
                let text = document.to_pem("PRIVATE KEY", LineEnding::LF);
                Ok(self.trimmed(text.map_err(|_| broken())?.to_string()))
            }
        }
    }

    /// Cuts the last line's end off, as OpenBao does with all that is not RSA's.
    fn trimmed(&self, text: String) -> String {
        match self {
            Self::Rsa(_) => text,
            _ => text.trim_end().to_owned(),
        }
    }

    /// Returns the public key of Ed25519.
    pub(super) fn ed25519_public(&self) -> Option<&[u8]> {
        match self {
            Self::Ed25519(pair) => Some(pair.public_key().as_ref()),
            _ => None,
        }
    }

    /// Signs an input, or for ECDSA and RSA its hash. ECDSA is deterministic (RFC 6979).
    ///
    /// # Errors
    /// 400 where the input is no such hash, or the salt too long.
    pub(super) fn sign(&self, scheme: &Scheme, input: &[u8]) -> Result<Vec<u8>, Error> {
        with_curve!(self, bits, key, Signature => {
            let signed: Result<Signature, _> = key.sign_prehash(&field_of(input, bits));
            let signature = signed.map_err(|_| broken())?;
            Ok(match scheme.marshaling {
                Marshaling::Asn1 => signature.to_der().as_bytes().to_vec(),
                Marshaling::Jws => signature.to_bytes().to_vec(),
            })
        },
        Pair::Ed25519(pair) => Ok(pair.sign(input).as_ref().to_vec()),
        Pair::Rsa(key) => {
            let signed = match (scheme.padding, scheme.hash) {
                (Padding::Pss, Some(hash)) => {
                    let salt = salt_bytes(scheme, key.as_public_key())?;
                    let salt = salt.unwrap_or(salt_bytes_max(scheme, key.as_public_key()));
                    with_hash!(hash, D => {
                        key.sign_with_rng(&mut Random, Pss::<D>::new_with_salt(salt), input)
                    })
                }
                (Padding::Pss, None) => return Err(unhashed()),
                (Padding::Pkcs1v15, _) => key.sign_with_rng(&mut Random, pkcs1v15(scheme), input),
            };
            signed.map_err(|_| unhashed())
        })
    }

    /// Returns true when `signature` is one of this input (for ECDSA and RSA, of this hash).
    ///
    /// # Errors
    /// 400 where it has not the form of a signature, or the salt is too long.
    pub(super) fn verify(
        &self,
        scheme: &Scheme,
        input: &[u8],
        signature: &[u8],
    ) -> Result<bool, Error> {
        with_curve!(self, bits, key, Signature => {
            let read = match scheme.marshaling {
                Marshaling::Asn1 => Signature::from_der(signature),
                Marshaling::Jws => Signature::from_slice(signature),
            };
            let Ok(signature) = read else {
                let is_jws = scheme.marshaling == Marshaling::Jws;
                let why = "supplied signature is invalid";
                return if is_jws { Ok(false) } else { Err(Error::invalid(why)) };
            };
            let key = key.verifying_key();
            Ok(key.verify_prehash(&field_of(input, bits), &signature).is_ok())
        },
        Pair::Ed25519(pair) => {
            let public = UnparsedPublicKey::new(&ED25519, pair.public_key());
            Ok(public.verify(input, signature).is_ok())
        }
        Pair::Rsa(key) => {
            let key = key.as_public_key();
            let verified = match (scheme.padding, scheme.hash) {
                (Padding::Pss, Some(hash)) => {
                    let salt_len = salt_bytes(scheme, key)?;
                    with_hash!(hash, D => {
                        let mut pss = Pss::<D>::new();
                        pss.salt_len = salt_len;
                        key.verify(pss, input, signature)
                    })
                }
                (Padding::Pss, None) => return Err(unhashed()),
                (Padding::Pkcs1v15, _) => key.verify(pkcs1v15(scheme), input, signature),
            };
            Ok(verified.is_ok())
        })
    }

    /// Encrypts by RSA with OAEP, SHA-256 for both of its hashes.
    ///
    /// # Errors
    /// 400 for a text that is too long.
    pub(super) fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let Self::Rsa(key) = self else {
            return Err(broken());
        };
        let padding = Oaep::<sha2::Sha256>::new();
        let sealed = key.as_public_key().encrypt(&mut Random, padding, plaintext);
        sealed.map_err(|_| {
            Error::invalid("failed to RSA encrypt the plaintext: it is too long for the key")
        })
    }

    /// Decrypts what [`Pair::encrypt`] returned; blinded.
    ///
    /// # Errors
    /// 400, without a reason.
    pub(super) fn decrypt(&self, sealed: &[u8]) -> Result<SecretBytes, Error> {
        let Self::Rsa(key) = self else {
            return Err(broken());
        };
        let opened = key.decrypt_blinded(&mut Random, Oaep::<sha2::Sha256>::new(), sealed);
        let failed = |_| Error::invalid("failed to RSA decrypt the ciphertext: decryption error");
        Ok(Secret::new(opened.map_err(failed)?))
    }
}

/// The bytes before the seed in PKCS #8, and before the public key in its form (RFC 8410).
const ED25519_PRIVATE: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const ED25519_PUBLIC: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// Exports a part of Ed25519's key, its seed followed by its public key.
pub(super) fn ed25519_form(
    key: &SecretBytes,
    public: bool,
    form: KeyForm,
) -> Result<String, Error> {
    let (seed, own) = key
        .expose()
        .split_at_checked(ED25519_BYTES)
        .ok_or_else(broken)?;
    let (head, part, what) = match public {
        true => (ED25519_PUBLIC, own, "PUBLIC KEY"),
        false => (ED25519_PRIVATE, seed, "PRIVATE KEY"),
    };
    // Both forms fit into one line of PEM.
    let encoded = STANDARD.encode(Secret::new([head, part].concat()).expose());
    Ok(match form {
        KeyForm::Pem => format!("-----BEGIN {what}-----\n{encoded}\n-----END {what}-----"),
        _ => encoded,
    })
}

fn unhashed() -> Error {
    Error::invalid("the input is no hash of this algorithm: its length is another")
}

/// Returns the padding of PKCS #1 v1.5; without a hash nothing says which one the input is of.
fn pkcs1v15(scheme: &Scheme) -> Pkcs1v15Sign {
    match scheme.hash {
        Some(hash) => with_hash!(hash, D => Pkcs1v15Sign::new::<D>()),
        None => Pkcs1v15Sign::new_unprefixed(),
    }
}

/// Returns the longest salt that the key has space for, in bytes.
fn salt_bytes_max(scheme: &Scheme, key: &PublicKey) -> usize {
    let hash = scheme.hash.map_or(0, crate::engine::hash::Hash::bytes);
    key.size().saturating_sub(2 + hash)
}

/// Returns the length of the salt that a scheme asks for; `None` for any.
fn salt_bytes(scheme: &Scheme, key: &PublicKey) -> Result<Option<usize>, Error> {
    match scheme.salt {
        Salt::Any => Ok(None),
        Salt::Hash => Ok(scheme.hash.map(crate::engine::hash::Hash::bytes)),
        Salt::Bytes(bytes) if bytes <= salt_bytes_max(scheme, key) => Ok(Some(bytes)),
        Salt::Bytes(bytes) => Err(Error::invalid(format!(
            "requested salt length {bytes} is invalid"
        ))),
    }
}

/// Returns a hash with zeros before it where it is shorter than the order of the curve (of `bits`).
/// The crates refuse such a hash; zeros change nothing of the number that ECDSA signs. They cut
/// longer ones themselves (FIPS 186-5, 6.4.1).
fn field_of(hash: &[u8], bits: usize) -> Vec<u8> {
    let mut field = vec![0; (bits / 8).saturating_sub(hash.len())];
    field.extend_from_slice(hash);
    field
}

/// The kernel's randomness, as the crates of key pairs want it.
struct Random;

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        fill_random(&mut bytes);
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        fill_random(&mut bytes);
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        fill_random(target);
        Ok(())
    }
}

impl TryCryptoRng for Random {}
