//! `secrets enable|disable|list|move|tune`.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Outcome};
use crate::cli::output::table;
use crate::cli::verb::{Arity, Group, SharedFlags, Verb, VerbNode};

use super::mount_flags as flags;
use super::{mount_path, trimmed};

/// `secrets`.
pub static SECRETS: Group = Group {
    name: "secrets",
    about: "Interact with secrets engines",
    nodes: &[
        VerbNode::Verb(&DISABLE),
        VerbNode::Verb(&ENABLE),
        VerbNode::Verb(&LIST),
        VerbNode::Verb(&MOVE),
        VerbNode::Verb(&TUNE),
    ],
};

static ENABLE: Verb = Verb {
    name: "enable",
    about: "Enable a secrets engine",
    usage: "TYPE",
    arity: Arity::exactly(1),
    flags: &[
        flags::ALLOWED_HEADERS,
        flags::AUDIT_REQUEST,
        flags::AUDIT_RESPONSE,
        flags::DEFAULT_TTL,
        flags::DESCRIPTION,
        flags::NO_CACHE,
        flags::VISIBILITY,
        flags::LOCAL,
        flags::MAX_TTL,
        flags::OPTIONS,
        flags::PASSTHROUGH,
        flags::PATH,
        flags::SEAL_WRAP,
        flags::VERSION,
    ],
    shared: SharedFlags::Http,
    run: enable,
};

static DISABLE: Verb = Verb {
    name: "disable",
    about: "Disable a secrets engine and delete what it holds",
    usage: "PATH",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Http,
    run: disable,
};

static LIST: Verb = Verb {
    name: "list",
    about: "List enabled secrets engines",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[flags::DETAILED],
    shared: SharedFlags::Format,
    run: list,
};

static MOVE: Verb = Verb {
    name: "move",
    about: "Move a secrets engine to a new path; its leases are revoked",
    usage: "SOURCE DESTINATION",
    arity: Arity::exactly(2),
    flags: &[],
    shared: SharedFlags::Http,
    run: |call| remount(call, "", "secrets engine"),
};

static TUNE: Verb = Verb {
    name: "tune",
    about: "Tune a secrets engine configuration",
    usage: "PATH",
    arity: Arity::exactly(1),
    flags: &[
        flags::ALLOWED_HEADERS,
        flags::AUDIT_REQUEST,
        flags::AUDIT_RESPONSE,
        flags::DEFAULT_TTL,
        flags::DESCRIPTION,
        flags::VISIBILITY,
        flags::MAX_TTL,
        flags::OPTIONS,
        flags::PASSTHROUGH,
        flags::VERSION,
    ],
    shared: SharedFlags::Http,
    run: tune,
};

fn enable(call: &mut Call) -> Outcome {
    let kind = call.word(0).trim().to_owned();
    let path = trimmed(call.flags.text("path").unwrap_or(&kind));
    let body = flags::enabling(call, &kind);
    let reply = call.send(&Ask::post(&format!("sys/mounts/{path}"), body));
    reply.during(|| String::from("Error enabling"))?;
    call.succeed(&format!("Enabled the {kind} secrets engine at: {path}/"))
}

fn disable(call: &mut Call) -> Outcome {
    let path = mount_path(call.word(0));
    let reply = call.send(&Ask::delete(&format!("sys/mounts/{path}")));
    reply.during(|| format!("Error disabling secrets engine at {path}"))?;
    call.succeed(&format!(
        "Disabled the secrets engine (if it existed) at: {path}"
    ))
}

fn tune(call: &mut Call) -> Outcome {
    let path = mount_path(call.word(0));
    let body = flags::tuning(call);
    let reply = call.send(&Ask::post(&format!("sys/mounts/{path}tune"), body));
    reply.during(|| format!("Error tuning secrets engine {path}"))?;
    call.succeed(&format!("Tuned the secrets engine at: {path}"))
}

/// Moves a mount; `prefix` is `auth/` for auth methods.
pub fn remount(call: &mut Call, prefix: &str, what: &str) -> Outcome {
    let (from, to) = (mount_path(call.word(0)), mount_path(call.word(1)));
    let body = json!({"from": format!("{prefix}{from}"), "to": format!("{prefix}{to}")});
    let during = || format!("Error moving {what} {from} to {to}");
    let answer = call.write(&Ask::post("sys/remount", body)).during(during)?;
    let id = answer
        .as_ref()
        .and_then(|answer| answer.field("migration_id"));
    let Some(Value::String(id)) = id else {
        return call.succeed(&format!("Moved {what} {from} to: {to}"));
    };
    let and_id = format!("moving {what} {from} to {to}, with migration ID {id}");
    call.out(&format!("Started {and_id}"));
    loop {
        let ask = Ask::get(&format!("sys/remount/status/{id}"));
        let status = call.read(&ask).during(during)?;
        let info = status
            .as_ref()
            .and_then(|status| status.field("migration_info"));
        match info.as_ref().and_then(|info| info.get("status")?.as_str()) {
            Some("in-progress") => std::thread::sleep(std::time::Duration::from_millis(500)),
            Some("failure") => {
                call.err(&format!("Failure! Error encountered {and_id}"));
                return Ok(0);
            }
            _ => return call.succeed(&format!("Finished {and_id}")),
        }
    }
}

fn list(call: &mut Call) -> Outcome {
    let mounts = flags::fetch(call, "sys/mounts");
    let mounts = mounts.during(|| String::from("Error listing secrets engines"))?;
    if !call.is_table() {
        return call.print_value(&Value::Object(mounts), &flags::MOUNTS);
    }
    let text = match call.flags.switch("detailed") {
        false => {
            let row = |(path, mount): (&String, &Value)| {
                let names = ["type", "accessor", "description"];
                let cells = names.iter().map(|name| flags::text(mount, name));
                std::iter::once(path.clone()).chain(cells).collect()
            };
            let rows = mounts.iter().map(row).collect();
            table(&["Path", "Type", "Accessor", "Description"], rows, "    ")
        }
        true => {
            let rows = mounts.iter().map(|(path, mount)| detailed(path, mount));
            table(&DETAILED_HEADS, rows.collect(), "    ")
        }
    };
    call.out(&text);
    Ok(0)
}

const DETAILED_HEADS: [&str; 16] = [
    "Path",
    "Plugin",
    "Accessor",
    "Default TTL",
    "Max TTL",
    "Force No Cache",
    "Replication",
    "Seal Wrap",
    "External Entropy Access",
    "Options",
    "Description",
    "UUID",
    "Version",
    "Running Version",
    "Running SHA256",
    "Deprecation Status",
];

fn detailed(path: &str, mount: &Value) -> Vec<String> {
    let config = mount.get("config").unwrap_or(&Value::Null);
    let mut row = vec![
        path.to_owned(),
        flags::text(mount, "type"),
        flags::text(mount, "accessor"),
        flags::lifetime(mount, "default_lease_ttl"),
        flags::lifetime(mount, "max_lease_ttl"),
        flags::text(config, "force_no_cache"),
        flags::replication(mount),
        flags::text(mount, "seal_wrap"),
        flags::text(mount, "external_entropy_access"),
        flags::options_cell(mount),
        flags::text(mount, "description"),
    ];
    row.extend(flags::tail(mount));
    row
}
