//! `kv metadata get|put|patch|delete`.

use serde_json::{Map, Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::envelope::Envelope;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{header_for_map, map_rows, pairs};
use crate::cli::verb::{Arity, Flag, FlagKind, Group, MOUNT, SharedFlags, Verb, VerbNode, flag};
use crate::clock::format_duration;

use super::get::print_path;
use super::mount::SecretPath;

const MAX_VERSIONS: Flag = flag(
    "max-versions",
    FlagKind::Number,
    "How many versions to keep; 0 is as many as the mount says.",
);
const CAS_REQUIRED: Flag = flag(
    "cas-required",
    FlagKind::Switch,
    "Refuse writes without -cas.",
);
const DELETE_AFTER: Flag = flag(
    "delete-version-after",
    FlagKind::Time,
    "Delete each version so long after it was written.",
);
const CUSTOM: Flag = flag(
    "custom-metadata",
    FlagKind::Pairs,
    "A key=value of your own, readable without the secret. May be repeated.",
);

/// `kv metadata`.
pub static METADATA: Group = Group {
    name: "metadata",
    about: "Interact with what the KV store knows about a secret",
    nodes: &[
        VerbNode::Verb(&DELETE),
        VerbNode::Verb(&GET),
        VerbNode::Verb(&PATCH),
        VerbNode::Verb(&PUT),
    ],
};

static GET: Verb = Verb {
    name: "get",
    about: "Retrieves key metadata from the KV store",
    usage: "KEY",
    arity: Arity::exactly(1),
    flags: &[MOUNT],
    shared: SharedFlags::Format,
    run: get,
};

static PUT: Verb = Verb {
    name: "put",
    about: "Sets or updates key settings in the KV store",
    usage: "KEY",
    arity: Arity::exactly(1),
    flags: &[CAS_REQUIRED, CUSTOM, DELETE_AFTER, MAX_VERSIONS, MOUNT],
    shared: SharedFlags::Format,
    run: |call| write(call, Ask::put),
};

static PATCH: Verb = Verb {
    name: "patch",
    about: "Patches key settings in the KV store",
    usage: "KEY",
    arity: Arity::exactly(1),
    flags: &[
        CAS_REQUIRED,
        CUSTOM,
        DELETE_AFTER,
        MAX_VERSIONS,
        MOUNT,
        flag(
            "remove-custom-metadata",
            FlagKind::Texts,
            "A key of your own to remove. May be repeated.",
        ),
    ],
    shared: SharedFlags::Format,
    run: |call| write(call, Ask::patch),
};

static DELETE: Verb = Verb {
    name: "delete",
    about: "Deletes all versions and metadata for a key in the KV store",
    usage: "KEY",
    arity: Arity::exactly(1),
    flags: &[MOUNT],
    shared: SharedFlags::Format,
    run: delete,
};

fn find(call: &mut Call) -> Result<String, Failure> {
    let place = SecretPath::find(call)?;
    match place.is_v2 {
        true => Ok(place.path("metadata")),
        false => Err(Failure::usage("Metadata not supported on KV Version 1")),
    }
}

fn get(call: &mut Call) -> Outcome {
    let path = find(call)?;
    let answer = call.read(&Ask::get(&path));
    let answer = answer.during(|| format!("Error reading {path}"))?;
    let Some(secret) = answer else {
        return Err(Failure::NotFound(path));
    };
    if !call.is_table() || secret.wrap_info.is_some() {
        return call.print_secret(&secret);
    }
    call.warn(&secret.warnings);
    print_path(call, "Metadata Path", &path);
    call.out(&sections(&secret).join("\n\n"));
    Ok(0)
}

/// Returns the metadata and each version, each as a heading and a table.
fn sections(secret: &Envelope) -> Vec<String> {
    let mut metadata = secret.fields().cloned().unwrap_or_default();
    let versions = metadata.remove("versions");
    let section = |heading: &str, map: &Map<String, Value>| {
        format!("{}\n{}", header_for_map(heading, map), pairs(map_rows(map)))
    };
    let mut sections = vec![section("Metadata", &metadata)];
    let versions = versions.as_ref().and_then(Value::as_object);
    let mut versions: Vec<_> = versions.into_iter().flatten().collect();
    versions.sort_by_key(|(number, _)| number.parse::<u64>().unwrap_or(0));
    for (number, version) in versions {
        if let Some(version) = version.as_object() {
            sections.push(section(&format!("Version {number}"), version));
        }
    }
    sections
}

fn write(call: &mut Call, ask: fn(&str, Value) -> Ask) -> Outcome {
    let mut body = Map::new();
    if let Some(max) = call.flags.number("max-versions").filter(|max| *max >= 0) {
        body.insert(String::from("max_versions"), json!(max));
    }
    if let Some(required) = call.flags.choice("cas-required") {
        body.insert(String::from("cas_required"), json!(required));
    }
    if let Some(after) = call.flags.time("delete-version-after") {
        let after = format_duration(after);
        body.insert(String::from("delete_version_after"), json!(after));
    }
    let mut custom: Map<String, Value> = Map::new();
    for (key, value) in call.flags.pairs("custom-metadata") {
        custom.insert(key.to_owned(), json!(value));
    }
    for key in call.flags.texts("remove-custom-metadata") {
        custom.insert(key.clone(), Value::Null);
    }
    if !custom.is_empty() {
        body.insert(String::from("custom_metadata"), Value::Object(custom));
    }
    let path = find(call)?;
    let answer = call.write(&ask(&path, Value::Object(body)));
    let answer = answer.during(|| format!("Error writing data to {path}"))?;
    call.print_written(answer.as_ref(), &path)
}

fn delete(call: &mut Call) -> Outcome {
    let path = find(call)?;
    let answer = call.write(&Ask::delete(&path));
    match answer.during(|| format!("Error deleting {path}"))? {
        Some(secret) => call.print_secret(&secret),
        None => call.succeed(&format!("Data deleted (if it existed) at: {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_in_the_order_of_their_numbers() {
        let answer = json!({"data": {"current_version": 10, "versions": {
            "10": {"destroyed": false}, "9": {"destroyed": true}}}});
        let sections = sections(&Envelope::read(&answer).expect("an answer"));
        let expected = "\
======= Metadata =======
Key                Value
---                -----
current_version    10

==== Version 9 ====
Key          Value
---          -----
destroyed    true

=== Version 10 ===
Key          Value
---          -----
destroyed    false";
        assert_eq!(sections.join("\n\n"), expected);
    }
}
