//! Request fields as the Vault API takes them: numbers as text, text as numbers, `null` as zero,
//! with the messages its clients know.

use crate::clock::parse_duration;
use crate::engine::{Error, Request, Response};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// Put before the message where the API does.
pub(crate) const VALIDATION: &str = "Field validation failed: ";

/// The fields of one request.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    data: &'a Map<String, Value>,
    prefix: &'static str,
}

impl<'a> Fields<'a> {
    /// The fields of `request`; `prefix` is empty or [`VALIDATION`].
    pub(crate) fn of(request: &'a Request, prefix: &'static str) -> Self {
        Self {
            data: &request.data,
            prefix,
        }
    }

    /// True when the field was sent and is neither null nor empty.
    pub(crate) fn has_items(&self, name: &str) -> bool {
        match self.data.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Bool(_) | Value::Number(_)) => true,
        }
    }

    /// True when the field was sent as `null`.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.data.get(name).is_some_and(Value::is_null)
    }

    /// A whole number; `None` when absent.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, Error> {
        self.data
            .get(name)
            .map(|value| int(value).map_err(|reason| self.error(name, &format!("'' {reason}"))))
            .transpose()
    }

    /// A whole number from zero to `max`; `None` when absent.
    pub(crate) fn count(&self, name: &str, max: u32) -> Result<Option<u32>, Error> {
        let Some(number) = self.int(name)? else {
            return Ok(None);
        };
        match u32::try_from(number) {
            Ok(number) if number <= max => Ok(Some(number)),
            _ => Err(self.error(name, &format!("must be between 0 and {max}"))),
        }
    }

    /// A truth value; `None` when absent.
    pub(crate) fn bool(&self, name: &str) -> Result<Option<bool>, Error> {
        self.data
            .get(name)
            .map(|value| bool(value).map_err(|reason| self.error(name, &format!("'' {reason}"))))
            .transpose()
    }

    /// Text; `None` when absent or not text.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.data.get(name).and_then(Value::as_str)
    }

    /// A length of time in whole seconds, negative ones too; `None` when absent.
    pub(crate) fn seconds(&self, name: &str) -> Result<Option<i64>, Error> {
        self.data
            .get(name)
            .map(|value| seconds(value).map_err(|reason| self.error(name, &reason)))
            .transpose()
    }

    /// As [`Fields::seconds`], where a negative one is refused.
    pub(crate) fn seconds_from_zero(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(seconds) = self.seconds(name)? else {
            return Ok(None);
        };
        u64::try_from(seconds)
            .map(Some)
            .map_err(|_| self.error(name, &format!("cannot provide negative value '{seconds}'")))
    }

    /// A map; `None` when absent, empty for `null`. A list of maps is their union.
    pub(crate) fn map(&self, name: &str) -> Result<Option<Cow<'a, Map<String, Value>>>, Error> {
        self.data
            .get(name)
            .map(|value| map(value).map_err(|reason| self.error(name, &reason)))
            .transpose()
    }

    /// A list of version numbers, from an array, one number or text with commas; empty when
    /// absent.
    pub(crate) fn versions(&self, name: &str) -> Result<Vec<u64>, Error> {
        let items: Vec<Value> = match self.data.get(name) {
            _ if !self.has_items(name) => Vec::new(),
            None => Vec::new(),
            Some(Value::Array(items)) => items.clone(),
            Some(Value::String(text)) => text.split(',').map(|part| part.trim().into()).collect(),
            Some(value) => vec![value.clone()],
        };
        let numbers: Result<Vec<i64>, Error> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                int(item).map_err(|reason| {
                    let text = "decoding failed due to the following error(s):\n\n";
                    self.error(name, &format!("{text}'[{index}]' {reason}"))
                })
            })
            .collect();
        // A negative version exists as little as one that was never written.
        Ok(numbers?
            .into_iter()
            .filter_map(|n| u64::try_from(n).ok())
            .collect())
    }

    fn error(&self, name: &str, reason: &str) -> Error {
        let prefix = self.prefix;
        Error::invalid(format!(
            "{prefix}error converting input for field \"{name}\": {reason}"
        ))
    }
}

