//! The frames of a connection.
//!
//! ```text
//! frame   0        4      5      9
//!         +--------+------+------+----------------+
//!         | length | kind | id   | payload        |
//!         +--------+------+------+----------------+
//!         u32 LE   u8     u32 LE  length - 5 bytes
//! ```
//!
//! `length` counts the bytes after it. The highest bit of `kind` tells that the payload goes on in
//! the next frame with the same id, so that a large message shares the line with small ones. An id
//! names a call or a stream; the side that dialled counts them up, and after the last one begins
//! anew with those that are free.
//!
//! | kind | from | payload |
//! |---|---|---|
//! | 0 hello | both, once, first | postcard [`Hello`], then the number of the process, a `u64`, which the release before did not send; the id is 0 |
//! | 1 call | caller | the request |
//! | 2 open | caller | a stream's head |
//! | 3 chunk | caller | a piece of its body, once there is credit for it |
//! | 4 end | caller | none: the body is whole |
//! | 5 broken | caller | none: the body ends here although it is not whole |
//! | 6 cancel | caller | none: the caller no longer waits for the answer |
//! | 7 credit | answerer | u32 LE: so many bytes of the body more may be sent |
//! | 8 answer | answerer | the answer |
//! | 9 refusal | answerer | the reason, UTF-8 |
//! | 10 busy | answerer | none: too many requests at once |

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// The largest payload of a frame, in bytes: with its header it fills one TLS record.
pub(super) const PAYLOAD_BYTES_MAX: usize = 16 * 1024 - HEADER_BYTES;
/// The bytes before the payload.
pub(super) const HEADER_BYTES: usize = 9;
/// The bytes of the header that `length` counts.
const COUNTED_BYTES: usize = 5;
/// The bit in `kind` for a payload that goes on in the next frame.
const MORE: u8 = 0x80;

/// The newest version of this protocol, and the oldest that is still spoken.
pub(super) const VERSION: u16 = 1;

/// The first frame of each side. Later versions may add fields at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// The oldest version that the sender speaks.
    pub oldest: u16,
    /// The newest version that the sender speaks; both sides use the newest that they have in
    /// common.
    pub newest: u16,
}

impl Hello {
    /// Returns the hello of this release.
    pub fn ours() -> Self {
        Self {
            oldest: VERSION,
            newest: VERSION,
        }
    }

    /// Returns the newest version that both sides speak, if there is one.
    pub fn common(self, other: Self) -> Option<u16> {
        let version = self.newest.min(other.newest);
        (version >= self.oldest.max(other.oldest)).then_some(version)
    }
}

/// The kind of a frame: see the table of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Hello,
    Call,
    Open,
    Chunk,
    End,
    Broken,
    Cancel,
    Credit,
    Answer,
    Refusal,
    Busy,
}

/// The kinds by their number in a frame.
const KINDS: [FrameKind; 11] = [
    FrameKind::Hello,
    FrameKind::Call,
    FrameKind::Open,
    FrameKind::Chunk,
    FrameKind::End,
    FrameKind::Broken,
    FrameKind::Cancel,
    FrameKind::Credit,
    FrameKind::Answer,
    FrameKind::Refusal,
    FrameKind::Busy,
];

impl FrameKind {
    /// Returns true when the payload of this kind may take several frames.
    fn may_go_on(self) -> bool {
        matches!(self, Self::Call | Self::Open | Self::Answer | Self::Refusal)
    }
}

/// The reason for which a connection cannot go on, always a fault of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a frame of {0} bytes")]
    Length(usize),
    #[error("a frame of unknown kind {0}")]
    Kind(u8),
    #[error("a {0:?} where none may be")]
    Unexpected(FrameKind),
    #[error("a message of more than {0} bytes")]
    TooLarge(usize),
    #[error("a credit that is none")]
    Credit,
    #[error("more than it had credit for")]
    Overdrawn,
    #[error("a hello that cannot be read")]
    Hello,
    #[error("more and more without reading the answers")]
    Unread,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub kind: FrameKind,
    /// True when the payload goes on in the next frame with this id.
    pub more: bool,
    pub id: u32,
    pub payload: Bytes,
}

