//! Keys that leave: export, backup, and restoring one.

use super::kind::{HMAC_BYTES, KeyType};
use super::pair::{KeyForm, ed25519_form};
use super::record::{Key, NAME};
use super::version::Version;
use crate::barrier::Batch;
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome, Response};
use crate::secret::{Secret, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

const SOFT_DELETED: &str = "refusing to use soft-deleted key";
/// The beginning of a backup, before it is encoded.
const MAGIC: &[u8] = b"coffer transit key 1\n";

/// The name of a key, its record, and those of its versions.
type PackedKey = (String, Vec<u8>, Vec<Vec<u8>>);

/// The part of a key that an export asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyPart {
    Encryption,
    Signing,
    Hmac,
    Public,
}

impl KeyPart {
    fn named(name: &str) -> Result<Self, Error> {
        match name {
            "encryption-key" => Ok(Self::Encryption),
            "signing-key" => Ok(Self::Signing),
            "hmac-key" => Ok(Self::Hmac),
            "public-key" => Ok(Self::Public),
            other => Err(Error::invalid(format!("invalid export type: {other}"))),
        }
    }

    /// Refuses a part that keys of this type do not have.
    fn admit(self, kind: KeyType) -> Result<(), Error> {
        match self {
            Self::Encryption if !kind.encrypts() => {
                Err(Error::invalid("encryption not supported for the key"))
            }
            Self::Signing if !kind.signs() => {
                Err(Error::invalid("signing not supported for the key"))
            }
            Self::Public if !kind.signs() => {
                let kind = kind.name();
                Err(Error::invalid(format!(
                    "unknown key type {kind} for export type public-key"
                )))
            }
            _ => Ok(()),
        }
    }
}

fn unknown_form(what: &str, supported: &str) -> Error {
    Error::invalid(format!(
        "unknown format for {what} key; supported values are {supported}"
    ))
}

/// Returns a part of a version in a form, as text.
fn text(version: &Version, part: KeyPart, form: KeyForm) -> Result<String, Error> {
    let is_raw = matches!(form, KeyForm::Usual | KeyForm::Raw);
    let bytes = match part {
        KeyPart::Hmac => Some(&version.hmac_key),
        KeyPart::Encryption if version.kind.is_aead() => Some(&version.key),
        _ => None,
    };
    if let Some(bytes) = bytes {
        return match is_raw {
            true => Ok(STANDARD.encode(bytes.expose())),
            false => Err(unknown_form("symmetric", "`` or `raw`")),
        };
    }
    if version.kind == KeyType::Ed25519 {
        return match part {
            KeyPart::Public if is_raw => Ok(version.public.clone()),
            _ if is_raw => Ok(STANDARD.encode(version.key.expose())),
            part => ed25519_form(&version.key, part == KeyPart::Public, form),
        };
    }
    if form == KeyForm::Raw {
        return Err(unknown_form("asymmetric", "``, `der`, or `pem`"));
    }
    let pair = version.pair(None)?;
    match part {
        KeyPart::Public => pair.exported_public(form),
        _ => pair.exported_private(form),
    }
}

/// Answers `GET export/:type/:name` and `GET export/:type/:name/:version`.
pub(super) fn export(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let part = KeyPart::named(matched.captured("type"))?;
    let form = match matched.fields.text("format").unwrap_or_default() {
        "" => KeyForm::Usual,
        "raw" => KeyForm::Raw,
        "der" => KeyForm::Der,
        "pem" => KeyForm::Pem,
        other => return Err(Error::invalid(format!("invalid format: {other}"))),
    };
    let name = matched.captured(NAME.name);
    let key = Key::read(matched.view, name)?.ok_or_else(Error::not_found)?;
    if !key.exportable && part != KeyPart::Public {
        return Err(Error::invalid("private key material is not exportable"));
    }
    if key.soft_deleted {
        return Err(Error::invalid(SOFT_DELETED));
    }
    part.admit(key.kind)?;
    if key.derived && part == KeyPart::Public {
        let why = "a derived key has a public key for each context: read keys/<name> with one";
        return Err(Error::invalid(why));
    }
    let mut keys = Map::new();
    for number in numbers(&key, matched.captured("version"))? {
        let version = key.version(matched.view, name, number)?;
        keys.insert(number.to_string(), text(&version, part, form)?.into());
    }
    let mut data = Map::new();
    data.insert("name".into(), name.into());
    data.insert("type".into(), key.kind.name().into());
    data.insert("keys".into(), Value::Object(keys));
    Ok(Response::data(data).into())
}

