//! The way to a server, and a request over it.

use std::error::Error;
use std::io;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::http::uri::InvalidUri;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::address::{Address, Route};
use super::error::{ExchangeError, SetupError};
use super::proxy::{Proxies, Proxy, Scheme};
use super::stream::AnyStream;
use super::tls::Lazy;
use super::tunnel::{connect, socks};

/// The body of a request. One type for all, so that the client is built once.
pub type RequestBody = UnsyncBoxBody<Bytes, io::Error>;

/// Returns a body that is present as a whole.
pub fn whole(bytes: impl Into<Bytes>) -> RequestBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Reasons why there is no answer, without the URL of the server.
pub(super) enum Failed {
    Setup(SetupError),
    Network(String),
    Late,
}

impl Failed {
    pub(super) fn at(self, url: &str) -> ExchangeError {
        let url = url.to_owned();
        match self {
            Self::Setup(error) => ExchangeError::Setup(error),
            Self::Network(reason) => ExchangeError::Network { url, reason },
            Self::Late => ExchangeError::Late { url },
        }
    }

    /// Returns the same failure, on the way to a proxy.
    fn at_proxy(self) -> Self {
        match self {
            Self::Network(reason) => Self::Network(format!("proxyconnect tcp: {reason}")),
            other => other,
        }
    }
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self::Network(reason)
    }
}

impl From<SetupError> for Failed {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

/// The settings of connections.
pub(super) struct Dialer {
    pub(super) tls: Lazy,
    pub(super) server_name: Option<String>,
    pub(super) proxies: Proxies,
}

impl Dialer {
    /// Connects to the server, encrypted where it speaks TLS.
    pub(super) async fn dial(&self, address: &Address) -> Result<AnyStream, Failed> {
        match &address.route {
            Route::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                let stream = stream.map_err(|e| format!("dial unix {path}: {}", reason(&e)))?;
                Ok(Box::new(stream))
            }
            Route::Tcp { host, port, tls } => {
                let stream = match self.proxies.find(host, *port, *tls) {
                    None => reach(host, *port).await?,
                    Some(proxy) => self.through(proxy, host, *port, *tls).await?,
                };
                let name = self.server_name.as_ref().unwrap_or(host);
                match tls {
                    true => self.encrypt(stream, name).await,
                    false => Ok(stream),
                }
            }
        }
    }

    async fn encrypt(&self, stream: AnyStream, name: &str) -> Result<AnyStream, Failed> {
        let connector = TlsConnector::from(self.tls.config()?);
        let name = ServerName::try_from(name.to_owned()).map_err(|e| e.to_string())?;
        let stream = connector.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|e| tls_reason(&e))?))
    }

    /// Connects to the server by way of a proxy. To a server at `http://` an HTTP proxy needs no
    /// tunnel: see [`Dialer::address_proxy`].
    async fn through(
        &self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        tls: bool,
    ) -> Result<AnyStream, Failed> {
        let named = |reason: String| Failed::Network(reason).at_proxy();
        let stream = reach(&proxy.host, proxy.port).await.map_err(named)?;
        let authority = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let stream = match proxy.scheme {
            Scheme::Socks5 => return socks(stream, &authority, proxy).await.map_err(named),
            Scheme::Http => stream,
            Scheme::Https => {
                let encrypted = self.encrypt(stream, &proxy.host).await;
                encrypted.map_err(Failed::at_proxy)?
            }
        };
        match tls {
            false => Ok(stream),
            true => {
                let authorization = proxy.authorization();
                let tunnel = connect(stream, &authority, authorization).await;
                tunnel.map_err(named)
            }
        }
    }

    /// Puts the whole URL into a request that goes through an HTTP proxy in the clear.
    pub(super) fn address_proxy(
        &self,
        address: &Address,
        request: &mut Request<RequestBody>,
    ) -> Result<(), String> {
        let Route::Tcp { host, port, tls } = &address.route else {
            return Ok(());
        };
        let proxy = self.proxies.find(host, *port, *tls);
        let Some(proxy) = proxy.filter(|proxy| !tls && proxy.scheme != Scheme::Socks5) else {
            return Ok(());
        };
        let uri = address.url(&request.uri().to_string()).parse();
        *request.uri_mut() = uri.map_err(|error: InvalidUri| error.to_string())?;
        if let Some(value) = proxy.authorization() {
            request
                .headers_mut()
                .insert(header::PROXY_AUTHORIZATION, value);
        }
        Ok(())
    }
}

async fn reach(host: &str, port: u16) -> Result<AnyStream, String> {
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|e| format!("dial tcp {host}:{port}: {}", reason(&e)))?;
    // Small requests must not wait for each other; a failure only costs time.
    let _ = stream.set_nodelay(true);
    Ok(Box::new(stream))
}

/// A connection in use; dropping it closes it.
pub(super) struct Connection {
    /// The sender, whose drop would end the connection.
    _sender: http1::SendRequest<RequestBody>,
    task: AbortHandle,
}

impl Connection {
    /// Sends a request, and returns the answer's head.
    pub(super) async fn talk(
        stream: AnyStream,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Self), String> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let task = crate::task::spawn(connection).abort_handle();
        let response = sender.send_request(request).await.map_err(|e| deep(&e))?;
        let connection = Self {
            _sender: sender,
            task,
        };
        Ok((response, connection))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => String::from("connect: connection refused"),
        io::ErrorKind::NotFound => String::from("connect: no such file or directory"),
        io::ErrorKind::PermissionDenied => String::from("connect: permission denied"),
        _ => error.to_string(),
    }
}

fn tls_reason(error: &io::Error) -> String {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidMessage(_)) => {
            String::from("http: server gave HTTP response to HTTPS client")
        }
        Some(inner) => format!("tls: {inner}"),
        None => error.to_string(),
    }
}

/// Returns an error with its causes, because hyper's top message is short.
pub(super) fn deep(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
