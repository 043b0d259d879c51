//! Answers as hyper sends them, and the headers that every answer carries.

use super::answer_body::AnswerBody;
use super::options::HeaderSelector;
use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// One answer; its body is a single buffer, so that head and body leave in one write, or a stream.
pub(super) type Answer = Response<AnswerBody>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const TRANSPORT_SECURITY: HeaderValue =
    HeaderValue::from_static("max-age=31536000; includeSubDomains");
const TOO_LARGE: &str = "http: request body too large";

/// Builds an answer with a body of the given type.
pub(super) fn with(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<AnswerBody>,
) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    answer
}

/// Builds an answer from JSON that is encoded already.
pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Answer {
    with(status, JSON, body)
}

/// Builds an answer of the form `{"errors":[...]}`.
pub(super) fn errors(status: StatusCode, messages: &[&str]) -> Answer {
    let mut body = Vec::with_capacity(64);
    body.extend_from_slice(b"{\"errors\":[");
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        super::envelope::string(&mut body, message);
    }
    body.extend_from_slice(b"]}\n");
    json(status, body)
}

/// Builds an answer of plain text.
pub(super) fn text(status: StatusCode, body: &'static str) -> Answer {
    with(status, TEXT, Bytes::from_static(body.as_bytes()))
}

/// Redirects (307) to a path that [`super::target::parse`] made, or to a constant one.
pub(super) fn redirect(location: &str) -> Answer {
    let Ok(value) = HeaderValue::from_str(location) else {
        return errors(StatusCode::BAD_REQUEST, &["malformed path"]);
    };
    let mut answer = with(StatusCode::TEMPORARY_REDIRECT, HTML, Bytes::new());
    answer.headers_mut().insert(header::LOCATION, value);
    answer
}

/// Makes this answer the last one of its connection.
pub(super) fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(header::CONNECTION, CLOSE);
    answer
}

/// Adds the headers that every answer carries.
pub(super) fn finish(
    answer: &mut Answer,
    custom: &[(HeaderSelector, HeaderName, HeaderValue)],
    namespace: Option<HeaderValue>,
) {
    let status = answer.status().as_u16();
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::STRICT_TRANSPORT_SECURITY, TRANSPORT_SECURITY);
    if let Some(namespace) = namespace {
        headers.insert("x-vault-namespace", namespace);
    }
    for (selector, name, value) in custom {
        let matches = match selector {
            HeaderSelector::Always => true,
            HeaderSelector::Class(class) => status / 100 == *class,
            HeaderSelector::Status(exact) => status == *exact,
        };
        if matches {
            headers.insert(name.clone(), value.clone());
        }
    }
}

pub(super) fn bad_request(message: &str) -> Answer {
    errors(StatusCode::BAD_REQUEST, &[message])
}

pub(super) fn busy() -> Answer {
    closing(errors(
        StatusCode::SERVICE_UNAVAILABLE,
        &["too much memory is in use by requests in flight: try again"],
    ))
}

/// Returns the answer to a body larger than any limit here, and closes the connection.
pub(super) fn too_large() -> Answer {
    closing(errors(StatusCode::PAYLOAD_TOO_LARGE, &[TOO_LARGE]))
}
