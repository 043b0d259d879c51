//! A streamed body, sealed in frames. All but the last carry [`FRAME_BYTES`], so their ends need no
//! mark; the last is marked as such, so a body that was cut, even between frames, is no body.

use super::sealed::{self, Ends, Nonce, PiecePosition};
use crate::barrier::{MESSAGE_OVERHEAD_BYTES, Unsealed};
use crate::stream::Chunks;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The bytes of the body in one frame.
pub(super) const FRAME_BYTES: usize = 32 << 10;
/// The size of a whole frame as it travels, in bytes.
const SEALED_BYTES: usize = 1 + FRAME_BYTES + MESSAGE_OVERHEAD_BYTES;

/// The keys, the ends and the nonce that all frames of one body share.
#[derive(Clone)]
pub(super) struct Binding {
    pub barrier: Arc<Unsealed>,
    pub ends: Ends,
    /// The nonce of the request that the body belongs to.
    pub nonce: Nonce,
}

impl Binding {
    fn place(&self, number: u64, is_last: bool) -> PiecePosition {
        PiecePosition {
            nonce: self.nonce,
            number,
            is_last,
        }
    }
}

/// Splits `body` into frames, sealed as they are asked for.
pub(super) fn seal(binding: Binding, body: Bytes) -> Chunks {
    let frames = stream::unfold(Some((body, 0)), move |left| {
        let binding = binding.clone();
        async move {
            let (mut body, number) = left?;
            let inside = body.split_to(body.len().min(FRAME_BYTES));
            let place = binding.place(number, body.is_empty());
            let frame = sealed::seal_frame(&binding.barrier, &binding.ends, &place, &inside);
            let next = (!place.is_last).then_some((body, number + 1));
            Some((frame.map_err(io::Error::other), next))
        }
    });
    Box::pin(frames)
}

/// A flag, set when a body is not the one that its sender sealed.
pub(super) type Forged = Arc<AtomicBool>;

/// Opens the body whose frames come as `pieces` of any size. The body breaks off at the first frame
/// that does not open, and `forged` is set.
pub(super) fn open(binding: Binding, pieces: Chunks, forged: Forged) -> Chunks {
    let opening = Opening {
        binding,
        pieces,
        buffer: BytesMut::new(),
        number: 0,
        is_over: false,
        forged,
    };
    let bodies = stream::unfold(opening, |mut opening| async move {
        let next = opening.next().await?;
        Some((next, opening))
    });
    Box::pin(bodies)
}

struct Opening {
    binding: Binding,
    pieces: Chunks,
    buffer: BytesMut,
    number: u64,
    is_over: bool,
    forged: Forged,
}

impl Opening {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.is_over {
            return None;
        }
        let next = self.frame().await;
        self.is_over |= next.is_err();
        Some(next)
    }

    async fn frame(&mut self) -> io::Result<Bytes> {
        // One byte more tells that a frame of full size is not the end of what is sent.
        let is_whole = self.fill(SEALED_BYTES + 1).await?;
        let is_last = match self.buffer.first() {
            Some(0) => false,
            Some(1) => true,
            Some(_) | None => return Err(self.refuse()),
        };
        let size = match is_last {
            true if is_whole => self.buffer.len(),
            true => return Err(self.refuse()),
            false => SEALED_BYTES,
        };
        if self.buffer.len() < size {
            return Err(self.refuse());
        }
        let mut frame = self.buffer.split_to(size);
        frame.advance(1);
        let place = self.binding.place(self.number, is_last);
        let Binding { barrier, ends, .. } = &self.binding;
        let opened = sealed::open_frame(barrier, ends, &place, &frame);
        self.number += 1;
        self.is_over = is_last;
        opened.map_err(|_| self.refuse())
    }

    /// Reads until there are `bytes`, or until the pieces end; returns true in the second case.
    async fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        while self.buffer.len() < bytes {
            match self.pieces.next().await {
                Some(piece) => self.buffer.extend_from_slice(&piece?),
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    fn refuse(&self) -> io::Error {
        self.forged.store(true, Ordering::Release);
        io::Error::other("a forwarded body is not what was sealed")
    }
}
