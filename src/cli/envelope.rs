//! A server's answer, in the terms of Vault's client.

use serde_json::{Map, Value, json};

use super::output::Order;

/// The keys of every logical answer, in the order in which they are printed.
pub static ENVELOPE: Order = Order {
    keys: &[
        "request_id",
        "lease_id",
        "lease_duration",
        "renewable",
        "data",
        "warnings",
        "auth",
        "wrap_info",
    ],
    inner: &[("auth", &AUTH), ("wrap_info", &WRAP)],
    others: None,
};

static AUTH: Order = Order::of(&[
    "client_token",
    "accessor",
    "policies",
    "token_policies",
    "identity_policies",
    "metadata",
    "orphan",
    "entity_id",
    "lease_duration",
    "renewable",
    "mfa_requirement",
]);

static WRAP: Order = Order::of(&[
    "token",
    "accessor",
    "ttl",
    "creation_time",
    "creation_path",
    "wrapped_accessor",
]);

/// A server's answer. It may hold secrets, so it has no `Debug`.
pub struct Envelope {
    /// The request's id; empty for answers without one.
    pub request_id: String,
    /// The lease's id; empty when nothing is leased.
    pub lease_id: String,
    /// The lease's lifetime, in seconds.
    pub lease_duration: u64,
    /// True if the lease can be renewed.
    pub renewable: bool,
    /// The data: an object or `null`.
    pub data: Value,
    /// The server's warnings.
    pub warnings: Vec<String>,
    /// A token, when the request made one.
    pub auth: Option<Map<String, Value>>,
    /// The wrapping token and its facts, when the answer was wrapped.
    pub wrap_info: Option<Map<String, Value>>,
}

