//! What answers while sealed, before any token can be checked (`open/table.rs`): initialising,
//! unsealing, the state of the node, and what joining needs (`join.rs`). Most answer bare
//! objects without an envelope.

mod join;
mod table;

use crate::barrier::BarrierError;
use crate::engine::table::Fields;
use crate::engine::{Body, Error, ErrorKind, Response};
use crate::router::Role;
use crate::secret::{Secret, SecretBytes};
use crate::sys::ports::{InitRequest, LeaderStatus, Lifecycle, LifecycleError, SealStatus};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

pub(super) use table::{Asked, MOUNT, OPEN, Run, TABLE};
pub use table::{Bears, Endpoint, Request, answer, endpoint};

/// Shortest unseal key, in bytes.
pub const UNSEAL_KEY_BYTES_MIN: usize = 16;
/// Longest unseal key, in bytes: a root key and the share's x coordinate.
pub const UNSEAL_KEY_BYTES_MAX: usize = 33;
/// Most shares: x coordinates are non-zero bytes.
const SHARES_MAX: i64 = 255;

/// How an open endpoint is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// PUT or POST.
    Put,
    /// Anything else.
    Other,
}

/// What this node is, without what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// See [`Role::Uninitialised`].
    Uninitialised,
    /// See [`Role::Sealed`].
    Sealed,
    /// See [`Role::Standby`].
    Standby,
    /// See [`Role::Active`].
    Active,
    /// See [`Role::Stopping`].
    Stopping,
}

impl From<&Role> for Standing {
    fn from(role: &Role) -> Self {
        match role {
            Role::Uninitialised => Self::Uninitialised,
            Role::Sealed => Self::Sealed,
            Role::Standby { .. } => Self::Standby,
            Role::Active { .. } => Self::Active,
            Role::Stopping => Self::Stopping,
        }
    }
}

pub(super) fn bare(value: &Value) -> Response {
    let mut bytes = value.to_string().into_bytes();
    bytes.push(b'\n');
    Response {
        body: Some(Body {
            content_type: "application/json",
            bytes,
        }),
        ..Response::default()
    }
}

pub(super) fn failed(error: LifecycleError) -> Error {
    match error {
        LifecycleError::Invalid(message) => Error::invalid(message),
        LifecycleError::AlreadyInitialized | LifecycleError::NotInitialized => {
            Error::invalid(error.to_string())
        }
        LifecycleError::Sealed => Error::new(ErrorKind::Unavailable, error.to_string()),
        LifecycleError::Unavailable(message) => Error::new(ErrorKind::Unavailable, message),
        LifecycleError::Commit(error) => BarrierError::Commit(error).into(),
        LifecycleError::Elsewhere(message) => Error::new(ErrorKind::Internal, message),
        LifecycleError::Internal(inside) => Error::internal(inside),
    }
}

fn seal_status(status: &SealStatus) -> Response {
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
        "migration": false,
        "recovery_seal": status.recovery_seal,
        "storage_type": status.storage_type,
    });
    if let (false, Some(fields)) = (status.warnings.is_empty(), body.as_object_mut()) {
        fields.insert("warnings".into(), json!(status.warnings));
    }
    insert_cluster(&mut body, status);
    bare(&body)
}

