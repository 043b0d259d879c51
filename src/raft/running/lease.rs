//! Limits the age of a quorum's answer that a read relies on without asking again.
//!
//! Raft's lease is measured on the monotonic clock. That clock goes on while a process is stopped,
//! but stands still while the whole machine sleeps, and the others do not sleep. So after a sleep
//! the lease counts for nothing until a quorum has answered again.
//!
//! A follower keeps its promise for as long as its own configuration sets, which may differ from
//! the leader's, and be shorter after its next start. So a leader counts on the shortest promise
//! that any configuration makes, whatever its own is. With a slow heartbeat a read may have to ask
//! a quorum because of that.

use crate::raft::timing::Timing;
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest sleep that no lease has to fear; reading two clocks takes a moment, too.
const SLEEP_MIN: Duration = Duration::from_millis(5);

/// Watches for sleep of the machine, and limits the lease accordingly.
pub(in crate::raft) struct Lease {
    age_max: Duration,
    seen: Mutex<Seen>,
}

struct Seen {
    /// Time slept since the machine started.
    slept: Duration,
    /// The time until which answers from before the last sleep may look fresh.
    doubtful_until: Option<Instant>,
}

impl Lease {
    /// Makes the lease of a leader with this timing.
    pub(in crate::raft) fn new(timing: &Timing) -> Self {
        let granted = timing.election_max.min(Timing::default().election_max);
        Self {
            // Clocks of different machines do not run at quite the same speed.
            age_max: granted.mul_f64(0.9),
            seen: Mutex::new(Seen {
                slept: slept(),
                doubtful_until: None,
            }),
        }
    }

    /// Returns the age of the oldest answer that counts now.
    pub(in crate::raft) fn age_max(&self) -> Duration {
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

/// Returns the time that the machine slept since it started.
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
    use crate::raft::timing::MULTIPLIER_MAX;

    #[test]
    fn no_leader_counts_on_more_than_any_follower_grants() {
        let timings = || (0..=MULTIPLIER_MAX).map(Timing::multiplied);
        for leader in timings() {
            let age_max = Lease::new(&leader).age_max;
            assert!(timings().all(|follower| age_max < follower.election_max));
        }
        let fast = Timing {
            election_max: Duration::from_millis(100),
            ..Timing::default()
        };
        assert_eq!(Lease::new(&fast).age_max, Duration::from_millis(90));
    }

    #[test]
    fn after_a_sleep_only_a_fresh_answer_counts() {
        let lease = Lease::new(&Timing::default());
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
