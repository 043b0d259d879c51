//! One request to a server in recovery mode: no role, no router, and one page for all that is not
//! there.

use super::answer::{self, Answer};
use super::envelope;
use super::logical::{as_listed, decode, ended_early, to_the_end};
use super::payload::Payload;
use super::request;
use super::service::{Call, refusal};
use crate::engine::Operation;
use crate::router::Reply;
use crate::sys::{RecoveryCall, RecoveryMode};
use hyper::{StatusCode, header};
use std::sync::Arc;

/// In the words of every server of this family, which people search for.
const NOT_FOUND: &str = "404 page not found\n";

/// The page for all that recovery mode does not serve.
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
        let mut charge = self.shared.budget.charge();
        let data = match writes {
            true => {
                let body = self.body(payload).await?;
                let content_type = self.head.headers.get(header::CONTENT_TYPE);
                decode(
                    content_type.map(|value| value.as_bytes()),
                    &body,
                    &mut charge,
                )?
            }
            false => request::fields(query),
        };
        let turn = self.tokenless_turn().await;
        let id = request::request_id();
        let call = RecoveryCall {
            operation,
            path: as_listed(self.path, operation),
            token: request::token(&self.head.headers).map_err(refusal)?,
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
