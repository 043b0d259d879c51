//! Where requests come in that another node sent on.

use super::super::payload::{Held, Payload};
use super::super::server::Shared;
use super::super::service::{self, NotActive};
use super::message::{ForwardAnswer, ForwardRequest, MessageError};
use crate::peer::Chunks;
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use std::sync::Arc;

/// The active node's door for members. Whoever hands it a message has made sure that a member
/// sent it: the message is believed when it says who the client is.
#[derive(Clone)]
pub struct Entry(pub(in super::super) Arc<Shared>);

/// Why a message is not answered; nothing was executed, except where the variant
/// says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedError {
    /// The sender's: see there.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Not now: it was answered, but there is no memory for the answer.
    #[error("executed, but too much memory is in use to send the answer")]
    Answer,
    /// The sender's: it should have sent the client here.
    #[error("this answer is a stream, which does not travel between nodes")]
    Streamed,
}

impl Entry {
    /// Answers a request that came in one piece.
    ///
    /// # Errors
    /// See [`RefusedError`].
    pub async fn call(&self, message: Bytes) -> Result<Bytes, RefusedError> {
        let mut request = ForwardRequest::decode(message)?;
        let body = std::mem::take(&mut request.body);
        self.answer(request, Payload::Whole(body)).await
    }

    /// Answers a request whose body comes in pieces behind its head.
    ///
    /// # Errors
    /// See [`RefusedError`].
    pub async fn stream(&self, head: Bytes, body: Chunks) -> Result<Bytes, RefusedError> {
        let request = ForwardRequest::decode(head)?;
        self.answer(request, Payload::Pieces(body)).await
    }

    async fn answer(
        &self,
        request: ForwardRequest,
        payload: Payload,
    ) -> Result<Bytes, RefusedError> {
        let answer = service::answer_member(&self.0, request, payload).await?;
        if answer.extensions().get::<NotActive>().is_some() {
            return Ok(ForwardAnswer::not_active());
        }
        let (head, body) = answer.into_parts();
        // A single buffer is always ready. What is streamed is not answered to other nodes.
        let body = match body.collect().now_or_never() {
            Some(Ok(collected)) => collected.to_bytes(),
            Some(Err(_)) | None => return Err(RefusedError::Streamed),
        };
        let mut charge = self.0.budget.charge();
        if charge.grow(body.len()).is_err() {
            return Err(RefusedError::Answer);
        }
        let answer = ForwardAnswer {
            status: head.status,
            headers: head.headers,
            body,
        };
        let bytes = answer.encode()?;
        Ok(Held { bytes, charge }.shared())
    }
}
