//! The body of an answer: one buffer, or a stream of pieces.

use super::activity::Activity;
use crate::stream::Chunks;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The body of one answer. A buffer has a length and cannot fail. A stream is sent in chunks, and
/// its error cuts the connection before the last one, so that the client sees that something is
/// missing.
pub(super) enum AnswerBody {
    Whole(Full<Bytes>),
    Streamed(Chunks, Option<Sending>),
}

/// Keeps a connection busy until its streamed answer is out, or given up.
pub(super) struct Sending(Arc<Activity>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl AnswerBody {
    /// Ties the body to `activity`, the connection that it answers on: a buffer counts as sent at
    /// once, a stream when it ends.
    pub(super) fn on(self, activity: &Arc<Activity>) -> Self {
        match self {
            Self::Whole(full) => {
                activity.end();
                Self::Whole(full)
            }
            Self::Streamed(chunks, _) => {
                Self::Streamed(chunks, Some(Sending(Arc::clone(activity))))
            }
        }
    }
}

impl<T: Into<Bytes>> From<T> for AnswerBody {
    fn from(bytes: T) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(full) => Pin::new(full)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Self::Streamed(chunks, sending) => {
                let chunk = chunks.as_mut().poll_next(context);
                if let Some(Sending(activity)) = sending {
                    match chunk {
                        Poll::Ready(_) => activity.send(),
                        Poll::Pending => activity.begin(),
                    }
                }
                chunk.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(full) => full.is_end_stream(),
            Self::Streamed(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(full) => full.size_hint(),
            Self::Streamed(..) => SizeHint::default(),
        }
    }
}
