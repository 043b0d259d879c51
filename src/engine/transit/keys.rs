//! The keys: making, showing, changing and deleting them.

use super::base;
use super::kind::{HMAC_BYTES, KeyType};
use super::record::{CONFIG, KEYS, Key, MountConfig, NAME, StoredConfig};
use super::version::Version;
use crate::barrier::{Batch, Slot, View};
use crate::clock::Timestamp;
use crate::engine::table::Matched;
use crate::engine::{Error, Operation, Outcome, Request, Response};
use crate::secret::Secret;
use serde_json::{Map, Value, json};

/// The warning about a lowest version of zero.
const NUMBERED_FROM_1: &str =
    "since Vault 0.3, transit key numbering starts at 1; forcing minimum to 1";

/// Answers `LIST keys`.
pub(super) fn list(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let keys = matched.view.list(KEYS)?;
    match keys.is_empty() {
        true => Err(Error::not_found()),
        false => Ok(Response::list(keys).into()),
    }
}

/// Answers `GET keys/:name`.
pub(super) fn read(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured(NAME.name);
    let key = Key::read(matched.view, name)?.ok_or_else(Error::not_found)?;
    let context = matched.fields.text("context").unwrap_or_default();
    let context =
        base::decode(context).map_err(|_| Error::invalid("failed to base64-decode context"))?;
    Ok(shown(matched, &key, &context, None)?.into())
}

/// Answers `POST keys/:name`. A key that exists stays as it is.
pub(super) fn make(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let fields = &matched.fields;
    let name = matched.captured(NAME.name);
    let kind = KeyType::named(fields.text("type").unwrap_or(KeyType::DEFAULT))?;
    let is_on = |field| fields.flag(field) == Some(true);
    if is_on("convergent_encryption") && !is_on("derived") {
        let why = "convergent encryption requires derivation to be enabled";
        return Err(Error::invalid(why));
    }
    let key_bytes = key_size(fields.integer("key_size").unwrap_or_default(), kind)?;
    refuse_period(matched)?;
    let (slot, found) = Key::slot(matched.request, matched.view, name)?;
    if let Some(key) = found {
        return Ok(shown(matched, &key, &[], None)?.into());
    }
    kind.admit(is_on("derived"), is_on("convergent_encryption"))?;
    let mut key = Key::new(kind);
    key.more.key_bytes = key_bytes;
    key.derived = is_on("derived");
    key.convergent = is_on("convergent_encryption");
    key.exportable = is_on("exportable");
    key.allow_plaintext_backup = is_on("allow_plaintext_backup");
    let mut batch = Batch::new();
    let version = grow(matched, &mut key, &mut batch)?;
    written(matched, &key, &slot, batch, Some(&version))
}

/// Answers `DELETE keys/:name`.
pub(super) fn delete(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured(NAME.name);
    let refused = |why| Error::invalid(format!("error deleting policy {name}: {why}"));
    let (slot, found) = Key::slot(matched.request, matched.view, name)?;
    let mut key = found.ok_or_else(|| refused("could not delete key; not found"))?;
    if !key.deletion_allowed {
        return Err(refused("deletion is not allowed for this key"));
    }
    let mut outcome = Outcome::default();
    let beyond = key.latest() + 1;
    key.trim(matched.view, &mut outcome.batch, name, beyond);
    outcome.batch.remove(&slot);
    Ok(outcome)
}

