//! Why no exchange can be made, and why one came to nothing.

use std::io;

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

/// Why an exchange came to nothing. A `url` is that of the server that was being asked, which
/// after a redirect is another one than the caller named.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The caller's TLS files are wrong, or a server redirected to what is no address.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The body cannot be read, so it was not sent, or not all of it.
    #[error("the request's body: {0}")]
    Body(io::Error),
    /// The server took longer than the caller allows.
    #[error("{url}: no answer in time")]
    Late {
        /// The server that was being asked.
        url: String,
    },
    /// The server cannot be reached, went away, or answers with more than the caller allows.
    #[error("{url}: {reason}")]
    Network {
        /// The server that was being asked.
        url: String,
        /// What the network, TLS or a proxy says, in the words that users know.
        reason: String,
    },
    /// The server redirects from TLS to none, or to a socket of this machine.
    #[error("{url}: redirected to {location}, which is not to be trusted")]
    Redirect {
        /// The server that redirects.
        url: String,
        /// Where to.
        location: String,
    },
}
