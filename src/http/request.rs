//! Reads the parts of a request head that the router needs.

use super::limits::{PARAMETERS_MAX, TOKEN_BYTES_MAX, WRAP_TTL_BYTES_MAX};
use crate::clock::parse_duration;
use crate::engine::Operation;
use crate::secret::{Secret, SecretString};
use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::time::Duration;

/// Headers that concern the connection or the token, and are not passed to the router.
const STOPPED: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::EXPECT,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
];
const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const WRAP_TTL: HeaderName = HeaderName::from_static("x-vault-wrap-ttl");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Number of request ids drawn from the kernel at once.
const IDS_AT_ONCE: usize = 64;

/// Reasons to refuse a head; always the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    /// 405 with no message: the method is unknown.
    Method,
    /// 405: HEAD of a path other than `sys/health`.
    Head,
    /// 400: OPTIONS is answered for CORS only, which is not configured.
    Options,
    /// 400 with no message: the value of a switch is no boolean.
    Switch,
    /// 400: the parameters exceed their limit.
    Parameters,
    /// 400: the wrap TTL is no duration.
    WrapTtl,
    /// 400: the wrap TTL is negative.
    NegativeWrapTtl,
    /// 403: the token is longer than any token.
    Token,
}

/// The query, parsed once.
pub(super) type Query = Vec<(String, String)>;

/// Parses a query string.
pub(super) fn query(raw: Option<&str>) -> Result<Query, HeadError> {
    let Some(raw) = raw else {
        return Ok(Vec::new());
    };
    let parameters: Query = form_urlencoded::parse(raw.as_bytes())
        .take(PARAMETERS_MAX + 1)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    if parameters.len() > PARAMETERS_MAX {
        return Err(HeadError::Parameters);
    }
    Ok(parameters)
}

/// Returns the operation that the method and the query ask for. PUT and POST are `Update`.
pub(super) fn operation(method: &Method, query: &mut Query) -> Result<Operation, HeadError> {
    match method.as_str() {
        "GET" => {
            if switch(query, "help")? {
                Ok(Operation::Help)
            } else if switch(query, "list")? {
                Ok(Operation::List)
            } else if switch(query, "scan")? {
                Ok(Operation::Scan)
            } else {
                Ok(Operation::Read)
            }
        }
        "PUT" | "POST" => Ok(Operation::Update),
        "PATCH" => Ok(Operation::Patch),
        "DELETE" => Ok(Operation::Delete),
        "LIST" => Ok(Operation::List),
        "SCAN" => Ok(Operation::Scan),
        "HEAD" => Err(HeadError::Head),
        "OPTIONS" => Err(HeadError::Options),
        _ => Err(HeadError::Method),
    }
}

/// Takes a boolean parameter out of the query; an empty one counts as absent.
fn switch(query: &mut Query, name: &str) -> Result<bool, HeadError> {
    let Some(index) = query.iter().position(|(key, _)| key == name) else {
        return Ok(false);
    };
    let (_, value) = query.swap_remove(index);
    match value.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(HeadError::Switch),
    }
}

/// Returns the fields of a query: repeated parameters become lists.
pub(super) fn fields(query: Query) -> Map<String, Value> {
    let mut fields = Map::new();
    for (key, value) in query {
        let value = Value::String(value);
        match fields.get_mut(&key) {
            Some(Value::Array(list)) => list.push(value),
            Some(first) => {
                let first_value = first.take();
                *first = Value::Array(vec![first_value, value]);
            }
            None => {
                fields.insert(key, value);
            }
        }
    }
    fields
}

