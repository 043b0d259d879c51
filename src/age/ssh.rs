//! Public keys of SSH as their files have them: `ssh-ed25519 AAAA… comment` (RFC 4253, section 6.6;
//! RFC 8709, section 4).

use super::AgeError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The longest body, in letters: the largest RSA key that is taken has less than 1,500.
const BODY_LETTERS_MAX: usize = 4096;

/// A public key of SSH.
pub(super) struct SshKey<'a> {
    /// The kind and the numbers as SSH signs and hashes them.
    pub wire: Vec<u8>,
    kind: &'a str,
}

/// The numbers of a key.
pub(super) enum SshNumbers<'a> {
    Ed25519([u8; 32]),
    Rsa {
        exponent: &'a [u8],
        modulus: &'a [u8],
    },
}

impl<'a> SshKey<'a> {
    /// Reads a line: the kind, the body in base64, and whatever comment there is.
    pub(super) fn parse(line: &'a str) -> Result<Self, AgeError> {
        let mut words = line.split_ascii_whitespace();
        let kind = words.next().unwrap_or_default();
        let body = words.next().ok_or(AgeError::SshBody)?;
        if body.len() > BODY_LETTERS_MAX {
            return Err(AgeError::SshBody);
        }
        let wire = BASE64.decode(body).map_err(|_| AgeError::SshBody)?;
        Ok(Self { wire, kind })
    }

    pub(super) fn numbers(&self) -> Result<SshNumbers<'_>, AgeError> {
        let mut rest = self.wire.as_slice();
        let kind = string(&mut rest)?;
        if kind != self.kind.as_bytes() {
            return Err(AgeError::SshBody);
        }
        let numbers = match self.kind {
            "ssh-ed25519" => {
                let point = string(&mut rest)?.try_into();
                SshNumbers::Ed25519(point.map_err(|_| AgeError::SshBody)?)
            }
            _ => SshNumbers::Rsa {
                exponent: number(string(&mut rest)?)?,
                modulus: number(string(&mut rest)?)?,
            },
        };
        match rest {
            [] => Ok(numbers),
            _ => Err(AgeError::SshBody),
        }
    }
}

/// Takes a string with its length before it.
fn string<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], AgeError> {
    let (length, after) = rest.split_first_chunk().ok_or(AgeError::SshBody)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let (taken, after) = after.split_at_checked(length).ok_or(AgeError::SshBody)?;
    *rest = after;
    Ok(taken)
}

/// Returns the digits of a positive number, without the zero before one whose first bit is set.
fn number(digits: &[u8]) -> Result<&[u8], AgeError> {
    match digits {
        [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => Ok(rest),
        [1..0x80, ..] => Ok(digits),
        _ => Err(AgeError::SshBody),
    }
}
