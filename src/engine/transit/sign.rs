//! Signing and verifying; keyed hashes.

use super::base;
use super::batch::{Failed, INPUT, Item, Items};
use super::crypt::NO_CONTEXT;
use super::pair::Pair;
use super::record::{Key, NAME};
use super::scheme::{Marshaling, Scheme, hash_name};
use super::version::Version;
use crate::engine::hash::Hash;
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome};
use crate::secret::{Secret, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

/// The text in front of each signature and keyed hash, as in Vault.
const PREFIX: &str = "vault:v";
const TOO_OLD: &str = "ciphertext or signature version is disallowed by policy (too old)";
const SOFT_DELETED: &str = "refusing to use soft-deleted key";

/// The key of a request, and its versions, each read once.
struct Signer<'a> {
    matched: &'a Matched<'a>,
    key: &'a Key,
    versions: BTreeMap<u32, Version>,
    /// The pairs of versions that nothing is derived from.
    pairs: BTreeMap<u32, Pair>,
}

impl<'a> Signer<'a> {
    fn of(matched: &'a Matched<'a>, key: &'a Key) -> Self {
        Self {
            matched,
            key,
            versions: BTreeMap::new(),
            pairs: BTreeMap::new(),
        }
    }

    fn version(&mut self, number: u32) -> Result<&Version, Error> {
        if number < self.key.min_decryption {
            return Err(Error::invalid("no such key version"));
        }
        if !self.versions.contains_key(&number) {
            let name = self.matched.captured(NAME.name);
            let version = self.key.version(self.matched.view, name, number)?;
            self.versions.insert(number, version);
        }
        let missing = || Error::internal("a version was just read");
        self.versions.get(&number).ok_or_else(missing)
    }

    /// Does something with the pair of a version, derived for the text's context where the key is.
    fn with_pair<T>(
        &mut self,
        number: u32,
        item: &Item,
        done: impl FnOnce(&Pair) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let context = item
            .context()
            .map_err(|_| Error::invalid("failed to base64-decode context"))?;
        if self.key.derived {
            if context.is_empty() {
                return Err(Error::invalid(NO_CONTEXT));
            }
            return done(&self.version(number)?.pair(Some(&context))?);
        }
        if !self.pairs.contains_key(&number) {
            let pair = self.version(number)?.pair(None)?;
            self.pairs.insert(number, pair);
        }
        let missing = || Error::internal("a pair was just read");
        done(self.pairs.get(&number).ok_or_else(missing)?)
    }
}

/// Returns the input of a text, decoded; `missing` is the message where there is none.
fn input(item: &Item, missing: &str) -> Result<SecretBytes, Error> {
    let text = item
        .text
        .as_deref()
        .ok_or_else(|| Error::invalid(missing))?;
    let decoded = base::decode(text).map_err(|error| {
        let why = error.messages.join("; ");
        Error::invalid(format!("unable to decode input as base64: {why}"))
    })?;
    Ok(Secret::new(decoded))
}

/// Returns what is signed of an input.
fn signed(key: &Key, scheme: &Scheme, input: SecretBytes) -> SecretBytes {
    match scheme.hash {
        Some(hash) if key.kind.hashes_input() && !scheme.is_prehashed => {
            Secret::new(hash.sum(input.expose()))
        }
        _ => input,
    }
}

/// Reads the inputs of a request; a single one that was not sent is empty where it may be.
fn inputs(matched: &Matched<'_>, may_miss: bool) -> Result<Items, Error> {
    let mut items = Items::read(matched, INPUT)?;
    if !items.is_batch && may_miss {
        for item in &mut items.items {
            item.text.get_or_insert_default();
        }
    }
    Ok(items)
}

fn found(matched: &Matched<'_>, missing: &str) -> Result<Key, Error> {
    let key = Key::read(matched.view, matched.captured(NAME.name))?;
    key.ok_or_else(|| Error::invalid(missing))
}

/// Returns the version that signs when `wanted` is asked for.
fn signing(key: &Key, wanted: i64) -> Result<u32, Error> {
    let refused = |why: &str| Error::invalid(format!("requested version for signing is {why}"));
    match u32::try_from(wanted) {
        Ok(0) => Ok(key.latest()),
        Err(_) if wanted < 0 => Err(refused("negative")),
        Ok(version) if version > key.latest() => Err(refused("higher than the latest key version")),
        Ok(version) if version < key.min_encryption => {
            Err(refused("less than the minimum encryption key version"))
        }
        Ok(version) => Ok(version),
        Err(_) => Err(refused("higher than the latest key version")),
    }
}