/// Returns the versions that an export asks for.
fn numbers(key: &Key, wanted: &str) -> Result<Vec<u32>, Error> {
    if wanted.is_empty() {
        return Ok(key.versions().map(|(number, _)| number).collect());
    }
    let number = match wanted {
        "latest" => i64::from(key.latest()),
        text => {
            let text = text.strip_prefix('v').unwrap_or(text);
            let number = text.parse();
            number.map_err(|_| Error::invalid("invalid key version"))?
        }
    };
    if number < i64::from(key.min_decryption) {
        let why = "version for export is below minimum decryption version";
        return Err(Error::invalid(why));
    }
    let missing = || Error::invalid("version does not exist or cannot be found");
    let number = u32::try_from(number).map_err(|_| missing())?;
    match number <= key.latest() {
        true => Ok(vec![number]),
        false => Err(missing()),
    }
}

/// Answers `GET backup/:name`.
pub(super) fn backup(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured(NAME.name);
    let found = Key::read(matched.view, name)?;
    let key = found.ok_or_else(|| Error::invalid(format!("key {name:?} not found")))?;
    if key.soft_deleted {
        return Err(Error::invalid(SOFT_DELETED));
    }
    if !key.exportable {
        return Err(Error::invalid("exporting is disallowed on the policy"));
    }
    if !key.allow_plaintext_backup {
        return Err(Error::invalid(
            "plaintext backup is disallowed on the policy",
        ));
    }
    let mut versions = Vec::new();
    for number in key.first..=key.latest() {
        versions.push(key.version(matched.view, name, number)?.to_bytes()?);
    }
    let mut bytes = Secret::new(MAGIC.to_vec());
    let parts: Vec<&[u8]> = versions
        .iter()
        .map(|part| part.expose().as_slice())
        .collect();
    let packed = postcard::to_allocvec(&(name, key.to_bytes()?, parts));
    let unpackable = |_| Error::internal("a key of transit cannot be packed");
    bytes
        .expose_mut()
        .extend(Secret::new(packed.map_err(unpackable)?).expose());
    let mut data = Map::new();
    data.insert("backup".into(), json!(STANDARD.encode(bytes.expose())));
    Ok(Response::data(data).into())
}

fn damaged() -> Error {
    Error::invalid("'backup' is none that this server can read: it must be the text of GET backup/")
}

/// Reads a backup: the name of its key, the key, and its versions.
fn unpacked(text: &str) -> Result<(String, Key, Vec<Version>), Error> {
    let bytes = Secret::new(STANDARD.decode(text).map_err(|_| damaged())?);
    let packed = bytes.expose().strip_prefix(MAGIC).ok_or_else(damaged)?;
    let unpacked: Result<PackedKey, _> = postcard::from_bytes(packed);
    let (name, key, parts) = unpacked.map_err(|_| damaged())?;
    let parts: Vec<_> = parts.into_iter().map(Secret::new).collect();
    let key = Key::from_bytes(&key).ok_or_else(damaged)?;
    if parts.len() != key.versions_kept() {
        return Err(damaged());
    }
    key.kind.admit(key.derived, key.convergent)?;
    let version = |part: &SecretBytes| {
        let version = Version::from_bytes(key.kind, part.expose()).ok_or_else(damaged)?;
        let bytes = version.key.expose().len();
        let fits = match key.kind {
            KeyType::Hmac => u32::try_from(bytes).is_ok_and(|bytes| HMAC_BYTES.contains(&bytes)),
            kind => kind.signs() || bytes == kind.key_bytes(),
        };
        fits.then_some(version).ok_or_else(damaged)
    };
    let versions: Result<_, Error> = parts.iter().map(version).collect();
    Ok((name, key, versions?))
}

/// Answers `POST restore` and `POST restore/:name`.
pub(super) fn restore(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let text = matched.fields.text("backup").unwrap_or_default();
    if text.is_empty() {
        return Err(Error::invalid("'backup' must be supplied"));
    }
    let (own_name, mut key, versions) = unpacked(text)?;
    let name = match matched.captured(NAME.name) {
        "" => own_name.as_str(),
        name => name,
    };
    if name.is_empty() || name.contains('/') {
        return Err(Error::invalid(
            "a key's name has no slashes, and is not empty",
        ));
    }
    let (slot, found) = Key::slot(matched.request, matched.view, name)?;
    let mut batch = Batch::new();
    if let Some(old) = found {
        if matched.fields.flag("force") != Some(true) {
            return Err(Error::invalid(format!("key {name:?} already exists")));
        }
        let kept = key.first..=key.latest();
        for number in (old.first..=old.latest()).filter(|number| !kept.contains(number)) {
            let place = Key::version_place(name, number);
            matched.view.delete(&mut batch, &place);
        }
    }
    key.more.restored = Some((matched.request.now.as_secs(), key.latest()));
    for (number, version) in (key.first..).zip(&versions) {
        let place = matched.view.read(&Key::version_place(name, number))?;
        version.write(&place, &mut batch)?;
    }
    key.write(&slot, &mut batch)?;
    Ok(Outcome {
        batch,
        ..Outcome::default()
    })
}
