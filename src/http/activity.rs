//! The state of one connection, and the deadline that this state gives it.
//!
//! The stream reports the first byte of a request head, the service reports when a request is being
//! answered, a streamed body reports each piece that goes out. One timer per connection looks at
//! the result, so that a request in a busy connection touches no timer at all.

use super::limits::SEND_STALL_MAX;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Longest time that a connection stays open after an early answer, for its client to read that.
const LINGER: Duration = Duration::from_secs(1);
/// Size of the pieces in which unread input is read and thrown away, in bytes.
const SCRATCH_BYTES: usize = 8 * 1024;

/// The state that the stream, the service and the timer of one connection share.
#[derive(Debug)]
pub(super) struct Activity {
    start: Instant,
    /// Milliseconds after `start`; `u64::MAX` while a request is being answered.
    deadline_ms: AtomicU64,
    is_idle: AtomicBool,
    /// A request is being answered.
    is_busy: AtomicBool,
    /// The body of a request that anyone may send is being read.
    is_reading: AtomicBool,
    /// An answer may still stand in a buffer of the connection.
    is_unsent: AtomicBool,
    /// A request with a good token was answered on the connection.
    is_known: AtomicBool,
    /// The time since which the connection waits for its client, in milliseconds after `start`.
    waits_since_ms: AtomicU64,
    must_leave: AtomicBool,
    leave: Notify,
    /// A piece of a streamed answer is on its way out.
    is_sending: AtomicBool,
    lingers: AtomicBool,
    header_timeout: Duration,
    idle_timeout: Duration,
}

impl Activity {
    /// Returns the state of a new connection, whose first head is due.
    pub(super) fn new(header_timeout: Duration, idle_timeout: Duration) -> Arc<Self> {
        let activity = Self {
            start: Instant::now(),
            deadline_ms: AtomicU64::new(0),
            is_idle: AtomicBool::new(false),
            is_busy: AtomicBool::new(false),
            is_reading: AtomicBool::new(false),
            is_unsent: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            waits_since_ms: AtomicU64::new(0),
            must_leave: AtomicBool::new(false),
            leave: Notify::new(),
            is_sending: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            header_timeout,
            idle_timeout,
        };
        activity.set_deadline(header_timeout);
        Arc::new(activity)
    }

    /// Suspends the deadline: a head has arrived, or a streamed answer waits for its source, and
    /// both have limits of their own.
    pub(super) fn begin(&self) {
        self.is_busy.store(true, Ordering::Relaxed);
        self.is_sending.store(false, Ordering::Relaxed);
        self.is_idle.store(false, Ordering::Relaxed);
        self.lingers.store(false, Ordering::Relaxed);
        self.deadline_ms.store(u64::MAX, Ordering::Relaxed);
    }

    /// Starts the deadline for the client to take some of the piece of a streamed answer that is
    /// ready.
    pub(super) fn send(&self) {
        self.is_sending.store(true, Ordering::Relaxed);
        self.set_deadline(SEND_STALL_MAX);
    }

    /// Notes that the answer is on its way, and starts the idle deadline for the next request.
    pub(super) fn end(&self) {
        self.is_sending.store(false, Ordering::Relaxed);
        self.set_deadline(self.idle_timeout);
        self.is_idle.store(true, Ordering::Relaxed);
        self.waits_since_ms.store(self.now_ms(), Ordering::Relaxed);
        self.is_unsent.store(true, Ordering::Relaxed);
        self.is_busy.store(false, Ordering::Relaxed);
    }

    /// Notes that the body of a request is being read that anyone may send. Until the returned
    /// guard is dropped the connection may give way to another, like one that waits for a head.
    pub(super) fn reads(&self) -> Reads<'_> {
        self.waits_since_ms.store(self.now_ms(), Ordering::Relaxed);
        self.is_reading.store(true, Ordering::Relaxed);
        Reads(self)
    }

    /// Marks the connection as one on which a request with a good token was answered.
    pub(super) fn know(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// Returns true if a request with a good token was answered on the connection.
    pub(super) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Returns the time since which the connection waits for its client. `None` while it may not be
    /// cut: a request is being answered, or a client with a good token has not got all of an
    /// answer.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let is_busy = self.is_busy.load(Ordering::Relaxed);
        let is_answering = is_busy && !self.is_reading.load(Ordering::Relaxed);
        let is_owed = self.is_known() && self.is_unsent.load(Ordering::Relaxed);
        if is_answering || is_owed {
            return None;
        }
        let ms = self.waits_since_ms.load(Ordering::Relaxed);
        Some(self.start + Duration::from_millis(ms))
    }

    /// Asks the connection to close once no request is being answered.
    pub(super) fn ask_to_leave(&self) {
        self.must_leave.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    /// Returns true once the connection was asked to close.
    #[cfg(test)]
    pub(super) fn must_leave(&self) -> bool {
        self.must_leave.load(Ordering::Relaxed)
    }

    /// Returns once the connection was asked to close.
    pub(super) async fn asked_to_leave(&self) {
        while !self.must_leave.load(Ordering::Relaxed) {
            self.leave.notified().await;
        }
    }

    /// Makes a close from now on wait a moment for the client to read the answer.
    pub(super) fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    /// Returns the time at which the connection is to be closed; `None` while a request is being
    /// answered.
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

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    fn set_deadline(&self, timeout: Duration) {
        let after = self.start.elapsed().saturating_add(timeout);
        let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX - 1);
        self.deadline_ms.store(ms, Ordering::Relaxed);
    }
}

/// Marks, while it lives, a connection as reading a body that anyone may send.
pub(super) struct Reads<'a>(&'a Activity);

impl Drop for Reads<'_> {
    fn drop(&mut self) {
        self.0.is_reading.store(false, Ordering::Relaxed);
    }
}

/// A stream that tells its [`Activity`] when bytes come in, and when all of them are out.
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

    /// Flushes, and notes that nothing is left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.activity.is_unsent.store(false, Ordering::Relaxed);
        }
        flushed
    }

    /// Shuts the stream. After an early answer it reads on for a moment and throws the input away:
    /// closing a socket with unread bytes resets the connection, and the reset overtakes the
    /// answer.
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

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_go_while_it_waits_for_its_client() {
        let activity = Activity::new(Duration::from_secs(1), Duration::from_secs(5));
        let begin = Instant::now();
        let later = Duration::from_millis(500);
        tokio::time::advance(later).await;
        assert_eq!(activity.waits_since(), Some(begin), "for its first head");
        activity.begin();
        assert_eq!(activity.waits_since(), None);
        let reads = activity.reads();
        assert_eq!(activity.waits_since(), Some(begin + later), "for a body");
        drop(reads);
        assert_eq!(activity.waits_since(), None);
        tokio::time::advance(later).await;
        activity.end();
        assert_eq!(activity.waits_since(), Some(begin + 2 * later), "idle");
        activity.know();
        assert_eq!(activity.waits_since(), None, "the answer is not out");
    }
}
