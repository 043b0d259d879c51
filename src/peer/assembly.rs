//! Messages again, from the frames that they came in.

use super::frame::{Frame, FrameError, Kind};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;

/// A whole message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub kind: Kind,
    pub id: u32,
    pub payload: Bytes,
}

/// The messages of one connection that are not whole yet.
pub(super) struct Assembly {
    parts: HashMap<u32, (Kind, BytesMut)>,
    held_bytes: usize,
    message_bytes_max: usize,
    held_bytes_max: usize,
}

impl Assembly {
    /// Takes messages of at most `message_bytes_max`, and holds at most twice that altogether.
    pub fn new(message_bytes_max: usize) -> Self {
        Self {
            parts: HashMap::new(),
            held_bytes: 0,
            message_bytes_max,
            held_bytes_max: message_bytes_max.saturating_mul(2),
        }
    }

    /// Takes a frame; gives the message that it completes.
    pub fn take(&mut self, frame: Frame) -> Result<Option<Message>, FrameError> {
        let Frame { kind, id, .. } = frame;
        let before = self.parts.remove(&id);
        if kind == Kind::Cancel {
            self.held_bytes -= before.map_or(0, |(_, held)| held.len());
        } else if let Some((begun, mut held)) = before {
            if begun != kind {
                return Err(FrameError::Unexpected(kind));
            }
            self.held_bytes -= held.len();
            held.extend_from_slice(&frame.payload);
            return self.put(kind, id, held, frame.more);
        } else if frame.more {
            return self.put(kind, id, BytesMut::from(&*frame.payload), true);
        }
        Ok(Some(Message {
            kind,
            id,
            payload: frame.payload,
        }))
    }

    fn put(
        &mut self,
        kind: Kind,
        id: u32,
        held: BytesMut,
        more: bool,
    ) -> Result<Option<Message>, FrameError> {
        if held.len() > self.message_bytes_max {
            return Err(FrameError::TooLarge(self.message_bytes_max));
        }
        if !more {
            let payload = held.freeze();
            return Ok(Some(Message { kind, id, payload }));
        }
        self.held_bytes += held.len();
        if self.held_bytes > self.held_bytes_max {
            return Err(FrameError::TooLarge(self.held_bytes_max));
        }
        self.parts.insert(id, (kind, held));
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: Kind, more: bool, id: u32, payload: &'static [u8]) -> Frame {
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

    #[test]
    fn parts_of_several_messages_may_be_mixed() {
        let mut assembly = Assembly::new(100);
        let mut take =
            |more, id, payload| text(assembly.take(frame(Kind::Call, more, id, payload)).unwrap());
        assert_eq!(take(true, 1, b"on"), None);
        assert_eq!(take(true, 2, b"tw"), None);
        assert_eq!(take(false, 3, b"three").as_deref(), Some("three"));
        assert_eq!(take(false, 2, b"o").as_deref(), Some("two"));
        assert_eq!(take(false, 1, b"e").as_deref(), Some("one"));
    }

    #[test]
    fn is_bounded_for_each_and_for_all() {
        let mut assembly = Assembly::new(4);
        let part = |id| frame(Kind::Call, true, id, b"abc");
        assert!(assembly.take(part(1)).unwrap().is_none());
        assert!(assembly.take(part(2)).unwrap().is_none());
        assert_eq!(assembly.take(part(3)), Err(FrameError::TooLarge(8)));
        let mut assembly = Assembly::new(4);
        assert!(assembly.take(part(1)).unwrap().is_none());
        assert_eq!(assembly.take(part(1)), Err(FrameError::TooLarge(4)));
    }

    #[test]
    fn a_cancelled_one_is_forgotten() {
        let mut assembly = Assembly::new(4);
        for id in 0..100 {
            assert!(
                assembly
                    .take(frame(Kind::Call, true, id, b"abc"))
                    .unwrap()
                    .is_none()
            );
            let cancel = assembly.take(frame(Kind::Cancel, false, id, b"")).unwrap();
            assert_eq!(cancel.unwrap().kind, Kind::Cancel);
        }
        assert_eq!(assembly.held_bytes, 0);
    }
}
