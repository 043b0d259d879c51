//! The rest of a body that an answer did not need. It is read and dropped, so that the connection
//! goes on with the next request; where that takes too long, the answer says that it ends.

use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// The largest rest that is read, as in Go's server, in bytes.
const REST_MAX: u64 = 256 << 10;
/// The longest wait for the rest. The client has sent it by then, or does not send it soon.
const REST_WITHIN: Duration = Duration::from_secs(1);

/// A body from a client's connection. Where it is dropped before its end, [`Rest`] has the rest.
pub(super) struct SocketBody {
    body: Option<Incoming>,
    /// `None` for a body without bytes.
    rest: Option<Rest>,
}

/// The rest of a body, once its [`SocketBody`] is gone.
#[derive(Clone, Default)]
pub(super) struct Rest(Arc<Mutex<Option<Incoming>>>);

/// Returns a body, and its rest; `None` where it has no bytes, as with most reads.
pub(super) fn track(body: Incoming) -> (SocketBody, Option<Rest>) {
    let rest = (!body.is_end_stream()).then(Rest::default);
    let body = SocketBody {
        body: Some(body),
        rest: rest.clone(),
    };
    (body, rest)
}

impl Drop for SocketBody {
    fn drop(&mut self) {
        let Some(rest) = &self.rest else { return };
        let unread = self.body.take().filter(|body| !body.is_end_stream());
        *rest.0.lock().unwrap_or_else(PoisonError::into_inner) = unread;
    }
}

impl Body for SocketBody {
    type Data = <Incoming as Body>::Data;
    type Error = <Incoming as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Rest {
    /// Returns true when the body was read to its end.
    pub(super) fn is_read(&self) -> bool {
        let rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rest.is_none()
    }

    /// Reads and drops the rest. Returns false when it is too long or does not come in time: the
    /// connection ends then.
    pub(super) async fn discard(self) -> bool {
        let rest = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut rest) = rest else {
            return true;
        };
        if rest.size_hint().lower() > REST_MAX {
            return false;
        }
        let reading = async {
            let mut bytes = 0;
            while let Some(frame) = http_body_util::BodyExt::frame(&mut rest).await {
                let Ok(frame) = frame else { return false };
                bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if bytes > REST_MAX {
                    return false;
                }
            }
            true
        };
        timeout(REST_WITHIN, reading).await.unwrap_or(false)
    }
}
