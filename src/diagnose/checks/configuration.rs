//! The configuration: its faults with their lines, and settings that this build cannot act on.

use crate::config::{ConfigError, Storage};
use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;

const NAME: &str = "Configuration";

/// Judges a configuration that could be read.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = subject
        .remarks
        .iter()
        .map(|remark| {
            let advice = "remove or correct this key: it has no effect as it stands";
            Finding::warn(NAME, remark.to_string(), advice)
        })
        .collect();
    let config = &subject.config;
    match &config.storage {
        Some(Storage::Raft(_)) => {}
        Some(Storage::Inmem) => findings.push(Finding::warn(
            NAME,
            "storage \"inmem\" keeps nothing: the data is gone with the process",
            "use storage \"raft\" { path = \"...\" } for anything but a test",
        )),
        Some(Storage::Other { kind, position, .. }) => findings.push(Finding::fail(
            NAME,
            format!("{position}: storage {kind:?} cannot be served from"),
            "use storage \"raft\" { path = \"...\" }",
        )),
        None => findings.push(Finding::fail(
            NAME,
            "there is no storage stanza",
            "add storage \"raft\" { path = \"/var/lib/coffer\" }",
        )),
    }
    if config.listeners.is_empty() {
        findings.push(Finding::fail(
            NAME,
            "there is no listener, so no client can reach the server",
            "add listener \"tcp\" { address = \"0.0.0.0:8200\" ... }",
        ));
    }
    if let Err(error) = crate::node::check_config(config) {
        let advice = "correct this setting; remove it where this build does not have it";
        findings.push(Finding::fail(NAME, error.to_string(), advice));
    }
    let has_address = config.cluster_address.is_some() || config.api_address.is_some();
    if subject.raft().is_some() && !has_address {
        findings.push(Finding::fail(
            NAME,
            "neither cluster_addr nor api_addr is set: other nodes could not reach this one",
            "set cluster_addr = \"https://THIS-HOST:8201\"",
        ));
    }
    if findings.is_empty() {
        let listeners = config.listeners.len();
        let message = format!("readable, without remarks; listeners: {listeners}");
        findings.push(Finding::ok(NAME, message));
    }
    findings
}

/// Returns a line for each fault of a configuration that could not be read.
pub fn faults(error: &ConfigError) -> Vec<Finding> {
    const ADVICE: &str = "correct this line: no server starts with it";
    match error {
        ConfigError::Invalid(notices) => notices
            .iter()
            .map(|notice| Finding::fail(NAME, notice.to_string(), ADVICE))
            .collect(),
        other => {
            let advice = "see that -config names the right file, and that it can be read";
            vec![Finding::fail(NAME, other.to_string(), advice)]
        }
    }
}
