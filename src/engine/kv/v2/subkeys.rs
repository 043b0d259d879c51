//! `subkeys/<path>`: a secret's structure without its values.

use super::data::{answer, wanted};
use super::stored;
use crate::barrier::View;
use crate::engine::kv::field::{Fields, VALIDATION};
use crate::engine::{Error, Outcome, Request};
use serde_json::{Map, Value};

/// GET; the field `depth` cuts below so many levels (zero: none).
pub(super) fn read(request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
    let depth = Fields::of(request, VALIDATION).int("depth")?.unwrap_or(0);
    let wanted = wanted(request, view, path)?;
    let subkeys = if wanted.readable {
        match stored::data(view, &wanted.metadata, wanted.number)? {
            Value::Object(data) => strip(&data, if depth == 0 { i64::MAX } else { depth }),
            _ => Value::Null,
        }
    } else {
        Value::Null
    };
    Ok(answer(request, &wanted, "subkeys", subkeys, &["depth", "version"]).into())
}

fn strip(fields: &Map<String, Value>, depth: i64) -> Value {
    let stripped = fields.iter().map(|(name, value)| {
        let below = match value {
            Value::Object(inner) if depth > 1 && !inner.is_empty() => strip(inner, depth - 1),
            _ => Value::Null,
        };
        (name.clone(), below)
    });
    Value::Object(stripped.collect())
}
