//! `kv delete`, `kv undelete`, `kv destroy`.

use serde_json::json;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::verb::{Arity, Flag, FlagKind, MOUNT, SharedFlags, Verb, flag};

use super::mount::SecretPath;

const VERSIONS: Flag = flag(
    "versions",
    FlagKind::Texts,
    "Version numbers, with commas between them. May be repeated.",
);

/// `kv delete`.
pub static DELETE: Verb = Verb {
    name: "delete",
    about: "Deletes versions in the KV store: the latest, or those named",
    usage: "KEY",
    arity: Arity::exactly(1),
    flags: &[MOUNT, VERSIONS],
    shared: SharedFlags::Field,
    run: delete,
};

/// `kv undelete`.
pub static UNDELETE: Verb = Verb {
    name: "undelete",
    about: "Undeletes versions in the KV store",
    usage: "KEY",
    arity: Arity::exactly(1),
    flags: &[MOUNT, VERSIONS],
    shared: SharedFlags::Field,
    run: |call| on_versions(call, "undelete", "Undelete"),
};

/// `kv destroy`.
pub static DESTROY: Verb = Verb {
    name: "destroy",
    about: "Permanently removes one or more versions in the KV store",
    usage: "KEY",
    arity: Arity::exactly(1),
    flags: &[MOUNT, VERSIONS],
    shared: SharedFlags::Field,
    run: |call| on_versions(call, "destroy", "Destroy"),
};

fn versions(call: &Call) -> Vec<String> {
    let lists = call.flags.texts("versions").iter();
    let versions = lists.flat_map(|list| list.split(',')).map(str::trim);
    versions
        .filter(|version| !version.is_empty())
        .map(str::to_owned)
        .collect()
}

fn delete(call: &mut Call) -> Outcome {
    let versions = versions(call);
    let place = SecretPath::find(call)?;
    let path = place.path("data");
    let ask = match versions.is_empty() || !place.is_v2 {
        true => Ask::delete(&path),
        false => Ask::put(&place.path("delete"), json!({"versions": versions})),
    };
    match call
        .write(&ask)
        .during(|| format!("Error deleting {path}"))?
    {
        Some(secret) => call.print_secret(&secret),
        None => call.succeed(&format!("Data deleted (if it existed) at: {path}")),
    }
}

fn on_versions(call: &mut Call, kind: &str, title: &str) -> Outcome {
    let versions = versions(call);
    if versions.is_empty() {
        return Err(Failure::usage(format!(
            "No versions provided, use the \"-versions\" flag to specify the version to {kind}."
        )));
    }
    let place = SecretPath::find(call)?;
    if !place.is_v2 {
        return Err(Failure::usage(format!(
            "{title} not supported on KV Version 1"
        )));
    }
    let path = place.path(kind);
    let answer = call.write(&Ask::put(&path, json!({"versions": versions})));
    let answer = answer.during(|| format!("Error writing data to {path}"))?;
    call.print_written(answer.as_ref(), &path)
}
