//! kv v1: one value under one path, overwritten in place.

use super::{list, record};
use crate::barrier::View;
use crate::clock::parse_duration;
use crate::engine::{Error, Operation, Outcome, Request, Response};
use crate::store::Revision;
use serde_json::{Map, Value};
use std::time::Duration;

pub(super) fn exists(request: &Request, view: &View) -> Result<Option<bool>, Error> {
    if request.path.is_empty() || request.path.ends_with('/') {
        return Ok(Some(false));
    }
    Ok(Some(view.get(&location(&request.path))?.is_some()))
}

pub(super) fn handle(request: &Request, view: &View) -> Result<Outcome, Error> {
    match request.operation {
        Operation::Create | Operation::Update => write(request, view),
        Operation::Read => read(request, view),
        Operation::Delete => Ok(delete(request, view)),
        Operation::List => {
            let keys = view.list(&list::folder(&location(&request.path)))?;
            if keys.is_empty() {
                return Err(Error::not_found());
            }
            Ok(super::field::warn_ignored(Response::list(keys), request, &[]).into())
        }
        Operation::Scan => {
            let keys = list::scan(view, &list::folder(&location(&request.path)))?;
            let response = if keys.is_empty() {
                Response::data(Map::new())
            } else {
                Response::list(keys)
            };
            Ok(super::field::warn_ignored(response, request, &[]).into())
        }
        Operation::Patch | Operation::Help => Err(Error::unsupported_operation()),
    }
}

/// Where the secret `path` is kept.
pub(super) fn location(path: &str) -> String {
    format!("s/{path}")
}

fn write(request: &Request, view: &View) -> Result<Outcome, Error> {
    if request.path.is_empty() {
        return Err(Error::invalid("missing path"));
    }
    if request.path.ends_with('/') {
        return Err(Error::invalid("cannot write to a path ending in '/'"));
    }
    if request.data.is_empty() {
        return Err(Error::invalid("missing data fields"));
    }
    let mut outcome = Outcome::default();
    let path = location(&request.path);
    if request.operation == Operation::Create {
        // Granted as `create`: what came to be meanwhile is not overwritten.
        view.expect(&mut outcome.batch, &path, Revision(0));
    }
    record::put(view, &mut outcome.batch, &path, &request.data)?;
    Ok(outcome)
}

fn read(request: &Request, view: &View) -> Result<Outcome, Error> {
    if request.path.is_empty() || request.path.ends_with('/') {
        return Err(Error::not_found());
    }
    let data: Map<String, Value> =
        record::get(view, &location(&request.path))?.ok_or_else(Error::not_found)?;
    let mut response = Response {
        lease_duration: lease_duration(&data).unwrap_or(request.mount.default_lease_ttl),
        ..Response::default()
    };
    response.data = Some(data);
    Ok(super::field::warn_ignored(response, request, &[]).into())
}

/// What the writer said in `ttl` or `lease`: a hint for readers, nothing expires by it.
fn lease_duration(data: &Map<String, Value>) -> Option<Duration> {
    let hint = data.get("ttl").or_else(|| data.get("lease"))?;
    match hint {
        Value::String(text) => parse_duration(text),
        Value::Number(number) => Some(Duration::from_secs(number.as_u64()?)),
        _ => None,
    }
}

fn delete(request: &Request, view: &View) -> Outcome {
    let mut outcome = Outcome::default();
    if !request.path.is_empty() && !request.path.ends_with('/') {
        view.delete(&mut outcome.batch, &location(&request.path));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kv::{Kv, harness::Mount};
    use serde_json::json;

    #[test]
    fn a_value_is_read_back_and_overwritten() {
        let mount = Mount::new(Kv, &[]);
        let sent: Value =
            serde_json::from_str(r#"{"x":12345678901234567890,"f":1.50,"n":null}"#).expect("json");
        let answer = mount.put("a/b", sent.clone()).expect("put");
        assert!(answer.data.is_none() && answer.status.is_none(), "204");
        assert_eq!(mount.read("a/b", Value::Null).to_string(), sent.to_string());
        mount.put("a/b", json!({"y": 1})).expect("put");
        assert_eq!(mount.read("a/b", Value::Null), json!({"y": 1}));
        mount
            .ask(Operation::Delete, "a/b", Value::Null)
            .expect("deletes");
        assert!(mount.get("a/b").is_err());
        assert_eq!(mount.records(), 0);
    }

    #[test]
    fn the_ttl_field_is_told_as_the_lease_duration() {
        let mount = Mount::new(Kv, &[("version", "1")]);
        for (data, seconds) in [
            (json!({"v": 1}), 2_764_800),
            (json!({"ttl": "1h"}), 3600),
            (json!({"ttl": 90}), 90),
            (json!({"ttl": "x"}), 2_764_800),
            (json!({"lease": "30m"}), 1800),
            (json!({"lease": "30m", "ttl": "5m"}), 300),
            (json!({"ttl": "0s"}), 0),
        ] {
            mount.put("t", data.clone()).expect("put");
            let answer = mount.get("t").expect("get");
            assert_eq!(answer.lease_duration.as_secs(), seconds, "{data}");
        }
    }

    #[test]
    fn nothing_and_folders_cannot_be_written() {
        let mount = Mount::new(Kv, &[]);
        for (path, data, message) in [
            ("a", json!({}), "missing data fields"),
            (
                "a/",
                json!({"a": 1}),
                "cannot write to a path ending in '/'",
            ),
            ("", json!({"a": 1}), "missing path"),
        ] {
            assert_eq!(mount.refusal(Operation::Update, path, data), message);
        }
        assert_eq!(mount.records(), 0);
    }

    #[test]
    fn lists_one_level_and_scans_all() {
        let mount = Mount::new(Kv, &[]);
        for path in ["a", "b", "b/c", "b/d/e"] {
            mount.put(path, json!({"v": 1})).expect("put");
        }
        for path in ["", "b", "b/"] {
            let expected: &[&str] = if path.is_empty() {
                &["a", "b", "b/"]
            } else {
                &["c", "d/"]
            };
            assert_eq!(mount.keys(Operation::List, path, Value::Null), expected);
        }
        assert!(mount.ask(Operation::List, "none", Value::Null).is_err());
        let all = mount.keys(Operation::Scan, "", Value::Null);
        assert_eq!(all, ["a", "b", "b/c", "b/d/e"]);
    }

    #[test]
    fn patch_is_unsupported() {
        let mount = Mount::new(Kv, &[]);
        let refusal = mount.refusal(Operation::Patch, "a", json!({"v": 1}));
        assert!(refusal.contains("unsupported operation"));
    }
}
