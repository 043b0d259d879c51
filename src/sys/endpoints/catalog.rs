//! `sys/plugins/catalog`: what this build can mount. Nothing can be added to it.

use super::run::Run;
use super::system::System;
use crate::engine::table::{Access, Endpoint, Field, Matched, Op, Row};
use crate::engine::{Error, Outcome, Response};
use crate::mount::Class;
use serde_json::{Map, Value, json};

const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"), "+builtin");

const TYPE: Field = Field::path("type", "auth, secret or database.");

/// The catalog of the kinds that can be mounted.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "plugins/catalog",
            summary: "Shows what can be mounted.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(|system, _| everything(system)))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "plugins/catalog/:type",
            access: Access::Sudo,
            fields: &[TYPE],
            summary: "Lists what can be mounted of a type.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::LIST, Run::Answer(list))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "plugins/catalog/:type/:name",
            access: Access::Sudo,
            fields: &[TYPE, Field::path("name", "The engine or method.")],
            summary: "Shows one of them.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(read))],
    },
];

fn names(system: &System, matched: &Matched<'_>) -> Result<Vec<&'static str>, Error> {
    match matched.captured("type") {
        "secret" => Ok(system.kinds.mountable(Class::Secret)),
        "auth" => Ok(system.kinds.mountable(Class::Auth)),
        "database" => Ok(Vec::new()),
        _ => Err(Error::unsupported_path()),
    }
}

fn list(system: &System, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let names = names(system, matched)?;
    match names.is_empty() {
        true => Err(Error::not_found()),
        false => Ok(Response::list(names.into_iter().map(str::to_owned).collect()).into()),
    }
}

fn read(system: &System, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured("name");
    if !names(system, matched)?.contains(&name) {
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

fn everything(system: &System) -> Result<Outcome, Error> {
    let rows = |names: &[&str], class: &str| -> Vec<Value> {
        let row = |name: &&str| {
            json!({
                "name": name, "type": class, "builtin": true, "version": VERSION,
                "deprecation_status": "supported",
            })
        };
        names.iter().map(row).collect()
    };
    let auth = system.kinds.mountable(Class::Auth);
    let secret = system.kinds.mountable(Class::Secret);
    let mut detailed = rows(&auth, "auth");
    detailed.extend(rows(&secret, "secret"));
    let mut data = Map::new();
    data.insert("auth".into(), json!(auth));
    data.insert("database".into(), json!([]));
    data.insert("secret".into(), json!(secret));
    data.insert("detailed".into(), json!(detailed));
    Ok(Response::data(data).into())
}
