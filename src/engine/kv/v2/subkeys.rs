//! `subkeys/<path>`: a secret's structure without its values.

use super::data::{answer, wanted};
use super::stored;
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome};
use serde_json::{Map, Value};

/// Answers GET; the field `depth` cuts below so many levels (zero: none).
pub(super) fn read(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let depth = matched.fields.integer("depth").unwrap_or(0);
    let wanted = wanted(matched)?;
    let subkeys = if wanted.readable {
        match stored::data(matched.view, &wanted.metadata, wanted.number)? {
            Value::Object(data) => strip(&data, if depth == 0 { i64::MAX } else { depth }),
            _ => Value::Null,
        }
    } else {
        Value::Null
    };
    Ok(answer(&wanted, "subkeys", subkeys).into())
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
