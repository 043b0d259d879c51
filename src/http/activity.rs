//! What a connection is doing, and until when it may.
//!
//! The stream reports the first byte of a request head, the service reports when a request is
//! being answered, a streamed body when a piece of it goes out. One timer per connection looks at
//! the result, so that a request in a busy connection touches no timer at all.

use super::limits::SEND_STALL_MAX;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How long an early answer waits for its client before the connection closes.
const LINGER: Duration = Duration::from_secs(1);
/// How much is read and thrown away at a time, in bytes.
const SCRATCH_BYTES: usize = 8 * 1024;

/// Shared between the stream, the service and the timer of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    start: Instant,
    /// Milliseconds after `start`; `u64::MAX` while a request is being answered.
    deadline_ms: AtomicU64,
    is_idle: AtomicBool,
    /// A piece of a streamed answer is on its way out.
    is_sending: AtomicBool,
    lingers: AtomicBool,
    header_timeout: Duration,
    idle_timeout: Duration,
}

impl Activity {
    /// A new connection; its first head is due.
    pub(super) fn new(header_timeout: Duration, idle_timeout: Duration) -> Arc<Self> {
        let activity = Self {
            start: Instant::now(),
            deadline_ms: AtomicU64::new(0),
            is_idle: AtomicBool::new(false),
            is_sending: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            header_timeout,
            idle_timeout,
        };
        activity.set_deadline(header_timeout);
        Arc::new(activity)
    }

    /// A head has arrived, or a streamed answer waits for its source: both have limits of their
    /// own.
    pub(super) fn begin(&self) {
        self.is_sending.store(false, Ordering::Relaxed);
        self.is_idle.store(false, Ordering::Relaxed);
        self.lingers.store(false, Ordering::Relaxed);
        self.deadline_ms.store(u64::MAX, Ordering::Relaxed);
    }

    /// A piece of a streamed answer is there; the client is to take some of it in time.
    pub(super) fn send(&self) {
        self.is_sending.store(true, Ordering::Relaxed);
        self.set_deadline(SEND_STALL_MAX);
    }

    /// The answer is on its way; the next request may take its time to come.
    pub(super) fn end(&self) {
        self.is_sending.store(false, Ordering::Relaxed);
        self.set_deadline(self.idle_timeout);
        self.is_idle.store(true, Ordering::Relaxed);
    }

    /// Should the connection close now, the client is given a moment to read the answer.
    pub(super) fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    /// When the connection is to be closed; `None` while a request is being answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.deadline_ms.load(Ordering::Relaxed) {
            u64::MAX => None,
            ms => Some(self.start + Duration::from_millis(ms)),
        }
    }

    fn bytes_came(&self) {
        if self.is_idle.swap(false, Ordering::Relaxed) {
            self.set_deadline(self.header_timeout);
        }
    }

    fn bytes_went(&self) {
        if self.is_sending.load(Ordering::Relaxed) {
            self.set_deadline(SEND_STALL_MAX);
        }
    }

    fn set_deadline(&self, timeout: Duration) {
        let after = self.start.elapsed().saturating_add(timeout);
        let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX - 1);
        self.deadline_ms.store(ms, Ordering::Relaxed);
    }
}

/// A stream that tells its [`Activity`] when bytes come, and when they go.
pub(super) struct Watched<S> {
    stream: S,
    is_shut: bool,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            is_shut: false,
            activity,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.bytes_came();
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            self.activity.bytes_went();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// A socket that is closed with unread bytes resets the connection, and the reset overtakes
    /// the answer; so after an early answer the rest is read and thrown away for a moment.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.is_shut = true;
            if self.activity.lingers.load(Ordering::Relaxed) {
                self.activity.is_idle.store(false, Ordering::Relaxed);
                self.activity.set_deadline(LINGER);
            } else {
                return Poll::Ready(Ok(()));
            }
        }
        let mut scratch = [const { MaybeUninit::uninit() }; SCRATCH_BYTES];
        loop {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if written.is_ready() {
            self.activity.bytes_went();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_streamed_answer_is_given_up_when_its_client_takes_nothing() {
        let idle = Duration::from_secs(5);
        let activity = Activity::new(Duration::from_secs(1), idle);
        activity.begin();
        assert_eq!(activity.deadline(), None);
        activity.send();
        assert_eq!(activity.deadline(), Some(Instant::now() + SEND_STALL_MAX));
        tokio::time::advance(SEND_STALL_MAX / 2).await;
        activity.bytes_went();
        assert_eq!(activity.deadline(), Some(Instant::now() + SEND_STALL_MAX));
        activity.begin();
        activity.bytes_went();
        assert_eq!(activity.deadline(), None, "it waits for the source");
        activity.end();
        activity.bytes_went();
        assert_eq!(activity.deadline(), Some(Instant::now() + idle));
    }
}
