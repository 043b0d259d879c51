//! Limits log lines about events that may happen often.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets one event through in each span of time, with the number of events that it stands for. So a
/// client that can cause an event cannot fill the log with it.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// Returns a limit of one event in `every`.
    pub const fn new(every: Duration) -> Self {
        Self {
            every,
            told: Mutex::new(Told {
                last: None,
                untold: 0,
            }),
        }
    }

    /// Counts an event. When it is time to log one, returns the number of events since the last one
    /// that was logged, with this one.
    pub fn happened(&self) -> Option<u64> {
        self.happened_at(Instant::now())
    }

    fn happened_at(&self, now: Instant) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.untold = told.untold.saturating_add(1);
        let is_time = told
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= self.every);
        is_time.then(|| {
            told.last = Some(now);
            std::mem::take(&mut told.untold)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_later_ones_with_their_number() {
        let seldom = Seldom::new(Duration::from_secs(60));
        let start = Instant::now();
        let at = |seconds| seldom.happened_at(start + Duration::from_secs(seconds));
        assert_eq!(at(0), Some(1));
        assert_eq!(at(1), None);
        assert_eq!(at(59), None);
        assert_eq!(at(60), Some(3));
        assert_eq!(at(61), None);
        assert_eq!(at(600), Some(2));
    }
}
