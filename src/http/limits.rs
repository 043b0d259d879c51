//! Every limit of the edge that is not an option, in one place. The number of connections and the
//! memory that requests share are in [`crate::memory::Sizes`].

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
/// Most connections from one address: `http_max_conns_per_client`.
pub const CONNECTIONS_PER_CLIENT_MAX: usize = 256;
/// Largest request head, in bytes.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Longest token, in bytes (batch tokens carry their policies).
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Most calls without a token that are answered at the same time; more of them wait.
pub const TOKENLESS_CALLS_MAX: usize = 64;
/// Largest body without a good token, and of any client at an open path, in bytes.
pub const STRANGER_BYTES_MAX: u64 = 64 * 1024;
/// Largest body at `sys/unseal` and of a joiner's question, in bytes: a share and some switches.
pub const SHARE_BYTES_MAX: u64 = 4 * 1024;
/// Most memory of a body without a good token when it is parsed, in bytes.
pub const STRANGER_JSON_BYTES_MAX: usize = 256 * 1024;
/// Most memory of a body at `sys/unseal` when it is parsed, in bytes.
pub const SHARE_JSON_BYTES_MAX: usize = 8 * 1024;
/// Size up to which a client's request counts as small, in bytes.
pub const SMALL_BYTES_MAX: usize = 128 * 1024;
/// Deepest nesting of a JSON body: `max_json_depth`.
pub const JSON_DEPTH_MAX: usize = 100;
/// Longest string in a JSON body, in bytes: `max_json_string_value_length`.
pub const JSON_STRING_BYTES_MAX: usize = 1024 * 1024;
/// Longest object key in a JSON body, in bytes.
pub const JSON_KEY_BYTES_MAX: usize = 64 * 1024;
/// Longest number in a JSON body, in bytes.
pub const JSON_NUMBER_BYTES_MAX: usize = 256;
/// Most members of one JSON object: `max_json_object_entry_count`.
pub const JSON_ENTRIES_MAX: usize = 10_000;
/// Most elements of one JSON array: `max_json_array_element_count`.
pub const JSON_ELEMENTS_MAX: usize = 10_000;
/// Most strings in a JSON body, keys included: `max_request_json_strings`.
pub const JSON_STRINGS_MAX: usize = 10_000;
/// Most values, keys and ends in a JSON body: `max_json_token`.
pub const JSON_TOKENS_MAX: usize = 100_000;
/// Memory that one JSON body may take when it is parsed, in bytes: `max_request_json_memory`.
pub const JSON_MEMORY_BYTES_MAX: usize = 32 * 1024 * 1024 + 512 * 1024;
/// Most query or form parameters.
pub const PARAMETERS_MAX: usize = 256;
/// Longest wrap TTL header that is parsed, in bytes.
pub const WRAP_TTL_BYTES_MAX: usize = 64;
/// Most `X-Forwarded-For` links that are parsed.
pub const FORWARDED_LINKS_MAX: usize = 64;
/// Longest time that a request waits for an active node; elections are shorter.
pub const ACTIVE_WAIT_MAX: Duration = Duration::from_secs(4);
/// First pause before a request that the other node did not take is sent again.
pub const FORWARD_PAUSE_MIN: Duration = Duration::from_millis(20);
/// Longest such pause; each is twice as long as the one before.
pub const FORWARD_PAUSE_MAX: Duration = Duration::from_millis(200);
/// Longest `X-Vault-Index` header that is parsed, in bytes.
pub const INDEX_BYTES_MAX: usize = 512;
