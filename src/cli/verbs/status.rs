//! `status`, and the table that `operator unseal` prints as well.

use serde_json::{Map, Value};

use crate::cli::call::Call;
use crate::cli::client::{Ask, ClientError};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::{Order, pairs, plain};
use crate::cli::verb::{Arity, SharedFlags, Verb};

/// The exit code of a sealed server.
const SEALED: u8 = 2;

/// `status`.
pub static STATUS: Verb = Verb {
    name: "status",
    about: "Print seal and HA status. The exit code is 0 when unsealed, 2 when sealed, 1 on errors",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[],
    shared: SharedFlags::Field,
    run,
};

static ORDER: Order = Order::of(&[
    "type",
    "initialized",
    "sealed",
    "t",
    "n",
    "emergency_shares",
    "emergency_threshold",
    "progress",
    "nonce",
    "version",
    "build_date",
    "commit_date",
    "migration",
    "cluster_name",
    "cluster_id",
    "recovery_seal",
    "recovery_seal_type",
    "storage_type",
    "ha_enabled",
    "is_self",
    "active_time",
    "leader_address",
    "leader_cluster_address",
    "raft_committed_index",
    "raft_applied_index",
]);

fn run(call: &mut Call) -> Outcome {
    match status(call) {
        Ok(status) => print_status(call, &status).map(|_| exit_code(&status)),
        Err(ClientError::Preview(text)) => Err(ClientError::Preview(text).into()),
        Err(error) => {
            call.err(&format!("Error checking seal status: {error}"));
            Ok(1)
        }
    }
}

fn exit_code(status: &Map<String, Value>) -> u8 {
    if is(status, "sealed") { SEALED } else { 0 }
}

fn status(call: &mut Call) -> Result<Map<String, Value>, ClientError> {
    let status = call.send(&Ask::get("sys/seal-status"))?.json()?;
    with_leader(call, status)
}

