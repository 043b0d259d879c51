//! Moves the bytes of one connection: frames in, frames out, and the hello before them.

use super::assembly::{Assembly, Message};
use super::frame::{Frame, FrameError, FrameKind, Hello};
use super::outbox::Outbox;
use super::presence::Sign;
use super::roster::Cut;
use bytes::{Bytes, BytesMut};
use std::io;
use std::net::TcpStream as StdStream;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;

/// The least room for a read, in bytes. Most frames are small, and an idle connection keeps this.
const READ_BYTES_MIN: usize = 4 * 1024;

/// The time after which the kernel gives up a connection with unanswered bytes: a network that
/// comes back is then met with a new connection instead of a retransmission that is minutes away.
const UNANSWERED_MAX: Duration = Duration::from_secs(3);
/// The idle time after which the kernel probes the other side of a connection, so that one which
/// lost its power does not hold a place for ever. The process is not woken.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_COUNT: u32 = 3;

/// The reason for which a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it sent {0}")]
    Frame(#[from] FrameError),
    #[error("it speaks versions {} to {}, this node {} to {}", .0.oldest, .0.newest,
        Hello::ours().oldest, Hello::ours().newest)]
    Version(Hello),
    #[error("it is not, or no longer, a member")]
    Cut,
    #[error("the connection was closed")]
    Closed,
}

/// Receives the messages of a connection. It must not wait.
pub(super) trait Receiver {
    fn receive(&mut self, message: Message) -> Result<(), FrameError>;
}

/// Passes messages on to a receiver, and notes with each that the member is there.
pub(super) struct Heard<R> {
    pub sign: Sign,
    pub receiver: R,
}

impl<R: Receiver> Receiver for Heard<R> {
    fn receive(&mut self, message: Message) -> Result<(), FrameError> {
        self.sign.heard();
        self.receiver.receive(message)
    }
}

/// Sets a socket's options and returns a second handle on it.
pub(super) fn prepare(stream: TcpStream) -> io::Result<(TcpStream, StdStream)> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    let unanswered_ms = UNANSWERED_MAX.as_millis() as u32;
    sockopt::set_tcp_user_timeout(&stream, unanswered_ms)?;
    sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&stream, KEEPALIVE_COUNT)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    let stream = stream.into_std()?;
    let handle = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, handle))
}

/// Sends this node's hello, with the number of this process.
pub(super) async fn send_hello(
    stream: &mut (impl AsyncWrite + Unpin),
    process: u64,
) -> Result<(), Ended> {
    let hello = (Hello::ours(), process);
    let payload = postcard::to_stdvec(&hello).expect("three numbers can be encoded");
    let mut out = BytesMut::new();
    let hello = Frame {
        kind: FrameKind::Hello,
        more: false,
        id: 0,
        payload: Bytes::from(payload),
    };
    hello.encode(&mut out);
    stream.write_all(&out).await?;
    stream.flush().await?;
    Ok(())
}

/// Reads the other side's hello, and the number of its process, which the release before did not
/// send; bytes after the hello stay in `buffer`.
pub(super) async fn read_hello(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<(Hello, Option<u64>), Ended> {
    let frame = next_frame(stream, buffer).await?;
    if frame.kind != FrameKind::Hello {
        return Err(FrameError::Unexpected(frame.kind).into());
    }
    let (hello, more) =
        postcard::take_from_bytes::<Hello>(&frame.payload).map_err(|_| FrameError::Hello)?;
    let process = postcard::take_from_bytes(more).ok();
    Ok((hello, process.map(|(process, _later)| process)))
}

/// Carries frames both ways until the connection ends, and returns the reason for its end.
pub(super) async fn drive(
    stream: impl AsyncRead + AsyncWrite,
    buffer: BytesMut,
    outbox: &Outbox,
    cut: &Cut,
    assembly: Assembly,
    receiver: &mut impl Receiver,
) -> Ended {
    let (mut reading, mut writing) = split(stream);
    let ended = tokio::select! {
        ended = read_all(&mut reading, buffer, assembly, cut, receiver) => ended,
        ended = write_all(&mut writing, outbox) => ended,
        () = cut.wait() => Ok(()),
    };
    match ended {
        _ if cut.is_done() => Ended::Cut,
        Err(ended) => ended,
        Ok(()) => Ended::Closed,
    }
}

async fn read_all(
    stream: &mut (impl AsyncRead + Unpin),
    mut buffer: BytesMut,
    mut assembly: Assembly,
    cut: &Cut,
    receiver: &mut impl Receiver,
) -> Result<(), Ended> {
    loop {
        let frame = next_frame(stream, &mut buffer).await?;
        // A removed member's messages from before it was cut may still be in the buffers.
        if cut.is_done() {
            return Err(Ended::Cut);
        }
        if let Some(message) = assembly.take(frame)? {
            receiver.receive(message)?;
        }
    }
}

async fn next_frame(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<Frame, Ended> {
    loop {
        if let Some(frame) = Frame::decode(buffer)? {
            return Ok(frame);
        }
        buffer.reserve(Frame::missing(buffer).max(READ_BYTES_MIN));
        if stream.read_buf(buffer).await? == 0 {
            return Err(Ended::Closed);
        }
    }
}

async fn write_all(stream: &mut (impl AsyncWrite + Unpin), outbox: &Outbox) -> Result<(), Ended> {
    let mut out = BytesMut::new();
    loop {
        outbox.gather(&mut out).await;
        stream.write_all(&out).await?;
        stream.flush().await?;
        if out.capacity() > READ_BYTES_MIN && outbox.is_empty() {
            out = BytesMut::new();
        } else {
            out.clear();
        }
    }
}