/// Returns the token: `X-Vault-Token`, or else `Authorization: Bearer`.
pub(super) fn token(headers: &HeaderMap) -> Result<Option<SecretString>, HeadError> {
    let value = match headers.get(TOKEN) {
        Some(value) => value.as_bytes(),
        None => match headers.get(header::AUTHORIZATION) {
            Some(value) => match value.as_bytes().strip_prefix(b"Bearer ") {
                Some(token) => token,
                None => return Ok(None),
            },
            None => return Ok(None),
        },
    };
    let token = value.trim_ascii();
    if token.is_empty() {
        return Ok(None);
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(HeadError::Token);
    }
    match std::str::from_utf8(token) {
        Ok(token) => Ok(Some(Secret::new(token.to_owned()))),
        Err(_) => Err(HeadError::Token),
    }
}

/// Returns `X-Vault-Wrap-TTL`: a duration, or seconds; zero counts as absent. The router shortens a
/// duration beyond the system's maximum.
pub(super) fn wrap_ttl(headers: &HeaderMap) -> Result<Option<Duration>, HeadError> {
    let Some(value) = headers.get(WRAP_TTL) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| HeadError::WrapTtl)?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > WRAP_TTL_BYTES_MAX {
        return Err(HeadError::WrapTtl);
    }
    match text.strip_prefix('-') {
        Some(rest) if parse_duration(rest).is_some() => Err(HeadError::NegativeWrapTtl),
        Some(_) => Err(HeadError::WrapTtl),
        None => {
            let ttl = parse_duration(text).ok_or(HeadError::WrapTtl)?;
            Ok((!ttl.is_zero()).then_some(ttl))
        }
    }
}

/// Returns `X-Vault-Namespace` as sent, and true if it names anything but the root.
pub(super) fn namespace(headers: &HeaderMap) -> Option<(HeaderValue, bool)> {
    let value = headers.get(NAMESPACE)?;
    let name = value.as_bytes().trim_ascii();
    let is_foreign = !matches!(name, b"" | b"/" | b"root" | b"root/");
    Some((value.clone(), is_foreign))
}

/// Returns the approximate size of a head as it was sent, in bytes.
pub(super) fn head_bytes(head: &Parts) -> u64 {
    let target = head.uri.path_and_query().map_or("/", |both| both.as_str());
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + 4);
    let line = head.method.as_str().len() + target.len() + 12;
    (line + headers.sum::<usize>()) as u64
}

/// Returns the headers that are passed to the router.
pub(super) fn forwarded_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| **name != TOKEN && !STOPPED.contains(name))
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), text)
        })
        .collect()
}

