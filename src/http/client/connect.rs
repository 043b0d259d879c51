//! One exchange over a fresh connection.

use std::error::Error;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::address::{Address, Route};
use crate::http::stream::AnyStream;

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
        request: Request<RequestBody>,
        take: impl AsyncFnOnce(Response<Incoming>) -> Result<T, String>,
    ) -> Result<T, String> {
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
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream =
                    stream.map_err(|e| format!("dial tcp {host}:{port}: {}", reason(&e)))?;
                // Small requests must not wait for each other; a failure only costs time.
                let _ = stream.set_nodelay(true);
                match &self.tls {
                    Some(config) if *tls => {
                        let connector = TlsConnector::from(config.clone());
                        let name = self.server_name.as_ref().unwrap_or(host).clone();
                        let name = ServerName::try_from(name).map_err(|e| e.to_string())?;
                        let stream = connector.connect(name, stream).await;
                        Ok(Box::new(stream.map_err(|e| tls_reason(&e))?))
                    }
                    _ => Ok(Box::new(stream)),
                }
            }
        }
    }
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
fn deep(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
