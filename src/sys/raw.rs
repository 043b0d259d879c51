//! `sys/raw`: records by their plain paths, for repairs. Off unless `raw_storage_endpoint`.

use super::field;
use super::system::System;
use crate::barrier::Unsealed;
use crate::engine::{Error, Operation, Outcome, Request, Response};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What must not be touched even so: the keys, the seal, and how the key is used.
const PROTECTED: &[&str] = &[
    "core/keyring",
    "core/root-key",
    "core/seal-config",
    "core/master",
];

impl System {
    pub(super) fn raw(&self, request: &Request, path: &str) -> Result<Outcome, Error> {
        raw(&self.barrier, request.operation, path, &request.data)
    }
}

/// One access to the record or folder at `path`. Whoever calls has seen to who may.
pub(super) fn raw(
    barrier: &Arc<Unsealed>,
    operation: Operation,
    path: &str,
    data: &Map<String, Value>,
) -> Result<Outcome, Error> {
    let below = |known: &&str| {
        path.strip_prefix(*known)
            .is_some_and(|r| r.starts_with('/'))
    };
    if PROTECTED.contains(&path) || PROTECTED.iter().any(below) {
        return Err(Error::invalid(format!("cannot access {path:?}")));
    }
    let view = barrier.view("");
    let encoding = field::text(data, "encoding")?.unwrap_or_default();
    let in_base64 = match encoding.as_str() {
        "" => false,
        "base64" => true,
        other => return Err(Error::invalid(format!("invalid encoding {other:?}"))),
    };
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
            let mut data = Map::new();
            data.insert(
                "value".into(),
                json!(shown(entry.value.expose(), in_base64)?),
            );
            return Ok(Response::data(data).into());
        }
        Operation::Delete => view.delete(&mut outcome.batch, path),
        Operation::Create | Operation::Update => {
            let value = field::text(data, "value")?.unwrap_or_default();
            let bytes = match in_base64 {
                true => STANDARD
                    .decode(value)
                    .map_err(|_| Error::invalid("'value' is not base64"))?,
                false => value.into_bytes(),
            };
            view.put(&mut outcome.batch, path, Secret::new(bytes));
        }
        _ => return Err(Error::unsupported_operation()),
    }
    Ok(outcome)
}

fn shown(bytes: &[u8], in_base64: bool) -> Result<String, Error> {
    if in_base64 {
        return Ok(STANDARD.encode(bytes));
    }
    let text = std::str::from_utf8(bytes).map(str::to_owned);
    text.map_err(|_| Error::invalid("the value is not text: ask with encoding=base64"))
}