/// Answers `POST sign/:name`.
pub(super) fn sign(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let key = found(matched, "signing key not found")?;
    if !key.kind.signs() {
        let kind = key.kind.name();
        let why = format!("key type {kind} does not support signing");
        return Err(Error::invalid(why));
    }
    let scheme = Scheme::read(matched)?;
    scheme.admit(key.kind)?;
    let items = inputs(matched, true)?;
    let wanted = matched.fields.integer("key_version").unwrap_or_default();
    let mut signer = Signer::of(matched, &key);
    let failed = Failed::default().with("key_version", json!(0));
    let response = items.answer(&failed, |item| {
        let input = signed(&key, &scheme, input(item, "missing input")?);
        if key.soft_deleted {
            return Err(Error::invalid(SOFT_DELETED));
        }
        let version = signing(&key, wanted)?;
        let (signature, public) = signer.with_pair(version, item, |pair| {
            let public = pair.ed25519_public().map(|public| STANDARD.encode(public));
            Ok((pair.sign(&scheme, input.expose())?, public))
        })?;
        let mut text = format!("{PREFIX}{version}:");
        match scheme.marshaling {
            Marshaling::Asn1 => STANDARD.encode_string(signature, &mut text),
            Marshaling::Jws => URL_SAFE_NO_PAD.encode_string(signature, &mut text),
        }
        let mut fields = Map::new();
        fields.insert("signature".into(), text.into());
        fields.insert("key_version".into(), version.into());
        if let Some(public) = public.filter(|_| key.derived) {
            let name = if items.is_batch {
                "publickey"
            } else {
                "public_key"
            };
            fields.insert(name.into(), public.into());
        }
        Ok(fields)
    });
    Ok(response?.into())
}

/// Refuses texts of which some have a signature and others a keyed hash, or none of them. Returns
/// true for keyed hashes.
fn verifies_hmac(items: &Items) -> Result<bool, Error> {
    let (mut signatures, mut hmacs, mut missing) = (false, false, false);
    for item in &items.items {
        match (&item.signature, &item.hmac) {
            (Some(_), Some(_)) if !items.is_batch => (signatures, hmacs) = (true, true),
            (Some(_), _) => signatures = true,
            (None, Some(_)) => hmacs = true,
            (None, None) => missing = true,
        }
    }
    let why = match (signatures, hmacs) {
        (true, true) if !items.is_batch => "provide one of 'signature' or 'hmac'",
        (false, false) if !items.is_batch => {
            "neither a 'signature' nor an 'hmac' were given to verify"
        }
        (true, true) => {
            "elements of batch_input must all provide 'signature' or all provide 'hmac'"
        }
        (true, false) if missing => "some elements of batch_input are missing 'signature'",
        (false, true) if missing => "some elements of batch_input are missing 'hmac'",
        (false, false) => "no batch_input elements have 'signature' or 'hmac'",
        (_, hmacs) => return Ok(hmacs),
    };
    Err(Error::invalid(why))
}

/// Answers `POST verify/:name`.
pub(super) fn verify(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let items = inputs(matched, true)?;
    if verifies_hmac(&items)? {
        return verify_hmac(matched, &items);
    }
    let key = found(matched, "signature verification key not found")?;
    if !key.kind.signs() {
        let kind = key.kind.name();
        let why = format!("key type {kind} does not support verification");
        return Err(Error::invalid(why));
    }
    let scheme = Scheme::read(matched)?;
    scheme.admit(key.kind)?;
    let mut signer = Signer::of(matched, &key);
    let failed = Failed::default().with("valid", json!(false));
    let response = items.answer(&failed, |item| {
        let input = signed(&key, &scheme, input(item, "missing input")?);
        let signature = item.signature.as_deref().unwrap_or_default();
        if key.soft_deleted {
            return Err(Error::invalid(SOFT_DELETED));
        }
        let (version, signature) = split(signature, "signature", "signature")?;
        let version = verifying(&key, version, "signature", TOO_OLD)?;
        let bytes = match scheme.marshaling {
            Marshaling::Asn1 => base::decode(signature).ok(),
            Marshaling::Jws => URL_SAFE_NO_PAD.decode(signature).ok(),
        };
        let bytes = bytes.ok_or_else(|| Error::invalid("invalid base64 signature value"))?;
        let valid = signer.with_pair(version, item, |pair| {
            pair.verify(&scheme, input.expose(), &bytes)
        })?;
        Ok(verdict(valid))
    });
    Ok(response?.into())
}

