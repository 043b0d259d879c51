//! kv v1: one value under one path, overwritten in place.

use super::{list, record};
use crate::barrier::View;
use crate::clock::parse_duration;
use crate::engine::{Error, Operation, Outcome, Request, Response};
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

fn location(path: &str) -> String {
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
