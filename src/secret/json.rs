//! Wipes JSON.

use super::Wipe;
use serde_json::{Map, Value};

/// Wipes the data of a request, once that is answered: nearly all of it is secret (values, unseal
/// shares, passwords).
pub fn wipe(data: Map<String, Value>) {
    data.into_iter().for_each(|(_, value)| wipe_value(value));
}

fn wipe_value(value: Value) {
    match value {
        Value::String(mut text) => text.wipe(),
        Value::Array(items) => items.into_iter().for_each(wipe_value),
        Value::Object(fields) => wipe(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
