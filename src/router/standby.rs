//! The requests that a standby answers itself: all that read and need no entry in the log.

use super::audited::Told;
use super::call::Call;
use super::router::Router;
use super::{Incoming, OnStandby};
use crate::barrier::{BarrierError, Batch};
use crate::engine::table::Effect;
use crate::engine::{Error, ErrorKind, Operation, Request, Response};
use crate::store::ReadError;
use std::time::Instant;

impl Router {
    /// Answers a request on a standby, when its state is as new as the leader's and has at least
    /// `index`, and when the answer needs no write. That is found out before the audit record is
    /// written, except where only the engine knows.
    ///
    /// A request about this node alone (`is_local`) is answered from the state that it has applied
    /// when nobody leads: a node that lost its quorum can be sealed, and tells how it is.
    pub async fn handle_on_standby(
        &self,
        incoming: Incoming,
        index: u64,
        is_local: bool,
    ) -> OnStandby {
        let started = Instant::now();
        let _flight = self.parts.flights.enter(&incoming, self.parts.clock.now());
        let (mut call, mut request) = Call::new(incoming, self.parts.lifetimes.max);
        let answered = self.read_here(&mut call, &mut request, index, is_local);
        let answered = answered.await;
        match answered {
            Ok(result) => OnStandby::Answered(Box::new(self.reply(call, request, result, started))),
            Err(Elsewhere::ForActive) => OnStandby::ForActive,
            Err(Elsewhere::Behind) => OnStandby::Behind,
        }
    }

    /// Returns true when a write of `path` may be one that changes nothing, and that a standby can
    /// answer as it answers reads.
    pub fn may_compute(&self, path: &str) -> bool {
        let Ok(Some((route, rest))) = self.routes.resolve(path) else {
            return false;
        };
        let asked = Operation::Update;
        let one = route.engine.canonical_path(asked, rest);
        let table = route.engine.table(&route.context);
        let found = table.found(one.as_deref().unwrap_or(rest), asked);
        found
            .is_some_and(|found| found.effect == Some(Effect::Computes) && !found.endpoint.prepares)
    }

    /// Returns the index that this node has applied.
    pub fn applied_index(&self) -> u64 {
        self.parts.barrier.storage().status().applied_index
    }

    async fn read_here(
        &self,
        call: &mut Call,
        request: &mut Request,
        index: u64,
        is_local: bool,
    ) -> Result<Result<Response, Error>, Elsewhere> {
        if let Err(error) = crate::path::check(&call.path) {
            return Ok(Err(BarrierError::from(error).into()));
        }
        match self.parts.barrier.storage().read_barrier().await {
            Ok(()) => {}
            Err(ReadError::Unavailable(_)) if is_local => {}
            Err(ReadError::Unavailable(reason)) => {
                crate::telemetry::debug!(%reason, "no read index: the active node is asked");
                return Err(Elsewhere::ForActive);
            }
            Err(error @ ReadError::Fatal(_)) => {
                return Ok(Err(BarrierError::from(error).into()));
            }
        }
        if self.applied_index() < index {
            return Err(Elsewhere::Behind);
        }
        let now = self.parts.clock.now();
        let verdict = self.examine(call, request, now);
        let elsewhere = match call.effect {
            Some(Effect::Writes | Effect::Acts) => !is_local,
            Some(Effect::Computes) => call.prepares(),
            Some(Effect::Reads) | None => false,
        };
        if call.uses_up() || elsewhere {
            return Err(Elsewhere::ForActive);
        }
        let mut told = Told::default();
        let (result, batch) = match verdict {
            Ok(authorized) => {
                if let Err(error) = self.tell(call, authorized.request(), &mut told, None) {
                    return Ok(Err(error));
                }
                self.perform(call, authorized, now).await
            }
            Err(error) if call.token.is_none() => {
                let audited = self.audit_refusal(call, request, &error);
                return Ok(Err(audited.err().unwrap_or(error)));
            }
            Err(error) => {
                if let Err(unaudited) = self.tell(call, request, &mut told, Some(&error)) {
                    return Ok(Err(unaudited));
                }
                (Err(error), Batch::new())
            }
        };
        if !batch.is_empty() {
            let error = Error::new(ErrorKind::Unavailable, "sent on to the active node");
            if let Err(unaudited) = self.audit_response(call, request, Err(&error), &told) {
                return Ok(Err(unaudited));
            }
            return Err(Elsewhere::ForActive);
        }
        Ok(
            match self.audit_response(call, request, result.as_ref(), &told) {
                Ok(bytes) => {
                    told.bytes += bytes;
                    self.settle(told, &result);
                    result
                }
                Err(unaudited) => Err(unaudited),
            },
        )
    }
}

/// The reasons for which a standby has no answer.
enum Elsewhere {
    ForActive,
    Behind,
}
