//! Dev mode: initialised, unsealed and with a kv engine from the first moment.
//!
//! With a data directory it keeps its only share and its root token beside the data, in a file for
//! the owner alone, so that the next start opens it again. That makes it a toy: the directory gives
//! its holder everything in it.

use super::shared::Shared;
use crate::engine::{Client, Operation};
use crate::router::{Incoming, Role};
use crate::secret::{Secret, SecretBytes, SecretString};
use crate::stream::Upload;
use crate::sys::{InitRequest, LifecycleError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of dev mode.
#[derive(Debug, Default)]
pub struct Dev {
    /// The root token's text; random when absent.
    pub root_token: Option<SecretString>,
    /// True to mount kv version 2 at `secret/`.
    pub mount_kv: bool,
    /// The file that keeps share and root token for the next start; `None` in memory.
    pub keys: Option<PathBuf>,
}

/// The keys that dev mode made or read.
#[derive(Debug)]
pub struct DevStart {
    /// The only share.
    pub unseal_key: SecretBytes,
    /// The root token.
    pub root_token: SecretString,
}

pub(super) async fn start(shared: &Arc<Shared>, dev: Dev) -> Result<DevStart, LifecycleError> {
    let uninitialised = matches!(*shared.role().borrow(), Role::Uninitialised);
    let start = match &dev.keys {
        Some(path) if !uninitialised => read_keys(path)?,
        _ => initialize(shared, &dev).await?,
    };
    shared
        .submit_share(Secret::new(start.unseal_key.expose().clone()))
        .await?;
    if dev.mount_kv && uninitialised {
        mount_kv(shared, &start.root_token).await?;
    }
    Ok(start)
}

async fn initialize(shared: &Arc<Shared>, dev: &Dev) -> Result<DevStart, LifecycleError> {
    let token = dev.root_token.as_ref();
    let token = token.map(|token| Secret::new(token.expose().clone()));
    let request = InitRequest {
        secret_shares: 1,
        secret_threshold: 1,
        ..InitRequest::default()
    };
    let result = shared.initialize_with(request, token).await?;
    let key = result.shares.into_iter().next();
    let start = DevStart {
        unseal_key: key.ok_or_else(|| LifecycleError::Internal("no share was made".into()))?,
        root_token: result.root_token,
    };
    if let Some(path) = &dev.keys {
        write_keys(path, &start)?;
    }
    Ok(start)
}

/// Writes two lines: the share in base64, and the root token.
fn write_keys(path: &Path, start: &DevStart) -> Result<(), LifecycleError> {
    let share = STANDARD.encode(start.unseal_key.expose());
    let text = Secret::new(format!("{share}\n{}\n", start.root_token.expose()));
    let file = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(text.expose().as_bytes()))
        .map_err(|error| LifecycleError::Internal(format!("{}: {error}", path.display())))
}

fn read_keys(path: &Path) -> Result<DevStart, LifecycleError> {
    let foreign = |_| {
        LifecycleError::Invalid(format!(
            "{} cannot be read: the store beside it was not made by -dev, start it with -config",
            path.display()
        ))
    };
    let mut text = String::new();
    let read = crate::file::read_own(path).and_then(|mut file| file.read_to_string(&mut text));
    read.map_err(foreign)?;
    let text = Secret::new(text);
    let mut lines = text.expose().lines();
    let share = lines.next().and_then(|line| STANDARD.decode(line).ok());
    match (share, lines.next()) {
        (Some(share), Some(token)) => Ok(DevStart {
            unseal_key: Secret::new(share),
            root_token: Secret::new(token.to_owned()),
        }),
        _ => Err(LifecycleError::Invalid(format!(
            "{} is damaged: remove the directory to begin anew",
            path.display()
        ))),
    }
}

async fn mount_kv(shared: &Shared, token: &SecretString) -> Result<(), LifecycleError> {
    let Role::Active { router, .. } = shared.role().borrow().clone() else {
        return Err(LifecycleError::Sealed);
    };
    let reply = router
        .handle(Incoming {
            id: uuid::Uuid::new_v4().to_string(),
            operation: Operation::Update,
            path: "sys/mounts/secret".into(),
            token: Some(Secret::new(token.expose().clone())),
            fingerprint: None,
            data: kv_mount(),
            upload: Upload::default(),
            wrap_ttl: None,
            headers: Vec::new(),
            client: Client::default(),
            bytes: 0,
            payload_bytes: 0,
        })
        .await;
    match reply.result {
        Ok(_) => Ok(()),
        Err(error) => Err(LifecycleError::Internal(format!("secret/: {error}"))),
    }
}

fn kv_mount() -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("type".into(), "kv".into());
    data.insert("description".into(), "key/value secret storage".into());
    data.insert("options".into(), json!({"version": "2"}));
    data
}
