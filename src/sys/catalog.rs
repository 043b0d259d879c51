//! `sys/plugins/catalog`: what this build can mount. Nothing can be added to it.

use super::mounts::{AUTH_KINDS, SECRET_KINDS};
use super::table::Run;
use crate::engine::table::{Access, Endpoint, Field, Matched, Op, Row};
use crate::engine::{Error, Outcome, Response};
use serde_json::{Map, Value, json};

const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"), "+builtin");

const TYPE: Field = Field::path("type", "auth, secret or database.");

/// What can be mounted.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "plugins/catalog",
            summary: "Shows what can be mounted.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(|_, _| everything()))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "plugins/catalog/:type",
            access: Access::Sudo,
            fields: &[TYPE],
            summary: "Lists what can be mounted of a type.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::LIST, Run::Answer(|_, matched| list(matched)))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "plugins/catalog/:type/:name",
            access: Access::Sudo,
            fields: &[TYPE, Field::path("name", "The engine or method.")],
            summary: "Shows one of them.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(|_, matched| read(matched)))],
    },
];

fn kinds(matched: &Matched<'_>) -> Result<&'static [&'static str], Error> {
    match matched.captured("type") {
        "secret" => Ok(SECRET_KINDS),
        "auth" => Ok(AUTH_KINDS),
        "database" => Ok(&[]),
        _ => Err(Error::unsupported_path()),
    }
}

fn list(matched: &Matched<'_>) -> Result<Outcome, Error> {
    match kinds(matched)? {
        [] => Err(Error::not_found()),
        kinds => Ok(Response::list(kinds.iter().map(ToString::to_string).collect()).into()),
    }
}

fn read(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured("name");
    if !kinds(matched)?.contains(&name) {
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

fn everything() -> Result<Outcome, Error> {
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
