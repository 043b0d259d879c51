//! The answering side of a stream's body: the pieces that arrived, and credit for more.

use super::frame::{FrameError, FrameKind};
use super::outbox::Outbox;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The bytes of a body that may be on their way or wait to be taken.
pub(super) const WINDOW_BYTES: usize = 256 * 1024;

/// The size of the pieces in which credit is given back, so that it costs few frames.
const CREDIT_BYTES: usize = WINDOW_BYTES / 4;

/// The size below which pieces that wait are joined, so that a body in tiny ones takes no more
/// memory than its bytes.
const JOINED_BYTES: usize = 4 * 1024;

/// The pieces that wait to be taken.
#[derive(Default)]
struct Pieces {
    waiting: VecDeque<Bytes>,
    /// Small pieces that came after those, joined.
    joined: BytesMut,
    /// Set once no more come: true when the body is whole.
    end: Option<bool>,
    /// True once nobody takes them.
    is_left: bool,
    reader: Option<Waker>,
}

impl Pieces {
    fn put(&mut self, bytes: Bytes) {
        if self.is_left {
            return;
        }
        if bytes.len() >= JOINED_BYTES {
            self.close_joined();
            self.waiting.push_back(bytes);
            return;
        }
        self.joined.extend_from_slice(&bytes);
        if self.joined.len() >= JOINED_BYTES {
            self.close_joined();
        }
    }

    fn close_joined(&mut self) {
        if !self.joined.is_empty() {
            self.waiting.push_back(self.joined.split().freeze());
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let whole = self.waiting.pop_front();
        whole.or_else(|| (!self.joined.is_empty()).then(|| self.joined.split().freeze()))
    }
}

type SharedPieces = Arc<Mutex<Pieces>>;

fn lock(pieces: &SharedPieces) -> MutexGuard<'_, Pieces> {
    pieces.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connection's end of a body, which takes the pieces that arrive. Dropped before the end, it
/// breaks the body off.
pub(super) struct Filling {
    pieces: SharedPieces,
    credit: Arc<AtomicUsize>,
}

/// A body as a service reads it, which ends with an error unless it came whole.
pub(super) struct Body {
    pieces: SharedPieces,
    credit: Arc<AtomicUsize>,
    taken: usize,
    is_over: bool,
    id: u32,
    outbox: Arc<Outbox>,
}

/// Returns both ends of the body of stream `id`, and grants its first credit.
pub(super) fn window(id: u32, outbox: &Arc<Outbox>) -> (Filling, Body) {
    let pieces = SharedPieces::default();
    let credit = Arc::new(AtomicUsize::new(0));
    let filling = Filling {
        pieces: Arc::clone(&pieces),
        credit: credit.clone(),
    };
    let mut body = Body {
        pieces,
        credit,
        taken: WINDOW_BYTES,
        is_over: false,
        id,
        outbox: outbox.clone(),
    };
    body.give_credit();
    (filling, body)
}

impl Filling {
    /// Takes a piece. Nothing is kept of it when the service does not read on: its answer comes all
    /// the same.
    pub fn put(&mut self, bytes: Bytes) -> Result<(), FrameError> {
        let spend = |credit: usize| credit.checked_sub(bytes.len());
        self.credit
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend)
            .map_err(|_| FrameError::Overdrawn)?;
        let mut pieces = lock(&self.pieces);
        if pieces.end.is_some() {
            return Err(FrameError::Unexpected(FrameKind::Chunk));
        }
        pieces.put(bytes);
        wake(pieces);
        Ok(())
    }

    /// Ends the body: all of it is there, or (`is_whole` false) it broke off.
    pub fn end(&mut self, is_whole: bool) {
        let mut pieces = lock(&self.pieces);
        pieces.end.get_or_insert(is_whole);
        wake(pieces);
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.end(false);
    }
}

fn wake(mut pieces: MutexGuard<'_, Pieces>) {
    let reader = pieces.reader.take();
    drop(pieces);
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let mut pieces = lock(&self.pieces);
        pieces.is_left = true;
        pieces.waiting = VecDeque::new();
        pieces.joined = BytesMut::new();
    }
}

