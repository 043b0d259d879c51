//! `metadata/<path>`: a secret's settings, and its removal with all versions.

use super::config::{self, Config};
use super::custom;
use super::data::empty_not_found;
use super::metadata::Metadata;
use super::path::{known_secret, secret};
use super::stored;
use crate::barrier::Slot;
use crate::engine::table::{Field, FieldKind, Fields, Matched, On};
use crate::engine::{Error, Outcome, Request, Response};
use std::collections::BTreeMap;

const CAS_REQUIRED: Field = Field::new(
    "cas_required",
    FieldKind::Flag,
    "Refuses writes without \"cas\".",
);
const METADATA_CAS_REQUIRED: Field = Field::new(
    "metadata_cas_required",
    FieldKind::Flag,
    "Refuses changes of metadata without \"metadata_cas\".",
);
const MAX_VERSIONS: Field = Field::new(
    "max_versions",
    FieldKind::Integer,
    "Versions that are kept; zero for ten.",
);
const AFTER: &str = "Life of a version; zero for ever.";

/// Fields of the mount's settings.
pub(super) const SETTINGS: &[Field] = &[
    CAS_REQUIRED,
    Field::new("delete_version_after", FieldKind::SignedSeconds, AFTER),
    MAX_VERSIONS,
    METADATA_CAS_REQUIRED,
];
/// Fields of a secret's settings, and of lists of secrets.
pub(super) const FIELDS: &[Field] = &[
    Field::path("path", "Location of the secret."),
    Field::new("after", FieldKind::Text, "Begins after this key.").on(On::LIST),
    CAS_REQUIRED,
    Field::new(
        "custom_metadata",
        FieldKind::Map,
        "The client's own words about it.",
    ),
    Field::new("delete_version_after", FieldKind::Seconds, AFTER),
    Field::new("limit", FieldKind::Integer, "Most keys; zero for all.").on(On::LIST),
    MAX_VERSIONS,
    Field::new(
        "metadata_cas",
        FieldKind::Integer,
        "The metadata's version to replace.",
    ),
    METADATA_CAS_REQUIRED,
];

/// Answers GET: settings and the list of versions.
pub(super) fn read(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let found = stored::metadata(matched.view, known_secret(matched)?)?;
    let metadata = found.ok_or_else(Error::not_found)?;
    Ok(Response::data(metadata.fields()).into())
}

/// Answers PUT: the fields sent change; creates a secret without versions.
pub(super) fn write(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (request, view, fields) = (matched.request, matched.view, &matched.fields);
    let path = matched.captured("path");
    let change = SettingsChange::read(fields)?;
    let custom = match fields.map("custom_metadata") {
        Some(pairs) => Some(custom::parse(pairs)?),
        None if fields.is_null("custom_metadata") => Some(BTreeMap::new()),
        None => None,
    };
    if change.is_empty() && custom.is_none() {
        return Ok(Outcome::default());
    }
    let mut outcome = Outcome::default();
    let config = config::current(view, &mut outcome.batch)?;
    let slot = stored::slot(request, view, path)?;
    let mut metadata = match stored::held(&slot)? {
        Some(metadata) => {
            check_and_set(fields, &config, &metadata)?;
            metadata
        }
        None => {
            check_creation(fields, &config)?;
            Metadata::new(request.now)
        }
    };
    change.apply(&mut metadata);
    if let Some(custom) = custom {
        metadata.custom = custom;
    }
    warn_mandated(&mut outcome.response, &change, &config);
    finish(request, &slot, metadata, outcome)
}

/// Answers PATCH as PUT, for a secret that exists; null resets a field.
pub(super) fn patch(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (request, view, fields) = (matched.request, matched.view, &matched.fields);
    let path = matched.captured("path");
    let mut change = SettingsChange::read(fields)?;
    if fields.is_null("delete_version_after") {
        change.delete_version_after_s = Some(0);
    }
    let custom = fields.map("custom_metadata");
    let clears = fields.is_null("custom_metadata");
    if change.is_empty() && custom.is_none() && !clears {
        return Ok(Outcome::default());
    }
    let slot = stored::slot(request, view, path)?;
    let Some(mut metadata) = stored::held(&slot)? else {
        return Ok(empty_not_found().into());
    };
    let mut outcome = Outcome::default();
    let config = config::current(view, &mut outcome.batch)?;
    check_and_set(fields, &config, &metadata)?;
    change.apply(&mut metadata);
    if clears {
        metadata.custom.clear();
    } else if let Some(changes) = custom {
        custom::patch(&mut metadata.custom, changes)?;
    }
    warn_mandated(&mut outcome.response, &change, &config);
    finish(request, &slot, metadata, outcome)
}

