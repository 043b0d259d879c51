//! `kv patch`.

use serde_json::{Map, Value, json};

use crate::cli::call::Call;
use crate::cli::client::{Ask, ClientError};
use crate::cli::envelope::Envelope;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::verb::{Arity, FlagKind, MOUNT, SharedFlags, Verb, flag};
use crate::engine::kv::merge_patch;

use super::mount::SecretPath;
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
            FlagKind::Text,
            "patch merges on the server; rw reads, merges here and writes with a check. The \
             default is patch, and rw where the server knows no patch or the token may only read \
             and update.",
        ),
        MOUNT,
        flag(
            "remove-data",
            FlagKind::Texts,
            "A key to remove. May be repeated.",
        ),
    ],
    shared: SharedFlags::Field,
    run,
};

fn run(call: &mut Call) -> Outcome {
    let removed = call.flags.texts("remove-data").to_vec();
    if call.words_from(1).is_empty() && removed.is_empty() {
        return Err(Failure::usage("Must supply data"));
    }
    let mut changes = call.data_from(1)?;
    // A key is taken as typed: cut at a comma or a blank it may name another one.
    changes.extend(removed.into_iter().map(|key| (key, Value::Null)));
    let place = SecretPath::find(call)?;
    if !place.is_v2 {
        let message = "K/V engine mount must be version 2 for patch support";
        return Err(Failure::Local(String::from(message)));
    }
    let path = place.path("data");
    let answer = match call.flags.text("method").unwrap_or_default() {
        "rw" => read_then_write(call, &path, &changes)?,
        "patch" => patch(call, &path, &changes).during(|| writing(&path))?,
        "" => patch_or_rewrite(call, &path, &changes)?,
        other => {
            return Err(Failure::Local(format!(
                "Unsupported method provided to -method flag: {other}"
            )));
        }
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

/// Patches the secret. A token with `read` and `update` but without `patch` gets the same result by
/// reading and writing.
fn patch_or_rewrite(
    call: &mut Call,
    path: &str,
    changes: &Map<String, Value>,
) -> Result<Option<Envelope>, Failure> {
    let status = match patch(call, path, changes) {
        Err(ClientError::Refused(refusal)) if matches!(refusal.status, 403 | 405) => refusal.status,
        other => return other.during(|| writing(path)),
    };
    let answer = read_then_write(call, path, changes)?;
    if status == 403 {
        call.err(&format!(
            "Data was written to {path} but we recommend that you add the \"patch\" capability to \
             your ACL policy in order to use HTTP PATCH in the future."
        ));
    }
    Ok(answer)
}

fn read_then_write(
    call: &mut Call,
    path: &str,
    changes: &Map<String, Value>,
) -> Result<Option<Envelope>, Failure> {
    let current = call.read(&Ask::get(path).unwrapped());
    let current = current.during(|| format!("Error doing pre-read at {path}"))?;
    let current = current.ok_or_else(|| Failure::NotFound(path.to_owned()))?;
    let data = current.data.get("data").and_then(Value::as_object);
    let no_data = || {
        let message = format!("No data found at {path}; patch only works on existing data");
        Failure::Local(message)
    };
    let mut data = data.ok_or_else(no_data)?.clone();
    // The server merges alike, so that the outcome does not depend on a policy.
    merge_patch(&mut data, changes);
    let mut options = options(call);
    // A write in between is not overwritten.
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
