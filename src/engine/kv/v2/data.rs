//! `data/<path>`: a secret's versions themselves.

use super::config::{self, Config};
use super::merge::merge_patch;
use super::metadata::Metadata;
use super::stored;
use crate::barrier::{Batch, View};
use crate::engine::kv::field::{Fields, VALIDATION, int, warn_ignored};
use crate::engine::{Body, Error, Outcome, Request, Response, narrowing};
use crate::store::Revision;
use serde_json::{Map, Value};
use std::borrow::Cow;

const FIELDS: &[&str] = &["data", "options", "version"];
/// Fields of a put or a patch.
pub(super) const SENT: &[&str] = &["data", "options"];
/// What `options` may hold.
const OPTIONS: &[&str] = &["cas"];

/// A version that was asked for, and whether its data may be read.
pub(super) struct Wanted {
    pub(super) metadata: Metadata,
    pub(super) number: u64,
    pub(super) readable: bool,
}

/// The version that the field `version` asks for (zero or less: the latest); 404 without one.
pub(super) fn wanted(request: &Request, view: &View, path: &str) -> Result<Wanted, Error> {
    let asked = Fields::of(request, VALIDATION).int("version")?.unwrap_or(0);
    let (_, metadata) = stored::metadata(view, path)?.ok_or_else(Error::not_found)?;
    let number = match u64::try_from(asked) {
        Ok(number) if number > 0 => number,
        _ => metadata.current_version,
    };
    let version = metadata.version(number).ok_or_else(Error::not_found)?;
    Ok(Wanted {
        readable: version.is_readable(request.now),
        number,
        metadata,
    })
}

/// GET: the data and the version's metadata; a deleted version is 404 with its metadata.
pub(super) fn read(request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
    let wanted = wanted(request, view, path)?;
    let data = if wanted.readable {
        stored::data(view, &wanted.metadata, wanted.number)?
    } else {
        Value::Null
    };
    Ok(answer(request, &wanted, "data", data, FIELDS).into())
}

/// `{name: value, "metadata": {...}}`, 404 when the version is not readable.
pub(super) fn answer(
    request: &Request,
    wanted: &Wanted,
    name: &str,
    value: Value,
    known: &[&str],
) -> Response {
    let metadata = wanted.metadata.version_fields(wanted.number);
    let mut fields = Map::new();
    fields.insert(name.into(), value);
    fields.insert("metadata".into(), Value::Object(metadata));
    let mut response = Response::data(fields);
    response.status = (!wanted.readable).then_some(404);
    warn_ignored(response, request, known)
}

/// PUT: a new version.
pub(super) fn write(request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
    let fields = Fields::of(request, "");
    let data = sent(fields)?;
    let options = fields.map("options")?;
    let mut batch = Batch::new();
    let config = config::current(view, &mut batch)?;
    let (revision, mut metadata) =
        stored::metadata(view, path)?.unwrap_or_else(|| (Revision(0), Metadata::new(request.now)));
    check_and_set(options, &config, &metadata)?;
    let secret = Secret {
        path,
        revision: request.expected(revision),
        metadata: &mut metadata,
    };
    append(request, view, batch, secret, &config, &data)
}

/// PATCH: a new version, made of the latest one and a merge patch.
pub(super) fn patch(request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
    let fields = Fields::of(request, VALIDATION);
    let changes = sent(fields)?;
    let options = fields.map("options")?;
    let Some((revision, mut metadata)) = stored::metadata(view, path)? else {
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
        (_, Sent::Null) => Sent::Null,
        (Value::Object(mut old), Sent::Fields(changes)) => {
            merge_patch(&mut old, &changes);
            Sent::Fields(Cow::Owned(old))
        }
        (_, Sent::Fields(changes)) => {
            let mut new = Map::new();
            merge_patch(&mut new, &changes);
            Sent::Fields(Cow::Owned(new))
        }
    };
    let secret = Secret {
        path,
        revision,
        metadata: &mut metadata,
    };
    append(request, view, batch, secret, &config, &merged)
}

/// What `data` holds. Vault's clients may send null and read null back.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Sent<'a> {
    Null,
    Fields(Cow<'a, Map<String, Value>>),
}

fn sent(fields: Fields<'_>) -> Result<Sent<'_>, Error> {
    if fields.is_null("data") {
        return Ok(Sent::Null);
    }
    let data = fields.map("data")?;
    data.map(Sent::Fields)
        .ok_or_else(|| Error::invalid("no data provided"))
}

fn check_and_set(
    options: Option<Cow<'_, Map<String, Value>>>,
    config: &Config,
    metadata: &Metadata,
) -> Result<(), Error> {
    if let Some(options) = &options {
        narrowing::refuse_unknown(options, OPTIONS)?;
    }
    let Some(expected) = options.as_ref().and_then(|options| options.get("cas")) else {
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

/// Where a version goes.
struct Secret<'a> {
    path: &'a str,
    /// What its metadata record must still have.
    revision: Revision,
    metadata: &'a mut Metadata,
}

fn append(
    request: &Request,
    view: &View,
    mut batch: Batch,
    secret: Secret<'_>,
    config: &Config,
    data: &Sent<'_>,
) -> Result<Outcome, Error> {
    let metadata = secret.metadata;
    for pruned in metadata.add_version(request.now, config) {
        stored::delete_data(view, &mut batch, metadata, pruned);
    }
    let number = metadata.current_version;
    stored::put_data(view, &mut batch, metadata, number, data)?;
    stored::put_metadata(view, &mut batch, secret.path, secret.revision, metadata)?;
    let response = Response::data(metadata.version_fields(number));
    Ok(Outcome {
        response: warn_ignored(response, request, FIELDS),
        batch,
    })
}

/// 404 without a body, as PATCH answers for what does not exist.
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
