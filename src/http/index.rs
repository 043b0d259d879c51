//! `X-Vault-Index`: the part of the log that a client has seen, so that its next read is not older.
//!
//! The token is base64 of `v1:<cluster id>:<index>:0:`. Vault's own client can compare that form;
//! other clients treat it as opaque. An answer that succeeded carries the index applied when it was
//! made, and a request may bring such tokens back.

use super::answer::{self, Answer, bad_request};
use super::limits::INDEX_BYTES_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

const INDEX: HeaderName = HeaderName::from_static("x-vault-index");
const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");
const FORWARD: HeaderName = HeaderName::from_static("x-vault-forward");

/// The conditions on freshness in a request's headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Consistency {
    /// The least index that the answering node must have applied.
    pub(super) index: u64,
    /// A node that has not applied it yet forwards the request to the active node.
    pub(super) forward_when_behind: bool,
    /// Only the active node may answer.
    pub(super) from_active: bool,
}

impl Consistency {
    /// Reads the headers; ignores tokens of other clusters.
    pub(super) fn of(headers: &HeaderMap, cluster: Option<&str>) -> Result<Self, Answer> {
        let forward_when_behind = match headers.get(INCONSISTENT).map(HeaderValue::as_bytes) {
            None | Some(b"" | b"fail") => false,
            Some(b"forward-active-node") => true,
            Some(_) => {
                return Err(bad_request(
                    "unknown value for \"X-Vault-Inconsistent\" header",
                ));
            }
        };
        let mut index = 0;
        for token in headers.get_all(INDEX) {
            let known = decode(token.as_bytes());
            let (of, seen) = known.ok_or_else(|| bad_request(UNREADABLE))?;
            if Some(of.as_str()) == cluster {
                index = index.max(seen);
            }
        }
        let forward = headers.get(FORWARD).map(HeaderValue::as_bytes);
        Ok(Self {
            index,
            forward_when_behind,
            from_active: forward == Some(b"active-node"),
        })
    }
}

const UNREADABLE: &str = "failed to decode \"X-Vault-Index\"";

/// Returns the answer of a node that has not applied the client's index yet; clients try again.
pub(super) fn behind() -> Answer {
    let message = "required index state not present";
    answer::errors(StatusCode::PRECONDITION_FAILED, &[message])
}

/// Adds the applied index to a successful answer.
pub(super) fn stamp(answer: &mut Answer, cluster: Option<&str>, index: u64) {
    let Some(cluster) = cluster.filter(|_| answer.status().is_success()) else {
        return;
    };
    let token = BASE64.encode(format!("v1:{cluster}:{index}:0:"));
    if let Ok(token) = HeaderValue::from_str(&token) {
        answer.headers_mut().insert(INDEX, token);
    }
}

fn decode(token: &[u8]) -> Option<(String, u64)> {
    if token.len() > INDEX_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
    let rest = text.strip_prefix("v1:")?;
    let (cluster, rest) = rest.split_once(':')?;
    let (index, _) = rest.split_once(':')?;
    Some((cluster.to_owned(), index.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "11111111-2222-3333-4444-555555555555";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn read(headers: &HeaderMap, cluster: Option<&str>) -> Consistency {
        Consistency::of(headers, cluster)
            .ok()
            .expect("good headers")
    }

    fn token(cluster: &str, index: u64) -> String {
        let mut answer = answer::json(StatusCode::OK, Vec::new());
        stamp(&mut answer, Some(cluster), index);
        let value = answer.headers().get(INDEX).unwrap();
        value.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_highest_index_of_this_cluster_counts() {
        let (low, high, foreign) = (token(ID, 7), token(ID, 19), token("other", 99));
        let sent = headers(&[
            ("x-vault-index", &high),
            ("x-vault-index", &low),
            ("x-vault-index", &foreign),
        ]);
        assert_eq!(read(&sent, Some(ID)).index, 19);
        assert_eq!(read(&sent, None).index, 0);
    }

    #[test]
    fn only_successes_are_stamped() {
        let mut failed = answer::errors(StatusCode::NOT_FOUND, &[]);
        stamp(&mut failed, Some(ID), 3);
        assert!(failed.headers().get(INDEX).is_none());
    }

    #[test]
    fn values_are_those_that_clients_send() {
        for (name, value, accepted) in [
            ("x-vault-inconsistent", "forward-active-node", true),
            ("x-vault-inconsistent", "fail", true),
            ("x-vault-inconsistent", "foo", false),
            ("x-vault-index", "foo", false),
            ("x-vault-index", "djE6YTpiOjA6", false),
            ("x-vault-forward", "foo", true),
        ] {
            let read = Consistency::of(&headers(&[(name, value)]), Some(ID));
            assert_eq!(read.is_ok(), accepted, "{name}: {value}");
        }
        let long = "a".repeat(INDEX_BYTES_MAX + 4);
        assert!(Consistency::of(&headers(&[("x-vault-index", &long)]), Some(ID)).is_err());
        let active = headers(&[("x-vault-forward", "active-node")]);
        assert!(read(&active, Some(ID)).from_active);
    }
}
