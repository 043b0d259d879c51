//! Errors of starting a node.

use crate::http::ServeError;
use crate::sys::LifecycleError;

/// The reason for which a node did not start, always one that the operator can remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration asks for a feature that this build lacks.
    #[error("{0}")]
    Unsupported(String),
    /// The store cannot be opened: the message gives the reason and the remedy.
    #[error("error initializing storage: {0}")]
    Storage(String),
    /// A listener cannot start.
    #[error("error initializing listener: {0}")]
    Listener(#[from] ServeError),
    /// The listener for other nodes cannot start.
    #[error("error initializing cluster listener: {0}")]
    ClusterListener(String),
    /// Dev mode could not initialise itself.
    #[error("error initializing dev mode: {0}")]
    Dev(LifecycleError),
}

impl StartError {
    /// Returns true when the same start may succeed later: a network that is not up yet, a port
    /// that another process holds.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Listener(error) => {
                matches!(error, ServeError::Resolve { .. } | ServeError::Bind { .. })
            }
            Self::ClusterListener(_) => true,
            Self::Unsupported(_) | Self::Storage(_) | Self::Dev(_) => false,
        }
    }
}