/// A whole number as the API reads it.
pub(crate) fn int(value: &Value) -> Result<i64, String> {
    match value {
        Value::Null => Ok(0),
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::Number(number) => int_text(&number.to_string()),
        Value::String(text) if text.is_empty() => Ok(0),
        Value::String(text) => int_text(text),
        Value::Array(_) | Value::Object(_) => Err(unconvertible("int", value)),
    }
}

fn int_text(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..)),
        Some("0o" | "0O") => (8, digits.get(2..)),
        Some("0b" | "0B") => (2, digits.get(2..)),
        _ => (10, Some(digits)),
    };
    digits
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .and_then(|digits| i64::from_str_radix(digits, radix).ok())
        .map(|number| sign * number)
        .ok_or_else(|| "cannot parse value as 'int': strconv.ParseInt: invalid syntax".into())
}

fn bool(value: &Value) -> Result<bool, String> {
    let text = match value {
        Value::Null => return Ok(false),
        Value::Bool(flag) => return Ok(*flag),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => return Err(unconvertible("bool", value)),
    };
    match text.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("cannot parse value as 'bool': strconv.ParseBool: invalid syntax".into()),
    }
}

fn seconds(value: &Value) -> Result<i64, String> {
    let text = match value {
        Value::Null => return Ok(0),
        Value::Number(number) => number_seconds(number)?,
        Value::String(text) if text.is_empty() => return Ok(0),
        Value::String(text) => text.clone(),
        _ => return Err("could not parse duration from input".into()),
    };
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.as_str()),
    };
    parse_duration(magnitude)
        .and_then(|duration| i64::try_from(duration.as_secs()).ok())
        .map(|seconds| sign * seconds)
        .ok_or_else(|| format!("time: invalid duration \"{text}\""))
}

fn number_seconds(number: &Number) -> Result<String, String> {
    let text = number.to_string();
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-')
    {
        Ok(text)
    } else {
        Err(format!("time: missing unit in duration \"{text}\""))
    }
}

fn map(value: &Value) -> Result<Cow<'_, Map<String, Value>>, String> {
    match value {
        Value::Null => Ok(Cow::Owned(Map::new())),
        Value::Object(fields) => Ok(Cow::Borrowed(fields)),
        Value::Array(items) => {
            let mut union = Map::new();
            for (index, item) in items.iter().enumerate() {
                let Value::Object(fields) = item else {
                    let reason = unconvertible("map[string]interface {}", item);
                    return Err(format!("'[{index}]' {reason}"));
                };
                union.extend(fields.clone());
            }
            Ok(Cow::Owned(union))
        }
        _ => Err(format!(
            "'' {}",
            unconvertible("map[string]interface {}", value)
        )),
    }
}

/// "expected type `wanted`", and what was sent instead.
pub(crate) fn unconvertible(wanted: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "json.Number",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    format!("expected type '{wanted}', got unconvertible type '{found}'")
}

/// Warns of fields outside `known`, which had no effect.
pub(crate) fn warn_ignored(response: Response, request: &Request, known: &[&str]) -> Response {
    let ignored: Vec<&str> = request
        .data
        .keys()
        .map(String::as_str)
        .filter(|name| !known.contains(name))
        .collect();
    if ignored.is_empty() {
        return response;
    }
    let names = ignored.join(" ");
    response.warn(format!(
        "Endpoint ignored these unrecognized parameters: [{names}]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_come_in_many_clothes() {
        for (value, number) in [
            (json!(null), Some(0)),
            (json!(true), Some(1)),
            (json!(7), Some(7)),
            (json!("-7"), Some(-7)),
            (json!("0x10"), Some(16)),
            (json!(""), Some(0)),
            (json!("1.5"), None),
            (json!(1.5), None),
            (json!("x"), None),
            (json!("--1"), None),
            (json!([]), None),
        ] {
            assert_eq!(int(&value).ok(), number, "{value}");
        }
    }

    #[test]
    fn durations_are_cut_to_seconds_and_keep_their_sign() {
        for (value, expected) in [
            (json!(90), Some(90)),
            (json!("1.5s"), Some(1)),
            (json!("-1h"), Some(-3600)),
            (json!(-5), Some(-5)),
            (json!(null), Some(0)),
            (json!("2d"), Some(172_800)),
            (json!(1.5), None),
            (json!("x"), None),
            (json!(true), None),
        ] {
            assert_eq!(seconds(&value).ok(), expected, "{value}");
        }
    }
}
