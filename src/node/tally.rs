//! Counts tokens and leases, when a request asks and not too often.

use crate::router::{Counts, Router};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest that an answer waits for a count; the next answer has it.
const COUNT_WAIT: Duration = Duration::from_secs(1);
/// The least time from one count to the next.
const COUNT_PAUSE_MIN: Duration = Duration::from_secs(1);
/// The least time to the next count as a multiple of the last one's duration, so that counting
/// takes a hundredth of a core.
const COUNT_PAUSE_TIMES: u32 = 100;
/// The numbers of tokens and leases at the last count. Nothing counts them until a request asks.
#[derive(Default)]
pub(super) struct Tally(Mutex<Known>);

#[derive(Default)]
struct Known {
    counts: Option<Counts>,
    counted: Option<(Instant, Duration)>,
    is_counting: bool,
}

impl Tally {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the turn to count, and returns true, when it is time.
    fn begin(&self) -> bool {
        let mut known = self.known();
        let is_due = known.counted.is_none_or(|(at, took)| {
            at.elapsed() >= COUNT_PAUSE_MIN.max(took.saturating_mul(COUNT_PAUSE_TIMES))
        });
        let begins = is_due && !known.is_counting;
        known.is_counting |= begins;
        begins
    }

    /// Ends the turn that [`Tally::begin`] gave. Without `counts` the old ones stay.
    fn end(&self, counts: Option<Counts>, took: Duration) {
        let mut known = self.known();
        known.counts = counts.or(known.counts);
        known.counted = Some((Instant::now(), took));
        known.is_counting = false;
    }

    /// Returns the counts, new ones if it is time and counting does not take long.
    pub(super) async fn counts(self: &Arc<Self>, router: Arc<Router>) -> Option<Counts> {
        if self.begin() {
            let tally = Arc::clone(self);
            let counting = tokio::task::spawn_blocking(move || {
                let begun = Instant::now();
                let counts = router.counts();
                tally.end(counts.ok(), begun.elapsed());
            });
            let _it_goes_on = tokio::time::timeout(COUNT_WAIT, counting).await;
        }
        self.known().counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_is_paced_by_what_it_takes() {
        let tally = Tally::default();
        assert!(tally.begin());
        assert!(!tally.begin(), "one at a time");
        tally.end(None, Duration::ZERO);
        assert!(!tally.begin(), "not so soon again");
        let ago = |seconds| {
            Instant::now()
                .checked_sub(Duration::from_secs(seconds))
                .unwrap()
        };
        tally.known().counted = Some((ago(2), Duration::from_millis(1)));
        assert!(tally.begin(), "it takes no time");
        let counts = Counts {
            tokens: 3,
            leases: 2,
        };
        tally.end(Some(counts), Duration::from_secs(1));
        tally.known().counted = Some((ago(99), Duration::from_secs(1)));
        assert!(!tally.begin(), "it took a second, a hundred are not over");
        tally.known().counted = Some((ago(101), Duration::from_secs(1)));
        assert!(tally.begin());
        tally.end(None, Duration::ZERO);
        assert_eq!(tally.known().counts, Some(counts), "the last that is known");
    }
}
