//! The sizes of all that scales.

/// The sizes of caches and pools that scale with the machine's memory.
#[derive(Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The memory of applied records before a checkpoint saves them, in bytes.
    pub overlay_bytes: usize,
    /// The number of these records.
    pub overlay_records: usize,
    /// The bytes of entries before a checkpoint, which a restart replays, and which hold long
    /// values for the overlay.
    pub replay_bytes: usize,
    /// The bytes of fjall's block cache. The overlay and the hot records are before it.
    pub block_cache_bytes: u64,
    /// The bytes of keys and values of records that were read lately.
    pub hot_bytes: u64,
    /// The bytes of log entries that are kept for apply and followers, besides those not written.
    pub log_cache_bytes: usize,
    /// The tokens that are kept.
    pub tokens: usize,
    /// The compiled lists of policies that are kept.
    pub policies: usize,
    /// The connections of clients at once.
    pub connections: usize,
    /// The memory of requests in flight.
    pub requests: Requests,
    /// The threads for work that blocks, at once. More work waits; it must be more than the work
    /// that waits for other such work: the four snapshots that are saved at a time take eight.
    pub blocking_threads: usize,
}

/// The memory of requests in flight, in bytes, by the kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// Memory of all bodies that are sent to unseal: enough for each connection to send one.
    pub operators_bytes: usize,
    /// Memory of all bodies of strangers and of their parsed forms.
    pub strangers_bytes: usize,
    /// Memory of the small parts of all clients' requests.
    pub small_bytes: usize,
    /// Memory of the other parts of all clients' requests; more than the largest body.
    pub large_bytes: usize,
}

/// The sizes on a machine with enough memory.
pub const DEFAULT: Sizes = Sizes {
    overlay_bytes: 3 << 20,
    overlay_records: 12_288,
    replay_bytes: 24 << 20,
    block_cache_bytes: 512 << 10,
    hot_bytes: 768 << 10,
    log_cache_bytes: 512 << 10,
    tokens: 4096,
    policies: 256,
    connections: 1024,
    requests: Requests {
        operators_bytes: 16 << 20,
        strangers_bytes: 20 << 20,
        small_bytes: 16 << 20,
        large_bytes: 56 << 20,
    },
    blocking_threads: 64,
};

/// The sizes on a machine with little memory: the caches are halved, since a miss there is a read
/// from the kernel's cache, and so is the memory that clients can make the node take.
pub const SMALL: Sizes = Sizes {
    overlay_bytes: 2 << 20,
    overlay_records: 8192,
    replay_bytes: 8 << 20,
    block_cache_bytes: 256 << 10,
    hot_bytes: 384 << 10,
    log_cache_bytes: 256 << 10,
    tokens: 1024,
    policies: 64,
    connections: 512,
    requests: Requests {
        operators_bytes: 8 << 20,
        strangers_bytes: 8 << 20,
        small_bytes: 8 << 20,
        large_bytes: 40 << 20,
    },
    blocking_threads: 32,
};

impl Default for Requests {
    fn default() -> Self {
        DEFAULT.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_is_nowhere_larger_than_default() {
        let sizes = |profile: &Sizes| {
            let Requests {
                operators_bytes,
                strangers_bytes,
                small_bytes,
                large_bytes,
            } = profile.requests;
            [
                profile.overlay_bytes,
                profile.overlay_records,
                profile.replay_bytes,
                usize::try_from(profile.block_cache_bytes).unwrap(),
                usize::try_from(profile.hot_bytes).unwrap(),
                profile.log_cache_bytes,
                profile.tokens,
                profile.policies,
                profile.connections,
                operators_bytes,
                strangers_bytes,
                small_bytes,
                large_bytes,
                profile.blocking_threads,
            ]
        };
        for (small, default) in sizes(&SMALL).into_iter().zip(sizes(&DEFAULT)) {
            assert!(small > 0 && small < default, "{small} of {default}");
        }
    }
}