fn verdict(valid: bool) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("valid".into(), valid.into());
    fields
}

/// Returns the version and the rest of a text; `what` it is, and `unprefixed` where it has not the
/// beginning of one.
fn split<'a>(text: &'a str, what: &str, unprefixed: &str) -> Result<(i64, &'a str), Error> {
    let invalid = |what: &str, why: &str| Error::invalid(format!("invalid {what}: {why}"));
    let rest = text.strip_prefix(PREFIX);
    let rest = rest.ok_or_else(|| invalid(unprefixed, "no prefix"))?;
    let parts = rest.split_once(':');
    let (version, rest) = parts.ok_or_else(|| invalid(what, "wrong number of fields"))?;
    let version = version
        .parse()
        .map_err(|_| invalid(what, "version number could not be decoded"))?;
    Ok((version, rest))
}

/// Returns the version that a signature or a keyed hash is verified with.
fn verifying(key: &Key, version: i64, what: &str, too_old: &str) -> Result<u32, Error> {
    if version > i64::from(key.latest()) {
        let why = format!("invalid {what}: version is too new");
        return Err(Error::invalid(why));
    }
    match u32::try_from(version) {
        Ok(version) if version >= key.min_decryption => Ok(version),
        _ => Err(Error::invalid(too_old)),
    }
}

fn hash_of(matched: &Matched<'_>, fields: &[&str]) -> Result<Hash, Error> {
    let name = hash_name(matched, fields);
    let unknown = || Error::invalid(format!("invalid hash algorithm {name:?}"));
    Hash::named(name).ok_or_else(unknown)
}

/// Answers `POST hmac/:name`.
pub(super) fn hmac(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let key = found(matched, "encryption key not found")?;
    if key.soft_deleted {
        return Err(Error::invalid(SOFT_DELETED));
    }
    let wanted = matched.fields.integer("key_version").unwrap_or_default();
    let latest = key.latest();
    let version = match u32::try_from(wanted) {
        Ok(0) => latest,
        Ok(version) if version == latest => version,
        _ if key.min_encryption > 0 && wanted < i64::from(key.min_encryption) => {
            let why = "cannot generate HMAC: version is too old (disallowed by policy)";
            return Err(Error::invalid(why));
        }
        Err(_) if wanted < 0 => {
            let why = "key version does not exist (cannot be negative)";
            return Err(Error::invalid(why));
        }
        Ok(version) if version < latest => version,
        _ => {
            let why = format!("key version does not exist; latest key version is {latest}");
            return Err(Error::invalid(why));
        }
    };
    let mut signer = Signer::of(matched, &key);
    signer.version(version)?;
    let name = hash_name(matched, &["algorithm"]);
    let unknown = || Error::invalid(format!("unsupported algorithm {name:?}"));
    let hash = Hash::named(name).ok_or_else(unknown)?;
    let items = inputs(matched, false)?;
    let response = items.answer(&Failed::default(), |item| {
        let input = input(item, "missing input for HMAC")?;
        let made = hash.keyed(signer.version(version)?.hmac_key.expose(), input.expose());
        let mut fields = Map::new();
        let text = format!("{PREFIX}{version}:{}", STANDARD.encode(made));
        fields.insert("hmac".into(), text.into());
        Ok(fields)
    });
    Ok(response?.into())
}

fn verify_hmac(matched: &Matched<'_>, items: &Items) -> Result<Outcome, Error> {
    let key = found(matched, "encryption key not found")?;
    let hash = hash_of(matched, &["hash_algorithm", "algorithm"])?;
    let mut signer = Signer::of(matched, &key);
    let response = items.answer(&Failed::default(), |item| {
        let input = input(item, "missing input")?;
        let given = item.hmac.as_deref().unwrap_or_default();
        let (version, given) = split(given, "HMAC", "HMAC to verify")?;
        let given = base::decode(given).map_err(|error| {
            let why = error.messages.join("; ");
            Error::invalid(format!(
                "unable to decode verification HMAC as base64: {why}"
            ))
        })?;
        let too_old = "cannot verify HMAC: version is too old (disallowed by policy)";
        let version = verifying(&key, version, "HMAC", too_old)?;
        if key.soft_deleted {
            return Err(Error::invalid(SOFT_DELETED));
        }
        let made = hash.keyed(signer.version(version)?.hmac_key.expose(), input.expose());
        Ok(verdict(made.ct_eq(&given).into()))
    });
    Ok(response?.into())
}
