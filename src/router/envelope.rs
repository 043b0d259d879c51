//! The envelope of a wrapped answer, as the client will see it when it opens it.

use crate::engine::{Auth, Response, TokenType};
use serde_json::{Value, json};

/// Returns the envelope of `response`, as JSON.
pub(super) fn encode(request_id: &str, response: &Response) -> String {
    let warnings = match response.warnings.as_slice() {
        [] => Value::Null,
        warnings => json!(warnings),
    };
    json!({
        "request_id": request_id,
        "lease_id": response.lease.as_ref().map_or("", |lease| lease.id.as_str()),
        "renewable": response.lease.as_ref().is_some_and(|lease| lease.renewable),
        "lease_duration": response
            .lease
            .as_ref()
            .map_or(response.lease_duration, |lease| lease.ttl)
            .as_secs(),
        "data": response.data,
        "wrap_info": Value::Null,
        "warnings": warnings,
        "auth": response.auth.as_ref().map(auth),
    })
    .to_string()
}

fn auth(auth: &Auth) -> Value {
    let metadata = match auth.metadata.is_empty() {
        true => Value::Null,
        false => json!(auth.metadata),
    };
    json!({
        "client_token": auth.client_token.as_ref().map(|token| token.expose()),
        "accessor": auth.accessor,
        "policies": auth.policies,
        "token_policies": auth.token_policies,
        "metadata": metadata,
        "lease_duration": auth.ttl.as_secs(),
        "renewable": auth.renewable,
        "entity_id": auth.entity_id,
        "token_type": match auth.token_type {
            TokenType::Service => "service",
            TokenType::Batch => "batch",
        },
        "orphan": auth.orphan,
        "mfa_requirement": Value::Null,
        "num_uses": auth.num_uses,
    })
}
