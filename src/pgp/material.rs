//! Key packets of version 4: their algorithm, their public numbers, their fingerprint.

use super::PgpError;
use super::packet::PacketParts;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

/// Bytes of a fingerprint of version 4.
pub(super) const FINGERPRINT_BYTES: usize = 20;
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const OID_CURVE25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01];
const OID_ED25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
/// The byte before a point of Curve25519 or Ed25519.
pub(super) const NATIVE_POINT: u8 = 0x40;

/// An elliptic curve that keys are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EllipticCurve {
    P256,
    P384,
    Curve25519,
}

impl EllipticCurve {
    fn of(oid: &[u8]) -> Option<Self> {
        match oid {
            OID_P256 => Some(Self::P256),
            OID_P384 => Some(Self::P384),
            OID_CURVE25519 => Some(Self::Curve25519),
            _ => None,
        }
    }

    pub(super) const fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => OID_P256,
            Self::P384 => OID_P384,
            Self::Curve25519 => OID_CURVE25519,
        }
    }
}

/// The public numbers of a key.
#[derive(Clone, Copy)]
pub(super) enum Material<'a> {
    Rsa {
        modulus: &'a [u8],
        exponent: &'a [u8],
        encrypts: bool,
    },
    Ed25519(&'a [u8]),
    Ecdsa(EllipticCurve, &'a [u8]),
    Ecdh {
        curve: EllipticCurve,
        point: &'a [u8],
        hash: u8,
        cipher: u8,
    },
    /// Of no use here.
    Other,
}

/// A key or a subkey.
#[derive(Clone, Copy)]
pub(super) struct KeyPacket<'a> {
    /// The body, which signatures are over.
    pub(super) body: &'a [u8],
    /// Seconds since 1970.
    pub(super) created: u32,
    pub(super) algorithm: u8,
    pub(super) material: Material<'a>,
}

impl<'a> KeyPacket<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, PgpError> {
        let mut parts = PacketParts(body);
        match parts.byte()? {
            4 => {}
            version => return Err(PgpError::Version(version)),
        }
        let created = parts.u32()?;
        let algorithm = parts.byte()?;
        Ok(Self {
            body,
            created,
            algorithm,
            material: Material::parse(algorithm, &mut parts)?,
        })
    }

    /// Returns the beginning of everything that is signed or hashed about this key.
    pub(super) fn prefix(&self) -> [u8; 3] {
        let length = u16::try_from(self.body.len()).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        [0x99, high, low]
    }

    pub(super) fn fingerprint(&self) -> [u8; FINGERPRINT_BYTES] {
        let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        hash.update(&self.prefix());
        hash.update(self.body);
        let mut fingerprint = [0; FINGERPRINT_BYTES];
        fingerprint.copy_from_slice(hash.finish().as_ref());
        fingerprint
    }
}

impl<'a> Material<'a> {
    fn parse(algorithm: u8, parts: &mut PacketParts<'a>) -> Result<Self, PgpError> {
        Ok(match algorithm {
            1..=3 => Self::Rsa {
                modulus: parts.mpi()?,
                exponent: parts.mpi()?,
                encrypts: algorithm != 3,
            },
            18 => {
                let curve = EllipticCurve::of(oid(parts)?);
                let point = parts.mpi()?;
                // How the shared secret becomes a key: three bytes, the first of which is reserved.
                let [length, _, hash, cipher] = parts.array()?;
                match curve {
                    Some(curve) if length == 3 => Self::Ecdh {
                        curve,
                        point,
                        hash,
                        cipher,
                    },
                    _ => Self::Other,
                }
            }
            19 => match EllipticCurve::of(oid(parts)?) {
                Some(curve) => Self::Ecdsa(curve, parts.mpi()?),
                None => Self::Other,
            },
            22 => match (oid(parts)?, parts.mpi()?) {
                (OID_ED25519, [NATIVE_POINT, point @ ..]) => Self::Ed25519(point),
                _ => Self::Other,
            },
            27 => Self::Ed25519(parts.take(32)?),
            _ => Self::Other,
        })
    }
}

fn oid<'a>(parts: &mut PacketParts<'a>) -> Result<&'a [u8], PgpError> {
    let length = parts.byte()?;
    parts.take(length.into())
}
