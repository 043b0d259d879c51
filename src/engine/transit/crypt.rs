//! Encrypting and decrypting.

use super::base;
use super::batch::{Failed, Item, Items};
use super::cipher::Cipher;
use super::ciphertext;
use super::keys::grow;
use super::kind::KeyType;
use super::record::{Key, MountConfig, NAME};
use super::version::Version;
use crate::barrier::Batch;
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome};
use crate::secret::{Secret, SecretBytes, fill_random};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The secret bytes of versions, each read once a request.
struct Versions<'a> {
    matched: &'a Matched<'a>,
    key: &'a Key,
    name: &'a str,
    read: BTreeMap<u32, Version>,
}

impl<'a> Versions<'a> {
    /// Returns the versions of a key, none of them read.
    fn of(matched: &'a Matched<'a>, key: &'a Key) -> Self {
        Self {
            matched,
            key,
            name: matched.captured(NAME.name),
            read: BTreeMap::new(),
        }
    }

    /// Returns a version, and reads it where it was not yet.
    fn version(&mut self, number: u32) -> Result<&Version, Error> {
        if !self.read.contains_key(&number) {
            let version = self.key.version(self.matched.view, self.name, number)?;
            self.read.insert(number, version);
        }
        let missing = || Error::internal("a version was just read");
        self.read.get(&number).ok_or_else(missing)
    }

    /// Returns the cipher of a version for a text's context.
    fn cipher(&mut self, number: u32, item: &Item) -> Result<Cipher, Error> {
        let key = self.key;
        let bytes = &self.version(number)?.key;
        if !key.derived {
            item.context()?;
            let bytes = Secret::new(bytes.expose().clone());
            return Ok(Cipher::plain(key.kind, bytes));
        }
        if !item.has_context() {
            return Err(Error::invalid(NO_CONTEXT));
        }
        Cipher::derived(key.kind, bytes, &item.context()?, key.convergent)
    }

    /// Encrypts a text, and returns the fields of its answer.
    fn seal(&mut self, item: &Item, plaintext: &[u8]) -> Result<Map<String, Value>, Error> {
        if !self.key.kind.encrypts() {
            return Err(unsupported("encryption", self.key.kind));
        }
        let version = encrypting(self.key, item.version)?;
        let sealed = match self.key.kind.is_rsa() {
            true => self.version(version)?.pair(None)?.encrypt(plaintext)?,
            false => {
                let cipher = self.cipher(version, item)?;
                cipher.seal(plaintext, &item.associated()?)?
            }
        };
        let mut fields = Map::new();
        fields.insert(
            "ciphertext".into(),
            ciphertext::write(version, &sealed).into(),
        );
        fields.insert("key_version".into(), version.into());
        Ok(fields)
    }

    /// Decrypts the ciphertext of a text.
    fn open(&mut self, item: &Item) -> Result<SecretBytes, Error> {
        let text = item.text.as_deref().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| Error::invalid(NO_CIPHERTEXT))?;
        if !self.key.kind.encrypts() {
            return Err(unsupported("decryption", self.key.kind));
        }
        let (version, sealed) = ciphertext::read(text)?;
        if version > i64::from(self.key.latest()) {
            return Err(Error::invalid("invalid ciphertext: version is too new"));
        }
        let too_old = "ciphertext or signature version is disallowed by policy (too old)";
        let version = u32::try_from(version).unwrap_or_default();
        if version < self.key.min_decryption {
            return Err(Error::invalid(too_old));
        }
        if self.key.kind.is_rsa() {
            return self.version(version)?.pair(None)?.decrypt(&sealed);
        }
        self.cipher(version, item)?
            .open(sealed, &item.associated()?)
    }
}

/// The refusal of a text without a context.
pub(super) const NO_CONTEXT: &str = "missing 'context' for key derivation; the key was created \
                                     using a derived key, which means additional, per-request \
                                     information must be included in order to perform operations \
                                     with the key";
