//! The ways of signing that requests ask for.

use super::kind::KeyType;
use crate::engine::Error;
use crate::engine::hash::Hash;
use crate::engine::table::Matched;

/// The form of a signature of ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marshaling {
    /// ASN.1, in usual base64.
    Asn1,
    /// Both numbers behind each other, in base64 for addresses, without padding.
    Jws,
}

/// The padding of a signature of RSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// `pss`.
    Pss,
    /// `pkcs1v15`.
    Pkcs1v15,
}

/// The length of the salt of a signature of RSA with `pss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Salt {
    /// As long as can be; of any length where a signature is verified.
    Any,
    /// As long as the hash.
    Hash,
    /// So many bytes.
    Bytes(usize),
}

/// A way of signing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheme {
    /// The hash of the input; `None` where nothing says which one.
    pub(super) hash: Option<Hash>,
    /// True when the input is a hash.
    pub(super) is_prehashed: bool,
    pub(super) marshaling: Marshaling,
    pub(super) padding: Padding,
    pub(super) salt: Salt,
}

/// Returns the name of the hash that a request asks for, by the path or by one of its fields.
pub(super) fn hash_name<'a>(matched: &'a Matched<'_>, fields: &[&str]) -> &'a str {
    let in_path = matched.captured("urlalgorithm");
    let sent = fields.iter().map(|name| matched.fields.text(name));
    let mut named = std::iter::once(Some(in_path)).chain(sent).flatten();
    named.find(|name| !name.is_empty()).unwrap_or("sha2-256")
}

impl Scheme {
    /// Reads the fields of a request.
    ///
    /// # Errors
    /// 400 that names the field whose value is unknown.
    pub(super) fn read(matched: &Matched<'_>) -> Result<Self, Error> {
        let fields = &matched.fields;
        let name = hash_name(matched, &["hash_algorithm", "algorithm"]);
        let hash = match name {
            "none" => None,
            name => Some(
                Hash::named(name)
                    .ok_or_else(|| Error::invalid(format!("invalid hash algorithm {name:?}")))?,
            ),
        };
        let marshaling = match fields.text("marshaling_algorithm").unwrap_or("asn1") {
            "asn1" => Marshaling::Asn1,
            "jws" => Marshaling::Jws,
            other => return Err(Error::invalid(format!("invalid marshaling type {other:?}"))),
        };
        let padding = match fields.text("signature_algorithm").unwrap_or_default() {
            "" | "pss" => Padding::Pss,
            "pkcs1v15" => Padding::Pkcs1v15,
            other => {
                let why = format!("unsupported rsa signature algorithm {other}");
                return Err(Error::invalid(why));
            }
        };
        let scheme = Self {
            hash,
            is_prehashed: fields.flag("prehashed") == Some(true),
            marshaling,
            padding,
            salt: salt(fields.text("salt_length").unwrap_or("auto"))?,
        };
        Ok(scheme)
    }

    /// Refuses input of which nothing says what hash it is, unless it is asked for twice.
    ///
    /// # Errors
    /// 400.
    pub(super) fn admit(&self, kind: KeyType) -> Result<(), Error> {
        match self.hash {
            // Ed25519 hashes by itself, and always alike.
            None if !kind.hashes_input() => Ok(()),
            None if !self.is_prehashed || self.padding == Padding::Pss => Err(Error::invalid(
                "hash_algorithm=none requires both prehashed=true and \
                 signature_algorithm=pkcs1v15",
            )),
            _ => Ok(()),
        }
    }
}

fn salt(text: &str) -> Result<Salt, Error> {
    let text = text.to_lowercase();
    match text.as_str() {
        "auto" => Ok(Salt::Any),
        "hash" => Ok(Salt::Hash),
        text => match text.parse::<i64>() {
            // As in Go, where these numbers stand for the words.
            Ok(0) => Ok(Salt::Any),
            Ok(-1) => Ok(Salt::Hash),
            Ok(bytes) => usize::try_from(bytes)
                .map(Salt::Bytes)
                .map_err(|_| Error::invalid(format!("salt length is invalid: {bytes}"))),
            Err(_) => Err(Error::invalid(format!(
                "salt length neither 'auto', 'hash', nor an int: {text}"
            ))),
        },
    }
}
