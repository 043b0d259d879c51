//! The way to the active node, as a standby's edge sees it. `node` implements it.

use super::message::{ForwardAnswer, ForwardRequest};
use crate::store::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Reasons why a request has no answer from the active node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// The request was not executed and may be sent again, there or elsewhere: there is no leader,
    /// the node that was asked is not active, or it could not be reached.
    #[error("not executed: {0}")]
    NotExecuted(String),
    /// The request was sent and no answer came, so it may have been executed.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// Sends requests to the active node.
pub trait Forwarder: Send + Sync {
    /// Sends one request to the active node and returns the answer, within `within`.
    fn forward(
        &self,
        request: &ForwardRequest,
        within: Duration,
    ) -> BoxFuture<'_, Result<ForwardAnswer, ForwardError>>;

    /// Returns the cluster's id, for the tokens of `X-Vault-Index`; `None` while it is not known.
    fn cluster_id(&self) -> Option<Arc<str>>;
}
