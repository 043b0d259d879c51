//! `kv rollback`.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::envelope::Envelope;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::verb::{Arity, FlagKind, MOUNT, SharedFlags, Verb, flag};

use super::mount::SecretPath;

/// `kv rollback`.
pub static ROLLBACK: Verb = Verb {
    name: "rollback",
    about: "Rolls back to a previous version of data, by writing it as a new version",
    usage: "KEY",
    arity: Arity::exactly(1),
    flags: &[
        MOUNT,
        flag("version", FlagKind::Number, "The version to write again."),
    ],
    shared: SharedFlags::Format,
    run,
};

fn run(call: &mut Call) -> Outcome {
    let Some(version) = call.flags.number("version") else {
        return Err(Failure::usage("Version flag must be specified"));
    };
    if version <= 0 {
        return Err(Failure::usage(format!(
            "Invalid value {version:?} for the version flag"
        )));
    }
    let place = SecretPath::find(call)?;
    if !place.is_v2 {
        let message = "K/V engine mount must be version 2 for rollback support";
        return Err(Failure::Local(String::from(message)));
    }
    let path = place.path("data");
    let current = fetch(call, Ask::get(&path), &path)?;
    let current = current
        .data
        .get("metadata")
        .and_then(|metadata| metadata.get("version"));
    let current = current.cloned().ok_or(Failure::Answer("version"))?;
    let ask = Ask::get(&path).with_query("version", &version.to_string());
    let wanted = fetch(call, ask, &path)?;
    let data = wanted.data.get("data").filter(|data| !data.is_null());
    let Some(data) = data else {
        let destroyed = wanted
            .data
            .get("metadata")
            .and_then(|metadata| metadata.get("destroyed"));
        let fate = match destroyed {
            Some(Value::Bool(true)) => "destroyed",
            _ => "deleted",
        };
        let message = format!("Cannot roll back to a version that has been {fate}");
        return Err(Failure::Local(message));
    };
    let body = json!({"data": data, "options": {"cas": current}});
    let answer = call.write(&Ask::put(&path, body));
    let answer = answer.during(|| format!("Error writing data to {path}"))?;
    call.print_written(answer.as_ref(), &path)
}

fn fetch(call: &mut Call, ask: Ask, path: &str) -> Result<Envelope, Failure> {
    let answer = call.read(&ask.unwrapped());
    let answer = answer.during(|| format!("Error doing pre-read at {path}"))?;
    answer.ok_or_else(|| Failure::NotFound(path.to_owned()))
}
