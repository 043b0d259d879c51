//! Hashes values on their way into a line.

use ring::hmac::{HMAC_SHA256, Key, sign};
use serde_json::{Map, Value};

/// A device's key, and the kinds of values that it leaves in clear.
pub(super) struct Hasher {
    key: Key,
    raw: bool,
    hash_accessors: bool,
}

impl Hasher {
    pub fn new(key: &[u8], raw: bool, hash_accessors: bool) -> Self {
        Self {
            key: Key::new(HMAC_SHA256, key),
            raw,
            hash_accessors,
        }
    }

    /// Returns `hmac-sha256:<hex>`, regardless of the device's options.
    pub fn always(&self, text: &str) -> String {
        let tag = sign(&self.key, text.as_bytes());
        format!("hmac-sha256:{}", hex::encode(tag))
    }

    pub fn text(&self, text: &str) -> String {
        if self.raw {
            text.to_owned()
        } else {
            self.always(text)
        }
    }

    pub fn accessor(&self, accessor: &str) -> String {
        if self.hash_accessors {
            self.text(accessor)
        } else {
            accessor.to_owned()
        }
    }

    /// Returns the fields of a request or an answer, hashed; those named in `clear` stay as they
    /// are.
    pub fn fields(&self, fields: &Map<String, Value>, clear: &[String]) -> Value {
        let hashed = fields.iter().map(|(name, value)| {
            let value = if clear.contains(name) {
                value.clone()
            } else {
                self.value(value)
            };
            (name.clone(), value)
        });
        Value::Object(hashed.collect())
    }

    /// Hashes strings; numbers, booleans and the names of fields stay. The depth of a client's
    /// value is bounded at the edge.
    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.iter().map(|v| self.value(v)).collect()),
            Value::Object(fields) => self.fields(fields, &[]),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}
