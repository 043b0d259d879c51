//! The router: its parts, and the steps of one request in their order.

use super::audited::Told;
use super::call::Call;
use super::contention::Contention;
use super::flights::Flights;
use super::routes::{Lifetimes, Routes};
use super::{Incoming, Reply, Revoker};
use crate::audit;
use crate::barrier::{BarrierError, Batch, Unsealed};
use crate::clock::{Clock, Timestamp};
use crate::engine::{Error, Kinds, Request, Response};
use crate::mount::Table;
use crate::policy;
use crate::secret::SecretString;
use crate::store::{CommitError, ReadError};
use crate::telemetry::{Counter, Tally, metrics, writes};
use crate::token::{self, Fingerprint, Token, TokenError};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Most attempts at a request under which a record changed.
const ATTEMPTS_MAX: usize = 64;

/// The parts of the router.
pub struct Parts {
    /// The barrier, in which everything is stored.
    pub barrier: Arc<Unsealed>,
    /// The cluster's clock.
    pub clock: Arc<dyn Clock>,
    /// The mount table.
    pub mounts: Arc<Table>,
    /// The policies.
    pub policies: Arc<policy::Store>,
    /// The tokens.
    pub tokens: Arc<token::Store>,
    /// The audit devices.
    pub audit: Arc<audit::Broker>,
    /// The kinds that may be mounted.
    pub kinds: Kinds,
    /// The lives of leases where mounts say nothing.
    pub lifetimes: Lifetimes,
    /// The requests that are being answered right now; shared with the endpoint that shows them.
    pub flights: Arc<Flights>,
    /// The link to the engines that granted leases.
    pub revoker: Arc<Revoker>,
}

/// The edge's knowledge of the sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquaintance {
    /// The path is open to all.
    Open,
    /// The token is good; with its fingerprint if it is a service token.
    Known(Option<Fingerprint>),
    /// The token is not good.
    Unknown,
    /// The token is not known here, and it is not known if this node has all that the cluster
    /// knows.
    Unclear,
}

/// Routes requests while the node is unsealed.
pub struct Router {
    pub(super) parts: Parts,
    pub(super) routes: Arc<Routes>,
    contention: Contention,
    requests: Tally,
    conflicts: Arc<Counter>,
}

impl Router {
    /// Creates a router over `parts`.
    pub fn new(parts: Parts) -> Self {
        let routes = Arc::new(Routes::new(
            Arc::clone(&parts.barrier),
            Arc::clone(&parts.mounts),
            parts.kinds.clone(),
            parts.lifetimes,
        ));
        parts.revoker.bind(&routes);
        Self {
            routes,
            parts,
            contention: Contention::new(),
            requests: Tally::new(
                (
                    "core.handle_request",
                    "Milliseconds that requests took, from their token to their audited answer.",
                ),
                (
                    "core.handle_request.errors",
                    "Requests that were answered with an error.",
                ),
            ),
            conflicts: metrics().counter(
                "core.handle_request.conflicts",
                "Requests that were run again because a record changed underneath.",
            ),
        }
    }

    /// Opens the audit files anew, after they were rotated.
    pub fn reopen_audit(&self) {
        self.parts.audit.reopen();
    }

    /// Returns the link to the engines that granted leases.
    pub fn revoker(&self) -> &Arc<Revoker> {
        &self.parts.revoker
    }

    /// Returns what is known of the sender of a request to `path`, before its body is read. Looks
    /// again for a token that is not found once this node knows what the cluster knows.
    pub async fn acquaintance(
        &self,
        path: &str,
        token: &SecretString,
        address: Option<IpAddr>,
    ) -> Acquaintance {
        if self.is_open(path) {
            return Acquaintance::Open;
        }
        let Ok(fingerprint) = self.parts.tokens.fingerprint(token) else {
            return Acquaintance::Unclear;
        };
        if self.knows(token, fingerprint, address) {
            return Acquaintance::Known(fingerprint);
        }
        match self.parts.barrier.storage().read_barrier().await {
            Err(_) => Acquaintance::Unclear,
            Ok(()) if self.knows(token, fingerprint, address) => Acquaintance::Known(fingerprint),
            Ok(()) => Acquaintance::Unknown,
        }
    }

    /// Returns true when `path` needs no token.
    pub fn is_open(&self, path: &str) -> bool {
        let found = self.routes.resolve(path);
        found.is_ok_and(|found| found.is_some_and(|(route, rest)| route.is_open(rest)))
    }

    fn knows(
        &self,
        token: &SecretString,
        fingerprint: Option<Fingerprint>,
        address: Option<IpAddr>,
    ) -> bool {
        let found = self.lookup(token, fingerprint, self.parts.clock.now());
        found.is_ok_and(|token| token.is_some_and(|token| token.permits_address(address)))
    }

    /// Finds the token of a text whose fingerprint may be known already.
    pub(super) fn lookup(
        &self,
        text: &SecretString,
        fingerprint: Option<Fingerprint>,
        now: Timestamp,
    ) -> Result<Option<Arc<Token>>, TokenError> {
        match fingerprint {
            Some(fingerprint) => self.parts.tokens.by_fingerprint(fingerprint, now),
            None => self.parts.tokens.lookup(text, now),
        }
    }