/// Only an unsealed node knows its cluster's name.
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
    standing: Standing,
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
    let is_unsealed = matches!(standing, Standing::Active | Standing::Standby);
    let code = match standing {
        Standing::Uninitialised => uninitialised,
        Standing::Sealed | Standing::Stopping => sealed,
        Standing::Standby if flag(query, "standbyok") => active,
        Standing::Standby => standby,
        Standing::Active => active,
    };
    let replication = if is_unsealed { "disabled" } else { "unknown" };
    let mut body = json!({
        "initialized": standing != Standing::Uninitialised && status.initialized,
        "sealed": !is_unsealed,
        "standby": standing != Standing::Active,
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

/// A status code from the query, between 200 and 599: others are no final answers.
fn code(query: &[(String, String)], name: &str) -> Result<Option<u16>, Error> {
    let Some((_, value)) = query.iter().find(|(key, _)| key == name) else {
        return Ok(None);
    };
    match value.parse() {
        Ok(code) if (200..600).contains(&code) => Ok(Some(code)),
        _ => Err(Error::silent(ErrorKind::Invalid)),
    }
}

/// A switch counts when it is there, unless it says that it is off.
fn flag(query: &[(String, String)], name: &str) -> bool {
    query
        .iter()
        .any(|(key, value)| key == name && !matches!(value.as_str(), "false" | "0"))
}

fn leader(standing: Standing, status: &LeaderStatus) -> Result<Response, Error> {
    if matches!(standing, Standing::Uninitialised | Standing::Sealed) {
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

async fn initialize(asked: Asked<'_>) -> Result<Response, Error> {
    let request = init_request(&asked.fields)?;
    let made = asked.lifecycle.initialize(request).await.map_err(failed)?;
    let hex: Vec<_> = made
        .shares
        .iter()
        .map(|share| hex::encode(share.expose()))
        .collect();
    let base64: Vec<_> = made
        .shares
        .iter()
        .map(|share| BASE64.encode(share.expose()))
        .collect();
    Ok(bare(&json!({
        "keys": hex,
        "keys_base64": base64,
        "root_token": made.root_token.expose(),
    })))
}

fn init_request(fields: &Fields<'_>) -> Result<InitRequest, Error> {
    let refuse = |message: &str| Err(Error::invalid(message));
    for unsupported in ["pgp_keys", "recovery_pgp_keys", "root_token_pgp_key"] {
        match fields.plain(unsupported) {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) if list.is_empty() => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(_) => return refuse(&format!("{unsupported} is not supported by this server")),
        }
    }
    let integer = |name| fields.integer(name).unwrap_or(0);
    let recovery = ["recovery_shares", "recovery_threshold"];
    if recovery.into_iter().any(|name| integer(name) != 0) {
        return refuse(
            "parameters recovery_shares,recovery_threshold not applicable to seal type shamir",
        );
    }
    let shares = integer("secret_shares");
    let threshold = integer("secret_threshold");
    let stored = integer("stored_shares");
    let problem = if shares < 1 {
        "shares must be at least one"
    } else if threshold < 1 {
        "threshold must be at least one"
    } else if shares > 1 && threshold == 1 {
        "threshold must be greater than one for multiple shares"
    } else if shares > SHARES_MAX {
        "shares must be less than 256"
    } else if threshold > SHARES_MAX {
        "threshold must be less than 256"
    } else if threshold > shares {
        "threshold cannot be larger than shares"
    } else if stored > 1 {
        "stored_shares is not supported by seal type shamir"
    } else {
        ""
    };
    match (u8::try_from(shares), u8::try_from(threshold)) {
        (Ok(secret_shares), Ok(secret_threshold)) if problem.is_empty() => Ok(InitRequest {
            secret_shares,
            secret_threshold,
        }),
        _ => refuse(&format!("invalid seal configuration: {problem}")),
    }
}

async fn unseal(asked: Asked<'_>) -> Result<Response, Error> {
    let (fields, lifecycle) = (&asked.fields, asked.lifecycle);
    let flag = |name| fields.flag(name).unwrap_or(false);
    if flag("reset") {
        return Ok(seal_status(&lifecycle.reset_unseal()));
    }
    let Some(key) = fields.secret("key") else {
        return Err(Error::invalid(
            "'key' must be specified in request body as JSON, or 'reset' set to true",
        ));
    };
    if flag("migrate") {
        return Err(Error::invalid(
            "can't perform a seal migration, no migration seal found",
        ));
    }
    let share = decode_key(key.expose())
        .ok_or_else(|| Error::invalid("'key' must be a valid hex or base64 string"))?;
    let status = lifecycle.seal_status();
    if !status.sealed {
        return Ok(seal_status(&status));
    }
    let length = share.expose().len();
    if length < UNSEAL_KEY_BYTES_MIN {
        return Err(Error::invalid(format!(
            "invalid key: key is shorter than minimum {UNSEAL_KEY_BYTES_MIN} bytes"
        )));
    }
    if length > UNSEAL_KEY_BYTES_MAX {
        return Err(Error::invalid(format!(
            "invalid key: key is longer than maximum {UNSEAL_KEY_BYTES_MAX} bytes"
        )));
    }
    let status = lifecycle.unseal(share).await.map_err(failed)?;
    Ok(seal_status(&status))
}

/// Hex of a plausible length, or else base64: some base64 texts are hex, too.
pub(super) fn decode_key(text: &str) -> Option<SecretBytes> {
    let plausible = UNSEAL_KEY_BYTES_MIN..=UNSEAL_KEY_BYTES_MAX;
    match hex::decode(text).map(Secret::new) {
        Ok(bytes) if plausible.contains(&bytes.expose().len()) => Some(bytes),
        _ => BASE64.decode(text).ok().map(Secret::new),
    }
}
