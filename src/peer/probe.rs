//! Decodes arbitrary bytes as frames of a peer, for the fuzzer of the frames.

use super::assembly::Assembly;
use super::frame::Frame;
use bytes::BytesMut;

/// Reads frames as a connection does and assembles messages. Returns the number of whole messages
/// and of their bytes; `None` when a connection would have been cut.
pub fn read_frames(bytes: &[u8], message_bytes_max: usize) -> Option<(usize, usize)> {
    let mut buffer = BytesMut::from(bytes);
    let mut assembly = Assembly::new(message_bytes_max, Assembly::gauge(message_bytes_max));
    let (mut messages, mut total) = (0, 0);
    while let Some(frame) = Frame::decode(&mut buffer).ok()? {
        let mut again = BytesMut::new();
        frame.encode(&mut again);
        debug_assert_eq!(Frame::decode(&mut again), Ok(Some(frame.clone())));
        if let Some(message) = assembly.take(frame).ok()? {
            messages += 1;
            total += message.payload.len();
        }
    }
    Some((messages, total))
}
