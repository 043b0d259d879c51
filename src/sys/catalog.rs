//! `sys/plugins/catalog`: what this build can mount. Nothing can be added to it.

use super::mounts::{AUTH_KINDS, SECRET_KINDS};
use super::system::expect;
use crate::engine::{Error, Operation, Outcome, Request, Response};
use serde_json::{Map, Value, json};

const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"), "+builtin");

pub(super) fn handle(request: &Request, rest: &str) -> Result<Outcome, Error> {
    let Some(rest) = rest.strip_prefix("catalog") else {
        return Err(Error::unsupported_path());
    };
    let rest = rest.trim_start_matches('/');
    let (class, name) = rest.split_once('/').unwrap_or((rest, ""));
    let kinds = match class {
        "" => return everything(request),
        "secret" => SECRET_KINDS,
        "auth" => AUTH_KINDS,
        "database" => &[],
        _ => return Err(Error::unsupported_path()),
    };
    if name.is_empty() {
        expect(request, Operation::List)?;
        return match kinds {
            [] => Err(Error::not_found()),
            kinds => Ok(Response::list(kinds.iter().map(ToString::to_string).collect()).into()),
        };
    }
    expect(request, Operation::Read)?;
    if !kinds.contains(&name) {
        return Err(Error::not_found());
    }
    let row = json!({
        "name": name, "builtin": true, "version": VERSION, "deprecation_status": "supported",
        "args": Value::Null, "command": "", "sha256": "",
    });
    match row {
        Value::Object(row) => Ok(Response::data(row).into()),
        _ => Err(Error::not_found()),
    }
}

fn everything(request: &Request) -> Result<Outcome, Error> {
    expect(request, Operation::Read)?;
    let rows = |kinds: &[&str], class: &str| -> Vec<Value> {
        let row = |kind: &&str| {
            json!({
                "name": kind, "type": class, "builtin": true, "version": VERSION,
                "deprecation_status": "supported",
            })
        };
        kinds.iter().map(row).collect()
    };
    let mut detailed = rows(AUTH_KINDS, "auth");
    detailed.extend(rows(SECRET_KINDS, "secret"));
    let mut data = Map::new();
    data.insert("auth".into(), json!(AUTH_KINDS));
    data.insert("database".into(), json!([]));
    data.insert("secret".into(), json!(SECRET_KINDS));
    data.insert("detailed".into(), json!(detailed));
    Ok(Response::data(data).into())
}