impl Body {
    fn give_credit(&mut self) {
        let bytes = std::mem::take(&mut self.taken);
        self.credit.fetch_add(bytes, Ordering::SeqCst);
        let payload = Bytes::copy_from_slice(&(bytes as u32).to_le_bytes());
        self.outbox.push(FrameKind::Credit, self.id, payload, None);
    }
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut pieces = lock(&self.pieces);
        if let Some(bytes) = pieces.take() {
            drop(pieces);
            self.taken += bytes.len();
            if self.taken >= CREDIT_BYTES {
                self.give_credit();
            }
            return Poll::Ready(Some(Ok(bytes)));
        }
        let Some(is_whole) = pieces.end else {
            pieces.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        drop(pieces);
        self.is_over = true;
        let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the stream was cut");
        Poll::Ready((!is_whole).then(|| Err(cut())))
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use futures_util::{FutureExt, StreamExt};

    /// Counts the memory that waiting pieces take: their bytes, and a handle for each.
    fn memory(pieces: &Pieces) -> usize {
        let bytes: usize = pieces.waiting.iter().map(Bytes::len).sum();
        bytes + pieces.joined.capacity() + pieces.waiting.capacity() * size_of::<Bytes>()
    }

    #[tokio::test]
    async fn a_body_in_tiny_pieces_takes_no_more_memory_than_its_bytes() {
        let (mut filling, mut body) = window(1, &Arc::default());
        for _ in 0..100_000 {
            filling.put(Bytes::new()).unwrap();
        }
        assert_eq!(memory(&lock(&body.pieces)), 0, "there is nothing in them");
        let sent: Vec<u8> = (0..WINDOW_BYTES).map(|at| at as u8).collect();
        for byte in &sent {
            filling.put(Bytes::copy_from_slice(&[*byte])).unwrap();
        }
        let most = WINDOW_BYTES + WINDOW_BYTES / 8;
        let taken = memory(&lock(&body.pieces));
        assert!(taken <= most, "{taken} bytes for {WINDOW_BYTES}");
        let overdrawn = filling.put(Bytes::from_static(b"x"));
        assert_eq!(overdrawn, Err(FrameError::Overdrawn));
        filling.end(true);
        let mut got = Vec::new();
        while let Some(piece) = body.next().await {
            got.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(got, sent);
    }

    #[tokio::test]
    async fn small_and_large_pieces_come_in_their_order_as_they_arrive() {
        let (mut filling, mut body) = window(1, &Arc::default());
        assert!(body.next().now_or_never().is_none(), "nothing came");
        let large = Bytes::from(vec![7; JOINED_BYTES]);
        for piece in [&b"a"[..], b"b", &large, b"c"] {
            filling.put(Bytes::copy_from_slice(piece)).unwrap();
        }
        for expected in [&b"ab"[..], &large, b"c"] {
            assert_eq!(body.next().await.unwrap().unwrap(), expected);
        }
        assert!(body.next().now_or_never().is_none());
        drop(filling);
        assert!(body.next().await.unwrap().is_err(), "it broke off");
        assert!(body.next().await.is_none());
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_and_one_that_left_keeps_nothing() {
        let (mut filling, mut body) = window(1, &Arc::default());
        let reading = tokio::spawn(async move { (body.next().await, body) });
        tokio::task::yield_now().await;
        filling.put(Bytes::from_static(b"x")).unwrap();
        let (piece, body) = reading.await.unwrap();
        assert_eq!(piece.unwrap().unwrap(), "x");
        let pieces = Arc::clone(&body.pieces);
        filling.put(Bytes::from(vec![0; JOINED_BYTES])).unwrap();
        drop(body);
        filling.put(Bytes::from(vec![0; JOINED_BYTES])).unwrap();
        assert_eq!(memory(&lock(&pieces)), 0);
        filling.end(true);
        let more = filling.put(Bytes::new());
        assert_eq!(more, Err(FrameError::Unexpected(FrameKind::Chunk)));
    }
}
