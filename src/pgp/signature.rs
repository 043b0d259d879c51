//! Signatures that a key made about itself: what they say, and whether they are its own.

use super::PgpError;
use super::material::{EllipticCurve, KeyPacket, Material};
use super::packet::PacketParts;
use ring::digest::{self, SHA256, SHA384, SHA512};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

/// Kinds of signatures. Those over names are 0x10 to 0x13.
pub(super) mod kind {
    pub(in crate::pgp) const SUBKEY: u8 = 0x18;
    pub(in crate::pgp) const DIRECT: u8 = 0x1f;
    pub(in crate::pgp) const KEY_REVOKED: u8 = 0x20;
    pub(in crate::pgp) const SUBKEY_REVOKED: u8 = 0x28;
    pub(in crate::pgp) const NAME_REVOKED: u8 = 0x30;
}

const SHA1_ID: u8 = 2;
const SHA256_ID: u8 = 8;
const SHA384_ID: u8 = 9;
const SHA512_ID: u8 = 10;
/// Flags by which a key may encrypt: communications, and storage.
const FLAGS_ENCRYPT: u8 = 0x04 | 0x08;
/// The bit of a subpacket that must be understood.
const CRITICAL: u8 = 0x80;

/// A signature of version 4.
pub(super) struct SelfSignature<'a> {
    pub(super) kind: u8,
    /// Seconds since 1970.
    pub(super) created: u32,
    /// Seconds from its making to its end; zero for never.
    expires_s: u32,
    /// Seconds from the making of the key to its end; zero for never.
    pub(super) key_expires_s: u32,
    /// True where the key that it is about may encrypt.
    pub(super) encrypts: bool,
    /// The last eight bytes of the maker's fingerprint, where it is told.
    issuer: Option<[u8; 8]>,
    algorithm: u8,
    hash: u8,
    /// The part of the packet that the signature is over.
    hashed: &'a [u8],
    numbers: &'a [u8],
}

impl<'a> SelfSignature<'a> {
    /// Parses the body of a packet; `None` for a signature that says nothing here, because it is of
    /// another version or demands more than is understood.
    pub(super) fn parse(body: &'a [u8]) -> Result<Option<Self>, PgpError> {
        let mut parts = PacketParts(body);
        let [version, kind, algorithm, hash] = parts.array()?;
        if version != 4 {
            return Ok(None);
        }
        let length = parts.u16()?;
        let mut subpackets = PacketParts(parts.take(length)?);
        let hashed = body.get(..6 + length).unwrap_or_default();
        let mut signature = Self {
            kind,
            created: 0,
            expires_s: 0,
            key_expires_s: 0,
            encrypts: false,
            issuer: None,
            algorithm,
            hash,
            hashed,
            numbers: &[],
        };
        while !subpackets.is_empty() {
            if !signature.take_subpacket(&mut subpackets)? {
                return Ok(None);
            }
        }
        let length = parts.u16()?;
        let mut unhashed = PacketParts(parts.take(length)?);
        while !unhashed.is_empty() {
            let length = unhashed.length()?;
            // Nobody vouches for the rest; the issuer only spares a verification.
            if let [16, issuer @ ..] = unhashed.take(length)? {
                signature.issuer = signature.issuer.or(issuer.try_into().ok());
            }
        }
        parts.u16()?;
        signature.numbers = parts.0;
        Ok(Some(signature))
    }

    /// Takes over a subpacket; returns false for one that must be understood and is not.
    fn take_subpacket(&mut self, parts: &mut PacketParts<'_>) -> Result<bool, PgpError> {
        let length = parts.length()?;
        let mut body = PacketParts(parts.take(length)?);
        let kind = body.byte()?;
        match kind & !CRITICAL {
            2 => self.created = body.u32()?,
            3 => self.expires_s = body.u32()?,
            9 => self.key_expires_s = body.u32()?,
            16 => self.issuer = Some(body.array()?),
            27 => {
                self.encrypts = body
                    .0
                    .first()
                    .is_some_and(|flags| flags & FLAGS_ENCRYPT != 0)
            }
            33 if body.0.first() == Some(&4) => self.issuer = body.0.last_chunk().copied(),
            // Preferences, features, servers, reasons, and signatures inside: no condition here.
            4 | 5 | 7 | 11 | 21..=26 | 28..=34 | 39 => {}
            _ => return Ok(kind & CRITICAL == 0),
        }
        Ok(true)
    }

