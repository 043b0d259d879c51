//! The settings of a client.

use std::time::Duration;

use crate::cli::token_file::TokenError;
use crate::outbound::{Proxies, TlsOptions};
use crate::secret::SecretString;

use super::pace::Pace;

/// The settings of a client: flags, variables and files, already read.
pub struct Options {
    /// `http://`, `https://` or `unix://`.
    pub address: String,
    /// The token for `X-Vault-Token`; an error is told when a request would need it.
    pub token: Result<Option<SecretString>, TokenError>,
    /// The value of `X-Vault-Namespace`.
    pub namespace: Option<String>,
    /// The value of `X-Vault-Wrap-Ttl`.
    pub wrap_ttl: Option<Duration>,
    /// The caller's other headers.
    pub headers: Vec<(String, String)>,
    /// The authorities that are trusted, and the client's certificate.
    pub tls: TlsOptions,
    /// The name to expect in the server's certificate.
    pub tls_server_name: Option<String>,
    /// True if one redirect is followed.
    pub redirects: bool,
    /// Most retries of one request.
    pub retries_max: u32,
    /// The longest time of one try, from connecting to the end of the body.
    pub timeout: Duration,
    /// The limit on the rate of requests; `None` sets no limit.
    pub pace: Option<Pace>,
    /// Proxies on the way to the server.
    pub proxies: Proxies,
    /// The form in which requests are printed instead of sent.
    pub preview: Option<Preview>,
    /// The program's name, for the curl command.
    pub program: String,
}

/// The form in which a request is printed instead of sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preview {
    /// A curl command.
    Curl,
    /// The policy that the request needs.
    Policy,
}
