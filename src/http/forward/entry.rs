//! Where requests come in that another node sent on.

use super::super::answer::{self, Answer};
use super::super::budget::Share;
use super::super::payload::{Payload, charged};
use super::super::server::Shared;
use super::super::service::{self, NotActive};
use super::message::{ForwardAnswer, ForwardRequest, MessageError};
use crate::peer::Chunks;
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::StatusCode;
use std::sync::Arc;

const TOO_MUCH: &str = "the request was executed, but too much memory is in use to send its answer";
const NOT_WHOLE: &str = "this answer does not travel between nodes: ask the active node itself";

/// The active node's door for members. Whoever hands it a message has made sure that a member
/// sent it: the message is believed when it says who the client is.
#[derive(Clone)]
pub struct Entry(pub(in super::super) Arc<Shared>);

impl Entry {
    /// Answers a request that came in one piece.
    pub async fn call(&self, message: Bytes) -> Bytes {
        match ForwardRequest::decode(message) {
            Ok(mut request) => {
                let body = std::mem::take(&mut request.body);
                self.answer(request, Payload::Whole(body)).await
            }
            Err(error) => not_understood(error),
        }
    }

    /// Answers a request whose body comes in pieces behind its head.
    pub async fn stream(&self, head: Bytes, body: Chunks) -> Bytes {
        match ForwardRequest::decode(head) {
            Ok(request) => self.answer(request, Payload::Pieces(body)).await,
            Err(error) => not_understood(error),
        }
    }

    async fn answer(&self, request: ForwardRequest, payload: Payload) -> Bytes {
        let answer = match service::answer_member(&self.0, request, payload).await {
            Ok(answer) => answer,
            Err(error) => return not_understood(error),
        };
        if answer.extensions().get::<NotActive>().is_some() {
            return ForwardAnswer::not_active();
        }
        match self.encoded(answer) {
            Some(message) => message,
            None => {
                let answer = answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[TOO_MUCH]);
                // Small enough to need no place in the budget.
                whole(answer).map_or_else(ForwardAnswer::not_active, Bytes::from_owner)
            }
        }
    }

    /// `None` when there is no memory for it.
    fn encoded(&self, answer: Answer) -> Option<Bytes> {
        let message = match whole(answer) {
            Some(message) => message,
            None => whole(answer::errors(
                StatusCode::INTERNAL_SERVER_ERROR,
                &[NOT_WHOLE],
            ))?,
        };
        charged(Bytes::from_owner(message), &self.0.budget, Share::Clients)
    }
}

/// The message of an answer whose body is a single buffer, which is always ready.
fn whole(answer: Answer) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let (head, body) = answer.into_parts();
    let body = body.collect().now_or_never()?.ok()?;
    let answer = ForwardAnswer {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    };
    answer.encode().ok()
}

/// Nothing was executed, and the sender asks elsewhere.
fn not_understood(error: MessageError) -> Bytes {
    tracing::warn!(%error, "a request that another node sent on cannot be read");
    ForwardAnswer::not_active()
}
