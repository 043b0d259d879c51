//! A scraper without a token gets each node's own numbers, whatever the node's role is, where a
//! listener allows it.

use crate::support::{Client, Server, write_config};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const OPEN: &str = "tls_disable = true\n  telemetry { unauthenticated_metrics_access = true }";

fn start(folder: &Path, listener: &str, more: &str) -> Server {
    let config = write_config(folder, listener);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}{more}")).unwrap();
    Server::start(&["-config", config.to_str().unwrap()], folder)
}

fn scrape(client: &Client) -> String {
    client.get("sys/metrics?format=prometheus").expect(200).body
}

/// Returns the value of the line that begins with `name`, labels included.
#[track_caller]
fn value(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.parse().unwrap()
}

#[track_caller]
fn is(text: &str, name: &str, expected: f64) {
    let found = value(text, name);
    assert!((found - expected).abs() < 0.5, "{name} is {found}");
}

#[track_caller]
fn eventually(what: &str, holds: impl FnMut() -> bool) {
    crate::support::wait(PATIENCE, what, holds);
}

fn each_has_one_help(text: &str) {
    let (mut helps, mut seen) = (0, std::collections::BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.len() > 5 && help != name, "{line}");
            assert!(seen.insert(name.to_owned()), "twice: {line}");
            helps += 1;
        }
    }
    assert!(helps > 20, "{text}");
}

#[test]
fn a_scraper_is_answered_before_after_and_while_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), OPEN, "");
    let client = server.client();
    let text = scrape(&client);
    is(&text, "vault_core_unsealed", 0.0);
    is(&text, "vault_core_active", 0.0);
    assert!(
        !text.contains("vault_token_count"),
        "nobody can know: {text}"
    );
    let (_, token) = server.initialize();
    let root = client.with_token(&token);
    root.get("sys/mounts").expect(200);
    let text = scrape(&client);
    for (name, expected) in [
        ("vault_core_unsealed", 1.0),
        ("vault_core_active", 1.0),
        ("vault_raft_peers", 1.0),
        ("vault_raft_voters", 1.0),
        (
            "vault_core_mount_table_num_entries{type=\"auth\",local=\"false\"}",
            1.0,
        ),
    ] {
        is(&text, name, expected);
    }
    for name in [
        "vault_raft_apply",
        "vault_raft_commitTime_count",
        "vault_raft_term",
        "vault_raft_storage_stats_applied_index",
        "vault_raft_storage_stats_commit_index",
        "vault_core_handle_request_count",
        "vault_runtime_sys_bytes",
        "process_open_fds",
        "coffer_raft_flushes_total",
        "coffer_storage_bytes{part=\"log\"}",
        "coffer_storage_free_bytes",
    ] {
        assert!(value(&text, name) > 0.0, "{name}");
    }
    let (tokens, leases) = (
        value(&text, "vault_token_count"),
        value(&text, "vault_expire_num_leases"),
    );
    for _ in 0..3 {
        root.put("auth/token/create", json!({"ttl": "1h"}))
            .expect(200);
    }
    eventually("the new tokens are counted", || {
        let text = scrape(&client);
        (value(&text, "vault_token_count") - tokens - 3.0).abs() < 0.5
            && (value(&text, "vault_expire_num_leases") - leases - 3.0).abs() < 0.5
    });
    each_has_one_help(&text);
    root.put("sys/seal", json!({})).expect(204);
    let text = scrape(&client);
    is(&text, "vault_core_unsealed", 0.0);
    is(&text, "vault_core_active", 0.0);
    is(&text, "vault_raft_peers", 1.0);
    let told = client.get("sys/metrics?format=yaml").expect(400).json();
    assert!(
        told["errors"][0].as_str().unwrap().contains("unknown"),
        "{told}"
    );
    assert!(client.get("sys/metrics").expect(200).json()["Gauges"].is_array());
    client.put("sys/metrics", json!({})).expect(405);
    client.get("sys/mounts").expect(503);
}

#[test]
fn a_listener_that_says_nothing_wants_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "tls_disable = true", "");
    let client = server.client();
    client.get("sys/metrics").expect(503);
    let (_, token) = server.initialize();
    client.get("sys/metrics?format=prometheus").expect(403);
    let root = client.with_token(&token);
    is(&scrape(&root), "vault_core_unsealed", 1.0);
    let json = root.get("sys/metrics").expect(200).json();
    let gauges = json["Gauges"].as_array().unwrap();
    let unsealed = gauges
        .iter()
        .find(|gauge| gauge["Name"] == "vault.core.unsealed");
    assert_eq!(unsealed.unwrap()["Value"], 1.0);
    root.put("sys/seal", json!({})).expect(204);
    client.get("sys/metrics").expect(503);
}

#[test]
fn the_telemetry_stanza_names_the_prefix_and_turns_the_format_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(
        folder.path(),
        OPEN,
        "telemetry { metrics_prefix = \"home\" }\n",
    );
    is(&scrape(&server.client()), "home_core_unsealed", 0.0);
    server.kill();
    let off = "telemetry { prometheus_retention_time = \"0s\" }\n";
    let server = start(folder.path(), OPEN, off);
    let told = server
        .client()
        .get("sys/metrics?format=prometheus")
        .expect(400)
        .json();
    assert_eq!(told["errors"][0], "prometheus is not enabled");
    server.client().get("sys/metrics").expect(200);
}
