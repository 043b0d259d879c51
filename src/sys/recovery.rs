//! Recovery mode: records by their plain paths, for holders of the unseal shares, and nothing else.
//! A seal key that providers keep is asked of them, and the recovery shares authorize its use.
//!
//! The shares make a token that is good in this process only. It is not stored: it is compared
//! with the one that is kept in memory, in constant time.

use super::endpoints::ceremony::check_key;
use super::endpoints::generation::{Generation, Given, refused};
use super::endpoints::{generate_root, raw};
use super::open::MOUNT;
use super::open::bare;
use super::ports::{
    HaStatus, InitRequest, InitResult, LeaderStatus, Lifecycle, LifecycleError, SealStatus,
    ShareInput,
};
use crate::barrier::{BarrierError, SealRecord, Sealed, Unsealed};
use crate::clock::{Clock, Timestamp};
use crate::engine::table::{Endpoint, Fields, Op, Row, Table};
use crate::engine::{Error, ErrorKind, Operation, Response};
use crate::seal::Providers;
use crate::secret::{Key256, Secret, SecretString, random_text};
use crate::store::{BoxFuture, Storage};
use crate::token::RANDOM_CHARS;
use serde_json::{Map, Value};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

/// The beginning of a recovery token.
const PREFIX: &str = "r.";
/// The functions that answer in recovery mode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Attempt,
    Update,
    Raw,
}

const ATTEMPT: Endpoint = Endpoint {
    fields: generate_root::ATTEMPT,
    ..Endpoint::USUAL
};
const RECORDS: &[(Op, Room)] = &[
    (Op::READ, Room::Raw),
    (Op::WRITE, Room::Raw),
    (Op::DELETE, Room::Raw),
    (Op::LIST, Room::Raw),
];

/// The endpoints of recovery mode.
pub(super) static TABLE: Table<Room> = Table::new(
    "Repairs a store with the unseal or recovery shares.",
    &[&[
        Row {
            endpoint: Endpoint {
                pattern: "generate-recovery-token/attempt",
                ..ATTEMPT
            },
            operations: &[
                (Op::READ, Room::Attempt),
                (Op::ACT, Room::Attempt),
                (Op::DELETE, Room::Attempt),
            ],
        },
        Row {
            endpoint: Endpoint {
                pattern: "generate-recovery-token/update",
                fields: generate_root::UPDATE,
                ..ATTEMPT
            },
            operations: &[(Op::ACT, Room::Update)],
        },
        Row {
            endpoint: Endpoint {
                pattern: "raw",
                fields: raw::FIELDS,
                ..ATTEMPT
            },
            operations: RECORDS,
        },
        Row {
            endpoint: Endpoint {
                pattern: "raw/*path",
                fields: raw::FIELDS,
                ..ATTEMPT
            },
            operations: RECORDS,
        },
    ]],
);

/// A server in recovery mode.
pub struct RecoveryMode {
    sealed: Sealed,
    providers: Providers,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// The attempt to make a token, and its result.
struct State {
    generation: Generation,
    opened: Option<Opened>,
}

struct Opened {
    barrier: Arc<Unsealed>,
    token: SecretString,
}

impl Opened {
    /// Returns true when `given` is the token. Takes the same time for every other.
    fn has(&self, given: &SecretString) -> bool {
        let given = given.expose().trim().as_bytes();
        self.token.expose().as_bytes().ct_eq(given).into()
    }
}

/// A call as the edge understood it. The caller's right to it is not checked yet.
pub struct RecoveryCall {
    /// The operation.
    pub operation: Operation,
    /// The path, without `/v1/`.
    pub path: String,
    /// The token as it was sent.
    pub token: Option<SecretString>,
    /// Fields of the body or the query.
    pub data: Map<String, Value>,
}

impl RecoveryMode {
    /// Creates a server over a store that is used by nobody else. The store must be initialised,
    /// and `providers` are those of the configuration.
    ///
    /// # Errors
    /// [`BarrierError::NotInitialized`], and those of a store that does not read back.
    pub fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        providers: Providers,
    ) -> Result<Self, BarrierError> {
        let mode = Self {
            sealed: Sealed::new(storage),
            providers,
            clock,
            state: Mutex::new(State {
                generation: Generation::new(PREFIX.len() + RANDOM_CHARS),
                opened: None,
            }),
        };
        mode.seal()?;
        Ok(mode)
    }

    /// Returns the record of the seal key's holders.
    ///
    /// # Errors
    /// As for [`RecoveryMode::new`].
    pub fn seal(&self) -> Result<SealRecord, BarrierError> {
        let record = self.sealed.seal_record()?;
        record.ok_or(BarrierError::NotInitialized)
    }

    /// Returns true when `token` is the recovery token.
    pub async fn knows(&self, token: &SecretString) -> bool {
        let state = self.state.lock().await;
        state
            .opened
            .as_ref()
            .is_some_and(|opened| opened.has(token))
    }

