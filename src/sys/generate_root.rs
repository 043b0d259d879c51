//! `sys/generate-root/*` and `sys/generate-root-token/*`: a new root token from the unseal shares.
//!
//! The first are Vault's: open to everyone who reaches them, with bare answers. The second are
//! OpenBao's: for who has a token that may, with an envelope. Each has an attempt of its own, so
//! nobody without a token can block, cancel or spoil what was started with one.

use super::generation::{Generation, Given, aborted};
use super::open::bare;
use super::system::{System, is_update};
use crate::barrier::{BarrierError, Batch, SealConfig, Sealed};
use crate::clock::Timestamp;
use crate::engine::{Error, ErrorKind, Operation, Request, Response};
use crate::secret::{Key256, SecretString};
use crate::token::{RANDOM_CHARS, SERVICE_PREFIX, Spec};
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The attempts of both doors. They end when this node seals or steps down.
pub(super) struct RootGenerations {
    open: Mutex<Generation>,
    authenticated: Mutex<Generation>,
}

/// How the caller came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Without a token.
    Open,
    /// With one.
    Authenticated,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// `attempt`: begin, look, cancel.
    Attempt,
    /// `update`: give a share.
    Update,
}

impl Default for RootGenerations {
    fn default() -> Self {
        let one = || Mutex::new(Generation::new(SERVICE_PREFIX.len() + RANDOM_CHARS));
        Self {
            open: one(),
            authenticated: one(),
        }
    }
}

/// What `path`, below `sys/`, calls.
pub(super) fn place(path: &str) -> Option<(Door, Room)> {
    let (head, rest) = path.split_once('/')?;
    let door = match head {
        "generate-root" => Door::Open,
        "generate-root-token" => Door::Authenticated,
        _ => return None,
    };
    match rest {
        "attempt" => Some((door, Room::Attempt)),
        "update" => Some((door, Room::Update)),
        _ => None,
    }
}

impl System {
    pub(super) async fn generate_root(
        &self,
        request: &Request,
        door: Door,
        room: Room,
    ) -> Result<Response, Error> {
        let sealed = Sealed::new(Arc::clone(self.barrier.storage()));
        let config = sealed.seal_config()?.ok_or(BarrierError::NotInitialized)?;
        let mut generation = match door {
            Door::Open => self.generations.open.lock().await,
            Door::Authenticated => self.generations.authenticated.lock().await,
        };
        let fields = match (room, request.operation) {
            (Room::Attempt, Operation::Read) => generation.status(config),
            (Room::Attempt, Operation::Delete) => {
                generation.cancel();
                return Ok(Response::no_content());
            }
            (Room::Attempt, _) if is_update(request) => {
                let started = generation.start(config, &request.data)?;
                tracing::warn!(?door, "root generation started");
                started
            }
            (Room::Update, _) if is_update(request) => {
                match generation.submit(config, &request.data)? {
                    Given::Waiting(answer) => answer,
                    Given::Key(key) => {
                        self.finish(&mut generation, &sealed, config, &key, request.now)
                            .await?
                    }
                }
            }
            _ => return Err(Error::silent(ErrorKind::UnsupportedOperation)),
        };
        Ok(shown(door, fields))
    }

    async fn finish(
        &self,
        generation: &mut Generation,
        sealed: &Sealed,
        config: SealConfig,
        key: &Key256,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Error> {
        sealed.check(key).map_err(|error| match error {
            BarrierError::WrongSealKey => Error::invalid(aborted(&error)),
            error => error.into(),
        })?;
        let token = self.make_root_token(now).await?;
        tracing::warn!("a root token was generated with the unseal keys");
        Ok(generation.finish(config, &token))
    }

    async fn make_root_token(&self, now: Timestamp) -> Result<SecretString, Error> {
        let mut batch = Batch::new();
        let minted = self.tokens.create(&mut batch, Spec::root(), now)?;
        self.barrier.commit(batch, now).await?;
        Ok(minted.token)
    }
}

/// Vault's answers are bare; OpenBao's leave out what is empty.
fn shown(door: Door, mut fields: Map<String, Value>) -> Response {
    if door == Door::Open {
        return bare(&Value::Object(fields));
    }
    fields.remove("encoded_root_token");
    if fields.get("started") != Some(&Value::Bool(true)) {
        for absent in ["nonce", "pgp_fingerprint"] {
            fields.remove(absent);
        }
    }
    // An answer to a share has no password, one about an attempt no token.
    let absent: &[&str] = match fields.get("otp_length").and_then(Value::as_u64) {
        Some(0) => &["otp", "otp_length"],
        _ => &["encoded_token"],
    };
    for absent in absent {
        fields.remove(*absent);
    }
    Response::data(fields)
}
