//! What one `path` block of a policy says.

use super::Capabilities;
use crate::engine::Operation;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Values by parameter name (lower case); an empty list stands for any value.
pub type Parameters = BTreeMap<String, Vec<Value>>;

/// A path as written, and what it grants.
#[derive(Clone, Debug, PartialEq)]
pub struct PathRule {
    /// `secret/data/+/x*`, without a leading slash; may hold `{{templates}}`.
    pub path: String,
    /// What holds there.
    pub permissions: Permissions,
}

/// What holds at a path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Permissions {
    /// The operations.
    pub capabilities: Capabilities,
    /// Shortest wrapping that an answer must have; zero asks for none.
    pub min_wrapping_ttl: Duration,
    /// Longest wrapping that an answer must have; zero asks for none.
    pub max_wrapping_ttl: Duration,
    /// Only these parameters; empty lets all through.
    pub allowed_parameters: Parameters,
    /// None of these.
    pub denied_parameters: Parameters,
    /// All of these.
    pub required_parameters: Vec<String>,
}

impl Permissions {
    /// Adds what another policy says of the same path: capabilities and parameters join, the
    /// shorter of two wrapping limits holds, and a deny is all that stays.
    pub fn merge(&mut self, other: &Self) {
        self.capabilities = self.capabilities.union(other.capabilities);
        if self.capabilities.denies() {
            *self = Self {
                capabilities: Capabilities::DENY,
                ..Self::default()
            };
            return;
        }
        self.min_wrapping_ttl = shorter(self.min_wrapping_ttl, other.min_wrapping_ttl);
        self.max_wrapping_ttl = shorter(self.max_wrapping_ttl, other.max_wrapping_ttl);
        join(&mut self.allowed_parameters, &other.allowed_parameters);
        join(&mut self.denied_parameters, &other.denied_parameters);
        for name in &other.required_parameters {
            if !self.required_parameters.contains(name) {
                self.required_parameters.push(name.clone());
            }
        }
    }

    /// Is an answer wrapped for `wrap_ttl` what the limits ask for?
    pub fn wrapping_fits(&self, wrap_ttl: Option<Duration>) -> bool {
        let (min, max) = (self.min_wrapping_ttl, self.max_wrapping_ttl);
        if min.is_zero() && max.is_zero() {
            return true;
        }
        wrap_ttl.is_some_and(|ttl| ttl >= min && (max.is_zero() || ttl <= max))
    }

    /// Do the parameters fit? Deletes and lists carry none.
    pub fn parameters_fit(&self, operation: Operation, data: &Map<String, Value>) -> bool {
        if matches!(
            operation,
            Operation::Delete | Operation::List | Operation::Scan | Operation::Help
        ) {
            return true;
        }
        let has = |name: &String| data.keys().any(|key| key.to_lowercase() == *name);
        self.required_parameters.iter().all(has)
            && (data.is_empty() || self.none_denied(data) && self.all_allowed(data))
    }

    fn none_denied(&self, data: &Map<String, Value>) -> bool {
        let denied = &self.denied_parameters;
        if denied.is_empty() {
            return true;
        }
        !denied.contains_key("*")
            && data.iter().all(|(key, value)| {
                let values = denied.get(&key.to_lowercase());
                values.is_none_or(|values| !value_listed(value, values))
            })
    }

    fn all_allowed(&self, data: &Map<String, Value>) -> bool {
        let allowed = &self.allowed_parameters;
        let any = allowed.contains_key("*");
        if allowed.is_empty() || any && allowed.len() == 1 {
            return true;
        }
        data.iter()
            .all(|(key, value)| match allowed.get(&key.to_lowercase()) {
                Some(values) => value_listed(value, values),
                None => any,
            })
    }
}

fn shorter(a: Duration, b: Duration) -> Duration {
    match (a.is_zero(), b.is_zero()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.min(b),
    }
}

/// An empty list means "any value", so it swallows every other.
fn join(into: &mut Parameters, other: &Parameters) {
    for (name, values) in other {
        match into.get_mut(name) {
            Some(present) if present.is_empty() || values.is_empty() => present.clear(),
            Some(present) => present.extend(values.iter().cloned()),
            None => {
                into.insert(name.clone(), values.clone());
            }
        }
    }
}

fn value_listed(value: &Value, list: &[Value]) -> bool {
    list.is_empty()
        || list.iter().any(|listed| match (listed, value) {
            (Value::String(pattern), Value::String(text)) => glob_matches(pattern, text),
            (Value::Number(a), Value::Number(b)) => {
                a == b || a.as_f64().is_some() && a.as_f64() == b.as_f64()
            }
            // Form bodies and query strings carry numbers and booleans as text.
            (Value::Number(a), Value::String(b)) | (Value::String(b), Value::Number(a)) => {
                a.to_string() == *b
            }
            (Value::Bool(a), Value::String(b)) | (Value::String(b), Value::Bool(a)) => {
                a.to_string() == *b
            }
            (listed, value) => listed == value,
        })
}

/// A `*` at either end of `pattern` stands for anything.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (None, None) => pattern == text,
        (Some(tail), None) => text.ends_with(tail),
        (None, Some(head)) => text.starts_with(head),
        (Some(tail), Some(_)) => text.contains(tail.strip_suffix('*').unwrap_or(tail)),
    }
}
