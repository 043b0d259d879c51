//! The answering side of a stream's body: the pieces that arrived, and credit for more.

use super::frame::{FrameError, FrameKind};
use super::outbox::Outbox;
use bytes::Bytes;
use futures_util::Stream;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// The bytes of a body that may be on their way or wait to be taken.
pub(super) const WINDOW_BYTES: usize = 256 * 1024;

/// The size of the pieces in which credit is given back, so that it costs few frames.
const CREDIT_BYTES: usize = WINDOW_BYTES / 4;

enum Piece {
    Bytes(Bytes),
    End,
}

/// The connection's end of a body, which takes the pieces that arrive.
pub(super) struct Filling {
    pieces: Option<mpsc::UnboundedSender<Piece>>,
    credit: Arc<AtomicUsize>,
}

/// A body as a service reads it, which ends with an error unless it came whole.
pub(super) struct Body {
    pieces: mpsc::UnboundedReceiver<Piece>,
    credit: Arc<AtomicUsize>,
    taken: usize,
    is_whole: bool,
    id: u32,
    outbox: Arc<Outbox>,
}

/// Returns both ends of the body of stream `id`, and grants its first credit.
pub(super) fn window(id: u32, outbox: &Arc<Outbox>) -> (Filling, Body) {
    let (sender, pieces) = mpsc::unbounded_channel();
    let credit = Arc::new(AtomicUsize::new(0));
    let filling = Filling {
        pieces: Some(sender),
        credit: credit.clone(),
    };
    let mut body = Body {
        pieces,
        credit,
        taken: WINDOW_BYTES,
        is_whole: false,
        id,
        outbox: outbox.clone(),
    };
    body.give_credit();
    (filling, body)
}

impl Filling {
    /// Takes a piece.
    pub fn put(&mut self, bytes: Bytes) -> Result<(), FrameError> {
        let spend = |credit: usize| credit.checked_sub(bytes.len());
        self.credit
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend)
            .map_err(|_| FrameError::Overdrawn)?;
        let pieces = self
            .pieces
            .as_ref()
            .ok_or(FrameError::Unexpected(FrameKind::Chunk))?;
        // A service that does not read on gets nothing more; its answer comes all the same.
        let _ = pieces.send(Piece::Bytes(bytes));
        Ok(())
    }

    /// Ends the body: all of it is there, or (`is_whole` false) it broke off.
    pub fn end(&mut self, is_whole: bool) {
        if let Some(pieces) = self.pieces.take()
            && is_whole
        {
            // As above.
            let _ = pieces.send(Piece::End);
        }
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
        if self.is_whole {
            return Poll::Ready(None);
        }
        match std::task::ready!(self.pieces.poll_recv(cx)) {
            Some(Piece::Bytes(bytes)) => {
                self.taken += bytes.len();
                if self.taken >= CREDIT_BYTES {
                    self.give_credit();
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Piece::End) => {
                self.is_whole = true;
                Poll::Ready(None)
            }
            None => {
                self.is_whole = true;
                let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the stream was cut");
                Poll::Ready(Some(Err(cut)))
            }
        }
    }
}
