//! One connection from its first byte to its last, under deadlines.

use super::activity::{Activity, Watched};
use super::call::Peer;
use super::gate::{Shared, Shutdown};
use super::limits::HEADER_BYTES_MAX;
use super::listener::Accepted;
use super::service;
use crate::outbound::AnyStream;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

/// First byte of every TLS connection: a handshake record.
const TLS_HANDSHAKE_RECORD: u8 = 0x16;
/// The answer of Go's servers to a client that speaks plain HTTP to a TLS port.
const PLAIN_ON_TLS: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// The interval of the connection's timer while the limits of a request apply.
const BUSY_RECHECK: Duration = Duration::from_secs(60);
/// Most of a plain client's request that is read before the connection closes, in bytes.
const PLAIN_DRAIN_BYTES_MAX: u64 = 64 * 1024;
/// Longest time of that reading.
const PLAIN_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves an accepted stream until either side is done, a deadline passes, the connection has to
/// give way to another, or the phase ends.
pub(super) async fn run(
    accepted: Accepted,
    shared: Arc<Shared>,
    activity: Arc<Activity>,
    phase: watch::Receiver<Shutdown>,
) {
    let begun = async {
        match (accepted, shared.tls.clone()) {
            (Accepted::Tcp(stream, peer), None) => {
                Some((Box::new(stream) as AnyStream, Peer::plain(Some(peer))))
            }
            (Accepted::Unix(stream), None) => Some((Box::new(stream) as _, Peer::plain(None))),
            (Accepted::Tcp(stream, peer), Some(tls)) => {
                let wait = shared.options.header_read_timeout;
                let stream = timeout(wait, refuse_plain(stream)).await.ok()??;
                handshake(Box::new(stream), Some(peer), tls.current(), wait).await
            }
            (Accepted::Unix(stream), Some(tls)) => {
                let wait = shared.options.header_read_timeout;
                handshake(Box::new(stream), None, tls.current(), wait).await
            }
        }
    };
    let begun = tokio::select! {
        begun = begun => begun,
        () = activity.asked_to_leave() => None,
    };
    if let Some((stream, peer)) = begun {
        serve(stream, peer, shared, activity, phase).await;
    }
}

/// Answers a client that speaks plain HTTP; returns the stream of a TLS client.
async fn refuse_plain(mut stream: TcpStream) -> Option<TcpStream> {
    let mut first = [0; 1];
    match stream.peek(&mut first).await {
        Ok(1) if first == [TLS_HANDSHAKE_RECORD] => return Some(stream),
        Ok(1) if first.iter().all(u8::is_ascii_uppercase) => {}
        Ok(_) | Err(_) => return None,
    }
    // Unread bytes would turn the close into a reset that overtakes the answer.
    if stream.write_all(PLAIN_ON_TLS).await.is_ok() && stream.shutdown().await.is_ok() {
        let mut rest = stream.take(PLAIN_DRAIN_BYTES_MAX);
        let mut nowhere = tokio::io::sink();
        let drain = tokio::io::copy(&mut rest, &mut nowhere);
        let _gone_either_way = timeout(PLAIN_DRAIN_TIMEOUT, drain).await;
    }
    None
}

async fn handshake(
    stream: AnyStream,
    address: Option<SocketAddr>,
    config: Arc<rustls::ServerConfig>,
    wait: Duration,
) -> Option<(AnyStream, Peer)> {
    let handshake = TlsAcceptor::from(config).accept(stream);
    match timeout(wait, handshake).await {
        Ok(Ok(stream)) => {
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let certificates = chain.iter().map(|der| der.to_vec()).collect();
            let peer = Peer {
                address,
                certificates: Arc::new(certificates),
            };
            return Some((Box::new(stream), peer));
        }
        Ok(Err(error)) => crate::telemetry::debug!(?address, %error, "TLS handshake failed"),
        Err(_) => crate::telemetry::debug!(?address, "TLS handshake timed out"),
    }
    None
}

async fn serve(
    stream: AnyStream,
    peer: Peer,
    shared: Arc<Shared>,
    activity: Arc<Activity>,
    mut phase: watch::Receiver<Shutdown>,
) {
    let options = &shared.options;
    let peer = Arc::new(peer);
    let stream = Watched::new(stream, Arc::clone(&activity));
    let service = service_fn(|request| {
        let (shared, peer) = (Arc::clone(&shared), Arc::clone(&peer));
        let activity = Arc::clone(&activity);
        async move {
            activity.begin();
            let answer = service::answer(&shared, &peer, &activity, request).await;
            Ok::<_, Infallible>(answer.map(|body| body.on(&activity)))
        }
    });
    let connection = http1::Builder::new()
        .max_header_size(HEADER_BYTES_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .half_close(true)
        // Go's servers write header names like this, and people's scripts look for them.
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut timer = pin!(sleep_until(Instant::now() + options.header_read_timeout));
    let mut leaves = pin!(activity.asked_to_leave());
    let mut is_leaving = false;
    loop {
        let step = {
            let mut changed = pin!(phase.changed());
            poll_fn(|cx| {
                if connection.as_mut().poll(cx).is_ready()
                    || overdue(&activity, timer.as_mut(), cx).is_ready()
                {
                    return Poll::Ready(Shutdown::Closed);
                }
                if !is_leaving && leaves.as_mut().poll(cx).is_ready() {
                    is_leaving = true;
                    // A request may have come meanwhile; it is then the last one.
                    return Poll::Ready(match activity.waits_since() {
                        Some(_) => Shutdown::Closed,
                        None => Shutdown::Draining,
                    });
                }
                match changed.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => Poll::Ready(Shutdown::Draining),
                    Poll::Ready(Err(_)) => Poll::Ready(Shutdown::Closed),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        };
        if step == Shutdown::Closed || *phase.borrow() == Shutdown::Closed {
            return;
        }
        connection.as_mut().graceful_shutdown();
    }
}

/// Returns ready once the connection's deadline has passed. The timer may fire early, and is then
/// set again; it is moved at once only when a deadline comes nearer.
fn overdue(activity: &Activity, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        if let Some(deadline) = activity.deadline()
            && deadline < timer.deadline()
        {
            timer.as_mut().reset(deadline);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let now = Instant::now();
        match activity.deadline() {
            Some(deadline) if deadline <= now => return Poll::Ready(()),
            Some(deadline) => timer.as_mut().reset(deadline),
            None => timer.as_mut().reset(now + BUSY_RECHECK),
        }
    }
}