/// Adds the answer of `sys/leader` to a seal status.
pub fn with_leader(call: &mut Call, status: Value) -> Result<Map<String, Value>, ClientError> {
    let mut status = match status {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    status.insert(String::from("ha_enabled"), Value::Bool(false));
    // A sealed server does not answer that; on every storage but memory there can be several.
    let in_memory = status.get("storage_type").and_then(Value::as_str) == Some("inmem");
    if is(&status, "sealed") {
        status.insert(String::from("ha_enabled"), Value::Bool(!in_memory));
    }
    let leader = call.client()?.exchange(&Ask::get("sys/leader"))?;
    if leader.status != 200 {
        return Ok(status);
    }
    if let Value::Object(leader) = leader.json()? {
        let enabled = is(&leader, "ha_enabled");
        status.insert(String::from("ha_enabled"), Value::Bool(enabled));
        let zero = |value: &Value| {
            matches!(value, Value::Null)
                || *value == ""
                || *value == 0
                || *value == "0001-01-01T00:00:00Z"
        };
        let known = leader.into_iter().filter(|(key, value)| {
            enabled && ORDER.keys.contains(&key.as_str()) && (key == "is_self" || !zero(value))
        });
        status.extend(known.collect::<Vec<_>>());
    }
    Ok(status)
}

fn is(status: &Map<String, Value>, key: &str) -> bool {
    status.get(key) == Some(&Value::Bool(true))
}

/// Prints a status as returned by [`with_leader`].
pub fn print_status(call: &Call, status: &Map<String, Value>) -> Outcome {
    if let Some(name) = call.flags.text("field") {
        let missing = || Failure::usage(format!("Field {name:?} not present in seal status"));
        return call.print_field(status.get(name).ok_or_else(missing)?);
    }
    if !call.is_table() {
        return call.print_value(&Value::Object(status.clone()), &ORDER);
    }
    call.out(&pairs(rows(status)));
    Ok(0)
}

fn rows(status: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |key: &str| status.get(key).map(plain).unwrap_or_default();
    let mut rows = Vec::new();
    let mut row = |key: &str, value: String| rows.push((String::from(key), value));
    let sealed = is(status, "sealed");
    row("Seal Type", text("type"));
    if !text("recovery_seal_type").is_empty() {
        row("Recovery Seal Type", text("recovery_seal_type"));
    }
    row("Initialized", text("initialized"));
    row("Sealed", text("sealed"));
    let recovery = is(status, "recovery_seal");
    row(
        if recovery {
            "Total Recovery Shares"
        } else {
            "Total Shares"
        },
        text("n"),
    );
    row("Threshold", text("t"));
    let mut needed = text("t");
    if !text("emergency_shares").is_empty() {
        row("Emergency Shares", text("emergency_shares"));
        row("Emergency Threshold", text("emergency_threshold"));
        if !is(status, "migration") {
            needed = text("emergency_threshold");
        }
    }
    if sealed {
        row("Unseal Progress", format!("{}/{needed}", text("progress")));
        row("Unseal Nonce", text("nonce"));
    }
    if is(status, "migration") {
        row("Seal Migration in Progress", String::from("true"));
    }
    row("Version", text("version"));
    for (name, key) in [("Build Date", "build_date"), ("Commit Date", "commit_date")] {
        if !text(key).is_empty() {
            row(name, text(key));
        }
    }
    row("Storage Type", text("storage_type"));
    if !text("cluster_name").is_empty() {
        row("Cluster Name", text("cluster_name"));
        row("Cluster ID", text("cluster_id"));
    }
    row("HA Enabled", text("ha_enabled"));
    if is(status, "ha_enabled") && !sealed {
        ha_rows(status, &mut row);
    }
    rows
}

fn ha_rows(status: &Map<String, Value>, row: &mut impl FnMut(&str, String)) {
    let text = |key: &str| status.get(key).map(plain).unwrap_or_default();
    row("HA Cluster", text("leader_cluster_address"));
    if is(status, "is_self") {
        row("HA Mode", String::from("active"));
        if !text("active_time").is_empty() {
            row("Active Since", text("active_time"));
        }
    } else {
        row("HA Mode", String::from("standby"));
        if !text("leader_address").is_empty() {
            row("Active Node Address", text("leader_address"));
        }
    }
    for (name, key) in [
        ("Raft Committed Index", "raft_committed_index"),
        ("Raft Applied Index", "raft_applied_index"),
    ] {
        if !text(key).is_empty() {
            row(name, text(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: &str) -> String {
        pairs(rows(&serde_json::from_str(status).expect("valid")))
    }

    #[test]
    fn an_active_node() {
        let text = shown(
            r#"{"type":"shamir","initialized":true,"sealed":false,"n":3,"t":2,"version":"2.7.2",
            "commit_date":"2026-10-26T20:32:27Z","build_date":"","storage_type":"raft",
            "cluster_name":"c","cluster_id":"d749","ha_enabled":true,"is_self":true,
            "active_time":"2026-11-22T05:18:52Z","leader_cluster_address":"https://a:8201",
            "leader_address":"http://a:8200","raft_committed_index":29,"raft_applied_index":29}"#,
        );
        let expected = "\
Key                     Value
---                     -----
Seal Type               shamir
Initialized             true
Sealed                  false
Total Shares            3
Threshold               2
Version                 2.7.2
Commit Date             2026-10-26T20:32:27Z
Storage Type            raft
Cluster Name            c
Cluster ID              d749
HA Enabled              true
HA Cluster              https://a:8201
HA Mode                 active
Active Since            2026-11-22T05:18:52Z
Raft Committed Index    29
Raft Applied Index      29";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_sealed_node() {
        let status = r#"{"type":"shamir","initialized":true,"sealed":true,"n":3,"t":2,"progress":1,
            "nonce":"","version":"1.15.5","build_date":"2024-01-26T14:53:40Z",
            "storage_type":"raft","ha_enabled":true}"#;
        let expected = "\
Key                Value
---                -----
Seal Type          shamir
Initialized        true
Sealed             true
Total Shares       3
Threshold          2
Unseal Progress    1/2
Unseal Nonce       n/a
Version            1.15.5
Build Date         2024-01-26T14:53:40Z
Storage Type       raft
HA Enabled         true";
        assert_eq!(shown(status), expected);
        let status = serde_json::from_str(status).expect("valid");
        assert_eq!(exit_code(&status), SEALED);
    }
}