impl Frame {
    /// Takes the first frame from `buffer`; `None` when it is not all there yet.
    pub fn decode(buffer: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        let Some(length) = buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length) as usize;
        if !(COUNTED_BYTES..=COUNTED_BYTES + PAYLOAD_BYTES_MAX).contains(&length) {
            return Err(FrameError::Length(length));
        }
        if buffer.len() < 4 + length {
            return Ok(None);
        }
        buffer.advance(4);
        let mut frame = buffer.split_to(length).freeze();
        let number = frame.get_u8();
        let id = frame.get_u32_le();
        let more = number & MORE != 0;
        let kind = KINDS.get(usize::from(number & !MORE)).copied();
        let kind = kind.ok_or(FrameError::Kind(number))?;
        if more && (!kind.may_go_on() || frame.is_empty()) {
            return Err(FrameError::Unexpected(kind));
        }
        Ok(Some(Self {
            kind,
            more,
            id,
            payload: frame,
        }))
    }

    /// Returns the number of bytes that `buffer` lacks for its first frame, as far as its length is
    /// known.
    pub fn missing(buffer: &[u8]) -> usize {
        match buffer.first_chunk::<4>() {
            Some(length) => (4 + u32::from_le_bytes(*length) as usize)
                .min(HEADER_BYTES + PAYLOAD_BYTES_MAX)
                .saturating_sub(buffer.len()),
            None => HEADER_BYTES,
        }
    }

    /// Appends the frame to `out`. The payload is at most [`PAYLOAD_BYTES_MAX`].
    pub fn encode(&self, out: &mut BytesMut) {
        debug_assert!(self.payload.len() <= PAYLOAD_BYTES_MAX);
        let number = KINDS.iter().position(|kind| *kind == self.kind);
        let number = number.expect("every kind is in the table") as u8;
        out.put_u32_le((COUNTED_BYTES + self.payload.len()) as u32);
        out.put_u8(number | if self.more { MORE } else { 0 });
        out.put_u32_le(self.id);
        out.put_slice(&self.payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: FrameKind, more: bool, id: u32, payload: &[u8]) -> Frame {
        Frame {
            kind,
            more,
            id,
            payload: Bytes::copy_from_slice(payload),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number in 0..KINDS.len(), id: u32, more: bool,
                                   payload in prop::collection::vec(any::<u8>(), 1..300),
                                   cut in 0usize..300) {
            let kind = KINDS[number];
            let written = frame(kind, more && kind.may_go_on(), id, &payload);
            let mut out = BytesMut::new();
            written.encode(&mut out);
            let mut part = BytesMut::from(&out[..cut.min(out.len() - 1)]);
            prop_assert_eq!(Frame::decode(&mut part), Ok(None), "a part is none yet");
            prop_assert!(Frame::missing(&part) <= out.len().max(HEADER_BYTES));
            prop_assert_eq!(Frame::decode(&mut out), Ok(Some(written)));
            prop_assert!(out.is_empty());
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let decode = |bytes: &[u8]| Frame::decode(&mut BytesMut::from(bytes));
        assert_eq!(decode(&[4, 0, 0, 0]), Err(FrameError::Length(4)));
        assert_eq!(decode(&[0xff; 4]), Err(FrameError::Length(0xffff_ffff)));
        assert_eq!(
            decode(&[5, 0, 0, 0, 11, 0, 0, 0, 0]),
            Err(FrameError::Kind(11))
        );
        assert_eq!(
            decode(&[6, 0, 0, 0, 0x83, 0, 0, 0, 0, 1]),
            Err(FrameError::Unexpected(FrameKind::Chunk)),
            "a chunk does not go on"
        );
        assert_eq!(
            decode(&[5, 0, 0, 0, 0x81, 0, 0, 0, 0]),
            Err(FrameError::Unexpected(FrameKind::Call)),
            "a part without bytes would never end"
        );
    }

    #[test]
    fn versions_meet_or_do_not() {
        let speaks = |oldest, newest| Hello { oldest, newest };
        assert_eq!(speaks(1, 1).common(speaks(1, 1)), Some(1));
        assert_eq!(speaks(1, 3).common(speaks(2, 9)), Some(3));
        assert_eq!(speaks(1, 1).common(speaks(2, 3)), None);
    }
}
