//! Reasons why an exchange cannot be made, or fails.

use std::io;

/// Reasons why an exchange cannot be made; always the caller's to mend. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The address cannot be read; the form is `http://host:port`.
    #[error("invalid address {0:?}: expected http://, https:// or unix:// and a host")]
    Address(String),
    /// The address has a scheme that this client does not speak.
    #[error("unsupported protocol scheme {0:?}")]
    Scheme(String),
    /// A certificate or key is missing or wrong.
    #[error("failed to setup TLS config: {0}")]
    Tls(String),
}

/// Reasons why an exchange failed. A `url` is that of the server that was being asked, which after
/// a redirect is another one than the caller named.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The caller's TLS files are wrong, or a server redirected to an invalid address.
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
        /// The message of the network, of TLS or of a proxy, in the words that users know.
        reason: String,
    },
    /// The server redirects from TLS to none, or to a socket of this machine.
    #[error("{url}: redirected to {location}, which is not to be trusted")]
    Redirect {
        /// The server that redirects.
        url: String,
        /// The target of the redirect.
        location: String,
    },
}
