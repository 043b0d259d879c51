//! All limits of this room.

use std::time::Duration;

/// The largest request or answer of a call, in bytes. A larger one goes as a stream.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The limits that tests and small machines may set lower. The rest are constants.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest request or answer of a call, in bytes.
    pub message_bytes_max: usize,
    /// The most calls of one connection that wait for their answers; one more is `Busy`.
    pub calls_in_flight_max: usize,
    /// The most streams of one connection at the same time; one more is `Busy`.
    pub streams_in_flight_max: usize,
    /// The most bytes that wait to be sent to one peer; a call beyond them is `Busy`.
    pub queued_bytes_max: usize,
    /// The most bytes of requests of one peer that are being answered, and of answers not yet sent,
    /// on all its connections together; one more is `Busy`.
    pub served_bytes_max: usize,
    /// The most connections that one peer may hold open here; one more closes its oldest.
    pub connections_per_peer_max: usize,
    /// The most connections of all peers together; one more is refused.
    pub connections_max: usize,
    /// The most connections that have not identified themselves yet; one more closes the oldest.
    pub handshakes_max: usize,
    /// The longest time from a connection's first byte to its hello, on both sides.
    pub handshake_within: Duration,
    /// The longest time for a TCP connection to be made.
    pub connect_within: Duration,
    /// The pause after the first failed attempt to connect; each further one doubles it.
    pub backoff_min: Duration,
    /// The longest pause between attempts.
    pub backoff_max: Duration,
    /// The time for which messages of an ended process may still lie in buffers. A member whose
    /// former process speaks longer beside the one that followed it is seen twice.
    pub late_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: MESSAGE_BYTES_MAX,
            calls_in_flight_max: 2048,
            streams_in_flight_max: 32,
            queued_bytes_max: 32 * 1024 * 1024,
            served_bytes_max: 32 * 1024 * 1024,
            connections_per_peer_max: 8,
            connections_max: 256,
            handshakes_max: 32,
            handshake_within: Duration::from_secs(5),
            connect_within: Duration::from_secs(1),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(1),
            late_max: Duration::from_secs(10),
        }
    }
}
