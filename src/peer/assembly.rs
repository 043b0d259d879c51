//! Assembles messages from the frames that they came in.

use super::frame::{Frame, FrameError, FrameKind};
use super::outbox::{Charge, Gauge};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::sync::Arc;

/// A whole message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub kind: FrameKind,
    pub id: u32,
    pub payload: Bytes,
}

/// The messages of one connection that are not whole yet. Their bytes are charged to a gauge that
/// all connections of one peer share.
pub(super) struct Assembly {
    parts: HashMap<u32, Part>,
    message_bytes_max: usize,
    held: Arc<Gauge>,
}

struct Part {
    kind: FrameKind,
    bytes: BytesMut,
    charge: Charge,
}

impl Assembly {
    /// Returns an assembly that takes messages of at most `message_bytes_max`.
    pub fn new(message_bytes_max: usize, held: Arc<Gauge>) -> Self {
        Self {
            parts: HashMap::new(),
            message_bytes_max,
            held,
        }
    }

    /// Returns the gauge for the unfinished messages of one peer: together they may hold the bytes
    /// of two whole ones.
    pub fn gauge(message_bytes_max: usize) -> Arc<Gauge> {
        Gauge::new(message_bytes_max.saturating_mul(2))
    }

    /// Takes a frame, and returns the message that it completes.
    pub fn take(&mut self, frame: Frame) -> Result<Option<Message>, FrameError> {
        let Frame {
            kind,
            more,
            id,
            payload,
        } = frame;
        let part = match self.parts.remove(&id).filter(|_| kind != FrameKind::Cancel) {
            Some(part) if part.kind != kind => return Err(FrameError::Unexpected(kind)),
            Some(part) => self.longer(part, &payload)?,
            None if more => self.first(kind, &payload)?,
            None => return Ok(Some(Message { kind, id, payload })),
        };
        if more {
            self.parts.insert(id, part);
            return Ok(None);
        }
        let payload = part.bytes.freeze();
        Ok(Some(Message { kind, id, payload }))
    }

    fn first(&self, kind: FrameKind, payload: &Bytes) -> Result<Part, FrameError> {
        let charge = self.held.take(payload.len());
        let charge = charge.ok_or(FrameError::TooLarge(self.message_bytes_max))?;
        let bytes = BytesMut::from(&**payload);
        Ok(Part {
            kind,
            bytes,
            charge,
        })
    }

    fn longer(&self, mut part: Part, payload: &Bytes) -> Result<Part, FrameError> {
        let length = part.bytes.len() + payload.len();
        if length > self.message_bytes_max || !part.charge.grow(payload.len()) {
            return Err(FrameError::TooLarge(self.message_bytes_max));
        }
        part.bytes.extend_from_slice(payload);
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: FrameKind, more: bool, id: u32, payload: &'static [u8]) -> Frame {
        let payload = Bytes::from_static(payload);
        Frame {
            kind,
            more,
            id,
            payload,
        }
    }

    fn text(message: Option<Message>) -> Option<String> {
        message.map(|whole| String::from_utf8_lossy(&whole.payload).into_owned())
    }

    fn assembly(message_bytes_max: usize) -> Assembly {
        Assembly::new(message_bytes_max, Gauge::new(1000))
    }

    #[test]
    fn parts_of_several_messages_may_be_mixed() {
        let mut assembly = assembly(100);
        let mut take = |more, id, payload| {
            text(
                assembly
                    .take(frame(FrameKind::Call, more, id, payload))
                    .unwrap(),
            )
        };
        assert_eq!(take(true, 1, b"on"), None);
        assert_eq!(take(true, 2, b"tw"), None);
        assert_eq!(take(false, 3, b"three").as_deref(), Some("three"));
        assert_eq!(take(false, 2, b"o").as_deref(), Some("two"));
        assert_eq!(take(false, 1, b"e").as_deref(), Some("one"));
    }

    #[test]
    fn is_bounded_for_each_and_for_all_connections_of_a_peer() {
        let held = Gauge::new(300);
        let mut one = Assembly::new(100, held.clone());
        let mut other = Assembly::new(100, held.clone());
        let part = |id| frame(FrameKind::Call, true, id, &[7; 60]);
        assert!(one.take(part(1)).unwrap().is_none());
        assert!(other.take(part(1)).unwrap().is_none());
        assert_eq!(other.take(part(2)), Err(FrameError::TooLarge(100)), "all");
        assert_eq!(one.take(part(1)), Err(FrameError::TooLarge(100)), "each");
        drop((one, other));
        assert_eq!(held.bytes(), 0);
    }

    #[test]
    fn a_cancelled_one_is_forgotten() {
        let mut assembly = assembly(4);
        for id in 0..100 {
            assert!(
                assembly
                    .take(frame(FrameKind::Call, true, id, b"abc"))
                    .unwrap()
                    .is_none()
            );
            let cancel = assembly
                .take(frame(FrameKind::Cancel, false, id, b""))
                .unwrap();
            assert_eq!(cancel.unwrap().kind, FrameKind::Cancel);
        }
        assert_eq!(assembly.held.bytes(), 0);
    }
}
