//! `kv get`, `kv list`.

use serde_json::Value;

use crate::cli::call::{Call, no_field};
use crate::cli::client::Ask;
use crate::cli::envelope::Envelope;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{header_for_map, map_rows, pad_equal_signs, pairs};
use crate::cli::verb::{Arity, FlagKind, MOUNT, SharedFlags, Verb, flag};

use super::super::logical::print_keys;
use super::mount::SecretPath;

/// `kv get`.
pub static GET: Verb = Verb {
    name: "get",
    about: "Retrieves data from the KV store",
    usage: "KEY",
    arity: Arity::exactly(1),
    flags: &[
        MOUNT,
        flag(
            "version",
            FlagKind::Number,
            "The version to get; the latest unless given.",
        ),
    ],
    shared: SharedFlags::Field,
    run: get,
};

/// `kv list`.
pub static LIST: Verb = Verb {
    name: "list",
    about: "List data or secrets",
    usage: "PATH",
    arity: Arity::between(0, 1),
    flags: &[MOUNT],
    shared: SharedFlags::Format,
    run: list,
};

fn get(call: &mut Call) -> Outcome {
    let place = SecretPath::find(call)?;
    let path = place.path("data");
    let mut ask = Ask::get(&path);
    if let Some(version) = call.flags.number("version").filter(|_| place.is_v2) {
        ask = ask.with_query("version", &version.to_string());
    }
    let answer = call.read(&ask).during(|| format!("Error reading {path}"))?;
    let Some(secret) = answer else {
        return Err(Failure::NotFound(path));
    };
    if call.flags.given("field") {
        return print_one(call, &secret, &place, &path);
    }
    if secret.wrap_info.is_some() || !call.is_table() {
        return call.print_secret(&secret);
    }
    call.warn(&secret.warnings);
    print(call, &secret, &place, &path);
    Ok(0)
}

fn print_one(call: &Call, secret: &Envelope, place: &SecretPath, path: &str) -> Outcome {
    if !place.is_v2 || secret.wrap_info.is_some() {
        return call.print_secret(secret);
    }
    let name = call.flags.text("field").unwrap_or_default();
    let data = secret.data.get("data").filter(|data| !data.is_null());
    let data = data.ok_or_else(|| Failure::Local(format!("No data found at {path}")))?;
    let value = data
        .get(name)
        .or(if name == "data" { Some(data) } else { None });
    call.print_field(value.ok_or_else(|| no_field(name))?)
}

fn print(call: &Call, secret: &Envelope, place: &SecretPath, path: &str) {
    if place.is_v2 {
        print_path(call, "Secret Path", path);
    }
    if let Some(Value::Object(metadata)) = secret.data.get("metadata").filter(|_| place.is_v2) {
        call.out(&header_for_map("Metadata", metadata));
        call.out(&pairs(map_rows(metadata)));
        call.out("");
    }
    let data = match place.is_v2 {
        true => secret.data.get("data"),
        false => Some(&secret.data),
    };
    if let Some(Value::Object(data)) = data {
        call.out(&header_for_map("Data", data));
        call.out(&pairs(map_rows(data)));
    }
}

/// Prints a path under a heading.
pub fn print_path(call: &Call, heading: &str, path: &str) {
    call.out(&pad_equal_signs(heading, path.len()));
    call.out(&format!("{path}\n"));
}

fn list(call: &mut Call) -> Outcome {
    if call.words_from(0).is_empty() && !call.flags.given("mount") {
        return Err(Failure::usage("Not enough arguments (expected 1, got 0)"));
    }
    let place = SecretPath::find(call)?;
    let path = place.path("metadata");
    let answer = call.read(&Ask::list(&path));
    let answer = answer.during(|| format!("Error listing {path}"))?;
    print_keys(call, answer.as_ref(), &path)
}