    /// Returns true unless the signature says that another key made it.
    pub(super) fn may_be_of(&self, fingerprint: &[u8]) -> bool {
        self.issuer
            .is_none_or(|issuer| fingerprint.ends_with(&issuer))
    }

    /// Returns true when the signature's own time is over.
    pub(super) fn is_over(&self, now_s: u64) -> bool {
        self.expires_s != 0 && u64::from(self.created) + u64::from(self.expires_s) <= now_s
    }

    /// Returns true when `primary` made this signature over `subject`.
    pub(super) fn verifies(&self, primary: &KeyPacket<'_>, subject: &[&[u8]]) -> bool {
        let mut message = [&primary.prefix(), primary.body].concat();
        for part in subject {
            message.extend_from_slice(part);
        }
        message.extend_from_slice(self.hashed);
        message.extend([4, 0xff]);
        let length = u32::try_from(self.hashed.len()).unwrap_or(u32::MAX);
        message.extend(length.to_be_bytes());
        self.check(primary, &message).is_some()
    }

    fn check(&self, primary: &KeyPacket<'_>, message: &[u8]) -> Option<()> {
        let mut numbers = PacketParts(self.numbers);
        match primary.material {
            Material::Rsa {
                modulus, exponent, ..
            } if matches!(self.algorithm, 1 | 3) => {
                let algorithm = match self.hash {
                    SHA1_ID => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                    SHA256_ID => &RSA_PKCS1_2048_8192_SHA256,
                    SHA384_ID => &RSA_PKCS1_2048_8192_SHA384,
                    SHA512_ID => &RSA_PKCS1_2048_8192_SHA512,
                    _ => return None,
                };
                let signature = padded(numbers.mpi().ok()?, modulus.len())?;
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                key.verify(algorithm, message, &signature).ok()
            }
            Material::Ed25519(point) if self.algorithm == primary.algorithm => {
                let hash = match self.hash {
                    SHA256_ID => &SHA256,
                    SHA384_ID => &SHA384,
                    SHA512_ID => &SHA512,
                    _ => return None,
                };
                let signature = match self.algorithm {
                    27 => numbers.take(64).ok()?.to_vec(),
                    _ => pair(&mut numbers, 32)?,
                };
                let digest = digest::digest(hash, message);
                verify(&ED25519, point, digest.as_ref(), &signature)
            }
            Material::Ecdsa(curve, point) if self.algorithm == 19 => match (curve, self.hash) {
                (EllipticCurve::P256, SHA256_ID) => {
                    let signature = pair(&mut numbers, 32)?;
                    verify(&ECDSA_P256_SHA256_FIXED, point, message, &signature)
                }
                (EllipticCurve::P384, SHA384_ID) => {
                    let signature = pair(&mut numbers, 48)?;
                    verify(&ECDSA_P384_SHA384_FIXED, point, message, &signature)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

fn verify(
    algorithm: &'static dyn VerificationAlgorithm,
    point: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<()> {
    let key = UnparsedPublicKey::new(algorithm, point);
    key.verify(message, signature).ok()
}

/// Takes the two numbers of a signature on a curve, each of `bytes`.
fn pair(numbers: &mut PacketParts<'_>, bytes: usize) -> Option<Vec<u8>> {
    let mut pair = padded(numbers.mpi().ok()?, bytes)?;
    pair.extend(padded(numbers.mpi().ok()?, bytes)?);
    Some(pair)
}

/// Returns `number` with leading zeros, `bytes` long.
fn padded(number: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let mut padded = vec![0; bytes.checked_sub(number.len())?];
    padded.extend_from_slice(number);
    Some(padded)
}
