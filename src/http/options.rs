//! The settings of the edge: plain types, because the edge may not see the configuration.

use super::json::JsonLimits;
use super::limits;
use super::tls::TlsError;
use crate::memory::{self, Requests};
use std::path::PathBuf;
use std::time::Duration;

/// All listeners, and the settings that they share.
#[derive(Clone, Debug)]
pub struct Options {
    /// The listeners; at least one.
    pub listeners: Vec<Listener>,
    /// Most connections at once, over all listeners.
    pub connections_max: usize,
    /// The memory of requests in flight.
    pub requests: Requests,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            connections_max: memory::DEFAULT.connections,
            requests: Requests::default(),
        }
    }
}

/// One listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The address to listen at.
    pub address: Address,
    /// TLS, or none (`tls_disable`, unix sockets).
    pub tls: Option<Tls>,
    /// `max_request_size` in bytes.
    pub request_bytes_max: u64,
    /// The limits of the JSON in a body.
    pub json: JsonLimits,
    /// `http_max_conns_per_client`: most connections from one address, `None` for any number.
    pub connections_per_client_max: Option<usize>,
    /// `max_request_duration`: the longest time for one request.
    pub request_duration_max: Duration,
    /// `http_read_header_timeout`: the longest time for a request head.
    pub header_read_timeout: Duration,
    /// `http_read_timeout`: the longest pause inside a body.
    pub body_read_timeout: Duration,
    /// `http_idle_timeout`: the longest life of a connection without a request.
    pub idle_timeout: Duration,
    /// `x_forwarded_for_*`; none when no address is authorized.
    pub forwarded_for: Option<ForwardedFor>,
    /// `custom_response_headers`.
    pub response_headers: Vec<ResponseHeaders>,
    /// `unauthenticated_metrics_access`: any client of the listener may read `sys/metrics`.
    pub unauthenticated_metrics: bool,
    /// `disable_unauthed_generate_root_endpoints`: no new root token without a token.
    pub generate_root_closed: bool,
    /// `disable_unauthed_rekey_endpoints`: no new unseal or recovery keys without a token.
    pub rekey_closed: bool,
}

impl Listener {
    /// Returns a listener at `address` with the usual limits and without TLS.
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
            rekey_closed: false,
        }
    }
}

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `0.0.0.0:8200`, `[::]:8200`, `localhost:8200`, `:8200`.
    Tcp(String),
    /// A unix socket.
    Unix {
        /// The path of the socket; a stale socket there is replaced, any other file is not.
        path: PathBuf,
        /// Permission bits, such as `0o660`; the umask decides when absent.
        mode: Option<u32>,
        /// The owner.
        user: Option<UnixOwner>,
        /// The group.
        group: Option<UnixOwner>,
    },
}

/// A user or a group, by name or by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnixOwner {
    /// The number.
    Id(u32),
    /// The name, looked up in `/etc/passwd` or `/etc/group`.
    Name(String),
}

/// Files and rules of a TLS listener. The files are read at start and at each reload.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM: the certificate, then its intermediates.
    pub cert_file: PathBuf,
    /// PEM: its private key.
    pub key_file: PathBuf,
    /// PEM: authorities of client certificates. Without it clients are asked for no certificate.
    pub client_ca_file: Option<PathBuf>,
    /// Refuses clients without a certificate from `client_ca_file`.
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

/// The proxies whose `X-Forwarded-For` is believed, and the rules for the others.
#[derive(Clone, Debug)]
pub struct ForwardedFor {
    /// Addresses or networks (`10.0.0.0/8`) whose header is believed.
    pub authorized_addrs: Vec<String>,
    /// Links to skip, from the right.
    pub hop_skips: usize,
    /// Refuses authorized peers that send no header.
    pub reject_not_present: bool,
    /// Refuses peers that are not authorized.
    pub reject_not_authorized: bool,
}

/// Headers added to answers.
#[derive(Clone, Debug)]
pub struct ResponseHeaders {
    /// The answers that get them.
    pub selector: HeaderSelector,
    /// Name and value.
    pub headers: Vec<(String, String)>,
}

/// The answers that get a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderSelector {
    /// All (`default`).
    Always,
    /// A class: 4 for `4xx`.
    Class(u16),
    /// One status.
    Status(u16),
}

/// Reasons why the edge does not start; always the operator's to change.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no listener; the operator must name at least one.
    #[error("no listener is configured")]
    NoListener,
    /// The address does not resolve; the operator must correct it.
    #[error("listener address '{address}' cannot be resolved: {source}")]
    Resolve {
        /// The address, as configured.
        address: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The address is taken by another process, or is not this machine's.
    #[error("cannot listen on '{address}': {source}")]
    Bind {
        /// The address, as configured and resolved.
        address: String,
        /// The reason.
        source: std::io::Error,
    },
    /// Something other than a socket stands at the path; the operator must move it away.
    #[error("cannot listen on '{0}': a file that is not a socket is there")]
    NotASocket(String),
    /// The socket cannot be given its owner and mode: correct the name, or the permissions of the
    /// directory.
    #[error("cannot set mode or owner of the socket '{path}': {reason}")]
    SocketOwner {
        /// The path of the socket.
        path: String,
        /// The reason.
        reason: String,
    },
    /// The TLS files cannot be used; the operator must correct them.
    #[error("listener '{address}': {source}")]
    Tls {
        /// The address, as configured.
        address: String,
        /// The reason.
        source: TlsError,
    },
    /// `x_forwarded_for_authorized_addrs` has an entry that is no network; the operator must
    /// correct it.
    #[error("'{0}' is neither an address nor a network such as 10.0.0.0/8")]
    Network(String),
    /// `custom_response_headers` has an invalid entry; the operator must correct it.
    #[error("response header '{0}' cannot be set")]
    ResponseHeader(String),
}
