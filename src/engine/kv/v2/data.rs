//! `data/<path>`: a secret's versions themselves.

use super::config::{self, Config};
use super::merge::merge_patch;
use super::metadata::Metadata;
use super::path::known_secret;
use super::stored;
use crate::barrier::{Batch, Slot, View};
use crate::clock::Timestamp;
use crate::engine::table::{Fields, Matched, int};
use crate::engine::{Body, Error, Outcome, Response, narrowing};
use serde_json::{Map, Value};

/// The names that `options` may hold.
const OPTIONS: &[&str] = &["cas"];

/// A version that was asked for, and whether its data may be read.
pub(super) struct Wanted {
    pub(super) metadata: Metadata,
    pub(super) number: u64,
    pub(super) readable: bool,
}

/// Returns the version that the field `version` asks for (zero or less: the latest); 404 without
/// one.
pub(super) fn wanted(matched: &Matched<'_>) -> Result<Wanted, Error> {
    let asked = matched.fields.integer("version").unwrap_or(0);
    let found = stored::metadata(matched.view, known_secret(matched)?)?;
    let metadata = found.ok_or_else(Error::not_found)?;
    let number = match u64::try_from(asked) {
        Ok(number) if number > 0 => number,
        _ => metadata.current_version,
    };
    let version = metadata.version(number).ok_or_else(Error::not_found)?;
    Ok(Wanted {
        readable: version.is_readable(matched.request.now),
        number,
        metadata,
    })
}

/// Answers GET: the data and the version's metadata; a deleted version is 404 with its metadata.
pub(super) fn read(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let wanted = wanted(matched)?;
    let data = if wanted.readable {
        stored::data(matched.view, &wanted.metadata, wanted.number)?
    } else {
        Value::Null
    };
    Ok(answer(&wanted, "data", data).into())
}

/// Returns `{name: value, "metadata": {...}}`, with 404 when the version is not readable.
pub(super) fn answer(wanted: &Wanted, name: &str, value: Value) -> Response {
    let metadata = wanted.metadata.version_fields(wanted.number);
    let mut fields = Map::new();
    fields.insert(name.into(), value);
    fields.insert("metadata".into(), Value::Object(metadata));
    let mut response = Response::data(fields);
    response.status = (!wanted.readable).then_some(404);
    response
}

/// Answers PUT: makes a new version.
pub(super) fn write(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (request, view) = (matched.request, matched.view);
    let path = matched.captured("path");
    let data = sent(&matched.fields)?;
    let options = matched.fields.map("options");
    let mut batch = Batch::new();
    let config = config::current(view, &mut batch)?;
    let slot = stored::slot(request, view, path)?;
    let mut metadata = stored::held(&slot)?.unwrap_or_else(|| Metadata::new(request.now));
    check_and_set(options, &config, &metadata)?;
    let secret = Secret {
        slot: &slot,
        metadata: &mut metadata,
    };
    append(view, request.now, batch, secret, &config, data)
}

/// Answers PATCH: makes a new version of the latest one and a merge patch.
pub(super) fn patch(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (request, view) = (matched.request, matched.view);
    let path = matched.captured("path");
    let changes = sent(&matched.fields)?;
    let options = matched.fields.map("options");
    let slot = stored::slot(request, view, path)?;
    let Some(mut metadata) = stored::held(&slot)? else {
        return Ok(empty_not_found().into());
    };
    let number = metadata.current_version;
    let Some(version) = metadata.version(number) else {
        return Ok(empty_not_found().into());
    };
    if !version.is_readable(request.now) {
        let mut response = Response::data(metadata.version_fields(number));
        response.status = Some(404);
        return Ok(response.into());
    }
    let mut batch = Batch::new();
    let config = config::current(view, &mut batch)?;
    check_and_set(options, &config, &metadata)?;
    let merged = match (stored::data(view, &metadata, number)?, changes) {
        (_, None) => None,
        (Value::Object(mut old), Some(changes)) => {
            merge_patch(&mut old, changes);
            Some(old)
        }
        (_, Some(changes)) => {
            let mut new = Map::new();
            merge_patch(&mut new, changes);
            Some(new)
        }
    };
    let secret = Secret {
        slot: &slot,
        metadata: &mut metadata,
    };
    append(view, request.now, batch, secret, &config, merged.as_ref())
}

/// Returns the content of `data`: `None` for null, which clients may send and read back.
fn sent<'a>(fields: &'a Fields<'_>) -> Result<Option<&'a Map<String, Value>>, Error> {
    if fields.is_null("data") {
        return Ok(None);
    }
    let data = fields.map("data");
    data.map(Some)
        .ok_or_else(|| Error::invalid("no data provided"))
}

fn check_and_set(
    options: Option<&Map<String, Value>>,
    config: &Config,
    metadata: &Metadata,
) -> Result<(), Error> {
    if let Some(options) = options {
        narrowing::refuse_unknown(options, |name| OPTIONS.contains(&name))?;
    }
    let Some(expected) = options.and_then(|options| options.get("cas")) else {
        return if config.cas_required || metadata.cas_required {
            Err(Error::invalid(
                "check-and-set parameter required for this call",
            ))
        } else {
            Ok(())
        };
    };
    let expected =
        int(expected).map_err(|_| Error::invalid("error parsing check-and-set parameter"))?;
    if u64::try_from(expected) == Ok(metadata.current_version) {
        Ok(())
    } else {
        let message = "check-and-set parameter did not match the current version";
        Err(Error::invalid(message))
    }
}

/// The secret that a version is added to.
struct Secret<'a> {
    /// Its metadata record as it was read.
    slot: &'a Slot,
    metadata: &'a mut Metadata,
}

fn append(
    view: &View,
    now: Timestamp,
    mut batch: Batch,
    secret: Secret<'_>,
    config: &Config,
    data: Option<&Map<String, Value>>,
) -> Result<Outcome, Error> {
    let metadata = secret.metadata;
    for pruned in metadata.add_version(now, config) {
        stored::delete_data(view, &mut batch, metadata, pruned);
    }
    let number = metadata.current_version;
    stored::put_data(view, &mut batch, metadata, number, data)?;
    stored::put_metadata(&mut batch, secret.slot, metadata)?;
    let response = Response::data(metadata.version_fields(number));
    Ok(Outcome { response, batch })
}

/// Returns 404 without a body, as PATCH answers for a secret that does not exist.
pub(super) fn empty_not_found() -> Response {
    Response {
        status: Some(404),
        body: Some(Body {
            content_type: "application/json",
            bytes: Vec::new(),
        }),
        ..Response::default()
    }
}
