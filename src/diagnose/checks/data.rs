//! The data directory: whose it is, whether it can be used, and whether a server uses it.

use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;
use std::os::unix::fs::PermissionsExt;

const NAME: &str = "Data directory";

/// Judges the data directory.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let Some(raft) = subject.raft() else {
        return Vec::new();
    };
    let path = raft.path.display();
    if !raft.path.exists() {
        let message = format!("{path} does not exist yet: the first start makes it");
        return vec![Finding::ok(NAME, message)];
    }
    let meta = match std::fs::metadata(&raft.path) {
        Ok(meta) if meta.is_dir() => meta,
        Ok(_) => {
            let advice = "name a directory in storage \"raft\" { path = ... }";
            return vec![Finding::fail(
                NAME,
                format!("{path} is no directory"),
                advice,
            )];
        }
        Err(error) => {
            let advice = "run this as root or as the service's user";
            return vec![Finding::skip(NAME, format!("{path}: {error}"), advice)];
        }
    };
    if subject.server_is_hidden() {
        let message = format!("{path} belongs to another user, who alone may look into it");
        let advice = "run this as root or as the service's user";
        return vec![Finding::skip(NAME, message, advice)];
    }
    let mut findings = Vec::new();
    if let Some(server) = subject.server() {
        let message = format!(
            "{path} is in use by the server with process id {}",
            server.pid
        );
        findings.push(Finding::ok(NAME, message));
    }
    match crate::raft::check_directory(&raft.path) {
        Ok(()) => {}
        Err(error) => {
            let advice =
                "use an empty directory of the service's user, or the one that a node made";
            findings.push(Finding::fail(NAME, error.to_string(), advice));
        }
    }
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        findings.push(Finding::warn(
            NAME,
            format!("{path} is open to other users: mode {mode:03o}"),
            format!("chmod 0700 {path} (the next start does it, too)"),
        ));
    }
    if findings.is_empty() {
        let message = format!("{path} belongs to this store, or is empty, and no server uses it");
        findings.push(Finding::ok(NAME, message));
    }
    findings
}
