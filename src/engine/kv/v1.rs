//! kv v1: one value under one path, overwritten in place.

use super::list::{folder, scan as scan_below};
use super::record;
use crate::barrier::View;
use crate::clock::parse_duration;
use crate::engine::table::{Endpoint, Field, Matched, Op, Row, Table};
use crate::engine::{Error, Existing, Operation, Outcome, Request, Response};
use serde_json::{Map, Value};
use std::time::Duration;

type Handler = fn(&Matched<'_>) -> Result<Outcome, Error>;

/// The endpoints of version 1: one, for any path.
pub(super) static TABLE: Table<Handler> = Table::new(
    "Keeps secrets under paths, one value under each, encrypted.",
    &[ROWS],
);

const ROWS: &[Row<Handler>] = &[Row {
    endpoint: Endpoint {
        pattern: "*path",
        fields: &[Field::path("path", "Location of the secret.")],
        creates: true,
        takes_anything: true,
        summary: "Keeps any data under any path.",
        about: "A \"ttl\" in the data is told to readers as the lease duration: a hint when \
                    to read again. Nothing expires by it.",
        ..Endpoint::USUAL
    },
    operations: &[
        (Op::READ, read),
        (Op::WRITE, write),
        (Op::DELETE, delete),
        (Op::LIST, list),
        (Op::SCAN, scan),
    ],
}];

pub(super) fn existing(request: &Request, view: &View) -> Result<Existing, Error> {
    TABLE.existing(request, view, |_| match is_leaf(&request.path) {
        true => Ok(Existing::Slot(view.read(&location(&request.path))?)),
        false => Ok(Existing::Nothing),
    })
}

fn is_leaf(path: &str) -> bool {
    !path.is_empty() && !path.ends_with('/')
}

fn list(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let folder = folder(&location(&matched.request.path));
    let keys = matched.view.list(&folder)?;
    match keys.is_empty() {
        true => Err(Error::not_found()),
        false => Ok(Response::list(keys).into()),
    }
}

fn scan(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let folder = folder(&location(&matched.request.path));
    let keys = scan_below(matched.view, &folder)?;
    Ok(match keys.is_empty() {
        true => Response::data(Map::new()),
        false => Response::list(keys),
    }
    .into())
}

/// Returns the place of the secret `path`.
pub(super) fn location(path: &str) -> String {
    format!("s/{path}")
}

fn write(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (request, view) = (matched.request, matched.view);
    if request.path.is_empty() {
        return Err(Error::invalid("missing path"));
    }
    if request.data.is_empty() {
        return Err(Error::invalid("missing data fields"));
    }
    let mut outcome = Outcome::default();
    let slot = request.slot(view, &location(&request.path))?;
    let value = record::encode(Some(&request.data))?;
    match request.operation {
        Operation::Create => outcome.batch.replace(&slot, value),
        // The value before does not matter: two who update it need not take turns.
        _ => outcome.batch.overwrite_blindly(&slot, value),
    }
    Ok(outcome)
}

fn read(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (request, view) = (matched.request, matched.view);
    if !is_leaf(&request.path) {
        return Err(Error::not_found());
    }
    let data: Map<String, Value> =
        record::get(view, &location(&request.path))?.ok_or_else(Error::not_found)?;
    let mut response = Response {
        lease_duration: lease_duration(&data).unwrap_or(request.mount.default_lease_ttl),
        ..Response::default()
    };
    response.data = Some(data);
    Ok(response.into())
}

/// Returns the duration that the writer gave in `ttl` or `lease`: a hint for readers, nothing
/// expires by it.
fn lease_duration(data: &Map<String, Value>) -> Option<Duration> {
    let hint = data.get("ttl").or_else(|| data.get("lease"))?;
    match hint {
        Value::String(text) => parse_duration(text),
        Value::Number(number) => Some(Duration::from_secs(number.as_u64()?)),
        _ => None,
    }
}

fn delete(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let path = &matched.request.path;
    if is_leaf(path) {
        matched.view.delete(&mut outcome.batch, &location(path));
    }
    Ok(outcome)
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
