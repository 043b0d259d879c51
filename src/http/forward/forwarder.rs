//! The way to the active node, as a standby's edge sees it. `node` implements it.

use super::message::{ForwardAnswer, ForwardRequest};
use crate::store::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Why a request has no answer from the active node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// Not now: it was not executed and may be sent again, there or elsewhere. Nobody leads, who
    /// was taken for the active node is not, or it could not be reached.
    #[error("not executed: {0}")]
    NotExecuted(String),
    /// Not now: it was sent and no answer came, so it may have been executed.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// Sends requests to the active node.
pub trait Forwarder: Send + Sync {
    /// Sends one request to whoever is active now and gives the answer, within `within`.
    fn forward(
        &self,
        request: &ForwardRequest,
        within: Duration,
    ) -> BoxFuture<'_, Result<ForwardAnswer, ForwardError>>;

    /// The cluster's id, for the tokens of `X-Vault-Index`; `None` while it is not known.
    fn cluster_id(&self) -> Option<Arc<str>>;
}
