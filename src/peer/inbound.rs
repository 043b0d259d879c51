//! The listening side: accepts connections, and asks each for its identity.

use super::drive::{self, Ended, Heard};
use super::frame::Hello;
use super::inner::Inner;
use super::network::{Protocol, PublicKey};
use super::outbox::Outbox;
use super::roster::Cut;
use super::served::Served;
use super::tls;
use bytes::BytesMut;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The number of connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 128;
/// The pause after a failed accept: descriptors or memory are short, and asking again at once would
/// only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds `address`. An IPv6 one takes IPv6 only, so that `0.0.0.0` can be bound beside `[::]`.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
            socket
        }
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until the task is dropped.
pub(super) async fn accept(inner: Arc<Inner>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let host = inner.clone();
                inner.spawn(async move { receive(&host, stream, from).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of a peer could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn receive(inner: &Arc<Inner>, stream: TcpStream, from: SocketAddr) {
    let (number, sent_away) = inner.knocking.enter(inner.limits.handshakes_max);
    let handshake = tokio::time::timeout(inner.limits.handshake_within, greet(inner, stream, from));
    let greeted = tokio::select! {
        greeted = handshake => greeted.unwrap_or_else(|_| Err(said_nothing())),
        _ = sent_away => Err(said_nothing()),
    };
    inner.knocking.leave(number);
    let ended = match greeted {
        Ok(guest) => guest.carry(inner).await,
        Err(ended) => ended,
    };
    crate::telemetry::debug!(%from, %ended, "a connection ended");
}

fn said_nothing() -> Ended {
    io::Error::new(io::ErrorKind::TimedOut, "it did not say who it is").into()
}

/// A member's connection whose hello has come and was not answered yet.
struct Guest {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    cut: Arc<Cut>,
    key: PublicKey,
    protocol: Protocol,
    /// The number of the member's process.
    process: Option<u64>,
    address: IpAddr,
}

async fn greet(inner: &Arc<Inner>, stream: TcpStream, from: SocketAddr) -> Result<Guest, Ended> {
    let (stream, handle) = drive::prepare(stream)?;
    let acceptor = TlsAcceptor::from(inner.server.clone());
    let mut stream = acceptor.accept(stream).await?;
    let who = tls::who(stream.get_ref().1);
    let (key, protocol) =
        who.ok_or_else(|| io::Error::other("it does not say what it wants to speak"))?;
    let mut buffer = BytesMut::new();
    let (hello, process) = drive::read_hello(&mut stream, &mut buffer).await?;
    if Hello::ours().common(hello).is_none() {
        // So that it can say so too.
        drive::send_hello(&mut stream, inner.process).await?;
        return Err(Ended::Version(hello));
    }
    Ok(Guest {
        stream,
        buffer,
        cut: Cut::new(handle),
        key,
        protocol,
        process,
        address: from.ip().to_canonical(),
    })
}

impl Guest {
    async fn carry(self, inner: &Arc<Inner>) -> Ended {
        let Self {
            mut stream,
            buffer,
            cut,
            key,
            protocol,
            process,
            address,
        } = self;
        // Asked again: it may have been removed since its handshake.
        let _place = match inner.roster.admit(&key, true, &cut) {
            Ok(place) => place,
            Err(unwelcome) => return io::Error::other(unwelcome).into(),
        };
        if let Err(ended) = drive::send_hello(&mut stream, inner.process).await {
            return ended;
        }
        inner.end_pauses(&key);
        let outbox = Arc::new(Outbox::default());
        let host = inner.clone();
        let find = Box::new(move || host.service(protocol));
        let share = inner.share(&key);
        let assembly = share.assembly(&inner.limits);
        let mut heard = Heard {
            sign: inner.presence.greet(&key, process, address),
            receiver: Served::new(
                key.clone(),
                find,
                outbox.clone(),
                share.served,
                &inner.limits,
            ),
        };
        let ended = drive::drive(&mut stream, buffer, &outbox, &cut, assembly, &mut heard).await;
        drop(heard);
        if let Some(service) = inner.service(protocol).and_then(|found| found.upgrade()) {
            service.parted(&key);
        }
        // A courtesy; it is over either way.
        let _ = stream.shutdown().await;
        ended
    }
}
