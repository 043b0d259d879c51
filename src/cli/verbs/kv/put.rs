//! `kv put`.

use serde_json::{Map, Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::envelope::Envelope;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{header_for_map, map_rows, pairs};
use crate::cli::verb::{Arity, Flag, FlagKind, MOUNT, SharedFlags, Verb, flag};

use super::get::print_path;
use super::mount::SecretPath;

/// The check-and-set flag.
pub const CAS: Flag = flag(
    "cas",
    FlagKind::Number,
    "Write only when the current version is this one; 0 is only when there is none.",
);

/// `kv put`.
pub static PUT: Verb = Verb {
    name: "put",
    about: "Sets or updates data in the KV store",
    usage: "KEY [K=V... | K=@FILE | K=- | @FILE | -]",
    arity: Arity::at_least(1),
    flags: &[CAS, MOUNT],
    shared: SharedFlags::Field,
    run,
};

fn run(call: &mut Call) -> Outcome {
    if call.words_from(1).is_empty() {
        return Err(Failure::usage("Must supply data"));
    }
    let data = Value::Object(call.data_from(1)?);
    let place = SecretPath::find(call)?;
    let path = place.path("data");
    let body = match place.is_v2 {
        true => json!({"data": data, "options": options(call)}),
        false => data,
    };
    let answer = call.write(&Ask::put(&path, body));
    let answer = answer.during(|| format!("Error writing data to {path}"))?;
    print(call, answer.as_ref(), &place, &path)
}

/// Returns the options of a write.
pub fn options(call: &Call) -> Map<String, Value> {
    let cas = call.flags.number("cas").filter(|cas| *cas >= 0);
    cas.map(|cas| (String::from("cas"), Value::from(cas)))
        .into_iter()
        .collect()
}

/// Prints the answer to a write of a version.
pub fn print(call: &Call, answer: Option<&Envelope>, place: &SecretPath, path: &str) -> Outcome {
    let Some(secret) = answer else {
        return call.succeed(&format!("Data written to: {path}"));
    };
    let plain = !call.is_table() || call.flags.given("field") || secret.wrap_info.is_some();
    let Some(metadata) = secret.fields().filter(|_| place.is_v2 && !plain) else {
        return call.print_secret(secret);
    };
    call.warn(&secret.warnings);
    print_path(call, "Secret Path", path);
    call.out(&header_for_map("Metadata", metadata));
    call.out(&pairs(map_rows(metadata)));
    Ok(0)
}
