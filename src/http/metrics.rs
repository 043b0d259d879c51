//! `sys/metrics` without a token, on listeners that allow it: this node's numbers, also while it is
//! sealed or has no cluster. The request is never forwarded.

use super::answer::{self, Answer};
use super::call::{Call, refusal};
use super::envelope;
use super::request;
use crate::router::Reply;
use hyper::{Method, StatusCode};

impl Call<'_> {
    /// Returns the numbers, in the format that the query names.
    pub(super) async fn metrics(self) -> Result<Answer, Answer> {
        if self.head.method != Method::GET {
            return Err(answer::errors(StatusCode::METHOD_NOT_ALLOWED, &[]));
        }
        let query = request::query(self.head.uri.query()).map_err(refusal)?;
        let fields = request::fields(query);
        let _turn = self.tokenless_turn().await;
        let lifecycle = self.shared.gate.lifecycle.as_ref();
        Ok(envelope::encode(Reply {
            request_id: String::new(),
            mount_type: String::new(),
            result: crate::sys::metrics::answer(&fields, lifecycle).await,
            moved: false,
        }))
    }
}
