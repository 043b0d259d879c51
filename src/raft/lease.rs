//! How old a quorum's answer may be for a read without asking again.
//!
//! Raft's lease is measured on the monotonic clock. That clock goes on while a process is stopped,
//! but stands still while the whole machine sleeps, and the others do not sleep. So after a sleep
//! the lease is worth nothing until a quorum has answered again.

use rustix::time::{ClockId, clock_gettime};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sleep that no lease has to fear; reading two clocks takes a moment, too.
const SLEEP_MIN: Duration = Duration::from_millis(5);

/// Watches for sleep.
pub(super) struct Lease {
    age_max: Duration,
    seen: Mutex<Seen>,
}

struct Seen {
    /// Time slept since the machine started.
    slept: Duration,
    /// Until then answers from before the last sleep may look fresh.
    doubtful_until: Option<Instant>,
}

impl Lease {
    /// For a lease that followers grant for `granted`.
    pub(super) fn new(granted: Duration) -> Self {
        Self {
            // Clocks of different machines do not run at quite the same speed.
            age_max: granted.mul_f64(0.9),
            seen: Mutex::new(Seen {
                slept: slept(),
                doubtful_until: None,
            }),
        }
    }

    /// The oldest answer that counts now.
    pub(super) fn age_max(&self) -> Duration {
        self.judge(slept(), Instant::now())
    }

    fn judge(&self, slept: Duration, now: Instant) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if slept > seen.slept + SLEEP_MIN {
            seen.doubtful_until = Some(now + self.age_max);
        }
        seen.slept = slept;
        match seen.doubtful_until {
            Some(until) if now < until => Duration::ZERO,
            _ => self.age_max,
        }
    }
}

/// Time that the machine slept since it started.
fn slept() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(seconds, nanos)
    };
    let awake = read(ClockId::Monotonic);
    read(ClockId::Boottime).saturating_sub(awake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_sleep_only_a_fresh_answer_counts() {
        let lease = Lease::new(Duration::from_millis(600));
        let (now, before) = (Instant::now(), slept());
        let whole = Duration::from_millis(540);
        assert_eq!(lease.judge(before, now), whole);
        let later = before + Duration::from_secs(9);
        assert_eq!(lease.judge(later, now), Duration::ZERO);
        let soon = now + Duration::from_millis(500);
        assert_eq!(lease.judge(later, soon), Duration::ZERO);
        let calm = now + Duration::from_millis(541);
        assert_eq!(lease.judge(later, calm), whole);
    }
}
