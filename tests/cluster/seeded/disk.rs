//! A device with faults, under the log of one node.

use coffer::raft::{Device, Verdict};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The count when no power cut is due.
const NEVER: u64 = u64::MAX;

/// A device that is sound until a fault is set.
pub struct Disk {
    /// The delay of each write, in milliseconds.
    slow_ms: AtomicU64,
    /// The writes until the power goes, then the bytes of that write that still arrive.
    writes_left: AtomicU64,
    torn_bytes: AtomicU64,
    off: AtomicBool,
    full: AtomicBool,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            slow_ms: AtomicU64::new(0),
            writes_left: AtomicU64::new(NEVER),
            torn_bytes: AtomicU64::new(0),
            off: AtomicBool::new(false),
            full: AtomicBool::new(false),
        }
    }
}

impl Disk {
    pub fn slow(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap();
        self.slow_ms.store(delay, Ordering::Relaxed);
    }

    pub fn full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Cuts the power in the middle of a write that is soon to come.
    pub fn cut_power(&self, writes: u64, bytes: u64) {
        self.torn_bytes.store(bytes, Ordering::Relaxed);
        self.writes_left.store(writes, Ordering::Relaxed);
    }

    /// Ends all faults, unless the power is gone already.
    pub fn heal(&self) {
        self.writes_left.store(NEVER, Ordering::Relaxed);
        self.slow(Duration::ZERO);
        self.full(false);
    }

    /// Returns true once the power is gone, and nothing is written any more.
    pub fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    pub fn turn_off(&self) {
        self.off.store(true, Ordering::Relaxed);
    }
}

impl Device for Disk {
    fn before_write(&self, _bytes: usize) -> Verdict {
        let slow = self.slow_ms.load(Ordering::Relaxed);
        if slow > 0 {
            // The delay is on the log's own thread, as with a slow card.
            std::thread::sleep(Duration::from_millis(slow));
        }
        if self.is_off() {
            return Verdict::Fail(io::ErrorKind::BrokenPipe);
        }
        let left = self.writes_left.load(Ordering::Relaxed);
        if left == 0 {
            self.turn_off();
            let bytes = self.torn_bytes.load(Ordering::Relaxed);
            return Verdict::Tear(usize::try_from(bytes).unwrap());
        }
        if left != NEVER {
            self.writes_left.store(left - 1, Ordering::Relaxed);
        }
        Verdict::Write
    }

    fn has_room(&self) -> bool {
        !self.full.load(Ordering::Relaxed)
    }
}
