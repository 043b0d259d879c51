//! One exchange over a fresh connection.

use std::error::Error;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::http::uri::InvalidUri;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::address::{Address, Route};
use super::proxy::{Proxies, Proxy, Scheme};
use super::stream::AnyStream;
use super::tunnel::{connect, socks};

/// The longest answer that is read.
const BODY_BYTES_MAX: usize = 64 << 20;

/// An answer: status, `Location`, body.
pub type Answer = (u16, Option<String>, Zeroizing<Vec<u8>>);

/// The body of a request. One type for all, so that the client is built once.
pub type RequestBody = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is there as a whole.
pub fn whole(bytes: impl Into<Bytes>) -> RequestBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// What to connect with.
pub struct Dialer {
    /// The TLS configuration, when TLS is to be spoken.
    pub tls: Option<Arc<ClientConfig>>,
    /// The name to expect in the certificate, when it is not the host's.
    pub server_name: Option<String>,
    /// Proxies on the way.
    pub proxies: Proxies,
}

impl Dialer {
    /// Makes one exchange. The error says what went wrong in the words that users know.
    pub async fn exchange(
        &self,
        address: &Address,
        request: Request<RequestBody>,
    ) -> Result<Answer, String> {
        let take = async |response: Response<Incoming>| collect(response, BODY_BYTES_MAX).await;
        self.exchange_with(address, request, take).await
    }

    /// As [`Dialer::exchange`], with any body, and with `take` reading the answer's.
    pub async fn exchange_with<T>(
        &self,
        address: &Address,
        mut request: Request<RequestBody>,
        take: impl AsyncFnOnce(Response<Incoming>) -> Result<T, String>,
    ) -> Result<T, String> {
        self.address_proxy(address, &mut request)?;
        let (response, sender, connection) = talk(self.dial(address).await?, request).await?;
        let taken = take(response).await?;
        drop(sender);
        connection.abort();
        Ok(taken)
    }

    async fn dial(&self, address: &Address) -> Result<AnyStream, String> {
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

    async fn encrypt(&self, stream: AnyStream, name: &str) -> Result<AnyStream, String> {
        let unset = || String::from("tls: only plain http is set up, as the address says");
        let connector = TlsConnector::from(self.tls.clone().ok_or_else(unset)?);
        let name = ServerName::try_from(name.to_owned()).map_err(|e| e.to_string())?;
        let stream = connector.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|e| tls_reason(&e))?))
    }

    /// A connection to the server by way of a proxy. To a server at `http://` a proxy of HTTP
    /// needs no tunnel: see [`Dialer::address_proxy`].
    async fn through(
        &self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        tls: bool,
    ) -> Result<AnyStream, String> {
        let named = |reason: String| format!("proxyconnect tcp: {reason}");
        let stream = reach(&proxy.host, proxy.port).await.map_err(named)?;
        let authority = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let stream = match proxy.scheme {
            Scheme::Socks5 => return socks(stream, &authority, proxy).await.map_err(named),
            Scheme::Http => stream,
            Scheme::Https => self.encrypt(stream, &proxy.host).await.map_err(named)?,
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

    /// Makes the request one for a proxy of HTTP, where it goes through one in the clear.
    fn address_proxy(
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

/// Sends a request. The connection closes with its sender; its task ends with the runtime.
async fn talk(
    stream: AnyStream,
    request: Request<RequestBody>,
) -> Result<
    (
        Response<Incoming>,
        http1::SendRequest<RequestBody>,
        AbortHandle,
    ),
    String,
> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let connection = crate::task::spawn(connection).abort_handle();
    let response = sender.send_request(request).await.map_err(|e| deep(&e))?;
    Ok((response, sender, connection))
}

/// Reads an answer of at most `bytes_max` as a whole.
pub async fn collect(response: Response<Incoming>, bytes_max: usize) -> Result<Answer, String> {
    let status = response.status().as_u16();
    let location = response.headers().get(header::LOCATION);
    let location = location
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = Limited::new(response.into_body(), bytes_max)
        .collect()
        .await;
    let body = body.map_err(|error| format!("reading the answer: {error}"))?;
    Ok((status, location, Zeroizing::new(body.to_bytes().to_vec())))
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

/// An error and what caused it, for hyper says little at the top.
pub(super) fn deep(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
