//! What may happen often and is told once in a while.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets one of many through in each span of time, with the number of those before it that it
/// stands for. So whoever can make an event happen cannot fill a log with it.
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
    /// At most one in `every`.
    pub const fn new(every: Duration) -> Self {
        Self {
            every,
            told: Mutex::new(Told {
                last: None,
                untold: 0,
            }),
        }
    }

    /// It happened. When it is time to tell: how often since it was told last, this time included.
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
