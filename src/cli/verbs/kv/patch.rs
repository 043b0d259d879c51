//! `kv patch`.

use serde_json::{Map, Value, json};

use crate::cli::call::Call;
use crate::cli::client::{Ask, ClientError};
use crate::cli::envelope::Envelope;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::verb::{Arity, Kind, MOUNT, Shared, Verb, flag};

use super::mount::Place;
use super::put::{CAS, options, print};

/// `kv patch`.
pub static PATCH: Verb = Verb {
    name: "patch",
    about: "Sets or updates data in the KV store without overwriting",
    usage: "KEY [K=V... | K=@FILE | K=- | @FILE | -]",
    arity: Arity::at_least(1),
    flags: &[
        CAS,
        flag(
            "method",
            Kind::Text,
            "patch merges on the server; rw reads, merges here and writes with a check. The \
             default is patch, and rw where the server knows no patch.",
        ),
        MOUNT,
        flag(
            "remove-data",
            Kind::Texts,
            "A key to remove. May be repeated.",
        ),
    ],
    shared: Shared::Field,
    run,
};

fn run(call: &mut Call) -> Outcome {
    let removed = call.flags.texts("remove-data").to_vec();
    if call.words_from(1).is_empty() && removed.is_empty() {
        return Err(Failure::usage("Must supply data"));
    }
    let mut changes = call.data_from(1)?;
    for list in &removed {
        changes.extend(
            list.split(',')
                .map(|key| (key.trim().to_owned(), Value::Null)),
        );
    }
    let place = Place::find(call)?;
    if !place.is_v2 {
        let message = "K/V engine mount must be version 2 for patch support";
        return Err(Failure::Local(String::from(message)));
    }
    let path = place.path("data");
    let answer = match call.flags.text("method").unwrap_or_default() {
        "rw" => read_then_write(call, &path, changes)?,
        "patch" => patch(call, &path, &changes).during(|| writing(&path))?,
        "" => match patch(call, &path, &changes) {
            Err(ClientError::Refused(refusal)) if refusal.status == 405 => {
                read_then_write(call, &path, changes)?
            }
            other => other.during(|| writing(&path))?,
        },
        other => return Err(Failure::usage(format!("Unsupported method {other:?}"))),
    };
    print(call, answer.as_ref(), &place, &path)
}

fn writing(path: &str) -> String {
    format!("Error writing data to {path}")
}

fn patch(
    call: &mut Call,
    path: &str,
    changes: &Map<String, Value>,
) -> Result<Option<Envelope>, ClientError> {
    let body = json!({"data": changes, "options": options(call)});
    call.write(&Ask::patch(path, body))
}

fn read_then_write(
    call: &mut Call,
    path: &str,
    changes: Map<String, Value>,
) -> Result<Option<Envelope>, Failure> {
    let current = call.read(&Ask::get(path).unwrapped());
    let current = current.during(|| format!("Error doing pre-read at {path}"))?;
    let current = current.ok_or_else(|| Failure::NotFound(path.to_owned()))?;
    let data = current.data.get("data").and_then(Value::as_object);
    let mut data = data
        .ok_or_else(|| Failure::NotFound(path.to_owned()))?
        .clone();
    for (key, value) in changes {
        match value {
            Value::Null => data.remove(&key),
            value => data.insert(key, value),
        };
    }
    let mut options = options(call);
    // Whoever wrote in between is not overwritten.
    let version = current
        .data
        .get("metadata")
        .and_then(|metadata| metadata.get("version"));
    options
        .entry("cas")
        .or_insert(version.cloned().unwrap_or_default());
    let body = json!({"data": data, "options": options});
    call.write(&Ask::put(path, body)).during(|| writing(path))
}
