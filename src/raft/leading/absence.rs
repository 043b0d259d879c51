//! Measures the time without a leader.

use std::time::{Duration, Instant};

/// Between two lines of the log that tell of it.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// One per conductor.
#[derive(Default)]
pub(in crate::raft) struct Absence {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Absence {
    /// There is a leader, or none is wanted.
    pub(in crate::raft) fn end(&mut self) {
        *self = Self::default();
    }

    /// Nobody leads at `now`. Gives for how long, each time that it is to be told.
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
