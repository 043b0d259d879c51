//! The endpoints `sys/seal-status`, `sys/health` and `sys/leader`: the state of the node.

use super::answers::bare;
use super::asked::{Bears, OPEN, Run};
use crate::clock::Timestamp;
use crate::engine::table::{Endpoint, Field, FieldKind, On, Op, Row};
use crate::engine::{Error, ErrorKind, Response};
use crate::router::Phase;
use crate::sys::ports::{LeaderStatus, Lifecycle, SealBackends, SealStatus};
use serde_json::{Value, json};

const fn status_code(name: &'static str, help: &'static str) -> Field {
    Field::new(name, FieldKind::Integer, help).on(On::READ)
}

/// The endpoints about the state of the node.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "seal-status",
            summary: "Shows whether the server is sealed.",
            ..OPEN
        },
        operations: &[(
            Op::READ,
            Run::new(Bears::Share, |asked| {
                Box::pin(async move { Ok(seal_status(&asked.lifecycle.seal_status())) })
            }),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "seal-backend-status",
            summary: "Shows whether each seal answers.",
            ..OPEN
        },
        operations: &[(
            Op::READ,
            Run::new(Bears::Little, |asked| {
                Box::pin(async move { Ok(seal_backends(&asked.lifecycle.seal_backends())) })
            }),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "health",
            fields: &[
                status_code("activecode", "Status of an active node."),
                status_code("drsecondarycode", ""),
                status_code("haunhealthycode", ""),
                status_code("performancestandbycode", ""),
                status_code("sealedcode", "Status of a sealed node."),
                status_code("standbycode", "Status of a standby."),
                Field::new(
                    "standbyok",
                    FieldKind::Flag,
                    "Is a standby as good as active?",
                )
                .on(On::READ),
                status_code("uninitcode", "Status of a new node."),
            ],
            summary: "Shows how the node is, by its status.",
            ..OPEN
        },
        operations: &[(
            Op::READ,
            Run::new(Bears::Share, |asked| {
                Box::pin(async move { health(asked.query, asked.phase, asked.lifecycle) })
            })
            .with_head(),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "leader",
            summary: "Shows which node is active.",
            ..OPEN
        },
        operations: &[(
            Op::READ,
            Run::new(Bears::Share, |asked| {
                Box::pin(async move { leader(asked.phase, &asked.lifecycle.leader()) })
            }),
        )],
    },
];

/// Returns the answer of `sys/seal-status` and `sys/unseal`.
pub(super) fn seal_status(status: &SealStatus) -> Response {
    let mut body = json!({
        "type": status.seal_type,
        "initialized": status.initialized,
        "sealed": status.sealed,
        "t": status.t,
        "n": status.n,
        "progress": status.progress,
        "nonce": status.nonce,
        "version": env!("CARGO_PKG_VERSION"),
        "build_date": "",
        "migration": status.migration,
        "recovery_seal": status.recovery_seal,
        "storage_type": status.storage_type,
    });
    if let (false, Some(fields)) = (status.warnings.is_empty(), body.as_object_mut()) {
        fields.insert("warnings".into(), json!(status.warnings));
    }
    if let (true, Some(fields)) = (status.non_secret, body.as_object_mut()) {
        fields.insert("non_secret".into(), true.into());
    }
    if let (true, Some(fields)) = (status.recovery_seal, body.as_object_mut()) {
        fields.insert("recovery_seal_type".into(), "shamir".into());
    }
    if let (Some((threshold, shares)), Some(fields)) = (status.emergency, body.as_object_mut()) {
        fields.insert("emergency_shares".into(), shares.into());
        fields.insert("emergency_threshold".into(), threshold.into());
    }
    insert_cluster(&mut body, status);
    bare(&body)
}

fn seal_backends(backends: &SealBackends) -> Response {
    let shown = |name: Option<&str>, ill_since: Option<Timestamp>| {
        let mut fields = json!({ "healthy": ill_since.is_none() });
        if let Some(fields) = fields.as_object_mut() {
            let name = name.map(|name| ("name", json!(name)));
            let since = ill_since.map(|since| ("unhealthy_since", json!(since.rfc3339())));
            let more = name.into_iter().chain(since);
            fields.extend(more.map(|(key, value)| (key.to_owned(), value)));
        }
        fields
    };
    let is_well = backends.each.iter().any(|(_, since)| since.is_none());
    let since = backends.each.iter().filter_map(|(_, since)| *since).max();
    let mut body = shown(None, if is_well { None } else { since });
    let each = backends.each.iter();
    let each: Vec<Value> = each
        .map(|(name, since)| shown(Some(name), *since))
        .collect();
    if let Some(fields) = body.as_object_mut() {
        fields.insert("backends".into(), each.into());
        fields.insert("fully_wrapped".into(), backends.fully_wrapped.into());
        if !backends.disabled.is_empty() {
            fields.insert("disabled".into(), json!(backends.disabled));
        }
    }
    bare(&body)
}

/// Adds the cluster's name and id, which only an unsealed node knows.
fn insert_cluster(body: &mut Value, status: &SealStatus) {
    let Some(fields) = body.as_object_mut() else {
        return;
    };
    for (key, value) in [
        ("cluster_name", &status.cluster_name),
        ("cluster_id", &status.cluster_id),
    ] {
        if let Some(value) = value {
            fields.insert(key.to_owned(), Value::String(value.clone()));
        }
    }
}

fn health(
    query: &[(String, String)],
    phase: &Phase,
    lifecycle: &dyn Lifecycle,
) -> Result<Response, Error> {
    let status = lifecycle.seal_status();
    let active = code(query, "activecode")?.unwrap_or(200);
    let standby = code(query, "standbycode")?.unwrap_or(429);
    let sealed = code(query, "sealedcode")?.unwrap_or(503);
    let uninitialised = code(query, "uninitcode")?.unwrap_or(501);
    for unused in [
        "drsecondarycode",
        "performancestandbycode",
        "haunhealthycode",
    ] {
        code(query, unused)?;
    }
    let is_unsealed = matches!(phase, Phase::Active { .. } | Phase::Standby { .. });
    let code = match phase {
        Phase::Uninitialised => uninitialised,
        Phase::Sealed | Phase::Stopping => sealed,
        Phase::Standby { .. } if flag(query, "standbyok") => active,
        Phase::Standby { .. } => standby,
        Phase::Active { .. } => active,
    };
    let replication = if is_unsealed { "disabled" } else { "unknown" };
    let mut body = json!({
        "initialized": *phase != Phase::Uninitialised && status.initialized,
        "sealed": !is_unsealed,
        "standby": !matches!(phase, Phase::Active { .. }),
        "performance_standby": false,
        "replication_performance_mode": replication,
        "replication_dr_mode": replication,
        "server_time_utc": lifecycle.now().as_secs(),
        "version": env!("CARGO_PKG_VERSION"),
        "enterprise": false,
    });
    if is_unsealed {
        insert_cluster(&mut body, &status);
    }
    let mut response = bare(&body);
    response.status = Some(code);
    Ok(response)
}

/// Reads a status code from the query. Refuses codes outside 200 to 599: they are no final answers.
fn code(query: &[(String, String)], name: &str) -> Result<Option<u16>, Error> {
    let Some((_, value)) = query.iter().find(|(key, _)| key == name) else {
        return Ok(None);
    };
    match value.parse() {
        Ok(code) if (200..600).contains(&code) => Ok(Some(code)),
        _ => Err(Error::silent(ErrorKind::Invalid)),
    }
}

/// Reads a switch from the query. It counts when it is there, unless it says that it is off.
fn flag(query: &[(String, String)], name: &str) -> bool {
    query
        .iter()
        .any(|(key, value)| key == name && !matches!(value.as_str(), "false" | "0"))
}

fn leader(phase: &Phase, status: &LeaderStatus) -> Result<Response, Error> {
    if matches!(phase, Phase::Uninitialised | Phase::Sealed) {
        return Err(Error::new(ErrorKind::Unavailable, "Vault is sealed"));
    }
    if !status.ha_enabled {
        return Ok(bare(&json!({
            "ha_enabled": false, "is_self": false, "leader_address": "",
            "leader_cluster_address": "", "performance_standby": false,
            "performance_standby_last_remote_wal": 0,
        })));
    }
    let mut body = json!({
        "ha_enabled": true,
        "is_self": status.is_self,
        "leader_address": status.leader_address,
        "leader_cluster_address": status.leader_cluster_address,
        "performance_standby": false,
        "performance_standby_last_remote_wal": 0,
    });
    if let Some(fields) = body.as_object_mut() {
        if !status.active_time.is_zero() {
            fields.insert("active_time".into(), status.active_time.rfc3339().into());
        }
        for (key, index) in [
            ("raft_committed_index", status.raft_committed_index),
            ("raft_applied_index", status.raft_applied_index),
        ] {
            if let Some(index) = index {
                fields.insert(key.into(), index.into());
            }
        }
    }
    Ok(bare(&body))
}
