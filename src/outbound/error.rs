//! Why no exchange can be made.

/// Why no exchange can be made. Always the caller's to mend; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The address cannot be read; `http://host:port` is meant.
    #[error("invalid address {0:?}: expected http://, https:// or unix:// and a host")]
    Address(String),
    /// The address has a scheme that is not spoken here.
    #[error("unsupported protocol scheme {0:?}")]
    Scheme(String),
    /// A certificate or key is missing or wrong.
    #[error("failed to setup TLS config: {0}")]
    Tls(String),
}
