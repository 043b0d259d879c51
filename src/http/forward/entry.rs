//! The entry for requests that another node forwards.

use super::super::answer::{self, Answer};
use super::super::budget::Share;
use super::super::call::NotActive;
use super::super::gate::Shared;
use super::super::payload::{Payload, charged};
use super::super::service;
use super::message::{ForwardAnswer, ForwardRequest, MessageError};
use crate::stream::Chunks;
use crate::telemetry::Seldom;
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::StatusCode;
use std::sync::Arc;
use std::time::Duration;

const TOO_MUCH: &str = "the request was executed, but too much memory is in use to send its answer";
const NOT_WHOLE: &str = "this answer does not travel between nodes: ask the active node itself";

/// Seals the bytes of an answer for the way back; returns `None` when that is not possible any
/// more.
pub type Wrap<'a> = &'a (dyn Fn(Bytes) -> Option<Bytes> + Send + Sync);

/// The entry on the active node for forwarded requests. It believes the client's address and
/// certificates in a message, so callers pass on messages of unsealed members only.
#[derive(Clone)]
pub struct ForwardEntry(pub(in super::super) Arc<Shared>);

impl ForwardEntry {
    /// Answers a request that came in one piece. Returns `None` when its answer cannot be sealed.
    pub async fn call(&self, message: Bytes, wrap: Wrap<'_>) -> Option<Bytes> {
        match ForwardRequest::decode(message) {
            Ok(mut request) => {
                let body = std::mem::take(&mut request.body);
                self.answer(request, Payload::Whole(body), wrap).await
            }
            Err(error) => wrap(not_understood(error)),
        }
    }

    /// Answers a request whose body follows its head in pieces, as [`ForwardEntry::call`].
    pub async fn stream(&self, head: Bytes, body: Chunks, wrap: Wrap<'_>) -> Option<Bytes> {
        match ForwardRequest::decode(head) {
            Ok(request) => self.answer(request, Payload::Pieces(body), wrap).await,
            Err(error) => wrap(not_understood(error)),
        }
    }

    async fn answer(
        &self,
        request: ForwardRequest,
        payload: Payload,
        wrap: Wrap<'_>,
    ) -> Option<Bytes> {
        let answer = match service::answer_member(&self.0, request, payload).await {
            Ok(answer) => answer,
            Err(error) => return wrap(not_understood(error)),
        };
        if answer.extensions().get::<NotActive>().is_some() {
            return wrap(ForwardAnswer::not_active());
        }
        let failed = || answer::errors(StatusCode::INTERNAL_SERVER_ERROR, &[NOT_WHOLE]);
        let message = whole(answer).or_else(|| whole(failed()))?;
        let message = charged(wrap(message)?, &self.0.budget, Share::Clients);
        if message.is_some() {
            return message;
        }
        // This answer is small enough to need no place in the budget.
        let answer = answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[TOO_MUCH]);
        wrap(whole(answer)?)
    }
}

/// Encodes an answer whose body is a single buffer, which is always ready.
fn whole(answer: Answer) -> Option<Bytes> {
    let (head, body) = answer.into_parts();
    let body = body.collect().now_or_never()?.ok()?;
    let answer = ForwardAnswer {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    };
    answer.encode().ok().map(Bytes::from_owner)
}

/// Returns the answer to an unreadable message: nothing was executed, and the sender asks
/// elsewhere.
fn not_understood(error: MessageError) -> Bytes {
    static TOLD: Seldom = Seldom::new(Duration::from_secs(60));
    if let Some(times) = TOLD.happened() {
        tracing::warn!(%error, times, "a request that another node sent on cannot be read");
    }
    ForwardAnswer::not_active()
}
