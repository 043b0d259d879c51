//! A device with faults, under the log of one node.

use coffer::raft::{Device, Verdict};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// No power cut is due.
const NEVER: u64 = u64::MAX;

/// Sound until told otherwise.
pub struct Disk {
    /// Milliseconds that each write takes longer.
    slow_ms: AtomicU64,
    /// Writes until the power goes, then bytes of that write that still arrive.
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

    /// The power goes in the middle of a write that is soon to come.
    pub fn cut_power(&self, writes: u64, bytes: u64) {
        self.torn_bytes.store(bytes, Ordering::Relaxed);
        self.writes_left.store(writes, Ordering::Relaxed);
    }

    /// Sound from now on, unless the power is gone already.
    pub fn heal(&self) {
        self.writes_left.store(NEVER, Ordering::Relaxed);
        self.slow(Duration::ZERO);
        self.full(false);
    }

    /// No power: nothing is written any more.
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
            // On the log's own thread, as a slow card holds it.
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
