//! Which fields the paths of `sys/` know, where a write gives, narrows or ends something.
//!
//! The router refuses others that would narrow: see [`crate::engine::narrowing`].

use super::tune::TUNE_FIELDS;
use crate::engine::Operation;

const MOUNT: &[&str] = &[
    "config",
    "description",
    "external_entropy_access",
    "local",
    "options",
    "plugin_name",
    "plugin_version",
    "seal_wrap",
    "type",
];
const POLICY: &[&str] = &[
    "cas",
    "cas_required",
    "expiration",
    "policy",
    "rules",
    "ttl",
];
const NONE: &[&str] = &[];
const LEASE: &[&str] = &["lease_id", "sync"];

/// The first that fits counts. A `*` at the end stands for any rest, one within for one segment
/// or more.
const FIELDS: &[(&str, &[&str])] = &[
    ("mounts/*/tune", TUNE_FIELDS),
    ("mounts/*", MOUNT),
    ("auth/*/tune", TUNE_FIELDS),
    ("auth/*", MOUNT),
    ("remount", &["from", "to"]),
    ("policies/acl/*", POLICY),
    ("policy/*", POLICY),
    ("capabilities", &["path", "paths", "token"]),
    ("capabilities-self", &["path", "paths", "token"]),
    ("capabilities-accessor", &["accessor", "path", "paths"]),
    ("audit/*", &["description", "local", "options", "type"]),
    ("audit-hash/*", &["input"]),
    ("wrapping/lookup", &["token"]),
    ("wrapping/rewrap", &["token"]),
    ("wrapping/unwrap", &["token"]),
    ("leases/renew", &["increment", "lease_id"]),
    ("leases/renew/*", &["increment", "lease_id"]),
    ("renew", &["increment", "lease_id"]),
    ("renew/*", &["increment", "lease_id"]),
    ("leases/*", LEASE),
    ("revoke", LEASE),
    ("revoke/*", LEASE),
    ("revoke-prefix/*", LEASE),
    ("revoke-force/*", LEASE),
    ("rotate", &[]),
    ("rotate/keyring", &[]),
    ("rotate/config", &["enabled", "interval", "max_operations"]),
    ("config/auditing/request-headers/*", &["hmac"]),
    ("config/ui/headers/*", &["multivalue", "values"]),
    ("raw/*", &["encoding", "value"]),
    (
        "storage/raft/autopilot/configuration",
        &[
            "cleanup_dead_servers",
            "dead_server_last_contact_threshold",
            "disable_upgrade_migration",
            "last_contact_threshold",
            "max_trailing_logs",
            "min_quorum",
            "server_stabilization_time",
        ],
    ),
    (
        "storage/raft/snapshot-auto/config/*",
        &[
            "file_prefix",
            "interval",
            "local_max_space",
            "path_prefix",
            "retain",
            "storage_type",
        ],
    ),
    ("storage/raft/remove-peer", &["force", "server_id"]),
    ("storage/raft/promote", &["server_id"]),
    ("storage/raft/demote", &["server_id"]),
    ("loggers", &["level"]),
    ("loggers/*", &["level"]),
    ("generate-root/*", &["key", "nonce", "otp", "pgp_key"]),
    ("generate-root-token/*", &["key", "nonce", "otp", "pgp_key"]),
    ("seal", &[]),
    ("step-down", &[]),
];

/// The fields that `path` (below `sys/`) knows; those of writes are unknown where something is
/// deleted. `None` for what only computes, and for what a client has wrapped.
pub(super) fn of(operation: Operation, path: &str) -> Option<&'static [&'static str]> {
    let row = FIELDS.iter().find(|(pattern, _)| fits(pattern, path));
    row.map(|(_, known)| match operation {
        Operation::Delete => NONE,
        _ => *known,
    })
}

fn fits(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => path == pattern,
        Some((before, after)) => path
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|between| !between.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_fields() {
        let update = |path| of(Operation::Update, path);
        assert_eq!(update("mounts/a/b/tune"), Some(TUNE_FIELDS));
        assert_eq!(update("mounts/a/b"), Some(MOUNT));
        assert_eq!(update("mounts/tune"), Some(MOUNT));
        assert_eq!(update("leases/renew"), Some(&["increment", "lease_id"][..]));
        assert_eq!(update("leases/revoke"), Some(LEASE));
        assert_eq!(update("policies/acl/x"), Some(POLICY));
        assert_eq!(of(Operation::Delete, "policies/acl/x"), Some(NONE));
        for path in ["wrapping/wrap", "tools/random", "mounts"] {
            assert_eq!(update(path), None, "{path}");
        }
    }
}
