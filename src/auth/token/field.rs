//! Fields of a request, read as leniently as clients of Vault expect.

use crate::clock::parse_duration;
use crate::engine::{Error, Request, Response};
use crate::secret::{Secret, SecretString};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

fn present<'a>(request: &'a Request, field: &str) -> Option<&'a Value> {
    request.data.get(field).filter(|value| !value.is_null())
}

fn unfit(field: &str, what: &str) -> Error {
    Error::invalid(format!(
        "Field validation failed: error converting input for field {field:?}: {what}"
    ))
}

/// A token or accessor; empty counts as absent.
pub(super) fn secret(request: &Request, field: &str) -> Result<Option<SecretString>, Error> {
    match present(request, field) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(Secret::new(text.clone()))),
        Some(_) => Err(unfit(field, "expected a string")),
    }
}

/// Text; absent is empty.
pub(super) fn text(request: &Request, field: &str) -> Result<String, Error> {
    match present(request, field) {
        None => Ok(String::new()),
        Some(Value::Array(_) | Value::Object(_)) => Err(unfit(field, "expected a string")),
        Some(_) => Ok(request.text(field).unwrap_or_default()),
    }
}

/// A switch, also as `"true"`, `"1"`, `0`.
pub(super) fn flag(request: &Request, field: &str) -> Result<Option<bool>, Error> {
    let Some(value) = present(request, field) else {
        return Ok(None);
    };
    let text = match value {
        Value::Bool(flag) => return Ok(Some(*flag)),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.to_lowercase(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::from("?"),
    };
    match text.as_str() {
        "true" | "t" | "1" => Ok(Some(true)),
        "false" | "f" | "0" | "" => Ok(Some(false)),
        _ => Err(unfit(field, "cannot parse value as 'bool'")),
    }
}

/// A whole number that may not be negative.
pub(super) fn count(request: &Request, field: &str, negative: &str) -> Result<Option<u64>, Error> {
    let Some(value) = present(request, field) else {
        return Ok(None);
    };
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => String::from("0"),
        Value::String(text) => text.clone(),
        _ => return Err(unfit(field, "cannot parse value as 'int'")),
    };
    match text.parse::<i64>() {
        Ok(number) => u64::try_from(number)
            .map(Some)
            .map_err(|_| Error::invalid(negative)),
        Err(_) => Err(unfit(field, "cannot parse value as 'int'")),
    }
}

/// A duration: seconds, or Go's notation. Absent and empty are `None`.
pub(super) fn duration(request: &Request, field: &str) -> Result<Option<Duration>, Error> {
    let text = match present(request, field) {
        None => return Ok(None),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(unfit(field, "expected a duration")),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if text.strip_prefix('-').and_then(parse_duration).is_some() {
        return Err(Error::invalid(format!("{field} must be positive")));
    }
    // Lives are counted in whole seconds.
    let parsed = parse_duration(&text)
        .ok_or_else(|| Error::invalid(format!("time: invalid duration {text:?}")))?;
    Ok(Some(Duration::from_secs(parsed.as_secs())))
}

/// A list of texts as JSON array; a single text is a list of one.
pub(super) fn list(request: &Request, field: &str) -> Result<Option<Vec<String>>, Error> {
    let item = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(unfit(field, "expected a list of strings")),
    };
    match present(request, field) {
        None => Ok(None),
        Some(Value::Array(items)) => items.iter().map(item).collect::<Result<_, _>>().map(Some),
        Some(Value::String(text)) if text.is_empty() => Ok(Some(Vec::new())),
        Some(value) => Ok(Some(vec![item(value)?])),
    }
}

/// As [`list`], but a text is split at its commas.
pub(super) fn comma_list(request: &Request, field: &str) -> Result<Option<Vec<String>>, Error> {
    let split = |items: Vec<String>| {
        let parts = items.iter().flat_map(|item| item.split(','));
        let parts = parts.map(|part| part.trim().to_owned());
        parts.filter(|part| !part.is_empty()).collect()
    };
    match present(request, field) {
        Some(Value::String(_)) => Ok(list(request, field)?.map(split)),
        _ => list(request, field),
    }
}

/// Pairs, as an object or as `k=v` texts.
pub(super) fn pairs(request: &Request, field: &str) -> Result<BTreeMap<String, String>, Error> {
    if let Some(Value::Object(map)) = present(request, field) {
        let pairs = map.iter().map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            Value::Number(number) => Ok((key.clone(), number.to_string())),
            Value::Bool(flag) => Ok((key.clone(), flag.to_string())),
            Value::Null => Ok((key.clone(), String::new())),
            Value::Array(_) | Value::Object(_) => Err(unfit(field, "values must be strings")),
        });
        return pairs.collect();
    }
    let texts = list(request, field)?.unwrap_or_default();
    let pairs = texts.iter().enumerate().map(|(at, text)| {
        let pair = text.split_once('=');
        pair.map(|(key, value)| (key.to_owned(), value.to_owned()))
            .ok_or_else(|| {
                unfit(
                    field,
                    &format!("invalid key pair at index {at} in field {field:?}"),
                )
            })
    });
    pairs.collect()
}

/// Warns of fields outside `known`, which had no effect.
pub(super) fn warn_ignored(response: Response, request: &Request, known: &[&str]) -> Response {
    let mut ignored: Vec<&str> = request.data.keys().map(String::as_str).collect();
    ignored.retain(|name| !known.contains(name));
    ignored.sort_unstable();
    if ignored.is_empty() {
        return response;
    }
    let names = ignored.join(" ");
    response.warn(format!(
        "Endpoint ignored these unrecognized parameters: [{names}]"
    ))
}