    /// Answers one call; returns `None` where there is no endpoint.
    pub async fn answer(&self, call: RecoveryCall) -> Option<Result<Response, Error>> {
        let path = call.path.trim_end_matches('/');
        let below = path.strip_prefix(MOUNT)?;
        // One without the operation is found, too: it is answered by name.
        let (row, captures) = TABLE.captured(below, Operation::Read)?;
        let fields = match Fields::read(row.endpoint.fields, &call.data, "") {
            Ok(fields) => fields,
            Err(error) => return Some(Err(error)),
        };
        let is_raw = row.operations.iter().any(|(_, room)| *room == Room::Raw);
        Some(match row.handler(call.operation) {
            _ if is_raw => self.raw(&call, captures.named("path"), &fields).await,
            Some(room) => self.generate(&call, room, &fields).await,
            None => Err(Error::silent(ErrorKind::UnsupportedOperation)),
        })
    }

    async fn generate(
        &self,
        call: &RecoveryCall,
        room: Room,
        fields: &Fields<'_>,
    ) -> Result<Response, Error> {
        let seal = self.seal()?;
        let config = seal.ceremony();
        let mut state = self.state.lock().await;
        let answer = match (room, call.operation) {
            (Room::Update, _) => match state.generation.submit(config, fields)? {
                Given::Waiting(answer) => answer,
                Given::Key(key) => self.open(&mut state, &seal, &key).await?,
            },
            (_, Operation::Read) => state.generation.status(config),
            (_, Operation::Delete) => {
                state.generation.cancel();
                return Ok(Response::no_content());
            }
            _ => {
                if state.opened.is_some() {
                    return Err(Error::invalid(
                        "attempted to generate recovery operation token when already unsealed",
                    ));
                }
                let now = self.clock.now();
                state.generation.start(config, fields, now).await?
            }
        };
        Ok(bare(&Value::Object(answer)))
    }

    async fn open(
        &self,
        state: &mut State,
        seal: &SealRecord,
        key: &Key256,
    ) -> Result<Map<String, Value>, Error> {
        let barrier = match seal.recovery {
            None => self.sealed.unseal(key).map_err(refused)?,
            Some(_) => {
                let kept = self.providers.unwrap(&seal.wrapped).await;
                let kept = kept.map_err(|unkept| {
                    Error::new(ErrorKind::Unavailable, format!("no seal opens: {unkept}"))
                })?;
                let barrier = self.sealed.unseal(&kept)?;
                check_key(&barrier, seal, key).map_err(refused)?;
                barrier
            }
        };
        let random = random_text(RANDOM_CHARS);
        let token = Secret::new(format!("{PREFIX}{}", random.expose()));
        let answer = state.generation.finish(seal.ceremony(), &token)?;
        state.opened = Some(Opened { barrier, token });
        tracing::warn!("a recovery token was generated with shares of a key");
        Ok(answer)
    }

    async fn raw(
        &self,
        call: &RecoveryCall,
        path: &str,
        fields: &Fields<'_>,
    ) -> Result<Response, Error> {
        let barrier = {
            let state = self.state.lock().await;
            let opened = match (&state.opened, &call.token) {
                (Some(opened), Some(token)) => Some(opened).filter(|opened| opened.has(token)),
                _ => None,
            };
            let opened = opened.ok_or_else(|| Error::silent(ErrorKind::Denied))?;
            Arc::clone(&opened.barrier)
        };
        let outcome = raw::raw(&barrier, call.operation, path, fields)?;
        if !outcome.batch.is_empty() {
            tracing::warn!("a record is changed through sys/raw");
            barrier.commit(outcome.batch, self.clock.now()).await?;
        }
        Ok(outcome.response)
    }
}

/// The life of a node in recovery mode: it is sealed and stays so. Nobody is served any of this.
impl Lifecycle for RecoveryMode {
    fn seal_status(&self) -> SealStatus {
        SealStatus {
            initialized: true,
            sealed: true,
            ..SealStatus::default()
        }
    }

    fn leader(&self) -> LeaderStatus {
        LeaderStatus::default()
    }

    fn ha_status(&self) -> Vec<HaStatus> {
        Vec::new()
    }

    fn initialize(&self, _: InitRequest) -> BoxFuture<'_, Result<InitResult, LifecycleError>> {
        Box::pin(async { Err(LifecycleError::AlreadyInitialized) })
    }

    fn unseal(&self, _: ShareInput) -> BoxFuture<'_, Result<SealStatus, LifecycleError>> {
        Box::pin(async { Err(LifecycleError::Sealed) })
    }

    fn reset_unseal(&self) -> SealStatus {
        self.seal_status()
    }

    fn seal(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        Box::pin(async { Ok(()) })
    }

    fn step_down(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        Box::pin(async { Err(LifecycleError::Sealed) })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
