//! Dev mode: initialised, unsealed and with a kv engine from the first moment.

use super::shared::Shared;
use crate::engine::{Client, Operation};
use crate::router::{Incoming, Role};
use crate::secret::{Secret, SecretBytes, SecretString};
use crate::sys::LifecycleError;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What dev mode shall make.
#[derive(Debug, Default)]
pub struct Dev {
    /// The root token's text; random when absent.
    pub root_token: Option<SecretString>,
    /// Mount kv version 2 at `secret/`?
    pub mount_kv: bool,
}

/// What dev mode made.
#[derive(Debug)]
pub struct DevStart {
    /// The only share.
    pub unseal_key: SecretBytes,
    /// The root token.
    pub root_token: SecretString,
}

pub(super) async fn start(shared: &Arc<Shared>, dev: Dev) -> Result<DevStart, LifecycleError> {
    let result = shared.initialize_with(1, 1, dev.root_token).await?;
    let key = result.shares.into_iter().next();
    let key = key.ok_or_else(|| LifecycleError::Internal("no share was made".into()))?;
    shared
        .submit_share(Secret::new(key.expose().clone()))
        .await?;
    if dev.mount_kv {
        mount_kv(shared, &result.root_token).await?;
    }
    Ok(DevStart {
        unseal_key: key,
        root_token: result.root_token,
    })
}

async fn mount_kv(shared: &Shared, token: &SecretString) -> Result<(), LifecycleError> {
    let Role::Active { router } = shared.role().borrow().clone() else {
        return Err(LifecycleError::Sealed);
    };
    let reply = router
        .handle(Incoming {
            id: uuid::Uuid::new_v4().to_string(),
            operation: Operation::Update,
            path: "sys/mounts/secret".into(),
            token: Some(Secret::new(token.expose().clone())),
            data: kv_mount(),
            wrap_ttl: None,
            headers: Vec::new(),
            client: Client::default(),
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
