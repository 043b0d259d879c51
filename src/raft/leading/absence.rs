//! Measures the time without a leader.

use std::time::{Duration, Instant};

/// The time between two lines of the log that tell of a missing leader.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The time without a leader, measured by the conductor.
#[derive(Default)]
pub(in crate::raft) struct Absence {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Absence {
    /// Notes that there is a leader, or that none is wanted.
    pub(in crate::raft) fn end(&mut self) {
        *self = Self::default();
    }

    /// Notes that no node leads at `now`. Returns for how long none has led, each time that it is
    /// due to be logged.
    pub(in crate::raft) fn note(&mut self, now: Instant) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        let waits_from = self.told.unwrap_or(since);
        if now.saturating_duration_since(waits_from) < TELL_EVERY {
            return None;
        }
        self.told = Some(now);
        Some(now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_is_told_once_a_minute() {
        let mut absence = Absence::default();
        let begun = Instant::now();
        let told = |absence: &mut Absence, from: u64, upto: u64| -> Vec<u64> {
            let seconds = from..upto;
            let notes = seconds.filter_map(|s| absence.note(begun + Duration::from_secs(s)));
            notes.map(|age| age.as_secs()).collect()
        };
        assert_eq!(told(&mut absence, 0, 200), [60, 120, 180]);
        absence.end();
        assert!(told(&mut absence, 200, 260).is_empty());
        assert_eq!(told(&mut absence, 260, 300), [60]);
    }
}
