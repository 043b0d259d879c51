//! What the edge is told: plain types, because it may not see the configuration.

use super::json::JsonLimits;
use super::limits;
use super::tls::TlsError;
use std::path::PathBuf;
use std::time::Duration;

/// All listeners and what they share.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; at least one.
    pub listeners: Vec<Listener>,
    /// Most connections at once, over all listeners.
    pub connections_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            connections_max: limits::CONNECTIONS_MAX,
        }
    }
}

/// One listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where.
    pub address: Address,
    /// TLS, or none (`tls_disable`, unix sockets).
    pub tls: Option<Tls>,
    /// `max_request_size` in bytes.
    pub request_bytes_max: u64,
    /// How JSON in a body is bounded.
    pub json: JsonLimits,
    /// `http_max_conns_per_client`: most connections from one address, `None` for any number.
    pub connections_per_client_max: Option<usize>,
    /// `max_request_duration`.
    pub request_duration_max: Duration,
    /// `http_read_header_timeout`.
    pub header_read_timeout: Duration,
    /// `http_read_timeout`: the longest pause inside a body.
    pub body_read_timeout: Duration,
    /// `http_idle_timeout`.
    pub idle_timeout: Duration,
    /// `x_forwarded_for_*`; none when no address is authorized.
    pub forwarded_for: Option<ForwardedFor>,
    /// `custom_response_headers`.
    pub response_headers: Vec<ResponseHeaders>,
    /// `unauthenticated_metrics_access`: whoever reaches the listener may read `sys/metrics`.
    pub unauthenticated_metrics: bool,
    /// `disable_unauthed_generate_root_endpoints`: no new root token without a token.
    pub generate_root_closed: bool,
}

impl Listener {
    /// A listener at `address` with the usual limits and without TLS.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            tls: None,
            request_bytes_max: limits::REQUEST_BYTES_MAX,
            json: JsonLimits::default(),
            connections_per_client_max: Some(limits::CONNECTIONS_PER_CLIENT_MAX),
            request_duration_max: limits::REQUEST_DURATION_MAX,
            header_read_timeout: limits::HEADER_READ_TIMEOUT,
            body_read_timeout: limits::BODY_READ_TIMEOUT,
            idle_timeout: limits::IDLE_TIMEOUT,
            forwarded_for: None,
            response_headers: Vec::new(),
            unauthenticated_metrics: false,
            generate_root_closed: false,
        }
    }
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `0.0.0.0:8200`, `[::]:8200`, `localhost:8200`, `:8200`.
    Tcp(String),
    /// A unix socket.
    Unix {
        /// Where; a stale socket there is replaced, anything else is not.
        path: PathBuf,
        /// Permission bits, such as `0o660`; the umask decides when absent.
        mode: Option<u32>,
        /// Owner.
        user: Option<UnixOwner>,
        /// Group.
        group: Option<UnixOwner>,
    },
}

/// A user or a group, by name or by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnixOwner {
    /// By number.
    Id(u32),
    /// By name, looked up in `/etc/passwd` or `/etc/group`.
    Name(String),
}

/// Files and rules of a TLS listener. The files are read at start and at each reload.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM: the certificate, then its intermediates.
    pub cert_file: PathBuf,
    /// PEM: its private key.
    pub key_file: PathBuf,
    /// PEM: authorities of client certificates. Without it no client certificate is asked for.
    pub client_ca_file: Option<PathBuf>,
    /// Refuse clients without a certificate from `client_ca_file`.
    pub require_and_verify_client_cert: bool,
    /// The oldest version accepted.
    pub min_version: TlsVersion,
}

/// A TLS version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2.
    #[default]
    V1_2,
    /// 1.3.
    V1_3,
}

/// Whom to believe when they say for whom they speak.
#[derive(Clone, Debug)]
pub struct ForwardedFor {
    /// Addresses or networks (`10.0.0.0/8`) whose header is believed.
    pub authorized_addrs: Vec<String>,
    /// Links to skip, from the right.
    pub hop_skips: usize,
    /// Refuse authorized peers that send no header.
    pub reject_not_present: bool,
    /// Refuse peers that are not authorized.
    pub reject_not_authorized: bool,
}

/// Headers added to answers.
#[derive(Clone, Debug)]
pub struct ResponseHeaders {
    /// To which.
    pub selector: HeaderSelector,
    /// Name and value.
    pub headers: Vec<(String, String)>,
}

/// Which answers get a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderSelector {
    /// All (`default`).
    Always,
    /// A class: 4 for `4xx`.
    Class(u16),
    /// One status.
    Status(u16),
}

/// Why the edge did not start; always the operator's to change.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Name at least one listener.
    #[error("no listener is configured")]
    NoListener,
    /// The address does not resolve: correct it.
    #[error("listener address '{address}' cannot be resolved: {source}")]
    Resolve {
        /// As configured.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// Taken or not ours: another process listens there, or the address is not this machine's.
    #[error("cannot listen on '{address}': {source}")]
    Bind {
        /// As configured, resolved.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something that is not a socket stands at the path: move it away.
    #[error("cannot listen on '{0}': a file that is not a socket is there")]
    NotASocket(String),
    /// Correct the name, or the permissions of the directory.
    #[error("cannot set mode or owner of the socket '{path}': {reason}")]
    SocketOwner {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// Correct the TLS files.
    #[error("listener '{address}': {source}")]
    Tls {
        /// As configured.
        address: String,
        /// Why.
        source: TlsError,
    },
    /// Correct `x_forwarded_for_authorized_addrs`.
    #[error("'{0}' is neither an address nor a network such as 10.0.0.0/8")]
    Network(String),
    /// Correct `custom_response_headers`.
    #[error("response header '{0}' cannot be set")]
    ResponseHeader(String),
}
