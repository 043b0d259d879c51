//! A request's body as a stream, for bodies that do not fit into memory.

use super::unread::SocketBody;
use crate::stream::Chunks;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::http::request::Parts;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// Returns the longest time of a request: unlimited if it brings or takes a whole snapshot, for
/// which the pauses are limited instead, and `usual` otherwise.
pub(super) fn duration_max(head: &Parts, usual: Duration) -> Duration {
    let path = head.uri.path().strip_prefix("/v1/").unwrap_or_default();
    match crate::sys::uploads(path) {
        true => Duration::MAX,
        false => usual,
    }
}

/// Returns the body in pieces; a pause longer than `pause_max` is an error, and ends it.
pub(super) fn chunks(body: SocketBody, pause_max: Duration) -> Chunks {
    Box::pin(stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        loop {
            let error = match timeout(pause_max, body.frame()).await {
                Ok(None) => return None,
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => return Some((Ok(data), Some(body))),
                    Err(_trailers) => continue,
                },
                Ok(Some(Err(error))) => io::Error::other(error),
                Err(_) => io::Error::from(io::ErrorKind::TimedOut),
            };
            return Some((Err(error), None));
        }
    }))
}
