//! A token as `lookup` shows it.

use crate::clock::Timestamp;
use crate::token::Token;
use serde_json::{Map, Value, json};

/// Returns the fields of `token`. `text` is the token's own, or empty where the asker only holds
/// its accessor.
pub(super) fn describe(token: &Token, text: &str, now: Timestamp) -> Map<String, Value> {
    let expire_time = if token.expire_time.is_zero() {
        Value::Null
    } else {
        json!(token.expire_time.rfc3339())
    };
    let metadata = if token.metadata.is_empty() {
        Value::Null
    } else {
        json!(token.metadata)
    };
    let mut data = Map::new();
    for (field, value) in [
        ("accessor", json!(token.accessor)),
        ("creation_time", json!(token.creation_time.as_secs())),
        ("creation_ttl", json!(token.ttl.as_secs())),
        ("display_name", json!(token.display_name)),
        ("entity_id", json!(token.entity_id)),
        ("expire_time", expire_time),
        ("explicit_max_ttl", json!(token.explicit_max_ttl.as_secs())),
        ("id", json!(text)),
        ("issue_time", json!(token.creation_time.rfc3339())),
        ("meta", metadata),
        ("num_uses", json!(token.num_uses)),
        ("orphan", json!(token.parent.is_empty())),
        ("path", json!(token.path)),
        ("policies", json!(token.policies)),
        ("renewable", json!(token.renewable)),
        ("ttl", json!(token.ttl_left(now).as_secs())),
        (
            "type",
            json!(if token.is_batch() { "batch" } else { "service" }),
        ),
    ] {
        data.insert(field.to_owned(), value);
    }
    if !token.period.is_zero() {
        data.insert("period".to_owned(), json!(token.period.as_secs()));
    }
    if !token.role.is_empty() {
        data.insert("role".to_owned(), json!(token.role));
    }
    if !token.bound_cidrs.is_empty() {
        data.insert("bound_cidrs".to_owned(), json!(token.bound_cidrs));
    }
    if !token.last_renewal.is_zero() {
        data.insert(
            "last_renewal".to_owned(),
            json!(token.last_renewal.rfc3339()),
        );
        data.insert(
            "last_renewal_time".to_owned(),
            json!(token.last_renewal.as_secs()),
        );
    }
    data
}
