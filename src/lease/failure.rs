//! The failed revocations of a lease.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Attempts after which a lease is called irrevocable, as in Vault.
pub const ATTEMPTS_MAX: u32 = 6;
/// The pause after the first attempt; it doubles with each further one.
const PAUSE_MIN: Duration = Duration::from_secs(10);
/// Most bytes of an engine's message that are kept.
const ERROR_BYTES_MAX: usize = 512;

/// Attempts to revoke a lease, all of which failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Number of the attempts.
    pub attempts: u32,
    /// Time at which the next one is due; zero when none is, because the lease is irrevocable.
    pub retry_at: Timestamp,
    /// The last message of the engine. It holds no secrets.
    pub error: String,
}

impl Failure {
    /// Returns the failure with one attempt more than `before`, which failed at `now`. `hopeless`
    /// says that no further one can do better; `random` (any number) spreads the next attempts of
    /// many leases.
    pub fn after(
        before: Option<&Self>,
        error: &str,
        hopeless: bool,
        now: Timestamp,
        random: u64,
    ) -> Self {
        let attempts = before.map_or(0, |failure| failure.attempts) + 1;
        let retry_at = match hopeless || attempts >= ATTEMPTS_MAX {
            true => Timestamp::default(),
            false => now.plus(pause(attempts, random)),
        };
        let mut cut = error.len().min(ERROR_BYTES_MAX);
        while !error.is_char_boundary(cut) {
            cut -= 1;
        }
        Self {
            attempts,
            retry_at,
            error: error.get(..cut).unwrap_or_default().to_owned(),
        }
    }

    /// Returns true when nothing is tried any more.
    pub fn is_irrevocable(&self) -> bool {
        self.retry_at.is_zero()
    }
}

/// Returns the pause after the given number of attempts: half to one and a half times what doubling
/// gives.
fn pause(attempts: u32, random: u64) -> Duration {
    let base = PAUSE_MIN * 2_u32.saturating_pow(attempts.saturating_sub(1).min(ATTEMPTS_MAX));
    let milliseconds = u64::try_from(base.as_millis()).unwrap_or(u64::MAX);
    base / 2 + Duration::from_millis(random % milliseconds.max(1))
}

/// The stored form; the variant is the version.
#[derive(Serialize, Deserialize)]
pub(super) enum FailureRecord {
    V1(Failure),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_within_their_jitter_until_it_is_given_up() {
        let now = Timestamp::from_secs(1000);
        let mut failure = None;
        for attempt in 1..ATTEMPTS_MAX {
            let base = 10_u64 << (attempt - 1);
            for (random, seconds) in [(0, base / 2), (base * 500, base)] {
                let next = Failure::after(failure.as_ref(), "x", false, now, random);
                let expected = now.plus(Duration::from_secs(seconds));
                assert_eq!(next.retry_at, expected, "attempt {attempt}");
            }
            let next = Failure::after(failure.as_ref(), "x", false, now, u64::MAX);
            assert!(next.retry_at < now.plus(Duration::from_secs(base * 3 / 2)));
            assert_eq!(next.attempts, attempt);
            failure = Some(next);
        }
        let last = Failure::after(failure.as_ref(), "x", false, now, 7);
        assert!(last.is_irrevocable());
    }

    #[test]
    fn what_cannot_be_done_is_tried_once_and_messages_are_bounded() {
        let now = Timestamp::from_secs(1000);
        let failure = Failure::after(None, &"\u{e9}".repeat(9000), true, now, 7);
        assert!(failure.is_irrevocable() && failure.attempts == 1);
        assert_eq!(failure.error.len(), ERROR_BYTES_MAX);
    }
}
