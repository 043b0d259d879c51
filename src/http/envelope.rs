//! Encodes the router's replies as the JSON envelope that clients expect.
//!
//! The envelope is written field by field into one buffer; only `data` goes through serde.

use super::answer::{self, Answer};
use super::answer_body::AnswerBody;
use super::status::status_of;
use crate::engine::{Auth, Error, Response, TokenType, WrapInfo, json};
use crate::router::Reply;
use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::time::Duration;

/// Room for the envelope's own fields, in bytes.
const ENVELOPE_BYTES: usize = 512;
/// Fields that `duplicate_data` does not overwrite.
const ENVELOPE_FIELDS: [&str; 9] = [
    "request_id",
    "lease_id",
    "renewable",
    "lease_duration",
    "data",
    "wrap_info",
    "warnings",
    "auth",
    "mount_type",
];

/// Encodes a reply.
pub(super) fn encode(reply: Reply) -> Answer {
    match reply.result {
        Ok(response) => success(&reply.request_id, &reply.mount_type, response),
        Err(error) => failure(&reply.request_id, &reply.mount_type, error),
    }
}

fn success(request_id: &str, mount_type: &str, mut response: Response) -> Answer {
    let usual = if has_body(&response) {
        StatusCode::OK
    } else {
        StatusCode::NO_CONTENT
    };
    let status = response
        .status
        .and_then(|code| StatusCode::from_u16(code).ok())
        .unwrap_or(usual);
    let headers = std::mem::take(&mut response.headers);
    let mut answer = if let Some(stream) = response.stream {
        let content_type = HeaderValue::from_static(stream.content_type);
        answer::with(
            status,
            content_type,
            AnswerBody::Streamed(stream.chunks, None),
        )
    } else if let Some(body) = response.body {
        answer::with(
            status,
            HeaderValue::from_static(body.content_type),
            body.bytes,
        )
    } else if status == StatusCode::NO_CONTENT {
        answer::json(status, Vec::new())
    } else {
        let request_id = if response.anonymous { "" } else { request_id };
        answer::json(status, envelope(request_id, mount_type, &response))
    };
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn has_body(response: &Response) -> bool {
    response.body.is_some()
        || response.stream.is_some()
        || response.data.is_some()
        || response.auth.is_some()
        || response.lease.is_some()
        || response.wrap_info.is_some()
        || !response.warnings.is_empty()
}

/// Encodes an error: a list of messages, or an envelope under the error's status if the error
/// carries data or only warnings.
fn failure(request_id: &str, mount_type: &str, error: Error) -> Answer {
    let status = status_of(error.kind);
    // Without an inner message (the node is sealed, say) the client's message says it all.
    if let Some(inside) = error.inside.as_deref().filter(|_| status.is_server_error()) {
        tracing::error!(
            request_id,
            status = status.as_u16(),
            inside,
            "request failed"
        );
    }
    let only_warnings = error.messages.is_empty() && !error.warnings.is_empty();
    if error.data.is_some() || only_warnings {
        let response = Response {
            data: error.data,
            warnings: error.warnings,
            ..Response::default()
        };
        return answer::json(status, envelope(request_id, mount_type, &response));
    }
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(b"{\"errors\":");
    strings(&mut out, &error.messages);
    if !error.warnings.is_empty() {
        out.extend_from_slice(b",\"warnings\":");
        strings(&mut out, &error.warnings);
    }
    out.extend_from_slice(b"}\n");
    let mut answer = answer::json(status, out);
    if status == StatusCode::TOO_MANY_REQUESTS {
        // Two seconds give an address room for two lines in the audit log.
        let headers = answer.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    answer
}

fn envelope(request_id: &str, mount_type: &str, response: &Response) -> Vec<u8> {
    let mut out = Vec::with_capacity(ENVELOPE_BYTES);
    out.push(b'{');
    if let (true, Some(data)) = (response.duplicate_data, &response.data) {
        duplicate(&mut out, data);
    }
    out.extend_from_slice(b"\"request_id\":");
    string(&mut out, request_id);
    let lease = response.lease.as_ref();
    out.extend_from_slice(b",\"lease_id\":");
    string(&mut out, lease.map_or("", |lease| lease.id.as_str()));
    out.extend_from_slice(b",\"renewable\":");
    boolean(&mut out, lease.is_some_and(|lease| lease.renewable));
    out.extend_from_slice(b",\"lease_duration\":");
    seconds(
        &mut out,
        lease.map_or(response.lease_duration, |lease| lease.ttl),
    );
    out.extend_from_slice(b",\"data\":");
    match &response.data {
        Some(data) => map(&mut out, data),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"wrap_info\":");
    match &response.wrap_info {
        Some(info) => wrap_info(&mut out, info),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"warnings\":");
    if response.warnings.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        strings(&mut out, &response.warnings);
    }
    out.extend_from_slice(b",\"auth\":");
    match &response.auth {
        Some(grant) => auth(&mut out, grant),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"mount_type\":");
    string(&mut out, mount_type);
    out.extend_from_slice(b"}\n");
    out
}

fn duplicate(out: &mut Vec<u8>, data: &Map<String, Value>) {
    for (key, value) in data {
        if !ENVELOPE_FIELDS.contains(&key.as_str()) {
            string(out, key);
            out.push(b':');
            json_value(out, value);
            out.push(b',');
        }
    }
}

fn wrap_info(out: &mut Vec<u8>, info: &WrapInfo) {
    out.extend_from_slice(b"{\"token\":");
    string(out, info.token.expose());
    out.extend_from_slice(b",\"accessor\":");
    string(out, &info.accessor);
    out.extend_from_slice(b",\"ttl\":");
    seconds(out, info.ttl);
    out.extend_from_slice(b",\"creation_time\":");
    string(out, &info.creation_time.rfc3339());
    out.extend_from_slice(b",\"creation_path\":");
    string(out, &info.creation_path);
    if let Some(accessor) = &info.wrapped_accessor {
        out.extend_from_slice(b",\"wrapped_accessor\":");
        string(out, accessor);
    }
    out.push(b'}');
}

fn auth(out: &mut Vec<u8>, auth: &Auth) {
    out.extend_from_slice(b"{\"client_token\":");
    let token = auth
        .client_token
        .as_ref()
        .map(|token| token.expose().as_str());
    string(out, token.unwrap_or_default());
    out.extend_from_slice(b",\"accessor\":");
    string(out, &auth.accessor);
    out.extend_from_slice(b",\"policies\":");
    strings(out, &auth.policies);
    out.extend_from_slice(b",\"token_policies\":");
    strings(out, &auth.token_policies);
    if !auth.identity_policies.is_empty() {
        out.extend_from_slice(b",\"identity_policies\":");
        strings(out, &auth.identity_policies);
    }
    out.extend_from_slice(b",\"metadata\":");
    if auth.metadata.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        to_json(out, &auth.metadata);
    }
    out.extend_from_slice(b",\"lease_duration\":");
    seconds(out, auth.ttl);
    out.extend_from_slice(b",\"renewable\":");
    boolean(out, auth.renewable);
    out.extend_from_slice(b",\"entity_id\":");
    string(out, &auth.entity_id);
    out.extend_from_slice(match auth.token_type {
        TokenType::Service => b",\"token_type\":\"service\"".as_slice(),
        TokenType::Batch => b",\"token_type\":\"batch\"".as_slice(),
    });
    out.extend_from_slice(b",\"orphan\":");
    boolean(out, auth.orphan);
    out.extend_from_slice(b",\"mfa_requirement\":null,\"num_uses\":");
    number(out, auth.num_uses);
    out.push(b'}');
}

fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn seconds(out: &mut Vec<u8>, value: Duration) {
    number(out, value.as_secs());
}

fn number(out: &mut Vec<u8>, value: u64) {
    to_json(out, &value);
}

fn strings(out: &mut Vec<u8>, values: &[String]) {
    to_json(out, values);
}

fn map(out: &mut Vec<u8>, value: &Map<String, Value>) {
    into_memory(json::write_map(out, value));
}

fn json_value(out: &mut Vec<u8>, value: &Value) {
    into_memory(json::write(out, value));
}

/// Writes a JSON string.
pub(super) fn string(out: &mut Vec<u8>, value: &str) {
    into_memory(json::write_text(out, value));
}

fn into_memory(written: std::io::Result<()>) {
    debug_assert!(written.is_ok(), "string-keyed JSON into memory cannot fail");
}

fn to_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    into_memory(serde_json::to_writer(out, value).map_err(Into::into));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::engine::{Body, ErrorKind, LeaseGrant};
    use crate::secret::Secret;
    use http_body_util::BodyExt;
    use serde_json::json;

    fn sent(result: Result<Response, Error>) -> (u16, Option<Value>) {
        let answer = encode(Reply {
            request_id: "r-1".into(),
            mount_type: "kv".into(),
            result,
            moved: false,
        });
        let status = answer.status().as_u16();
        let body = futures_util::FutureExt::now_or_never(answer.into_body().collect())
            .unwrap()
            .unwrap()
            .to_bytes();
        (status, serde_json::from_slice(&body).ok())
    }

    fn data(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn data_comes_with_all_fields() {
        let response = Response::data(data(&json!({"a": "<\"\n>", "n": 1})));
        let expected = json!({
            "request_id": "r-1", "lease_id": "", "renewable": false, "lease_duration": 0,
            "data": {"a": "<\"\n>", "n": 1}, "wrap_info": null, "warnings": null, "auth": null,
            "mount_type": "kv",
        });
        assert_eq!(sent(Ok(response)), (200, Some(expected)));
    }

    #[test]
    fn nothing_is_204_and_warnings_alone_are_200() {
        assert_eq!(sent(Ok(Response::no_content())), (204, None));
        let (status, body) = sent(Ok(Response::default().warn("careful")));
        assert_eq!(status, 200);
        assert_eq!(body.unwrap()["warnings"], json!(["careful"]));
    }

    #[test]
    fn a_lease_shows_its_duration() {
        let mut response = Response::data(Map::new());
        response.lease = Some(LeaseGrant {
            ttl: Duration::from_secs(2_764_800),
            renewable: true,
            internal: Map::new(),
            ..LeaseGrant::default()
        });
        let body = sent(Ok(response)).1.unwrap();
        assert_eq!(body["lease_duration"], 2_764_800);
        assert_eq!(body["renewable"], true);
    }

    #[test]
    fn auth_and_wrap_info_have_their_fields() {
        let auth = Auth {
            client_token: Some(Secret::new("s.x".into())),
            accessor: "acc".into(),
            policies: vec!["default".into()],
            token_policies: vec!["default".into()],
            ttl: Duration::from_secs(60),
            ..Auth::default()
        };
        let mut response = Response {
            auth: Some(auth),
            anonymous: true,
            ..Response::default()
        };
        response.wrap_info = Some(WrapInfo {
            token: Secret::new("s.w".into()),
            accessor: "wacc".into(),
            ttl: Duration::from_secs(5),
            creation_time: Timestamp::from_secs(1),
            creation_path: "cubbyhole/x".into(),
            wrapped_accessor: None,
        });
        let body = sent(Ok(response)).1.unwrap();
        assert_eq!(body["request_id"], "");
        let auth = json!({
            "client_token": "s.x", "accessor": "acc", "policies": ["default"],
            "token_policies": ["default"], "metadata": null, "lease_duration": 60,
            "renewable": false, "entity_id": "", "token_type": "service", "orphan": false,
            "mfa_requirement": null, "num_uses": 0,
        });
        assert_eq!(body["auth"], auth);
        let wrap = json!({
            "token": "s.w", "accessor": "wacc", "ttl": 5,
            "creation_time": "1970-01-01T00:00:01Z", "creation_path": "cubbyhole/x",
        });
        assert_eq!(body["wrap_info"], wrap);
    }

    #[test]
    fn duplicated_data_never_overwrites_the_envelope() {
        let mut response = Response::data(data(&json!({"keys": [1], "data": "x", "auth": 1})));
        response.duplicate_data = true;
        let body = sent(Ok(response)).1.unwrap();
        assert_eq!(body["keys"], json!([1]));
        assert_eq!(body["auth"], Value::Null);
        assert_eq!(body["data"], json!({"keys": [1], "data": "x", "auth": 1}));
    }

    #[test]
    fn bare_bodies_and_statuses_pass_through() {
        let response = Response {
            status: Some(404),
            body: Some(Body {
                content_type: "application/json",
                bytes: b"[1]".to_vec(),
            }),
            ..Response::default()
        };
        assert_eq!(sent(Ok(response)), (404, Some(json!([1]))));
    }

    #[test]
    fn errors_are_lists_unless_they_carry_data() {
        assert_eq!(
            sent(Err(Error::not_found())),
            (404, Some(json!({"errors": []})))
        );
        assert_eq!(
            sent(Err(Error::invalid("bad"))),
            (400, Some(json!({"errors": ["bad"]})))
        );
        let warned = Error::silent(ErrorKind::NotFound).with_warning("try data/");
        let body = sent(Err(warned)).1.unwrap();
        assert_eq!(body["warnings"], json!(["try data/"]));
        assert!(body.get("errors").is_none());
        let mut deleted = Error::not_found();
        deleted.data = Some(data(&json!({"data": null})));
        let (status, body) = sent(Err(deleted));
        assert_eq!(status, 404);
        assert_eq!(body.unwrap()["data"], json!({"data": null}));
    }

    #[test]
    fn what_is_inside_stays_inside() {
        let (status, body) = sent(Err(Error::internal("the disk is at 0x17")));
        assert_eq!(status, 500);
        assert_eq!(body, Some(json!({"errors": ["internal error"]})));
    }
}