/// Answers `POST keys/:name/config`.
pub(super) fn configure(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let fields = &matched.fields;
    let name = matched.captured(NAME.name);
    let (slot, found) = Key::slot(matched.request, matched.view, name)?;
    let missing = || Error::invalid(format!("no existing key named {name} could be found"));
    let mut key = found.ok_or_else(missing)?;
    refuse_period(matched)?;
    let mut warnings = Vec::new();
    let latest = key.latest();
    let least = |field: &str, what: &str| match fields.integer(field) {
        None => Ok(None),
        Some(wanted) => match u32::try_from(wanted) {
            Ok(version) if version <= latest => Ok(Some(version)),
            Err(_) if wanted < 0 => Err(Error::invalid(format!(
                "min {what} version cannot be negative"
            ))),
            _ => Err(Error::invalid(format!(
                "cannot set min {what} version of {wanted}, latest key version is {latest}"
            ))),
        },
    };
    match least("min_decryption_version", "decryption")? {
        Some(0) => {
            key.min_decryption = 1;
            warnings.push(NUMBERED_FROM_1.to_owned());
        }
        Some(version) => key.min_decryption = version,
        None => {}
    }
    if let Some(version) = least("min_encryption_version", "encryption")? {
        key.min_encryption = version;
    }
    if key.min_encryption != 0 && key.min_encryption < key.min_decryption {
        return Err(Error::invalid(format!(
            "cannot set min encryption/decryption values; min encryption version of {} must be \
             greater than or equal to min decryption version of {}",
            key.min_encryption, key.min_decryption
        )));
    }
    if key.min_encryption < key.min_available {
        let why = "min encryption version should not be less than min available version";
        return Err(Error::invalid(why));
    }
    if key.min_decryption < key.min_available {
        let why = "min decryption version should not be less then min available version";
        return Err(Error::invalid(why));
    }
    if let Some(allowed) = fields.flag("deletion_allowed") {
        key.deletion_allowed = allowed;
    }
    key.exportable |= fields.flag("exportable") == Some(true);
    key.allow_plaintext_backup |= fields.flag("allow_plaintext_backup") == Some(true);
    let mut outcome = written(matched, &key, &slot, Batch::new(), None)?;
    outcome.response.warnings = warnings;
    Ok(outcome)
}

/// Answers `POST keys/:name/rotate`.
pub(super) fn rotate(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured(NAME.name);
    let (slot, found) = Key::slot(matched.request, matched.view, name)?;
    let mut key = found.ok_or_else(|| Error::invalid("key not found"))?;
    if key.soft_deleted {
        return Err(Error::invalid("refusing to use soft-deleted key"));
    }
    let mut batch = Batch::new();
    let version = grow(matched, &mut key, &mut batch)?;
    written(matched, &key, &slot, batch, Some(&version))
}

/// Answers `POST keys/:name/trim`.
pub(super) fn trim(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured(NAME.name);
    let least = matched.fields.integer("min_available_version");
    let least = least.ok_or_else(|| Error::invalid("missing min_available_version"))?;
    let (slot, found) = Key::slot(matched.request, matched.view, name)?;
    let mut key = found.ok_or_else(|| Error::invalid("invalid key name"))?;
    let refused = |why: &str| Err(Error::invalid(format!("minimum available version {why}")));
    if least < i64::from(key.min_available) {
        return refused("cannot be decremented");
    }
    let least = match u32::try_from(least) {
        Ok(_) if key.min_encryption == 0 => {
            return refused("cannot be set when minimum encryption version is not set");
        }
        Ok(0) => return refused("should be positive"),
        Ok(least) if least <= key.min_encryption => least,
        _ => return refused("cannot be greater than minmum encryption version"),
    };
    if least > key.min_decryption {
        return refused("cannot be greater than minimum decryption version");
    }
    let mut batch = Batch::new();
    key.trim(matched.view, &mut batch, name, least);
    key.min_available = least;
    written(matched, &key, &slot, batch, None)
}

/// Answers `DELETE keys/:name/soft-delete`.
pub(super) fn soft_delete(matched: &Matched<'_>) -> Result<Outcome, Error> {
    mark(matched, true, "key was already marked as soft deleted")
}

/// Answers `POST keys/:name/soft-delete-restore`.
pub(super) fn restore(matched: &Matched<'_>) -> Result<Outcome, Error> {
    mark(matched, false, "key was already restored")
}

