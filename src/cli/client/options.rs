//! What a client is made from.

use std::time::Duration;

use crate::cli::token_file::TokenError;
use crate::outbound::{Proxies, TlsOptions};
use crate::secret::SecretString;

use super::pace::Pace;

/// What a client is made from: flags, variables and files, already read.
pub struct Options {
    /// `http://`, `https://` or `unix://`.
    pub address: String,
    /// Sent as `X-Vault-Token`; an error is told when a request would need it.
    pub token: Result<Option<SecretString>, TokenError>,
    /// Sent as `X-Vault-Namespace`.
    pub namespace: Option<String>,
    /// Sent as `X-Vault-Wrap-Ttl`.
    pub wrap_ttl: Option<Duration>,
    /// Further headers of the caller's.
    pub headers: Vec<(String, String)>,
    /// Whom to trust, and what to show.
    pub tls: TlsOptions,
    /// Name to expect in the server's certificate.
    pub tls_server_name: Option<String>,
    /// Whether to follow one redirect.
    pub redirects: bool,
    /// How often to try again.
    pub retries_max: u32,
    /// For one try, from connecting to the body's end.
    pub timeout: Duration,
    /// How fast requests may follow each other; `None` is as fast as can be.
    pub pace: Option<Pace>,
    /// Proxies on the way to the server.
    pub proxies: Proxies,
    /// Print instead of sending.
    pub preview: Option<Preview>,
    /// The program's name, for the curl command.
    pub program: String,
}

/// What to print instead of sending a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preview {
    /// A curl command.
    Curl,
    /// The policy that the request needs.
    Policy,
}
