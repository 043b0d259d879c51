//! The speed of a re-encryption.

use std::time::Duration;
use tokio::sync::watch;

/// The part of a write budget that a re-encryption takes.
const BUDGET_PART: u64 = 4;
/// The bytes that reach the device for each byte of a record: the log's, and the checkpoint's.
const WRITES_PER_BYTE: u64 = 2;
/// The bytes a second without a budget: a card takes twenty times as many.
const BYTES_PER_S: u64 = 256 << 10;
const DAY_S: u64 = 24 * 60 * 60;

/// The limits of a re-encryption.
#[derive(Clone, Debug)]
pub struct Pace {
    /// The bytes of records a second.
    bytes_per_s: u64,
    /// True while the write budget is passed.
    passed: watch::Receiver<bool>,
}

impl Pace {
    /// Returns the pace under a write budget, if there is one. While `passed` is true nothing is
    /// written.
    pub fn new(budget_bytes_per_day: Option<u64>, passed: watch::Receiver<bool>) -> Self {
        let part = |budget: u64| budget / BUDGET_PART / WRITES_PER_BYTE / DAY_S;
        let bytes_per_s = budget_bytes_per_day.map_or(BYTES_PER_S, part);
        Self {
            bytes_per_s: bytes_per_s.clamp(1, BYTES_PER_S),
            passed,
        }
    }

    /// Returns true while the write budget is passed.
    pub(super) fn is_passed(&self) -> bool {
        *self.passed.borrow()
    }

    /// Returns once the write budget is not passed.
    pub(super) async fn within_budget(&mut self) {
        if self.passed.wait_for(|passed| !passed).await.is_err() {
            // The node is stopping.
            std::future::pending::<()>().await;
        }
    }

    /// Returns the pause after a step that took `took` and wrote so many bytes.
    pub(super) fn pause(&self, took: Duration, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let millis = bytes.saturating_mul(1000) / self.bytes_per_s;
        took.max(Duration::from_millis(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_budget_is_taken_and_never_more_than_without_one() {
        let (_sender, passed) = watch::channel(false);
        let second = Duration::from_secs(1);
        let pause = |budget, bytes| Pace::new(budget, passed.clone()).pause(Duration::ZERO, bytes);
        assert_eq!(pause(None, 256 << 10), second);
        // 691.2 MB a day: a thousand bytes of records a second are two written, of eight.
        assert_eq!(pause(Some(691_200_000), 1000), second);
        assert_eq!(pause(Some(u64::MAX), 256 << 10), second);
        assert_eq!(pause(Some(0), 10), 10 * second);
        let pace = Pace::new(None, passed);
        assert_eq!(pace.pause(second, 100), second, "half of the time");
        assert_eq!(pace.pause(second, 0), second);
    }
}
