//! The client: one exchange over a fresh connection, within limits.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::InvalidUri;
use hyper::{Request, Response, StatusCode};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::address::Address;
use super::connect::{Connection, Dialer, Failed, RequestBody, whole};
use super::error::{ExchangeError, SetupError};
use super::proxy::Proxies;
use super::redirect;
use super::tls::{Lazy, TlsOptions};

/// The settings of a client.
#[derive(Default)]
pub struct Options {
    /// The authorities that are trusted, and the client's certificate.
    pub tls: Arc<TlsOptions>,
    /// The name to expect in the server's certificate, when it is not the host's.
    pub server_name: Option<String>,
    /// The proxies on the way.
    pub proxies: Proxies,
}

/// The limits of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest time from the first connection to the end of the last answer.
    pub time_max: Duration,
    /// The longest answer, in bytes.
    pub answer_bytes_max: usize,
    /// Most redirects that are followed. The next one is an answer like any other, and so is the
    /// first where this is zero. Headers go along: only for servers that are all trusted alike.
    pub redirects_max: usize,
}

/// A client of other servers.
pub struct Client {
    dialer: Dialer,
}

/// An answer, read to its end. The body may be a secret, so it is wiped, and never printed.
pub struct Answer {
    /// The URL that answered.
    pub url: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// Returns the target of a redirect; `None` for another answer.
    pub fn location(&self) -> Option<&str> {
        let status = StatusCode::from_u16(self.status).ok()?;
        redirect::location(status, &self.headers)
    }
}

/// An answer whose head has arrived. Dropping it closes the connection.
pub struct Opened {
    url: String,
    response: Response<Incoming>,
    _connection: Connection,
}

impl Opened {
    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the next piece of the body; `None` at its end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, ExchangeError> {
        while let Some(frame) = self.response.body_mut().frame().await {
            let cut = |error| self.failed(format!("the answer was cut short: {error}"));
            if let Ok(data) = frame.map_err(cut)?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Returns the answer without its body, which the caller has read.
    pub fn end(self) -> Answer {
        self.answer(Zeroizing::default())
    }

    /// Reads the rest of the body, at most `bytes_max`.
    pub async fn collect(mut self, bytes_max: usize) -> Result<Answer, ExchangeError> {
        let body = Limited::new(self.response.body_mut(), bytes_max);
        let body = body.collect().await;
        let body = body.map_err(|error| self.failed(format!("reading the answer: {error}")))?;
        Ok(self.answer(Zeroizing::new(body.to_bytes().to_vec())))
    }

    /// Returns the error for a reader that waits no longer.
    pub fn late(&self) -> ExchangeError {
        let url = self.url.clone();
        ExchangeError::Late { url }
    }

    fn answer(self, body: Zeroizing<Vec<u8>>) -> Answer {
        let (head, _) = self.response.into_parts();
        Answer {
            url: self.url,
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    fn failed(&self, reason: String) -> ExchangeError {
        let url = self.url.clone();
        ExchangeError::Network { url, reason }
    }
}

impl Client {
    /// Returns a client with these options. Files of certificates are read when TLS is first
    /// spoken.
    pub fn new(options: Options) -> Self {
        Self {
            dialer: Dialer {
                tls: Lazy::new(options.tls),
                server_name: options.server_name,
                proxies: options.proxies,
            },
        }
    }

    /// Reads the files of certificates now, so that wrong ones are reported early.
    pub fn check_tls(&self) -> Result<(), SetupError> {
        self.dialer.tls.config().map(drop)
    }

    /// Makes one exchange with the server at `to`; any status is an answer. The request's URI is
    /// its target, path and query; `Host` is set here.
    pub async fn send(
        &self,
        to: &Address,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> Result<Answer, ExchangeError> {
        let (head, body) = request.into_parts();
        let mut url = String::new();
        let mut again = || -> io::Result<RequestBody> { Ok(whole(body.clone())) };
        let exchange = async {
            let opened = self.follow(to, head, &mut again, limits, &mut url).await?;
            opened.collect(limits.answer_bytes_max).await
        };
        let answer = timeout(limits.time_max, exchange).await;
        answer.unwrap_or_else(|_| Err(ExchangeError::Late { url }))
    }

    /// Makes an exchange as [`Client::send`] does, up to the answer's head, with a body that `body`
    /// gives once for each server. Connecting has a limit in time; for the rest the caller waits as
    /// long as it likes.
    pub async fn open(
        &self,
        to: &Address,
        request: Request<()>,
        body: &mut (dyn FnMut() -> io::Result<RequestBody> + Send),
        limits: &Limits,
    ) -> Result<Opened, ExchangeError> {
        let (head, ()) = request.into_parts();
        self.follow(to, head, body, limits, &mut String::new())
            .await
    }

    /// Makes an exchange and follows redirects; `url` always names the server that is being asked.
    async fn follow(
        &self,
        to: &Address,
        head: Parts,
        body: &mut (dyn FnMut() -> io::Result<RequestBody> + Send),
        limits: &Limits,
        url: &mut String,
    ) -> Result<Opened, ExchangeError> {
        let (mut address, mut target) = (to.clone(), head.uri.to_string());
        let mut redirects = 0;
        loop {
            *url = address.url(&target);
            let body = body().map_err(ExchangeError::Body)?;
            let opened = self.once(&address, &target, &head, body, limits).await;
            let opened = opened.map_err(|failed| failed.at(url))?;
            let location = redirect::location(opened.status(), opened.response.headers());
            match location {
                Some(location) if redirects < limits.redirects_max => {
                    (address, target) = redirect::follow(&address, url, location)?;
                    redirects += 1;
                }
                _ => return Ok(opened),
            }
        }
    }

    async fn once(
        &self,
        address: &Address,
        target: &str,
        head: &Parts,
        body: RequestBody,
        limits: &Limits,
    ) -> Result<Opened, Failed> {
        let network = |error: &dyn std::fmt::Display| Failed::Network(error.to_string());
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.headers_mut() = head.headers.clone();
        let uri = target.parse();
        *request.uri_mut() = uri.map_err(|error: InvalidUri| network(&error))?;
        let host = HeaderValue::from_str(&address.authority);
        let host = host.map_err(|error| network(&error))?;
        request.headers_mut().insert(header::HOST, host);
        self.dialer.address_proxy(address, &mut request)?;
        let stream = timeout(limits.time_max, self.dialer.dial(address)).await;
        let stream = stream.map_err(|_| Failed::Late)??;
        let (response, connection) = Connection::talk(stream, request).await?;
        Ok(Opened {
            url: address.url(target),
            response,
            _connection: connection,
        })
    }
}