/// Marks a key as deleted or not; `already` is the warning where it is so. Nothing happens where
/// there is no such key.
fn mark(matched: &Matched<'_>, deleted: bool, already: &str) -> Result<Outcome, Error> {
    let name = matched.captured(NAME.name);
    let (slot, found) = Key::slot(matched.request, matched.view, name)?;
    let Some(mut key) = found else {
        return Ok(Outcome::default());
    };
    if key.soft_deleted == deleted {
        return Ok(shown(matched, &key, &[], None)?.warn(already).into());
    }
    key.soft_deleted = deleted;
    written(matched, &key, &slot, Batch::new(), None)
}

/// Answers `GET config/keys`.
pub(super) fn settings(matched: &Matched<'_>) -> Result<Outcome, Error> {
    Ok(shown_settings(&MountConfig::read(matched.view)?).into())
}

/// Answers `POST config/keys`.
pub(super) fn set(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let slot = matched.request.slot(matched.view, CONFIG)?;
    let mut config = MountConfig::of(&slot)?;
    if let Some(disabled) = matched.fields.flag("disable_upsert") {
        config.disable_upsert = disabled;
    }
    let mut outcome: Outcome = shown_settings(&config).into();
    outcome
        .batch
        .replace_record(&slot, &StoredConfig::V1(config))?;
    Ok(outcome)
}

fn shown_settings(config: &MountConfig) -> Response {
    let mut data = Map::new();
    data.insert("disable_upsert".into(), config.disable_upsert.into());
    Response::data(data)
}

/// Refuses a period after which the key would rotate by itself, which nothing here does.
fn refuse_period(matched: &Matched<'_>) -> Result<(), Error> {
    match matched.fields.seconds("auto_rotate_period") {
        None | Some(0) => Ok(()),
        Some(_) => Err(Error::invalid(
            "auto_rotate_period must be 0: keys of this server are rotated by \
             POST keys/<name>/rotate only",
        )),
    }
}

/// Adds the key's record to a batch and shows the key, of which the newest version may be `fresh`,
/// which nobody can read yet.
fn written(
    matched: &Matched<'_>,
    key: &Key,
    slot: &Slot,
    mut batch: Batch,
    fresh: Option<&Version>,
) -> Result<Outcome, Error> {
    key.write(slot, &mut batch)?;
    Ok(Outcome {
        response: shown(matched, key, &[], fresh)?,
        batch,
    })
}

/// Returns the length of a key of type `hmac`; zero for the other types, which have no choice.
fn key_size(wanted: i64, kind: KeyType) -> Result<u32, Error> {
    let name = kind.name();
    match u32::try_from(wanted) {
        Ok(0) if kind == KeyType::Hmac => Ok(*HMAC_BYTES.start()),
        Ok(0) => Ok(0),
        _ if kind != KeyType::Hmac => {
            let why = format!("key_size is not valid for algorithm {name}");
            Err(Error::invalid(why))
        }
        Ok(bytes) if HMAC_BYTES.contains(&bytes) => Ok(bytes),
        _ => Err(Error::invalid(format!("invalid key_size {wanted}"))),
    }
}

/// Gives the key that a request names a new version: the one that was prepared, where it is of the
/// key's type.
pub(super) fn grow(
    matched: &Matched<'_>,
    key: &mut Key,
    batch: &mut Batch,
) -> Result<Version, Error> {
    let (request, view) = (matched.request, matched.view);
    let prepared = request.prepared.as_ref();
    let prepared = prepared.and_then(|any| any.downcast_ref::<Version>());
    let version = match prepared.filter(|version| version.kind == key.kind) {
        Some(version) => Version::new(key.kind, Secret::new(version.key.expose().clone()))?,
        None => Version::generate(key.kind, key.more.key_bytes)?,
    };
    let name = matched.captured(NAME.name);
    key.add(view, batch, name, request.now, &version)?;
    Ok(version)
}

