//! The leaders that spoke to this node.

use std::time::Instant;

/// The leader that spoke last, and the other one that spoke before it, with the times.
#[derive(Default)]
pub(super) struct Led {
    now: Option<(u64, Instant)>,
    before: Option<(u64, Instant)>,
}

impl Led {
    /// Notes that `leader` spoke at `at`.
    pub(super) fn note(&mut self, leader: u64, at: Instant) {
        if self.now.is_some_and(|(by, _)| by != leader) {
            self.before = self.now;
        }
        self.now = Some((leader, at));
    }

    /// Returns the time at which `leader` spoke, if it was the last one.
    pub(super) fn at(&self, leader: u64) -> Option<Instant> {
        let last = self.now.filter(|(by, _)| *by == leader);
        last.map(|(_, at)| at)
    }

    /// Returns the time at which `leader` last spoke, if it was one of the last two.
    pub(super) fn last_at(&self, leader: u64) -> Option<Instant> {
        let before = self.before.filter(|(by, _)| *by == leader);
        self.at(leader).or(before.map(|(_, at)| at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_leader_is_remembered_until_another_but_one_has_spoken() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut led = Led::default();
        assert_eq!((led.at(1), led.last_at(1)), (None, None));
        led.note(1, after(1));
        led.note(1, after(2));
        assert_eq!(
            (led.at(1), led.last_at(1)),
            (Some(after(2)), Some(after(2)))
        );
        led.note(2, after(3));
        assert_eq!((led.at(1), led.last_at(1)), (None, Some(after(2))));
        assert_eq!(
            (led.at(2), led.last_at(2)),
            (Some(after(3)), Some(after(3)))
        );
        led.note(1, after(4));
        assert_eq!(led.last_at(1), Some(after(4)), "it leads again");
        led.note(2, after(5));
        led.note(3, after(6));
        assert_eq!(led.last_at(1), None);
        assert_eq!(led.last_at(2), Some(after(5)));
    }
}