const NO_CIPHERTEXT: &str = "missing ciphertext to decrypt";
const NO_PLAINTEXT: &str = "missing plaintext to encrypt";
const NO_KEY: &str = "encryption key not found";

fn unsupported(what: &str, kind: KeyType) -> Error {
    let kind = kind.name();
    Error::invalid(format!("message {what} not supported for key type {kind}"))
}

/// Returns the version that encrypts when `wanted` is asked for.
fn encrypting(key: &Key, wanted: i64) -> Result<u32, Error> {
    let refused = |why: &str| Error::invalid(format!("requested version for encryption is {why}"));
    if wanted < 0 {
        return Err(refused("negative"));
    }
    let latest = key.latest();
    match u32::try_from(wanted) {
        Ok(0) => Ok(latest),
        Ok(version) if version < key.min_encryption => {
            Err(refused("less than the minimum encryption key version"))
        }
        Ok(version) if version < key.min_decryption => Err(Error::invalid("no such key version")),
        Ok(version) if version <= latest => Ok(version),
        _ => Err(refused("higher than the latest key version")),
    }
}

/// Returns the key that a request names.
fn existing(matched: &Matched<'_>) -> Result<Key, Error> {
    let key = Key::read(matched.view, matched.captured(NAME.name))?;
    usable(key.ok_or_else(|| Error::invalid(NO_KEY))?)
}

/// Returns a key, unless it was deleted softly.
pub(super) fn usable(key: Key) -> Result<Key, Error> {
    match key.soft_deleted {
        true => Err(Error::invalid("refusing to use soft-deleted key")),
        false => Ok(key),
    }
}

/// Refuses a padding of RSA that is not OAEP. Whether the older one, of PKCS #1 v1.5, was well
/// formed is what its attackers ask a server that decrypts.
fn refuse_padding(matched: &Matched<'_>) -> Result<(), Error> {
    match matched.fields.text("padding_scheme").unwrap_or_default() {
        "" | "oaep" => Ok(()),
        other => Err(Error::invalid(format!(
            "padding_scheme {other:?} is not offered: it must be \"oaep\""
        ))),
    }
}

/// Refuses texts whose associated data the key cannot authenticate.
fn refuse_associated(kind: KeyType, items: &Items) -> Result<(), Error> {
    match items.items.iter().position(Item::has_associated) {
        Some(at) if !kind.is_aead() => Err(Error::invalid(format!(
            "'[{at}].associated_data' provided for non-AEAD cipher suite {}",
            kind.name()
        ))),
        _ => Ok(()),
    }
}

/// Answers `POST encrypt/:name`.
pub(super) fn encrypt(matched: &Matched<'_>) -> Result<Outcome, Error> {
    refuse_padding(matched)?;
    let items = Items::read(matched, "plaintext")?;
    items.require("plaintext", NO_PLAINTEXT)?;
    let with_context = items.items.iter().filter(|item| item.has_context()).count();
    if with_context != 0 && with_context != items.items.len() {
        let why = "context should be set either in all the request blocks or in none";
        return Err(Error::invalid(why));
    }
    let name = matched.captured(NAME.name);
    let (slot, found) = Key::slot(matched.request, matched.view, name)?;
    if let Some(key) = found {
        let key = usable(key)?;
        refuse_associated(key.kind, &items)?;
        let mut versions = Versions::of(matched, &key);
        return Ok(sealed(matched, &items, |item, text| versions.seal(item, text))?.into());
    }
    let mut key = wanted(matched, with_context != 0)?;
    let mut batch = Batch::new();
    let version = grow(matched, &mut key, &mut batch)?;
    key.write(&slot, &mut batch)?;
    let mut versions = Versions::of(matched, &key);
    versions.read.insert(key.latest(), version);
    let response = sealed(matched, &items, |item, text| versions.seal(item, text))?;
    Ok(Outcome { response, batch })
}