/// Returns the type of the key pair that a request to make or rotate a key needs and that takes
/// long to make; `None` where it needs none.
pub(super) fn slow(request: &Request, view: &View) -> Result<Option<KeyType>, Error> {
    if !matches!(request.operation, Operation::Update | Operation::Create) {
        return Ok(None);
    }
    let Some(rest) = request.path.strip_prefix("keys/") else {
        return Ok(None);
    };
    let kind = match rest.strip_suffix("/rotate") {
        Some(name) => Key::read(view, name)?.map(|key| key.kind),
        None if Key::read(view, rest)?.is_some() => None,
        None => {
            let kind = request.data.get("type").and_then(Value::as_str);
            kind.and_then(|kind| KeyType::named(kind).ok())
        }
    };
    Ok(kind.filter(|kind| kind.is_rsa()))
}

/// Returns everything about a key that is not secret; the public keys of a derived one are those
/// of the context.
fn shown(
    matched: &Matched<'_>,
    key: &Key,
    context: &[u8],
    fresh: Option<&Version>,
) -> Result<Response, Error> {
    let mut data = Map::new();
    let mut put = |field: &str, value: Value| drop(data.insert(field.into(), value));
    put("name", json!(matched.captured(NAME.name)));
    put("type", json!(key.kind.name()));
    put("derived", json!(key.derived));
    if key.derived {
        put("kdf", json!("hkdf_sha256"));
        put("convergent_encryption", json!(key.convergent));
    }
    if key.convergent {
        // As Vault shows keys whose versions say it.
        put("convergent_encryption_version", json!(-1));
    }
    if key.more.key_bytes != 0 {
        put("key_size", json!(key.more.key_bytes));
    }
    put("exportable", json!(key.exportable));
    put("allow_plaintext_backup", json!(key.allow_plaintext_backup));
    put("deletion_allowed", json!(key.deletion_allowed));
    put("soft_deleted", json!(key.soft_deleted));
    put("imported_key", json!(false));
    put("auto_rotate_period", json!(0));
    put("latest_version", json!(key.latest()));
    put("min_available_version", json!(key.min_available));
    put("min_decryption_version", json!(key.min_decryption));
    put("min_encryption_version", json!(key.min_encryption));
    put("supports_encryption", json!(key.kind.encrypts()));
    put("supports_decryption", json!(key.kind.encrypts()));
    put("supports_derivation", json!(key.kind.derives()));
    put("supports_signing", json!(key.kind.signs()));
    if let Some((at, version)) = key.more.restored {
        let at = Timestamp::from_secs(at).rfc3339();
        put("restore_info", json!({"time": at, "version": version}));
    }
    if let Some(versions) = versions(matched, key, context, fresh)? {
        put("keys", Value::Object(versions));
    }
    Ok(Response::data(data))
}

/// Returns what is shown of each version: its time, and its public key where it has one. Nothing is
/// shown of those of `hmac`.
fn versions(
    matched: &Matched<'_>,
    key: &Key,
    context: &[u8],
    fresh: Option<&Version>,
) -> Result<Option<Map<String, Value>>, Error> {
    let mut shown = Map::new();
    for (number, made) in key.versions() {
        let value = match key.kind {
            KeyType::Hmac => return Ok(None),
            kind if !kind.signs() => json!(made),
            kind => {
                let fresh = fresh.filter(|_| number == key.latest());
                let public = match fresh {
                    Some(version) if !key.derived => version.public.clone(),
                    _ => public(matched, key, number, context)?,
                };
                json!({
                    "name": kind.curve(),
                    "public_key": public,
                    "certificate_chain": "",
                    "creation_time": Timestamp::from_secs(made).rfc3339(),
                })
            }
        };
        shown.insert(number.to_string(), value);
    }
    Ok(Some(shown))
}

fn public(matched: &Matched<'_>, key: &Key, number: u32, context: &[u8]) -> Result<String, Error> {
    let name = matched.captured(NAME.name);
    match (key.derived, context) {
        // A key that others are derived from signs nothing itself.
        (true, []) => Ok(String::new()),
        (true, context) => {
            let version = key.version(matched.view, name, number)?;
            version.pair(Some(context))?.public_text()
        }
        (false, _) => Ok(key.version(matched.view, name, number)?.public),
    }
}
