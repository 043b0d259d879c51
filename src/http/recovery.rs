//! Requests to a server in recovery mode: no role, no router, and one page for everything that
//! recovery mode does not serve.

use super::allowance::Allowance;
use super::answer::{self, Answer};
use super::call::{Call, refusal};
use super::envelope;
use super::logical::{as_listed, decode, ended_early, to_the_end};
use super::payload::Payload;
use super::request;
use crate::engine::Operation;
use crate::router::Reply;
use crate::sys::{RecoveryCall, RecoveryMode};
use bytes::Bytes;
use hyper::{StatusCode, header};
use std::sync::Arc;

/// The words that every server of this family uses, which people search for.
const NOT_FOUND: &str = "404 page not found\n";

/// Returns the page for everything that recovery mode does not serve.
pub(super) fn not_found() -> Answer {
    answer::text(StatusCode::NOT_FOUND, NOT_FOUND)
}

impl Call<'_> {
    /// Answers from `mode`.
    pub(super) async fn recover(
        self,
        payload: Payload,
        mode: Arc<RecoveryMode>,
    ) -> Result<Answer, Answer> {
        let mut query = request::query(self.head.uri.query()).map_err(refusal)?;
        let operation = request::operation(&self.head.method, &mut query).map_err(refusal)?;
        let writes = matches!(
            operation,
            Operation::Create | Operation::Update | Operation::Patch
        );
        let token = request::token(&self.head.headers).map_err(refusal)?;
        let options = &self.shared.options;
        let allowance = match &token {
            Some(token) if mode.knows(token).await => Allowance::client(options),
            _ => Allowance::stranger(options),
        };
        let body = match writes {
            true => self.body(payload, &allowance).await?,
            false => Bytes::new(),
        };
        let turn = self.tokenless_turn().await;
        let mut charge = self.shared.budget.charge(allowance.share);
        let data = match writes {
            true => {
                let content_type = self.head.headers.get(header::CONTENT_TYPE);
                let content_type = content_type.map(|value| value.as_bytes());
                decode(content_type, &body, &allowance.json, &mut charge)?
            }
            false => request::fields(query),
        };
        let id = request::request_id();
        let call = RecoveryCall {
            operation,
            path: as_listed(self.path, operation),
            token,
            data,
        };
        let answered = to_the_end(operation, async move {
            let _held = (charge, turn);
            mode.answer(call).await
        });
        let reply = match answered.await {
            Ok(Some(result)) => Reply {
                request_id: id,
                mount_type: String::new(),
                result,
                moved: false,
            },
            Ok(None) => return Err(not_found()),
            Err(error) => ended_early(id, &error),
        };
        Ok(envelope::encode(reply))
    }
}