/// Returns the settings of the key that encrypting makes.
fn wanted(matched: &Matched<'_>, derived: bool) -> Result<Key, Error> {
    let kind = matched.fields.text("type").unwrap_or(KeyType::DEFAULT);
    let kind = KeyType::named(kind)?;
    if !kind.is_aead() {
        let kind = kind.name();
        let why = format!("key type {kind} not supported for this operation");
        return Err(Error::invalid(why));
    }
    if MountConfig::read(matched.view)?.disable_upsert {
        return Err(Error::invalid(NO_KEY));
    }
    let mut key = Key::new(kind);
    key.convergent = matched.fields.flag("convergent_encryption") == Some(true);
    key.derived = derived;
    if key.convergent && !derived {
        return Err(Error::invalid(
            "convergent encryption requires derivation to be enabled, so context is required",
        ));
    }
    Ok(key)
}

fn sealed(
    matched: &Matched<'_>,
    items: &Items,
    mut seal: impl FnMut(&Item, &[u8]) -> Result<Map<String, Value>, Error>,
) -> Result<crate::engine::Response, Error> {
    items.answer(&Failed::by_status(matched), |item| {
        let text = item.text.as_deref().unwrap_or_default();
        let text = Secret::new(base::decode(text)?);
        seal(item, text.expose())
    })
}

/// Reads the ciphertexts of a request.
fn ciphertexts(matched: &Matched<'_>) -> Result<Items, Error> {
    let items = Items::read(matched, "ciphertext")?;
    match items.is_blank() {
        true => Err(Error::invalid(NO_CIPHERTEXT)),
        false => Ok(items),
    }
}

/// Answers `POST decrypt/:name`.
pub(super) fn decrypt(matched: &Matched<'_>) -> Result<Outcome, Error> {
    refuse_padding(matched)?;
    let items = ciphertexts(matched)?;
    items.require("ciphertext", NO_CIPHERTEXT)?;
    let key = existing(matched)?;
    refuse_associated(key.kind, &items)?;
    let mut versions = Versions::of(matched, &key);
    let failed = Failed::by_status(matched).with("plaintext", json!(""));
    let response = items.answer(&failed, |item| {
        let text = versions.open(item)?;
        let mut fields = Map::new();
        fields.insert("plaintext".into(), STANDARD.encode(text.expose()).into());
        Ok(fields)
    });
    Ok(response?.into())
}

/// Answers `POST rewrap/:name`.
pub(super) fn rewrap(matched: &Matched<'_>) -> Result<Outcome, Error> {
    refuse_padding(matched)?;
    let items = ciphertexts(matched)?;
    let key = existing(matched)?;
    refuse_associated(key.kind, &items)?;
    let mut versions = Versions::of(matched, &key);
    let response = items.answer(&Failed::default(), |item| {
        let text = versions.open(item)?;
        versions.seal(item, text.expose())
    });
    Ok(response?.into())
}

/// Answers `POST datakey/:plaintext/:name`.
pub(super) fn datakey(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let is_shown = match matched.captured("plaintext") {
        "plaintext" => true,
        "wrapped" => false,
        _ => {
            let why = "Invalid path, must be 'plaintext' or 'wrapped'";
            return Err(Error::invalid(why));
        }
    };
    let bytes = match matched.fields.integer("bits").unwrap_or(256) {
        128 => 16,
        256 => 32,
        512 => 64,
        _ => return Err(Error::invalid("invalid bit length")),
    };
    refuse_padding(matched)?;
    let key = existing(matched)?;
    let items = Items::read(matched, "plaintext")?;
    refuse_associated(key.kind, &items)?;
    let mut made = Secret::new(vec![0; bytes]);
    fill_random(made.expose_mut());
    let mut versions = Versions::of(matched, &key);
    let response = items.answer(&Failed::default(), |item| {
        let mut fields = versions.seal(item, made.expose())?;
        if is_shown {
            fields.insert("plaintext".into(), json!(STANDARD.encode(made.expose())));
        }
        Ok(fields)
    });
    Ok(response?.into())
}
