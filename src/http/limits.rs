//! Every limit of the edge that is not an option, in one place.

use std::time::Duration;

/// Largest request body unless a listener says otherwise, in bytes.
pub const REQUEST_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Longest time for one request, from its head to its answer.
pub const REQUEST_DURATION_MAX: Duration = Duration::from_secs(90);
/// Longest time from the first byte of a head to its last, and for a TLS handshake.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest pause of a client inside a body.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest pause of a client while a streamed answer goes out to it.
pub const SEND_STALL_MAX: Duration = Duration::from_secs(60);
/// Longest life of a connection without a request.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Most connections at once, over all listeners.
pub const CONNECTIONS_MAX: usize = 1024;
/// Largest request head, in bytes.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Longest token, in bytes (batch tokens carry their policies).
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Most calls without a token that are answered at the same time; more of them wait.
pub const TOKENLESS_CALLS_MAX: usize = 64;
/// Memory that all bodies and what is parsed from them may take together, in bytes.
pub const BODY_MEMORY_BYTES_MAX: usize = 96 * 1024 * 1024;
/// Deepest nesting of a JSON body.
pub const JSON_DEPTH_MAX: usize = 100;
/// Longest string in a JSON body, in bytes.
pub const JSON_STRING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest object key in a JSON body, in bytes.
pub const JSON_KEY_BYTES_MAX: usize = 64 * 1024;
/// Longest number in a JSON body, in bytes.
pub const JSON_NUMBER_BYTES_MAX: usize = 256;
/// Most values (of all kinds, at all depths) in a JSON body.
pub const JSON_VALUES_MAX: usize = 100_000;
/// Most objects in a JSON body.
pub const JSON_OBJECTS_MAX: usize = 20_000;
/// Most query or form parameters.
pub const PARAMETERS_MAX: usize = 256;
/// Longest wrap TTL header that is looked at, in bytes.
pub const WRAP_TTL_BYTES_MAX: usize = 64;
/// Most `X-Forwarded-For` links that are looked at.
pub const FORWARDED_LINKS_MAX: usize = 64;
/// Longest time that a request waits for an active node to be there: elections are shorter.
pub const ACTIVE_WAIT_MAX: Duration = Duration::from_secs(4);
/// Pause before a request is sent again that the other node did not take.
pub const FORWARD_PAUSE_MIN: Duration = Duration::from_millis(20);
/// Longest such pause; each is twice as long as the one before.
pub const FORWARD_PAUSE_MAX: Duration = Duration::from_millis(200);
/// Longest `X-Vault-Index` header that is looked at, in bytes.
pub const INDEX_BYTES_MAX: usize = 512;
