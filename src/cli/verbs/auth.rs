//! `auth enable|disable|list|help|move|tune`.

use serde_json::Value;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::table;
use crate::cli::verb::{Arity, Group, SharedFlags, Verb, VerbNode};

use super::login;
use super::mount_flags as flags;
use super::secrets::remount;
use super::{mount_path, trimmed};

/// `auth`.
pub static AUTH: Group = Group {
    name: "auth",
    about: "Interact with auth methods",
    nodes: &[
        VerbNode::Verb(&DISABLE),
        VerbNode::Verb(&ENABLE),
        VerbNode::Verb(&HELP),
        VerbNode::Verb(&LIST),
        VerbNode::Verb(&MOVE),
        VerbNode::Verb(&TUNE),
    ],
};

static ENABLE: Verb = Verb {
    name: "enable",
    about: "Enables a new auth method",
    usage: "TYPE",
    arity: Arity::exactly(1),
    flags: &[
        flags::ALLOWED_HEADERS,
        flags::AUDIT_REQUEST,
        flags::AUDIT_RESPONSE,
        flags::DEFAULT_TTL,
        flags::DESCRIPTION,
        flags::VISIBILITY,
        flags::LOCAL,
        flags::MAX_TTL,
        flags::OPTIONS,
        flags::PASSTHROUGH,
        flags::PATH,
        flags::SEAL_WRAP,
        flags::TOKEN_TYPE,
        flags::VERSION,
    ],
    shared: SharedFlags::Http,
    run: enable,
};

static DISABLE: Verb = Verb {
    name: "disable",
    about: "Disables an auth method and revokes its tokens",
    usage: "PATH",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Http,
    run: disable,
};

static HELP: Verb = Verb {
    name: "help",
    about: "Prints usage for an auth method",
    usage: "TYPE | PATH",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Http,
    run: help,
};

static LIST: Verb = Verb {
    name: "list",
    about: "Lists enabled auth methods",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[flags::DETAILED],
    shared: SharedFlags::Format,
    run: list,
};

static MOVE: Verb = Verb {
    name: "move",
    about: "Move an auth method to a new path; its tokens are revoked",
    usage: "SOURCE DESTINATION",
    arity: Arity::exactly(2),
    flags: &[],
    shared: SharedFlags::Http,
    run: |call| remount(call, "auth/", "auth method"),
};

static TUNE: Verb = Verb {
    name: "tune",
    about: "Tunes an auth method configuration",
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
        flags::TOKEN_TYPE,
        flags::VERSION,
    ],
    shared: SharedFlags::Http,
    run: tune,
};

fn enable(call: &mut Call) -> Outcome {
    let kind = call.word(0).trim().to_owned();
    let path = trimmed(call.flags.text("path").unwrap_or(&kind));
    let body = flags::enabling(call, &kind);
    let reply = call.send(&Ask::post(&format!("sys/auth/{path}"), body));
    reply.during(|| format!("Error enabling {kind} auth"))?;
    call.succeed(&format!("Enabled {kind} auth method at: {path}/"))
}

fn disable(call: &mut Call) -> Outcome {
    let path = mount_path(call.word(0));
    let reply = call.send(&Ask::delete(&format!("sys/auth/{path}")));
    reply.during(|| format!("Error disabling auth method at {path}"))?;
    call.succeed(&format!(
        "Disabled the auth method (if it existed) at: {path}"
    ))
}

fn tune(call: &mut Call) -> Outcome {
    let path = mount_path(call.word(0));
    let body = flags::tuning(call);
    let reply = call.send(&Ask::post(&format!("sys/mounts/auth/{path}tune"), body));
    reply.during(|| format!("Error tuning auth method {path}"))?;
    call.succeed(&format!("Tuned the auth method at: {path}"))
}

fn help(call: &mut Call) -> Outcome {
    let word = call.word(0).to_owned();
    if let Some(text) = login::help(&call.program, &word) {
        call.out(&text);
        return Ok(0);
    }
    let methods = flags::fetch(call, "sys/auth");
    let methods = methods.during(|| String::from("Error listing auth methods"))?;
    let path = mount_path(&word);
    let Some(method) = methods.get(&path) else {
        let message = format!("No auth method available on the server at {path:?}");
        return Err(Failure::Usage(message));
    };
    let kind = flags::text(method, "type");
    match login::help(&call.program, &kind) {
        Some(text) => {
            call.out(&text);
            Ok(0)
        }
        None => Err(Failure::usage(format!(
            "No help for auth methods of type {kind:?}"
        ))),
    }
}

fn list(call: &mut Call) -> Outcome {
    let mounts = flags::fetch(call, "sys/auth");
    let mounts = mounts.during(|| String::from("Error listing auth methods"))?;
    if !call.is_table() {
        return call.print_value(&Value::Object(mounts), &flags::MOUNTS);
    }
    let text = match call.flags.switch("detailed") {
        false => {
            let row = |(path, mount): (&String, &Value)| {
                let names = ["type", "accessor", "description", "plugin_version"];
                let cells = names.iter().map(|name| flags::text(mount, name));
                std::iter::once(path.clone()).chain(cells).collect()
            };
            let rows = mounts.iter().map(row).collect();
            let heads = ["Path", "Type", "Accessor", "Description", "Version"];
            table(&heads, rows, "    ")
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
    "Token Type",
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
        flags::text(config, "token_type"),
        flags::replication(mount),
        flags::text(mount, "seal_wrap"),
        flags::text(mount, "external_entropy_access"),
        flags::options_cell(mount),
        flags::text(mount, "description"),
    ];
    row.extend(flags::tail(mount));
    row
}
