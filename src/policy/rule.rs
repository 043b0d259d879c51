//! The content of one `path` block of a policy.

use super::Capabilities;
use super::parameters::{Parameters, Sent};
use crate::clock::Timestamp;
use crate::engine::Operation;
use std::time::Duration;

/// A path as written, with its grants.
#[derive(Clone, Debug, PartialEq)]
pub struct PathRule {
    /// `secret/data/+/x*`, without a leading slash; may hold `{{templates}}`.
    pub path: String,
    /// The permissions at the path.
    pub permissions: Permissions,
    /// The time at which the block stops counting.
    pub expiration: Option<Timestamp>,
}

impl PathRule {
    /// Returns true if the block counts at `now`.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.expiration.is_none_or(|expiration| expiration > now)
    }
}

/// The permissions at a path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Permissions {
    /// The operations.
    pub capabilities: Capabilities,
    /// Shortest wrapping that an answer must have; zero asks for none.
    pub min_wrapping_ttl: Duration,
    /// Longest wrapping that an answer must have; zero asks for none.
    pub max_wrapping_ttl: Duration,
    /// The only parameters that are allowed; empty allows all.
    pub allowed_parameters: Parameters,
    /// The parameters that are denied.
    pub denied_parameters: Parameters,
    /// The parameters that are required.
    pub required_parameters: Vec<String>,
}

impl Permissions {
    /// Adds the permissions of another policy for the same path: capabilities and parameters join,
    /// the shorter of two wrapping limits holds, and a deny is all that stays.
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

    /// Returns true if an answer wrapped for `wrap_ttl` is within the limits.
    pub fn wrapping_fits(&self, wrap_ttl: Option<Duration>) -> bool {
        let (min, max) = (self.min_wrapping_ttl, self.max_wrapping_ttl);
        if min.is_zero() && max.is_zero() {
            return true;
        }
        wrap_ttl.is_some_and(|ttl| ttl >= min && (max.is_zero() || ttl <= max))
    }

    /// Returns true if the parameters are allowed. Deletes and lists carry none.
    pub(super) fn parameters_fit(&self, operation: Operation, sent: Sent<'_>) -> bool {
        if matches!(
            operation,
            Operation::Delete | Operation::List | Operation::Scan | Operation::Help
        ) {
            return true;
        }
        sent.has_all(&self.required_parameters)
            && sent.avoids(&self.denied_parameters)
            && sent.keeps_to(&self.allowed_parameters)
    }
}

fn shorter(a: Duration, b: Duration) -> Duration {
    match (a.is_zero(), b.is_zero()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.min(b),
    }
}

/// Joins two lists of values. An empty list means "any value", so it swallows every other.
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
