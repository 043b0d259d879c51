//! The cluster's clock on this node.

use super::Timestamp;
use super::machine::{Machine, ThisMachine};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The source of time. Tests inject [`ManualClock`].
pub trait Clock: Send + Sync {
    /// Returns cluster time now. It never goes backwards, but for once: a node that has seen
    /// nothing of its cluster knows no better than its wall clock, and takes the cluster's time
    /// when it does.
    fn now(&self) -> Timestamp;

    /// Raises the floor: time has reached `floor` on another node of the cluster.
    fn raise(&self, floor: Timestamp);

    /// Begins a cluster here: this node's time is the cluster's from now on.
    fn found(&self) {}
}

/// Continues from the floor by the monotonic clock, adopting a trusted wall clock forwards.
pub struct ClusterClock<M = ThisMachine> {
    machine: M,
    base: Mutex<Base>,
}

struct Base {
    time: Timestamp,
    taken: Duration,
    wall_checked: Option<Duration>,
    /// True while the time is a guess: from a wall clock that is not trusted, before anything was
    /// heard of the cluster.
    is_guess: bool,
}

/// The interval at which the wall clock is checked again for trust.
const WALL_CHECK_INTERVAL: Duration = Duration::from_secs(16);

impl ClusterClock {
    /// Starts at `floor`, or at the wall clock where that is trusted and later. A floor of zero
    /// (nothing was ever written here) takes the wall clock as it is, until the cluster's time is
    /// known.
    pub fn start(floor: Timestamp) -> Self {
        Self::on(ThisMachine::default(), floor)
    }
}

impl<M: Machine> ClusterClock<M> {
    /// Starts as [`ClusterClock::start`] does, on another machine.
    pub fn on(machine: M, floor: Timestamp) -> Self {
        let wall = machine.wall();
        let is_trusted = machine.wall_is_trusted();
        let time = if floor.is_zero() || is_trusted {
            wall.max(floor)
        } else {
            floor
        };
        let base = Mutex::new(Base {
            time,
            taken: machine.monotonic(),
            wall_checked: None,
            is_guess: floor.is_zero() && !is_trusted,
        });
        Self { machine, base }
    }

    fn base(&self) -> MutexGuard<'_, Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, base: &mut Base) -> Timestamp {
        let instant = self.machine.monotonic();
        let mut time = base.time.plus(instant.saturating_sub(base.taken));
        let due = base
            .wall_checked
            .is_none_or(|at| instant.saturating_sub(at) >= WALL_CHECK_INTERVAL);
        if due {
            base.wall_checked = Some(instant);
            if self.machine.wall_is_trusted() {
                time = time.max(self.machine.wall());
            }
        }
        base.time = time;
        base.taken = instant;
        time
    }
}

impl<M: Machine> Clock for ClusterClock<M> {
    fn now(&self) -> Timestamp {
        self.advance(&mut self.base())
    }

    fn raise(&self, floor: Timestamp) {
        let mut base = self.base();
        let now = self.advance(&mut base);
        if base.is_guess && !floor.is_zero() {
            // Were it kept, a wrong year of this node's would become the cluster's.
            base.is_guess = false;
            base.time = floor;
            base.wall_checked = None;
        } else {
            base.time = now.max(floor);
        }
    }

    fn found(&self) {
        self.base().is_guess = false;
    }
}