impl Envelope {
    /// Reads an answer. A bare object is its own data; an error or an empty answer is `None`.
    pub fn read(answer: &Value) -> Option<Self> {
        let fields = answer.as_object()?;
        let text = |key: &str| {
            let value = fields.get(key).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let object = |key: &str| fields.get(key).and_then(Value::as_object).cloned();
        let warnings = fields.get("warnings").and_then(Value::as_array);
        let warnings = warnings.into_iter().flatten().filter_map(Value::as_str);
        let duration = fields.get("lease_duration").and_then(Value::as_u64);
        let mut envelope = Self {
            request_id: text("request_id"),
            lease_id: text("lease_id"),
            lease_duration: duration.unwrap_or(0),
            renewable: fields.get("renewable") == Some(&Value::Bool(true)),
            data: object("data").map_or(Value::Null, Value::Object),
            warnings: warnings.map(str::to_owned).collect(),
            auth: object("auth"),
            wrap_info: object("wrap_info"),
        };
        if envelope.is_bare() {
            if fields.is_empty() || fields.contains_key("errors") {
                return None;
            }
            envelope.data = answer.clone();
        }
        Some(envelope)
    }

    fn is_bare(&self) -> bool {
        self.request_id.is_empty()
            && self.lease_id.is_empty()
            && self.lease_duration == 0
            && !self.renewable
            && self.data.is_null()
            && self.warnings.is_empty()
            && self.auth.is_none()
            && self.wrap_info.is_none()
    }

    /// Returns the data as an object.
    pub fn fields(&self) -> Option<&Map<String, Value>> {
        self.data.as_object()
    }

    /// Returns the fields that Vault's client knows, for JSON and YAML.
    pub fn to_value(&self) -> Value {
        let warnings = match self.warnings.is_empty() {
            true => Value::Null,
            false => json!(self.warnings),
        };
        let mut value = json!({
            "request_id": self.request_id,
            "lease_id": self.lease_id,
            "lease_duration": self.lease_duration,
            "renewable": self.renewable,
            "data": self.data,
            "warnings": warnings,
        });
        let known = |order: &Order, fields: &Map<String, Value>| {
            let keys = order.keys.iter();
            let fields = keys.map(|key| (String::from(*key), known_field(fields, key)));
            Value::Object(fields.collect())
        };
        if let Some(fields) = value.as_object_mut() {
            if let Some(auth) = &self.auth {
                fields.insert(String::from("auth"), known(&AUTH, auth));
            }
            if let Some(wrap) = &self.wrap_info {
                fields.insert(String::from("wrap_info"), known(&WRAP, wrap));
            }
        }
        value
    }

    /// Returns one field for `-field`, under its name in the table.
    pub fn field(&self, name: &str) -> Option<Value> {
        let of = |map: &Map<String, Value>, key: &str| Some(known_field(map, key));
        if let Some(auth) = &self.auth {
            let known = match name {
                "token" => of(auth, "client_token"),
                "token_accessor" => of(auth, "accessor"),
                "token_duration" => of(auth, "lease_duration"),
                "token_renewable" => of(auth, "renewable"),
                "token_policies" | "identity_policies" | "policies" => {
                    let list = auth.get(name).cloned();
                    Some(list.filter(|list| !list.is_null()).unwrap_or(json!([])))
                }
                _ => None,
            };
            let meta = || {
                let key = name.strip_prefix("token_meta_")?;
                auth.get("metadata")?.get(key).cloned()
            };
            if let Some(value) = known.or_else(meta) {
                return Some(value);
            }
        }
        if let Some(wrap) = &self.wrap_info {
            let known = match name {
                "wrapping_token" => of(wrap, "token"),
                "wrapping_accessor" => of(wrap, "accessor"),
                "wrapping_token_ttl" => of(wrap, "ttl"),
                "wrapping_token_creation_time" => of(wrap, "creation_time"),
                "wrapping_token_creation_path" => of(wrap, "creation_path"),
                "wrapped_accessor" => of(wrap, "wrapped_accessor"),
                _ => None,
            };
            if known.is_some() {
                return known;
            }
        }
        match self.fields().and_then(|data| data.get(name)) {
            Some(value) => Some(value.clone()),
            None => self.lease_field(name),
        }
    }

    fn lease_field(&self, name: &str) -> Option<Value> {
        match name {
            "lease_id" => Some(json!(self.lease_id)),
            "lease_duration" | "refresh_interval" => Some(json!(self.lease_duration)),
            "lease_renewable" => Some(json!(self.renewable)),
            _ => None,
        }
    }
}

/// Returns a field of a token or a wrapping; a missing field has the zero value of its kind.
fn known_field(fields: &Map<String, Value>, key: &str) -> Value {
    if let Some(value) = fields.get(key) {
        return value.clone();
    }
    match key {
        "orphan" | "renewable" => json!(false),
        "lease_duration" | "ttl" => json!(0),
        "policies" | "token_policies" | "identity_policies" | "metadata" | "mfa_requirement" => {
            Value::Null
        }
        _ => json!(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::to_json;

    #[test]
    fn bare_objects_are_data_and_errors_are_nothing() {
        let bare = Envelope::read(&json!({"sealed": true})).expect("data");
        assert_eq!(bare.data, json!({"sealed": true}));
        assert!(Envelope::read(&json!({"errors": []})).is_none());
        assert!(Envelope::read(&json!({})).is_none());
        assert!(Envelope::read(&json!(null)).is_none());
        let warned = Envelope::read(&json!({"warnings": ["w"], "errors": []})).expect("warns");
        assert_eq!(warned.warnings, ["w"]);
    }

    #[test]
    fn prints_the_fields_in_vaults_order() {
        let answer = json!({"request_id": "r", "lease_id": "", "renewable": false,
            "lease_duration": 0, "data": {"b": 1, "a": 2}, "wrap_info": null, "warnings": null,
            "auth": null, "extra": 1});
        let value = Envelope::read(&answer).expect("an answer").to_value();
        let expected = r#"{
  "request_id": "r",
  "lease_id": "",
  "lease_duration": 0,
  "renewable": false,
  "data": {
    "a": 2,
    "b": 1
  },
  "warnings": null
}"#;
        assert_eq!(to_json(&value, &ENVELOPE), expected);
    }

    #[test]
    fn fields_go_by_the_names_of_the_table() {
        let answer = json!({"auth": {"client_token": "t", "policies": ["p"],
            "metadata": {"user": "bob"}}});
        let answer = Envelope::read(&answer).expect("an answer");
        assert_eq!(answer.field("token"), Some(json!("t")));
        assert_eq!(answer.field("identity_policies"), Some(json!([])));
        assert_eq!(answer.field("token_meta_user"), Some(json!("bob")));
        assert_eq!(answer.field("nope"), None);
        let answer = Envelope::read(&json!({"lease_duration": 5, "data": {"a": 1}}));
        let answer = answer.expect("an answer");
        assert_eq!(answer.field("a"), Some(json!(1)));
        assert_eq!(answer.field("refresh_interval"), Some(json!(5)));
    }
}
