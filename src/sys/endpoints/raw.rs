//! The endpoint `sys/raw`: records by their plain paths, for repairs. It is off unless
//! `raw_storage_endpoint`. Known kinds are shown as JSON and taken back as such.

use super::record_kinds::kind;
use super::run::Run;
use crate::barrier::Unsealed;
use crate::engine::table::{Access, Endpoint, Field, FieldKind, Fields, On, Op, Row};
use crate::engine::{Error, Operation, Outcome, Response};
use crate::secret::{Secret, SecretBytes, SecretString};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, json};
use std::sync::Arc;

/// Paths that must not be touched even so: the keys, the seal, and the settings of the key's use.
const PROTECTED: &[&str] = &[
    "core/keyring",
    "core/root-key",
    "core/seal-config",
    "core/master",
];

const BOTH: On = On::READ.and(On::WRITE);
/// Fields of a record.
pub(in crate::sys) const FIELDS: &[Field] = &[
    Field::path("path", "Where the record is."),
    Field::new(
        "compressed",
        FieldKind::Flag,
        "Has no effect: nothing is compressed.",
    )
    .on(BOTH),
    Field::new("compression_type", FieldKind::Text, "none.").on(BOTH),
    Field::new("encoding", FieldKind::Text, "base64, for what is no text.").on(BOTH),
    Field::new("value", FieldKind::Text, "The record.").required(),
];
const RAW: Endpoint = Endpoint {
    access: Access::Sudo,
    fields: FIELDS,
    summary: "Records by their plain paths, for repairs.",
    about: "Only with raw_storage_endpoint in the configuration.",
    ..Endpoint::USUAL
};
const ANSWERS: Run = Run::Answer(|system, matched| {
    let (path, operation) = (matched.captured("path"), matched.request.operation);
    raw(&system.barrier, operation, path, &matched.fields)
});

/// The records.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "raw",
            fields: &[],
            ..RAW
        },
        operations: &[(Op::LIST, ANSWERS)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "raw/+path",
            ..RAW
        },
        operations: &[
            (Op::READ, ANSWERS),
            (Op::WRITE, ANSWERS),
            (Op::DELETE, ANSWERS),
            (Op::LIST, ANSWERS),
        ],
    },
];

/// Returns true for one of these endpoints.
pub(in crate::sys) fn is_raw(endpoint: &Endpoint) -> bool {
    ROWS.iter()
        .any(|row| row.endpoint.pattern == endpoint.pattern)
}

/// Accesses the record or folder at `path` once; a change goes into the outcome's batch. The caller
/// has checked the right to do so.
pub(in crate::sys) fn raw(
    barrier: &Arc<Unsealed>,
    operation: Operation,
    path: &str,
    fields: &Fields<'_>,
) -> Result<Outcome, Error> {
    let path = path.trim_end_matches('/');
    let below = |known: &&str| {
        path.strip_prefix(*known)
            .is_some_and(|r| r.starts_with('/'))
    };
    if PROTECTED.contains(&path) || PROTECTED.iter().any(below) {
        return Err(Error::invalid(format!("cannot access {path:?}")));
    }
    let view = barrier.view("");
    let in_base64 = in_base64(fields)?;
    let mut outcome = Outcome::default();
    match operation {
        Operation::List => {
            let prefix = match path {
                "" => String::new(),
                path => format!("{path}/"),
            };
            let keys = view.list(&prefix)?;
            return match keys.is_empty() {
                true => Err(Error::not_found()),
                false => Ok(Response::list(keys).into()),
            };
        }
        _ if path.is_empty() => return Err(Error::unsupported_operation()),
        Operation::Read => {
            let entry = view.get(path)?.ok_or_else(Error::not_found)?;
            let shown = shown(path, &entry.value, in_base64)?;
            let mut data = Map::new();
            data.insert("value".into(), json!(shown.expose()));
            return Ok(Response::data(data).into());
        }
        Operation::Delete => view.delete(&mut outcome.batch, path),
        Operation::Create | Operation::Update => {
            let value = fields.text("value").unwrap_or_default();
            let record = taken(path, Secret::new(value.to_owned()), in_base64)?;
            // The operator says what shall be there.
            view.put_blindly(&mut outcome.batch, path, record);
        }
        _ => return Err(Error::unsupported_operation()),
    }
    Ok(outcome)
}

/// Returns true when the value is given, or asked for, in base64. Refuses those of Vault's
/// parameters that ask for a form in which records are not kept here.
fn in_base64(fields: &Fields<'_>) -> Result<bool, Error> {
    let compression = fields.text("compression_type").unwrap_or_default();
    if !matches!(compression, "" | "none") {
        return Err(Error::invalid(format!(
            "compression_type {compression:?} is not supported: records are kept as they are"
        )));
    }
    match fields.text("encoding").unwrap_or_default() {
        "" => Ok(false),
        "base64" => Ok(true),
        other => Err(Error::invalid(format!("invalid encoding {other:?}"))),
    }
}

/// Shows a record of a known kind as JSON, another one as the text that it is.
fn shown(path: &str, record: &SecretBytes, in_base64: bool) -> Result<SecretString, Error> {
    if in_base64 {
        return Ok(Secret::new(STANDARD.encode(record.expose())));
    }
    if let Some(text) = kind(path).and_then(|kind| kind.show(record)) {
        return Ok(text);
    }
    let text = std::str::from_utf8(record.expose()).map(str::to_owned);
    let text = text.map_err(|_| Error::invalid("the value is not text: ask with encoding=base64"));
    text.map(Secret::new)
}

/// Reads a record from its shown form. Refuses what is no record of the kind that belongs at
/// `path`, since it would make the record's owner fail.
fn taken(path: &str, value: SecretString, in_base64: bool) -> Result<SecretBytes, Error> {
    if in_base64 {
        let bytes = STANDARD.decode(value.expose());
        let bytes = bytes.map_err(|_| Error::invalid("'value' is not base64"))?;
        return Ok(Secret::new(bytes));
    }
    match kind(path) {
        Some(kind) => kind.take(value.expose()).map_err(|why| {
            Error::invalid(format!(
                "'value' is not the JSON of a record that belongs at {path:?}: {why}; bytes are \
                 written with encoding=base64"
            ))
        }),
        None => Ok(Secret::new(value.expose().as_bytes().to_vec())),
    }
}