/// Answers DELETE: removes the secret and all its versions.
pub(super) fn delete(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let view = matched.view;
    let mut outcome = Outcome::default();
    let Some(path) = secret(matched) else {
        return Ok(outcome);
    };
    let slot = stored::slot(matched.request, view, path)?;
    let Some(metadata) = stored::held(&slot)? else {
        return Ok(outcome);
    };
    outcome.batch.remove(&slot);
    for (number, version) in (metadata.first_version()..).zip(&metadata.versions) {
        if !version.destroyed {
            stored::delete_data(view, &mut outcome.batch, &metadata, number);
        }
    }
    Ok(outcome)
}

/// The settings that a request changes.
#[derive(Clone, Copy)]
struct SettingsChange {
    max_versions: Option<u32>,
    cas_required: Option<bool>,
    metadata_cas_required: Option<bool>,
    delete_version_after_s: Option<u64>,
}

impl SettingsChange {
    fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            max_versions: config::count(fields, "max_versions")?,
            cas_required: fields.switch("cas_required"),
            metadata_cas_required: fields.switch("metadata_cas_required"),
            // Clients that send every field send null for "leave it".
            delete_version_after_s: fields.seconds("delete_version_after"),
        })
    }

    fn is_empty(&self) -> bool {
        self.max_versions.is_none()
            && self.cas_required.is_none()
            && self.metadata_cas_required.is_none()
            && self.delete_version_after_s.is_none()
    }

    fn apply(&self, metadata: &mut Metadata) {
        metadata.max_versions = self.max_versions.unwrap_or(metadata.max_versions);
        metadata.cas_required = self.cas_required.unwrap_or(metadata.cas_required);
        metadata.metadata_cas_required = self
            .metadata_cas_required
            .unwrap_or(metadata.metadata_cas_required);
        metadata.delete_version_after_s = self
            .delete_version_after_s
            .unwrap_or(metadata.delete_version_after_s);
    }
}

fn check_creation(fields: &Fields<'_>, config: &Config) -> Result<(), Error> {
    match fields.number("metadata_cas") {
        None if config.metadata_cas_required => Err(cas_missing()),
        None | Some(0) => Ok(()),
        Some(_) => {
            let message = "metadata_cas must be 0 when creating new metadata";
            Err(Error::invalid(message))
        }
    }
}

fn check_and_set(fields: &Fields<'_>, config: &Config, metadata: &Metadata) -> Result<(), Error> {
    let required = config.metadata_cas_required || metadata.metadata_cas_required;
    match fields.number("metadata_cas") {
        None if required => Err(cas_missing()),
        None => Ok(()),
        Some(expected) if u64::try_from(expected) == Ok(metadata.revision) => Ok(()),
        Some(_) => {
            let message = "metadata check-and-set parameter does not match the current version";
            Err(Error::invalid(message))
        }
    }
}

fn cas_missing() -> Error {
    Error::invalid("metadata check-and-set parameter required for this call")
}

fn finish(
    request: &Request,
    slot: &Slot,
    mut metadata: Metadata,
    mut outcome: Outcome,
) -> Result<Outcome, Error> {
    metadata.revision += 1;
    metadata.updated = request.now;
    stored::put_metadata(&mut outcome.batch, slot, &metadata)?;
    Ok(outcome)
}

fn warn_mandated(response: &mut Response, change: &SettingsChange, config: &Config) {
    for (name, set, mandated) in [
        ("cas_required", change.cas_required, config.cas_required),
        (
            "metadata_cas_required",
            change.metadata_cas_required,
            config.metadata_cas_required,
        ),
    ] {
        if set == Some(false) && mandated {
            response.status = Some(200);
            response.warnings.push(format!(
                "\"{name}\" set to false, but is mandated by backend config. \
                 This value will be ignored."
            ));
        }
    }
}
