//! The messages that wait to be sent over one connection.

use super::frame::{Frame, FrameKind, PAYLOAD_BYTES_MAX};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The number of bytes that are gathered for one write.
const GATHER_BYTES: usize = 16 * 1024;
/// The bytes that a message is charged besides its payload, so that empty ones are bounded too.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// Counts bytes against a limit; shared by all users of the limit.
pub(super) struct Gauge {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Gauge {
    /// Returns a gauge that counts up to `bytes_max`.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes: AtomicUsize::new(0),
            bytes_max,
        })
    }

    /// Takes `bytes` if they are within the limit, or if nothing else is counted.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let charged = bytes + MESSAGE_OVERHEAD_BYTES;
        let before = self.bytes.fetch_add(charged, Ordering::Relaxed);
        let charge = Charge(self.clone(), charged);
        (before == 0 || before + charged <= self.bytes_max).then_some(charge)
    }

    /// Takes `bytes`, even beyond the limit.
    pub fn force(self: &Arc<Self>, bytes: usize) -> Charge {
        let charged = bytes + MESSAGE_OVERHEAD_BYTES;
        self.bytes.fetch_add(charged, Ordering::Relaxed);
        Charge(self.clone(), charged)
    }

    /// Returns true when bytes taken by force go so far that the other side cannot be reading.
    pub fn is_overrun(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.bytes_max.saturating_mul(2)
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Bytes that a [`Gauge`] counts until this is dropped.
pub(super) struct Charge(Arc<Gauge>, usize);

impl Charge {
    /// Takes `bytes` more, if they are within the limit.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        self.1 += bytes;
        let before = self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        before + bytes <= self.0.bytes_max
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.bytes.fetch_sub(self.1, Ordering::Relaxed);
    }
}

struct Waiting {
    kind: FrameKind,
    id: u32,
    rest: Bytes,
    begun: bool,
    _charge: Option<Charge>,
}

/// Messages on their way out, of which large ones take turns, frame by frame. Messages of a single
/// frame keep their order.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<VecDeque<Waiting>>,
    some: Notify,
}

impl Outbox {
    /// Adds a message.
    pub fn push(&self, kind: FrameKind, id: u32, payload: Bytes, charge: Option<Charge>) {
        self.lock().push_back(Waiting {
            kind,
            id,
            rest: payload,
            begun: false,
            _charge: charge,
        });
        self.some.notify_one();
    }

    /// Takes back all messages that wait under `id`, and returns true when the other side may know
    /// of the call.
    pub fn withdraw(&self, id: u32) -> bool {
        let mut waiting = self.lock();
        let mut is_known = true;
        waiting.retain(|message| {
            if message.id == id && matches!(message.kind, FrameKind::Call | FrameKind::Open) {
                is_known = message.begun;
            }
            message.id != id
        });
        is_known
    }

    /// Takes back an answer of which nothing was sent yet.
    pub fn withdraw_unless_begun(&self, id: u32) {
        self.lock()
            .retain(|message| message.id != id || message.begun);
    }

    /// Moves frames into `out` until it holds a write's worth; waits until there is one.
    pub async fn gather(&self, out: &mut BytesMut) {
        loop {
            self.gather_now(out);
            if !out.is_empty() {
                return;
            }
            self.some.notified().await;
        }
    }

    /// Returns true when there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn gather_now(&self, out: &mut BytesMut) {
        let mut waiting = self.lock();
        while out.len() < GATHER_BYTES
            && let Some(mut message) = waiting.pop_front()
        {
            let payload = message
                .rest
                .split_to(message.rest.len().min(PAYLOAD_BYTES_MAX));
            let more = !message.rest.is_empty();
            let (kind, id) = (message.kind, message.id);
            Frame {
                kind,
                more,
                id,
                payload,
            }
            .encode(out);
            if more {
                message.begun = true;
                waiting.push_back(message);
            }
        }
        if waiting.is_empty() && waiting.capacity() > 64 {
            *waiting = VecDeque::new();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(out: &mut BytesMut) -> Vec<(u32, bool, usize)> {
        let mut found = Vec::new();
        while let Some(frame) = Frame::decode(out).unwrap() {
            found.push((frame.id, frame.more, frame.payload.len()));
        }
        found
    }

    #[tokio::test]
    async fn a_small_message_does_not_wait_for_a_large_one() {
        let outbox = Outbox::default();
        let large = Bytes::from(vec![0; 3 * PAYLOAD_BYTES_MAX]);
        outbox.push(FrameKind::Call, 1, large, None);
        outbox.push(FrameKind::Call, 2, Bytes::from_static(b"small"), None);
        let mut seen = Vec::new();
        while !outbox.is_empty() {
            let mut out = BytesMut::new();
            outbox.gather(&mut out).await;
            assert!(out.len() < 2 * 16 * 1024);
            seen.extend(frames(&mut out));
        }
        let part = PAYLOAD_BYTES_MAX;
        assert_eq!(
            seen,
            [
                (1, true, part),
                (2, false, 5),
                (1, true, part),
                (1, false, part)
            ]
        );
    }

    #[tokio::test]
    async fn what_is_withdrawn_is_not_sent_and_not_counted() {
        let gauge = Gauge::new(1000);
        let outbox = Outbox::default();
        let payload = Bytes::from(vec![0; 800]);
        outbox.push(FrameKind::Call, 1, payload.clone(), gauge.take(800));
        assert!(gauge.take(800).is_none(), "over the limit");
        assert!(!outbox.withdraw(1), "nobody knows of it");
        assert_eq!(gauge.bytes(), 0);
        assert!(gauge.take(5000).is_some(), "one alone is taken at any size");
        outbox.push(
            FrameKind::Call,
            2,
            Bytes::from(vec![0; 2 * PAYLOAD_BYTES_MAX]),
            None,
        );
        outbox.gather(&mut BytesMut::new()).await;
        assert!(outbox.withdraw(2), "its first half is gone");
        assert!(outbox.is_empty());
        assert!(outbox.withdraw(2), "all of it is gone");
    }
}