/// A clock that moves only when told to.
#[derive(Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Starts at `time`.
    pub fn new(time: Timestamp) -> Self {
        Self(AtomicU64::new(time.0))
    }

    /// Moves forward by `duration`.
    pub fn advance(&self, duration: Duration) {
        let now = Timestamp(self.0.load(Ordering::SeqCst));
        self.0.store(now.plus(duration).0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn raise(&self, floor: Timestamp) {
        self.0.fetch_max(floor.0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// A machine whose clocks are set by hand.
    #[derive(Clone)]
    struct Lab(Arc<Mutex<(Duration, Timestamp, bool)>>);

    impl Lab {
        fn new(wall: Timestamp, is_trusted: bool) -> Self {
            Self(Arc::new(Mutex::new((DAY, wall, is_trusted))))
        }

        fn sleep(&self, time: Duration) {
            let mut lab = self.0.lock().unwrap();
            lab.0 += time;
            lab.1 = lab.1.plus(time);
        }

        fn set_wall(&self, wall: Timestamp, is_trusted: bool) {
            let mut lab = self.0.lock().unwrap();
            (lab.1, lab.2) = (wall, is_trusted);
        }

        /// Turns the machine off for `time`; one without a battery-backed clock begins where it
        /// was.
        fn reboot(&self, time: Duration, has_rtc: bool) {
            let mut lab = self.0.lock().unwrap();
            lab.0 = Duration::ZERO;
            if has_rtc {
                lab.1 = lab.1.plus(time);
            }
        }
    }

    impl Machine for Lab {
        fn monotonic(&self) -> Duration {
            self.0.lock().unwrap().0
        }

        fn wall(&self) -> Timestamp {
            self.0.lock().unwrap().1
        }

        fn wall_is_trusted(&self) -> bool {
            self.0.lock().unwrap().2
        }
    }

    fn in_2026() -> Timestamp {
        Timestamp::from_secs(1_780_000_000)
    }

    fn born_in_1970() -> Lab {
        Lab::new(Timestamp::from_secs(100), false)
    }

    #[test]
    fn never_goes_back() {
        let clock = ClusterClock::start(Timestamp::from_secs(5_000_000_000));
        let first = clock.now();
        assert!(
            first >= Timestamp::from_secs(5_000_000_000),
            "the floor holds"
        );
        assert!(clock.now() >= first);
        clock.raise(Timestamp::from_secs(6_000_000_000));
        assert!(clock.now() >= Timestamp::from_secs(6_000_000_000));
        clock.raise(Timestamp::from_secs(1));
        assert!(clock.now() >= Timestamp::from_secs(6_000_000_000));
    }

    #[test]
    fn a_node_born_in_1970_goes_on_from_the_log() {
        let lab = born_in_1970();
        let clock = ClusterClock::on(lab.clone(), in_2026());
        lab.sleep(HOUR);
        assert_eq!(clock.now(), in_2026().plus(HOUR));
        lab.set_wall(in_2026().plus(DAY), true);
        lab.sleep(WALL_CHECK_INTERVAL);
        let synchronised = in_2026().plus(DAY).plus(WALL_CHECK_INTERVAL);
        assert_eq!(clock.now(), synchronised);
    }

    #[test]
    fn a_joiner_takes_the_cluster_s_time_whatever_its_own_year() {
        for wall in [Timestamp::from_secs(100), in_2026().plus(DAY * 20_000)] {
            let lab = Lab::new(wall, false);
            let clock = ClusterClock::on(lab.clone(), Timestamp::default());
            assert_eq!(clock.now(), wall, "it knows no better");
            clock.raise(in_2026());
            assert_eq!(clock.now(), in_2026());
            lab.sleep(HOUR);
            clock.raise(in_2026());
            assert_eq!(clock.now(), in_2026().plus(HOUR), "from now on never back");
        }
    }

    #[test]
    fn a_founder_s_time_stays_the_cluster_s() {
        let lab = born_in_1970();
        let clock = ClusterClock::on(lab.clone(), Timestamp::default());
        clock.found();
        let stamp = clock.now();
        lab.sleep(HOUR);
        clock.raise(stamp);
        assert_eq!(clock.now(), stamp.plus(HOUR));
    }

    #[test]
    fn a_wall_clock_that_jumps_counts_forwards_and_synchronised_only() {
        for (hours, is_trusted, adopted) in [
            (2, true, true),
            (2, false, false),
            (-2, true, false),
            (-2, false, false),
        ] {
            let lab = Lab::new(in_2026(), true);
            let clock = ClusterClock::on(lab.clone(), in_2026());
            clock.now();
            let jump = HOUR * i32::abs(hours).unsigned_abs();
            let wall = match hours > 0 {
                true => in_2026().plus(jump),
                false => in_2026().minus(jump),
            };
            lab.set_wall(wall, is_trusted);
            lab.sleep(WALL_CHECK_INTERVAL);
            let steady = in_2026().plus(WALL_CHECK_INTERVAL);
            let expected = match adopted {
                true => steady.plus(jump),
                false => steady,
            };
            assert_eq!(clock.now(), expected, "{hours} h, trusted: {is_trusted}");
        }
    }

    #[test]
    fn a_leader_that_was_stopped_a_minute_comes_back_no_earlier_than_its_successor() {
        let pause = Duration::from_secs(60);
        let (old_lab, new_lab) = (born_in_1970(), born_in_1970());
        let old = ClusterClock::on(old_lab.clone(), in_2026());
        let new = ClusterClock::on(new_lab.clone(), in_2026());
        let last_stamp = old.now();
        // The successor was a little behind: it starts at the last stamp, not before.
        new.raise(last_stamp.plus(Duration::from_secs(5)));
        old_lab.sleep(pause);
        new_lab.sleep(pause);
        let stamped = new.now();
        assert!(stamped > last_stamp);
        old.raise(stamped);
        assert_eq!(old.now(), stamped, "and by no more than the pause later");
    }

    #[test]
    fn a_day_off_counts_where_a_clock_was_running() {
        for (has_rtc, passed) in [(true, DAY), (false, Duration::ZERO)] {
            let lab = Lab::new(in_2026(), has_rtc);
            let floor = ClusterClock::on(lab.clone(), in_2026()).now();
            lab.reboot(DAY, has_rtc);
            let clock = ClusterClock::on(lab.clone(), floor);
            assert_eq!(clock.now(), in_2026().plus(passed), "battery: {has_rtc}");
        }
    }
}