/// Returns a random (version 4) UUID. Request ids are names, not secrets, so many are drawn at
/// once.
pub(super) fn request_id() -> String {
    thread_local! {
        static DRAWN: RefCell<Vec<uuid::Bytes>> = const { RefCell::new(Vec::new()) };
    }
    let bytes = DRAWN.with_borrow_mut(|drawn| {
        if drawn.is_empty() {
            let mut pool = [0; IDS_AT_ONCE * 16];
            let rng = ring::rand::SystemRandom::new();
            if ring::rand::SecureRandom::fill(&rng, &mut pool).is_ok() {
                drawn.extend(pool.as_chunks::<16>().0);
            }
        }
        drawn.pop()
    });
    match bytes {
        Some(bytes) => uuid::Builder::from_random_bytes(bytes).into_uuid(),
        None => uuid::Uuid::new_v4(),
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn methods_and_switches_become_operations() {
        for (method, raw, operation) in [
            ("GET", None, Operation::Read),
            ("GET", Some("list=true"), Operation::List),
            ("GET", Some("list=1"), Operation::List),
            ("GET", Some("list=false"), Operation::Read),
            ("GET", Some("list="), Operation::Read),
            ("GET", Some("scan=true"), Operation::Scan),
            ("GET", Some("help=1"), Operation::Help),
            ("PUT", None, Operation::Update),
            ("POST", None, Operation::Update),
            ("PATCH", None, Operation::Patch),
            ("DELETE", None, Operation::Delete),
            ("LIST", None, Operation::List),
            ("SCAN", None, Operation::Scan),
        ] {
            let mut query = query(raw).unwrap();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let got = super::operation(&method, &mut query);
            assert_eq!(got, Ok(operation), "{method} {raw:?}");
            assert!(fields(query).is_empty(), "switches are no fields");
        }
        let mut bad = query(Some("list=abc")).unwrap();
        assert_eq!(operation(&Method::GET, &mut bad), Err(HeadError::Switch));
        for (method, error) in [
            (Method::TRACE, HeadError::Method),
            (Method::CONNECT, HeadError::Method),
            (Method::HEAD, HeadError::Head),
            (Method::OPTIONS, HeadError::Options),
        ] {
            assert_eq!(operation(&method, &mut Vec::new()), Err(error));
        }
    }

    #[test]
    fn query_parameters_become_fields() {
        let query = query(Some("version=2&a=1&a=2&a=3&b=x%20y&list=true")).unwrap();
        assert_eq!(
            Value::Object(fields(query)),
            json!({"version": "2", "a": ["1", "2", "3"], "b": "x y", "list": "true"})
        );
        let many = "a&".repeat(PARAMETERS_MAX + 1);
        assert_eq!(super::query(Some(&many)), Err(HeadError::Parameters));
    }

    #[test]
    fn both_token_headers_are_read() {
        for (pairs, expected) in [
            (&[("x-vault-token", "t")][..], Some("t")),
            (&[("authorization", "Bearer t")], Some("t")),
            (&[("authorization", "Basic t")], None),
            (&[("authorization", "bearer t")], None),
            (
                &[("x-vault-token", "a"), ("authorization", "Bearer b")],
                Some("a"),
            ),
            (&[("x-vault-token", "")], None),
            (&[], None),
        ] {
            let got = token(&headers(pairs)).unwrap();
            let got = got.as_ref().map(|token| token.expose().as_str());
            assert_eq!(got, expected, "{pairs:?}");
        }
        let long = "a".repeat(TOKEN_BYTES_MAX + 1);
        let refused = token(&headers(&[("x-vault-token", &long)]));
        assert!(matches!(refused, Err(HeadError::Token)));
    }

    #[test]
    fn wrap_ttls_are_durations_or_seconds() {
        for (text, expected) in [
            ("60", Ok(Some(60))),
            ("5m", Ok(Some(300))),
            ("0", Ok(None)),
            ("", Ok(None)),
            ("9223372036", Ok(Some(9_223_372_036))),
            ("9223372037", Err(HeadError::WrapTtl)),
            ("2562048h", Err(HeadError::WrapTtl)),
            ("abc", Err(HeadError::WrapTtl)),
            ("-5", Err(HeadError::NegativeWrapTtl)),
            ("-abc", Err(HeadError::WrapTtl)),
        ] {
            let got = wrap_ttl(&headers(&[("x-vault-wrap-ttl", text)]));
            assert_eq!(got, expected.map(|s| s.map(Duration::from_secs)), "{text}");
        }
    }

    #[test]
    fn cve_2026_4525_no_token_header_goes_on() {
        let passed = forwarded_headers(&headers(&[
            ("x-vault-token", "canary"),
            ("authorization", "Bearer canary"),
            ("cookie", "canary"),
            ("proxy-authorization", "canary"),
            ("user-agent", "x"),
        ]));
        assert_eq!(passed, [("user-agent".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn only_the_root_namespace_is_known() {
        for (name, foreign) in [
            ("root", false),
            ("/", false),
            ("root/", false),
            ("a/", true),
        ] {
            let got = namespace(&headers(&[("x-vault-namespace", name)])).unwrap();
            assert_eq!(got.1, foreign, "{name}");
        }
        assert!(namespace(&headers(&[])).is_none());
    }

    #[test]
    fn request_ids_are_uuids_and_differ() {
        let ids: std::collections::HashSet<_> = (0..200).map(|_| request_id()).collect();
        assert_eq!(ids.len(), 200);
        for id in ids {
            let parsed: uuid::Uuid = id.parse().unwrap();
            assert_eq!(parsed.get_version_num(), 4);
        }
    }
}
