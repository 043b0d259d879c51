//! How the fields of `sys/` are read, for rules about parameters.
//!
//! Must say what the `field` functions that the handlers call do.

use crate::engine::{Field, FieldKind};

/// The field `name` at `path`, relative to `sys/`.
pub(super) fn of(path: &str, name: &str) -> Field {
    let head = path.split('/').next().unwrap_or_default();
    match (head, name) {
        // What is wrapped or hashed is the caller's own.
        ("wrapping", _) => Field::default(),
        ("policy" | "policies", "rules") => Field::alias("policy", FieldKind::Plain),
        ("capabilities" | "capabilities-self" | "capabilities-accessor", "path") => {
            Field::alias("paths", FieldKind::CommaList)
        }
        ("capabilities" | "capabilities-self" | "capabilities-accessor", "paths") => {
            Field::of(FieldKind::CommaList)
        }
        ("mounts" | "auth", "plugin_name") => Field::alias("type", FieldKind::Plain),
        ("rotate" | "storage", "interval") => Field::of(FieldKind::Seconds),
        ("config", "values") => Field::of(FieldKind::CommaList),
        _ => Field::of(kind(name)),
    }
}

fn kind(name: &str) -> FieldKind {
    match name {
        "ttl"
        | "increment"
        | "default_lease_ttl"
        | "max_lease_ttl"
        | "last_contact_threshold"
        | "dead_server_last_contact_threshold"
        | "server_stabilization_time" => FieldKind::Seconds,
        "cas" | "bytes" | "max_operations" | "max_trailing_logs" | "min_quorum" | "retain"
        | "local_max_space" => FieldKind::Integer,
        "cas_required"
        | "local"
        | "seal_wrap"
        | "external_entropy_access"
        | "force_no_cache"
        | "force"
        | "enabled"
        | "multivalue"
        | "hmac"
        | "cleanup_dead_servers"
        | "disable_upgrade_migration" => FieldKind::Flag,
        "audit_non_hmac_request_keys"
        | "audit_non_hmac_response_keys"
        | "passthrough_request_headers"
        | "allowed_response_headers" => FieldKind::CommaList,
        _ => FieldKind::Plain,
    }
}
