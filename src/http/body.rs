//! Decodes body bytes into fields: JSON, or a form when the client says so and it does not look
//! like JSON (curl's `-d` says so for everything).

use super::json::{self, JsonError, JsonLimits};
use super::limits::PARAMETERS_MAX;
use serde_json::{Map, Value};

/// Reasons to refuse a body; the client's fault except when memory is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body is not JSON, or more of it than the limits allow.
    #[error("failed to decode JSON input: {0}")]
    Json(#[from] JsonError),
    /// The body is JSON but not an object; the client must send one.
    #[error("failed to decode JSON input: the body must be an object")]
    NotAnObject,
    /// The form has too many parameters; the client must send fewer.
    #[error("more than {PARAMETERS_MAX} form parameters")]
    Parameters,
}

/// Reads a body into fields, within `limits`. An empty body and `null` have none. Before memory is
/// used `charge` is called with its size in bytes; if it returns false the body is refused.
pub fn decode(
    content_type: Option<&[u8]>,
    body: &[u8],
    limits: &JsonLimits,
    charge: &mut dyn FnMut(usize) -> bool,
) -> Result<Map<String, Value>, BodyError> {
    let Some(first) = body
        .iter()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
    else {
        return Ok(Map::new());
    };
    if is_form(content_type) && !matches!(first, b'{' | b'[') {
        return form(body, charge);
    }
    match json::parse(body, limits, charge)? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(BodyError::NotAnObject)
        }
    }
}

/// Returns the media type of a Content-Type header, without parameters.
pub(super) fn media_type(content_type: &[u8]) -> &[u8] {
    let end = content_type
        .iter()
        .position(|byte| *byte == b';')
        .unwrap_or(content_type.len());
    content_type.get(..end).unwrap_or_default().trim_ascii()
}

fn is_form(content_type: Option<&[u8]>) -> bool {
    content_type.is_some_and(|value| {
        media_type(value).eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    })
}

/// Reads a form into fields; repeated parameters are joined by commas.
fn form(
    body: &[u8],
    charge: &mut dyn FnMut(usize) -> bool,
) -> Result<Map<String, Value>, BodyError> {
    if !charge(body.len()) {
        return Err(JsonError::Busy.into());
    }
    let mut fields = Map::new();
    for (count, (key, value)) in form_urlencoded::parse(body).enumerate() {
        if count >= PARAMETERS_MAX {
            return Err(BodyError::Parameters);
        }
        match fields.get_mut(key.as_ref()) {
            Some(Value::String(held)) => {
                held.push(',');
                held.push_str(&value);
            }
            _ => {
                fields.insert(key.into_owned(), Value::String(value.into_owned()));
            }
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FORM: &[u8] = b"application/x-www-form-urlencoded";

    fn read(content_type: Option<&[u8]>, body: &str) -> Result<Value, BodyError> {
        decode(
            content_type,
            body.as_bytes(),
            &JsonLimits::default(),
            &mut |_| true,
        )
        .map(Value::Object)
    }

    #[test]
    fn curls_default_content_type_is_a_form_unless_it_looks_like_json() {
        assert_eq!(read(Some(FORM), "hello"), Ok(json!({"hello": ""})));
        assert_eq!(
            read(Some(FORM), "a=1&b=2&a=3"),
            Ok(json!({"a": "1,3", "b": "2"}))
        );
        assert_eq!(read(Some(FORM), "a=x%20y+z"), Ok(json!({"a": "x y z"})));
        assert_eq!(read(Some(FORM), " {\"a\":1}"), Ok(json!({"a": 1})));
        assert_eq!(read(Some(FORM), "[1]"), Err(BodyError::NotAnObject));
        let with_charset = b"Application/X-WWW-Form-Urlencoded; charset=utf-8";
        assert_eq!(read(Some(with_charset), "x"), Ok(json!({"x": ""})));
    }

    #[test]
    fn everything_else_is_json() {
        for content_type in [None, Some(&b"text/plain"[..]), Some(b"application/json")] {
            assert!(read(content_type, "hello").is_err());
            assert_eq!(read(content_type, "{\"a\":{}}"), Ok(json!({"a": {}})));
        }
        assert_eq!(read(None, ""), Ok(json!({})));
        assert_eq!(read(None, " \n"), Ok(json!({})));
        assert_eq!(read(None, "null"), Ok(json!({})));
        for body in ["1", "true", "\"a\"", "[]"] {
            assert_eq!(read(None, body), Err(BodyError::NotAnObject), "{body}");
        }
    }

    #[test]
    fn forms_are_bounded() {
        let many = "a&".repeat(PARAMETERS_MAX + 1);
        assert_eq!(read(Some(FORM), &many), Err(BodyError::Parameters));
        let refused = decode(Some(FORM), b"a=1", &JsonLimits::default(), &mut |_| false);
        assert_eq!(refused, Err(BodyError::Json(JsonError::Busy)));
    }
}
