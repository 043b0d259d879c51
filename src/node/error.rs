//! Why a node did not start.

use crate::http::ServeError;
use crate::sys::LifecycleError;

/// Why a node did not start. Always the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration asks for what this build cannot do.
    #[error("{0}")]
    Unsupported(String),
    /// The store cannot be opened: the message tells why and what to do.
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
    /// True when the same start may succeed later: a network that is not up yet, a port that
    /// another process holds.
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
