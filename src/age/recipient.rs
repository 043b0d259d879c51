//! Recipients: a holder's public key, judged and ready to be encrypted to.

use super::ssh::{SshKey, SshNumbers};
use super::{AgeError, bech32, stanza};
use crate::pgp::RsaNumbers;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::traits::IsIdentity;

const NAME: &str = "age";
const AGE: &str = "age1";
const AGE_PRIVATE: &str = "age-secret-key-";
const ARMOR: &str = "-----BEGIN";

/// A public key that a file is encrypted to.
#[derive(Clone, Debug)]
pub struct AgeRecipient(pub(super) RecipientKey);

/// The key of a recipient.
#[derive(Clone, Debug)]
pub(super) enum RecipientKey {
    X25519(MontgomeryPoint),
    SshEd25519 {
        wire: Vec<u8>,
        point: MontgomeryPoint,
    },
    SshRsa {
        wire: Vec<u8>,
        numbers: RsaNumbers,
    },
}

impl AgeRecipient {
    /// Reads a recipient: `age1…`, or a public key of SSH as its file has it.
    ///
    /// # Errors
    /// The reason for which nothing can or should be encrypted to it.
    pub fn parse(text: &str) -> Result<Self, AgeError> {
        let text = text.trim();
        let lower = text.get(..64).unwrap_or(text).to_ascii_lowercase();
        let key = match lower.split_ascii_whitespace().next().unwrap_or_default() {
            word if word.starts_with(AGE_PRIVATE) => return Err(AgeError::PrivateKey),
            _ if text.starts_with(ARMOR) && text.contains("PRIVATE KEY") => {
                return Err(AgeError::PrivateKey);
            }
            word if word.starts_with("age1pq1") => {
                return Err(AgeError::Unsupported("post-quantum recipients of age are"));
            }
            word if word.starts_with(AGE) => x25519(text)?,
            "ssh-ed25519" | "ssh-rsa" => ssh(text)?,
            word if word.starts_with("ecdsa-sha2-") => {
                return Err(AgeError::Unsupported("ECDSA keys of SSH are"));
            }
            word if word.starts_with("sk-") => {
                return Err(AgeError::Unsupported("SSH keys on a security token are"));
            }
            "ssh-dss" => return Err(AgeError::Unsupported("DSA keys of SSH are")),
            _ => return Err(AgeError::Unknown),
        };
        // A trial: what cannot be encrypted to is found before there is anything to encrypt.
        stanza::wrap(
            &mut String::new(),
            &key,
            &[0; stanza::FILE_KEY_BYTES],
            &mut |it| {
                it.fill(9);
            },
        )?;
        Ok(Self(key))
    }
}

fn x25519(text: &str) -> Result<RecipientKey, AgeError> {
    // A plugin's name has a one of its own after it: `age1yubikey1…`.
    if text.get(AGE.len()..).is_some_and(|rest| rest.contains('1')) {
        return Err(AgeError::Unsupported("recipients of age's plugins are"));
    }
    let bytes = bech32::decode(NAME, text)?;
    let point = bytes.try_into().map_err(|_| AgeError::Checksum)?;
    Ok(RecipientKey::X25519(MontgomeryPoint(point)))
}

fn ssh(line: &str) -> Result<RecipientKey, AgeError> {
    let key = SshKey::parse(line)?;
    match key.numbers()? {
        SshNumbers::Ed25519(bytes) => {
            let point = CompressedEdwardsY(bytes).decompress();
            let point = point.filter(|it| !it.is_small_order() && !it.is_identity());
            let point = point.ok_or(AgeError::Invalid)?.to_montgomery();
            Ok(RecipientKey::SshEd25519 {
                point,
                wire: key.wire,
            })
        }
        SshNumbers::Rsa { exponent, modulus } => {
            let numbers = RsaNumbers::new(modulus, exponent).map_err(AgeError::Rsa)?;
            Ok(RecipientKey::SshRsa {
                numbers,
                wire: key.wire,
            })
        }
    }
}
