//! `custom_metadata`: the user's own words about a secret, within limits.

use crate::engine::Error;
use crate::engine::table::expected;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Most pairs.
pub(super) const KEYS_MAX: usize = 64;
/// Longest key in bytes.
pub(super) const KEY_BYTES_MAX: usize = 128;
/// Longest value in bytes.
pub(super) const VALUE_BYTES_MAX: usize = 512;

const FAILED: &str = "custom_metadata validation failed:";

/// Checks `fields` and turns their values into text.
pub(super) fn parse(fields: &Map<String, Value>) -> Result<BTreeMap<String, String>, Error> {
    let mut pairs = BTreeMap::new();
    for (key, value) in fields {
        pairs.insert(key.clone(), text(value)?);
    }
    check(&pairs)?;
    Ok(pairs)
}

/// Applies a merge patch to `pairs`: null removes.
pub(super) fn patch(
    pairs: &mut BTreeMap<String, String>,
    fields: &Map<String, Value>,
) -> Result<(), Error> {
    for (key, value) in fields {
        if value.is_null() {
            pairs.remove(key);
        } else {
            pairs.insert(key.clone(), text(value)?);
        }
    }
    check(pairs)
}

fn text(value: &Value) -> Result<String, Error> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Bool(true) => Ok("1".into()),
        Value::Bool(false) => Ok("0".into()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(_) | Value::Object(_) => Err(Error::invalid(format!(
            "{FAILED} '' {}",
            expected("string", value)
        ))),
    }
}

fn check(pairs: &BTreeMap<String, String>) -> Result<(), Error> {
    let mut faults = Vec::new();
    if pairs.len() > KEYS_MAX {
        let count = pairs.len();
        faults.push(format!(
            "{FAILED} payload must contain at most {KEYS_MAX} keys, provided {count}"
        ));
        return Err(faults_error(&faults));
    }
    for (key, value) in pairs {
        check_pair(key, value, &mut faults);
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults_error(&faults))
    }
}

fn check_pair(key: &str, value: &str, faults: &mut Vec<String>) {
    let (key_bytes, value_bytes) = (key.len(), value.len());
    if key_bytes == 0 || key_bytes > KEY_BYTES_MAX {
        faults.push(format!(
            "{FAILED} length of key {key:?} is {key_bytes} but must be \
             0 < len(key) <= {KEY_BYTES_MAX}"
        ));
    }
    if value_bytes == 0 || value_bytes > VALUE_BYTES_MAX {
        faults.push(format!(
            "{FAILED} length of value for key {key:?} is {value_bytes} but must be \
             0 < len(value) <= {VALUE_BYTES_MAX}"
        ));
    }
    if key.chars().any(char::is_control) {
        faults.push(format!(
            "{FAILED} key {key:?} contains unprintable characters"
        ));
    }
    if value.chars().any(char::is_control) {
        faults.push(format!(
            "{FAILED} value for key {key:?} contains unprintable characters"
        ));
    }
}

fn faults_error(faults: &[String]) -> Error {
    let count = faults.len();
    let noun = if count == 1 { "error" } else { "errors" };
    let lines = faults.join("\n\t* ");
    Error::invalid(format!("{count} {noun} occurred:\n\t* {lines}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(value: Value) -> Result<BTreeMap<String, String>, Vec<String>> {
        parse(value.as_object().expect("an object")).map_err(|error| error.messages)
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let key = "k".repeat(KEY_BYTES_MAX);
        let value = "v".repeat(VALUE_BYTES_MAX);
        assert!(parsed(json!({ &key: value })).is_ok());
        let messages = parsed(json!({ format!("{key}k"): "v" })).expect_err("too long");
        assert!(
            messages[0].contains("is 129 but must be 0 < len(key) <= 128"),
            "{messages:?}"
        );
        let messages = parsed(json!({"a": format!("{value}v")})).expect_err("too long");
        assert!(messages[0].contains("is 513 but must be"), "{messages:?}");
        let many: Map<String, Value> = (0..65).map(|n| (n.to_string(), json!("v"))).collect();
        let messages = parsed(Value::Object(many)).expect_err("too many");
        assert!(
            messages[0].contains("at most 64 keys, provided 65"),
            "{messages:?}"
        );
    }

    #[test]
    fn every_fault_is_told() {
        let messages = parsed(json!({"": "a", "b": "", "c": "\u{1}"})).expect_err("three faults");
        assert!(
            messages[0].starts_with("3 errors occurred:\n\t* "),
            "{messages:?}"
        );
    }
}
