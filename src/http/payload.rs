//! A request's body on its way in: from a socket or from another node, read whole within the
//! limits of size, pauses and shared memory.

use super::activity::Activity;
use super::allowance::Allowance;
use super::answer::{self, Answer, bad_request, busy};
use super::budget::{Budget, Charge, Share};
use super::call::Call;
use super::options::Listener;
use super::unread::SocketBody;
use super::upload;
use crate::secret::Wiped;
use crate::stream::Chunks;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A body that is not read yet.
pub(super) enum Payload {
    /// The body comes from a client's connection.
    Socket(SocketBody),
    /// The body comes from another node, in pieces.
    Pieces(Chunks),
    /// The body came from another node, all of it.
    Whole(Bytes),
}

/// Bytes that are wiped, and whose memory is given back to the budget, when their last holder drops
/// them.
pub(super) struct Held {
    pub(super) bytes: Wiped<Vec<u8>>,
    pub(super) charge: Charge,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Held {
    /// Returns an empty buffer that charges `share`.
    fn new(budget: &Arc<Budget>, share: Share) -> Self {
        Self {
            bytes: Wiped::new(Vec::new()),
            charge: budget.charge(share),
        }
    }

    pub(super) fn shared(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// Appends `data`. Room is made for the bytes that came, and at most as much again; never for
    /// all that was announced (`expected`). Growing in place could leave a copy behind that is not
    /// wiped.
    fn push(&mut self, data: &[u8], expected: u64, allowance: &Allowance) -> Result<(), Answer> {
        let needed = self.bytes.len() + data.len();
        if needed as u64 > allowance.bytes_max {
            return Err(allowance.exceeded());
        }
        if needed > self.bytes.capacity() {
            let room = usize::try_from(expected.min(allowance.bytes_max)).unwrap_or(usize::MAX);
            let wanted = needed.saturating_mul(2).min(room).max(needed);
            let more = wanted - self.bytes.capacity();
            self.charge.grow(more).map_err(|_| busy())?;
            let mut larger = Wiped::new(Vec::with_capacity(wanted));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

/// Bytes from elsewhere, with their charge to the budget.
struct Charged {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Charges `bytes` to `share` for as long as they live; returns `None` when there is no room.
pub(super) fn charged(bytes: Bytes, budget: &Arc<Budget>, share: Share) -> Option<Bytes> {
    let mut charge = budget.charge(share);
    charge.grow(bytes.len()).ok()?;
    Some(Bytes::from_owner(Charged {
        bytes,
        _charge: charge,
    }))
}

impl Call<'_> {
    /// Reads the whole body within the limits of size, pauses and shared memory.
    pub(super) async fn body(
        &self,
        payload: Payload,
        allowance: &Allowance,
    ) -> Result<Bytes, Answer> {
        let (options, budget) = (&self.shared.options, &self.shared.budget);
        payload
            .read(options, allowance, budget, self.activity)
            .await
    }
}

impl Payload {
    /// Returns the whole body as a stream, for bodies that do not fit into memory.
    pub(super) fn chunks(self, pause_max: Duration) -> Chunks {
        match self {
            Self::Socket(body) => upload::chunks(body, pause_max),
            Self::Pieces(pieces) => pieces,
            Self::Whole(bytes) => Box::pin(stream::iter([Ok(bytes)])),
        }
    }

    /// Reads the whole body, if it is within `allowance`. Its memory stays charged until the bytes
    /// are dropped. Without a good token all of the reading gets the time of one pause, and the
    /// connection gives way meanwhile (`activity`).
    pub(super) async fn read(
        self,
        options: &Listener,
        allowance: &Allowance,
        budget: &Arc<Budget>,
        activity: Option<&Activity>,
    ) -> Result<Bytes, Answer> {
        let reading = self.read_on(options.body_read_timeout, allowance, budget);
        if allowance.share == Share::Clients {
            return reading.await;
        }
        let _gives_way = activity.map(Activity::reads);
        let read = timeout(options.body_read_timeout, reading).await;
        read.unwrap_or_else(|_| Err(stalled()))
    }

    async fn read_on(
        self,
        pause_max: Duration,
        allowance: &Allowance,
        budget: &Arc<Budget>,
    ) -> Result<Bytes, Answer> {
        let mut held = Held::new(budget, allowance.share);
        match self {
            Self::Whole(bytes) if bytes.len() as u64 > allowance.bytes_max => {
                Err(allowance.exceeded())
            }
            Self::Whole(bytes) => charged(bytes, budget, allowance.share).ok_or_else(busy),
            Self::Socket(mut body) => {
                let hint = hyper::body::Body::size_hint(&body);
                if hint.lower() > allowance.bytes_max {
                    return Err(allowance.exceeded());
                }
                let expected = hint.exact().unwrap_or(u64::MAX);
                loop {
                    match timeout(pause_max, body.frame()).await {
                        Err(_) => return Err(stalled()),
                        Ok(None) => return Ok(held.shared()),
                        Ok(Some(Err(_))) => return Err(unreadable()),
                        Ok(Some(Ok(frame))) => match frame.into_data() {
                            Ok(data) => held.push(&data, expected, allowance)?,
                            Err(_trailers) => {}
                        },
                    }
                }
            }
            Self::Pieces(mut pieces) => loop {
                match timeout(pause_max, pieces.next()).await {
                    Err(_) => return Err(stalled()),
                    Ok(None) => return Ok(held.shared()),
                    Ok(Some(Err(_))) => return Err(unreadable()),
                    Ok(Some(Ok(data))) => held.push(&data, u64::MAX, allowance)?,
                }
            },
        }
    }
}

fn unreadable() -> Answer {
    answer::closing(bad_request("unreadable body"))
}

fn stalled() -> Answer {
    answer::closing(answer::errors(
        StatusCode::REQUEST_TIMEOUT,
        &["the body did not arrive in time"],
    ))
}
