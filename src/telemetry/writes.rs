//! The bytes and flushes that this process hands to files, counted where they are written.
//!
//! A count is an addition that nothing waits for, and is itself never written anywhere. The kernel
//! counts the same again for the disk (`block`), with what the file system and other programs add.

use super::histogram::Histogram;
use super::metrics::Counter;

/// The writes of one part of the process.
#[derive(Debug, Default)]
pub struct Written {
    bytes: Counter,
    flushes: Counter,
}

impl Written {
    const fn new() -> Self {
        Self {
            bytes: Counter::new(),
            flushes: Counter::new(),
        }
    }

    /// Counts `bytes` that were written and the calls that flushed them.
    pub fn add(&self, bytes: usize, flushes: u64) {
        self.bytes.add(bytes as u64);
        if flushes > 0 {
            self.flushes.add(flushes);
        }
    }

    /// Returns the bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.value()
    }

    /// Returns the flushes so far.
    pub fn flushes(&self) -> u64 {
        self.flushes.value()
    }
}

/// The writes of this process by their purpose.
#[derive(Debug, Default)]
pub struct Writes {
    /// Raft's log: groups of entries, each with its flush, and new segments.
    pub log: Written,
    /// Records given to checkpoints. Merges of old checkpoints, and their flushes, are the work of
    /// the tables below and not counted here; a flush here is one checkpoint.
    pub state: Written,
    /// The node's small files: its numbers, its keys.
    pub files: Written,
    /// Audit files; these may lie elsewhere.
    pub audit: Written,
    /// Snapshots by the clock; these may lie elsewhere.
    pub snapshots: Written,
    /// The server's log, where it is a file; that may lie elsewhere.
    pub server_log: Written,
    /// Bodies of the clients' requests that were committed by this node.
    pub payload: Counter,
    /// The time that each write of the log took with its flush.
    pub flush_time: Histogram,
}

impl Writes {
    const fn new() -> Self {
        Self {
            log: Written::new(),
            state: Written::new(),
            files: Written::new(),
            audit: Written::new(),
            snapshots: Written::new(),
            server_log: Written::new(),
            payload: Counter::new(),
            flush_time: Histogram::new(),
        }
    }

    /// Returns all parts with their names.
    pub fn parts(&self) -> [(&'static str, &Written); 6] {
        [
            ("log", &self.log),
            ("state", &self.state),
            ("files", &self.files),
            ("audit", &self.audit),
            ("snapshots", &self.snapshots),
            ("server_log", &self.server_log),
        ]
    }
}

/// Returns the counts of this process.
pub fn writes() -> &'static Writes {
    static WRITES: Writes = Writes::new();
    &WRITES
}
