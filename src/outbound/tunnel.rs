//! The way through a proxy: `CONNECT` of HTTP, or SOCKS 5 (RFC 1928, RFC 1929).

use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::connect::{deep, whole};
use super::proxy::Proxy;
use super::stream::AnyStream;

/// Asks the HTTP proxy at the other end of `stream` to connect it to `authority`.
pub(super) async fn connect(
    stream: AnyStream,
    authority: &str,
    authorization: Option<HeaderValue>,
) -> Result<AnyStream, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| deep(&error))?;
    crate::task::spawn(connection.with_upgrades());
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(authority)
        .header(HOST, authority);
    if let Some(authorization) = authorization {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    let request = request.body(whole(Bytes::new()));
    let request = request.map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|e| deep(&e))?;
    if !answer.status().is_success() {
        return Err(format!("the proxy answered {}", answer.status()));
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(|e| deep(&e))?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

/// Connects as [`connect`] does, by SOCKS 5; the proxy resolves names.
pub(super) async fn socks(
    stream: AnyStream,
    authority: &str,
    proxy: &Proxy,
) -> Result<AnyStream, String> {
    let target: Uri = format!("http://{authority}")
        .parse()
        .map_err(|error: hyper::http::uri::InvalidUri| error.to_string())?;
    let mut socks = SocksV5::new(Uri::default(), Connected(Some(TokioIo::new(stream))));
    if let Some((user, password)) = &proxy.credentials {
        socks = socks.with_auth(user.clone(), password.expose().clone());
    }
    let stream = socks
        .call(target)
        .await
        .map_err(|error| error.to_string())?;
    Ok(Box::new(stream.into_inner()))
}

/// An open connection, for a service that would make one.
struct Connected(Option<TokioIo<AnyStream>>);

impl Service<Uri> for Connected {
    type Response = TokioIo<AnyStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let used = || io::Error::other("the connection is used already");
        ready(self.0.take().ok_or_else(used))
    }
}
