//! Fields of a request's body, read as leniently as Vault reads them.

use crate::clock::parse_duration;
use crate::engine::Error;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Text; numbers and booleans count as their text, null as absent.
pub(super) fn text(data: &Map<String, Value>, name: &str) -> Result<Option<String>, Error> {
    match data.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => scalar(value)
            .map(Some)
            .ok_or_else(|| Error::invalid(format!("'{name}' must be a string"))),
    }
}

/// A boolean, also as text or number.
pub(super) fn flag(data: &Map<String, Value>, name: &str) -> Result<Option<bool>, Error> {
    match text(data, name)?.map(|text| text.to_lowercase()).as_deref() {
        None => Ok(None),
        Some("true" | "1" | "t" | "yes") => Ok(Some(true)),
        Some("false" | "0" | "f" | "no" | "") => Ok(Some(false)),
        Some(_) => Err(Error::invalid(format!("'{name}' must be a boolean"))),
    }
}

/// Seconds, as a number or in Go's notation.
pub(super) fn seconds(data: &Map<String, Value>, name: &str) -> Result<Option<u64>, Error> {
    let Some(text) = text(data, name)? else {
        return Ok(None);
    };
    if text.is_empty() || text == "system" {
        return Ok(Some(0));
    }
    match parse_duration(&text) {
        Some(duration) => Ok(Some(duration.as_secs())),
        None => Err(Error::invalid(format!("time: invalid duration {text:?}"))),
    }
}

/// A whole number, also as text.
pub(super) fn integer(data: &Map<String, Value>, name: &str) -> Result<Option<i64>, Error> {
    match text(data, name)? {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::invalid(format!("'{name}' must be a whole number"))),
        },
    }
}

/// A list of texts, also as one text with commas.
pub(super) fn list(data: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Error> {
    let wrong = || Error::invalid(format!("'{name}' must be a list of strings"));
    match data.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
            texts.map(Some).ok_or_else(wrong)
        }
        Some(value) => {
            let text = scalar(value).ok_or_else(wrong)?;
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Ok(Some(parts.map(str::to_owned).collect()))
        }
    }
}

/// An object of texts.
pub(super) fn texts(
    data: &Map<String, Value>,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, Error> {
    let wrong = || Error::invalid(format!("'{name}' must be an object of strings"));
    match data.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(fields)) => {
            let mut texts = BTreeMap::new();
            for (name, value) in fields {
                texts.insert(name.clone(), scalar(value).ok_or_else(wrong)?);
            }
            Ok(Some(texts))
        }
        Some(_) => Err(wrong()),
    }
}

/// A duration as a number of seconds in an answer.
pub(super) fn whole_seconds(duration: Duration) -> Value {
    duration.as_secs().into()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