    /// Answers one request.
    pub async fn handle(&self, incoming: Incoming) -> Reply {
        let started = Instant::now();
        let _flight = self.parts.flights.enter(&incoming, self.parts.clock.now());
        let (mut call, mut request) = Call::new(incoming, self.parts.lifetimes.max);
        let result = self.answer(&mut call, &mut request).await;
        call.granting = None;
        if result.is_err() {
            self.take_back(&mut call);
        }
        self.reply(call, request, result, started)
    }

    /// Counts the request and makes the reply.
    pub(super) fn reply(
        &self,
        call: Call,
        mut request: Request,
        result: Result<Response, Error>,
        started: Instant,
    ) -> Reply {
        if let Err(error) = &result {
            self.notice(error);
        }
        self.requests.count(started, &result);
        crate::secret::wipe(std::mem::take(&mut request.data));
        Reply {
            moved: call.moved && result.is_err(),
            request_id: request.id,
            mount_type: call
                .route
                .map(|route| route.entry.kind.clone())
                .unwrap_or_default(),
            result,
        }
    }

    async fn answer(&self, call: &mut Call, request: &mut Request) -> Result<Response, Error> {
        crate::path::check(&call.path).map_err(BarrierError::from)?;
        let storage = self.parts.barrier.storage();
        if let Err(error) = storage.read_barrier().await {
            call.moved = matches!(error, ReadError::Unavailable(_));
            return Err(BarrierError::from(error).into());
        }
        let (mut intent, mut turn, mut is_prepared) = (None, None, false);
        let mut told = Told::default();
        for attempt in 0..ATTEMPTS_MAX {
            let mut now = self.parts.clock.now();
            let mut verdict = self.examine(call, request, now);
            if !is_prepared && call.prepares() && verdict.is_ok() {
                // What takes long comes before any turn, so that nobody waits for it.
                let prepared = self.prepare(call, verdict?, &mut told).await;
                is_prepared = prepared.is_ok();
                now = self.parts.clock.now();
                verdict = match prepared {
                    Ok(()) => self.examine(call, request, now),
                    Err(error) => Err(error),
                };
            }
            // Nobody waits for who is refused, and who is refused takes no turn.
            let writes = call.writes() && call.token.is_some();
            if attempt == 0 && writes && verdict.is_ok() {
                intent = Some(storage.announce_write());
                turn = self.contention.pass(&call.path).await;
                if turn.is_some() {
                    // It took a while: what was true then may not be any more.
                    drop(verdict);
                    now = self.parts.clock.now();
                    verdict = self.examine(call, request, now);
                }
            }
            let (result, batch) = match verdict {
                Ok(authorized) => {
                    self.tell(call, authorized.request(), &mut told, None)?;
                    self.perform_here(call, authorized, now).await
                }
                Err(error) if !told.is_done && call.token.is_none() => {
                    self.audit_refusal(call, request, &error)?;
                    return Err(error);
                }
                Err(error) => {
                    self.tell(call, request, &mut told, Some(&error))?;
                    (Err(error), Batch::new())
                }
            };
            let concluded = match &result {
                Err(error) if !call.acted && error.is_conflict() => Err(conflict()),
                _ => self.conclude(call, batch, now).await,
            };
            match concluded {
                Err(BarrierError::Commit(CommitError::Conflict)) => {
                    self.conflicts.increment();
                    drop(turn.take());
                    turn = self.contention.queue_up(call.queue_name()).await;
                }
                done => {
                    drop((turn, intent));
                    let lost = matches!(done, Err(BarrierError::Commit(CommitError::NotLeader)));
                    call.moved = lost && !call.acted;
                    let result = done.map_err(Error::from).and(result);
                    told.bytes += self.audit_response(call, request, result.as_ref(), &told)?;
                    self.settle(told, &result);
                    return result;
                }
            }
        }
        let result = Err(conflict().into());
        self.audit_response(call, request, result.as_ref(), &told)?;
        result
    }

    /// Spends one use of the token and commits everything as one entry.
    pub(super) async fn conclude(
        &self,
        call: &Call,
        mut batch: Batch,
        now: Timestamp,
    ) -> Result<(), BarrierError> {
        if let Some(token) = call.token.as_ref().filter(|_| call.uses_up()) {
            let spent = self.parts.tokens.use_once(&mut batch, token, now);
            spent.map_err(barrier_cause)?;
        }
        if !batch.is_empty() {
            self.parts.barrier.commit(batch, now).await?;
            writes().payload.add(call.payload_bytes);
        }
        Ok(())
    }

    /// Tells the log what the client is not told. The node learns of a failure that it cannot
    /// survive from the store itself.
    fn notice(&self, error: &Error) {
        use BarrierError::{Decode, Tampered, UnknownKeyTerm};
        if let Some(cause @ (Tampered | UnknownKeyTerm(_) | Decode(_))) = &error.cause {
            tracing::error!(%cause, "a record cannot be read");
        }
    }
}

const fn conflict() -> BarrierError {
    BarrierError::Commit(CommitError::Conflict)
}

/// Returns the barrier's error, by which alone a use of a token can fail.
fn barrier_cause(error: token::TokenError) -> BarrierError {
    match error {
        token::TokenError::Barrier(cause) => cause,
        _ => BarrierError::Decode("token"),
    }
}
