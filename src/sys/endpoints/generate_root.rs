//! The endpoints `sys/generate-root/*` and `sys/generate-root-token/*`: a new root token from the
//! unseal shares, or from the recovery shares where a provider unseals.
//!
//! The first are Vault's: open to everyone who reaches them, with bare answers. The second are
//! OpenBao's: for callers with a token that may, with an envelope. Each has an attempt of its own,
//! so nobody without a token can block, cancel or spoil one that was started with a token.

use super::ceremony::{Door, check_key};
use super::generation::{Generation, Given, refused};
use super::run::Run;
use super::system::System;
use crate::barrier::{Batch, SealRecord};
use crate::clock::Timestamp;
use crate::engine::table::{
    Access, Answers, Effect, Endpoint, Field, FieldKind, Matched, Op, Place, Row,
};
use crate::engine::{Error, Operation, Response};
use crate::secret::{Key256, SecretString};
use crate::store::BoxFuture;
use crate::sys::open::bare;
use crate::token::Spec;
use serde_json::{Map, Value};
use tokio::sync::MutexGuard;

/// Fields of the request that begins an attempt.
pub(in crate::sys) const ATTEMPT: &[Field] = &[
    Field::new(
        "otp",
        FieldKind::Text,
        "One-time password; one is made where none is given.",
    )
    .secret(),
    Field::new(
        "pgp_key",
        FieldKind::Text,
        "Public key to which the token is encrypted, in place of a password.",
    ),
];
/// Fields of the request that brings a share.
pub(in crate::sys) const UPDATE: &[Field] = &[
    Field::new(
        "key",
        FieldKind::Text,
        "An unseal share, or a recovery share.",
    )
    .required()
    .secret(),
    Field::new("nonce", FieldKind::Text, "The attempt's nonce.").required(),
];

const OPEN: Endpoint = Endpoint {
    access: Access::Open,
    place: Place::Active,
    answers: Answers::Object,
    summary: "Makes a root token with the unseal or recovery shares.",
    about: "An attempt is begun, seen and given up at \"attempt\"; each share goes to \"update\". \
            The answer to the last carries the token, XORed with the one-time password or \
            encrypted to the PGP key.",
    ..Endpoint::USUAL
};
const AUTHENTICATED: Endpoint = Endpoint {
    access: Access::Token,
    answers: Answers::Envelope,
    ..OPEN
};

/// Both doors, each with an attempt and its shares.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "generate-root/attempt",
            fields: ATTEMPT,
            ..OPEN
        },
        operations: &[
            (LOOK, Run::Act(|system, _| system.look(Door::Open))),
            (Op::ACT, Run::Act(|system, m| system.start(Door::Open, m))),
            (CANCEL, Run::Act(|system, _| system.cancel(Door::Open))),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "generate-root/update",
            fields: UPDATE,
            ..OPEN
        },
        operations: &[(Op::ACT, Run::Act(|system, m| system.submit(Door::Open, m)))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "generate-root-token/attempt",
            fields: ATTEMPT,
            ..AUTHENTICATED
        },
        operations: &[
            (LOOK, Run::Act(|system, _| system.look(Door::Authenticated))),
            (
                Op::ACT,
                Run::Act(|system, m| system.start(Door::Authenticated, m)),
            ),
            (
                CANCEL,
                Run::Act(|system, _| system.cancel(Door::Authenticated)),
            ),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "generate-root-token/update",
            fields: UPDATE,
            ..AUTHENTICATED
        },
        operations: &[(
            Op::ACT,
            Run::Act(|system, m| system.submit(Door::Authenticated, m)),
        )],
    },
];

const LOOK: Op = Op::new(Operation::Read, Effect::Acts);
const CANCEL: Op = Op::new(Operation::Delete, Effect::Acts);

/// Returns true for an endpoint of the door that asks for no token.
pub(in crate::sys) fn is_open_door(endpoint: &Endpoint) -> bool {
    let mut rows = ROWS
        .iter()
        .filter(|row| row.endpoint.access == Access::Open);
    rows.any(|row| row.endpoint.pattern == endpoint.pattern)
}

type Answered<'a> = BoxFuture<'a, Result<Response, Error>>;

impl System {
    async fn generation(&self, door: Door) -> MutexGuard<'_, Generation> {
        match door {
            Door::Open => self.generations.open.lock().await,
            Door::Authenticated => self.generations.authenticated.lock().await,
        }
    }

    fn look(&self, door: Door) -> Answered<'_> {
        Box::pin(async move {
            let config = self.barrier.current_seal()?.record.ceremony();
            let generation = self.generation(door).await;
            Ok(shown(door, generation.status(config)))
        })
    }

    fn start<'a>(&'a self, door: Door, matched: Matched<'a>) -> Answered<'a> {
        Box::pin(async move {
            let config = self.barrier.current_seal()?.record.ceremony();
            let mut generation = self.generation(door).await;
            let now = matched.request.now;
            let started = generation.start(config, &matched.fields, now).await?;
            tracing::warn!(?door, "root generation started");
            Ok(shown(door, started))
        })
    }

    fn cancel(&self, door: Door) -> Answered<'_> {
        Box::pin(async move {
            self.generation(door).await.cancel();
            Ok(Response::no_content())
        })
    }

    fn submit<'a>(&'a self, door: Door, matched: Matched<'a>) -> Answered<'a> {
        Box::pin(async move {
            let seal = self.barrier.current_seal()?.record;
            let mut generation = self.generation(door).await;
            let answer = match generation.submit(seal.ceremony(), &matched.fields)? {
                Given::Waiting(answer) => answer,
                Given::Key(key) => {
                    let now = matched.request.now;
                    self.finish(&mut generation, &seal, &key, now).await?
                }
            };
            Ok(shown(door, answer))
        })
    }

    async fn finish(
        &self,
        generation: &mut Generation,
        seal: &SealRecord,
        key: &Key256,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Error> {
        check_key(&self.barrier, seal, key).map_err(refused)?;
        let token = self.make_root_token(now).await?;
        tracing::warn!("a root token was generated with shares of a key");
        generation.finish(seal.ceremony(), &token)
    }

    async fn make_root_token(&self, now: Timestamp) -> Result<SecretString, Error> {
        let mut batch = Batch::new();
        let minted = self.tokens.create(&mut batch, Spec::root(), now)?;
        self.barrier.commit(batch, now).await?;
        Ok(minted.token)
    }
}

/// Shapes an answer for its door: Vault's answers are bare; OpenBao's leave out empty fields.
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
