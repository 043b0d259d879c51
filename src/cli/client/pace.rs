//! The limit on the rate of requests: `VAULT_RATE_LIMIT`.

use std::time::Duration;

/// A burst of requests, then one request after each wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    burst: u32,
    every: Duration,
}

impl Pace {
    /// Reads `rate` or `rate:burst`; the rate is per second.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not rate or rate:burst, in requests per second");
        let (rate, burst) = match text.split_once(':') {
            Some((rate, burst)) => (rate, Some(burst.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let rate: f64 = rate.parse().map_err(|_| wrong())?;
        if !rate.is_finite() || rate <= 0.0 {
            return Err(wrong());
        }
        let every = Duration::try_from_secs_f64(rate.recip()).map_err(|_| wrong())?;
        // The burst is the number of requests of one second.
        let per_second = Duration::from_secs(1).as_nanos() / every.as_nanos().max(1);
        let burst = burst.unwrap_or_else(|| u32::try_from(per_second).unwrap_or(u32::MAX));
        Ok(Self {
            burst: burst.max(1),
            every,
        })
    }

    /// Returns the wait before the next request when `sent` were made.
    pub fn wait(&self, sent: u32) -> Duration {
        match sent < self.burst {
            true => Duration::ZERO,
            false => self.every,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_by_one() {
        for (text, burst, every_ms) in [("10", 10, 100), ("0.5", 1, 2000), ("4:20", 20, 250)] {
            let pace = Pace::parse(text).expect(text);
            assert_eq!(pace.wait(burst - 1), Duration::ZERO, "{text}");
            assert_eq!(pace.wait(burst), Duration::from_millis(every_ms), "{text}");
        }
        for text in ["", "x", "-1", "0", "1:", "1:x", "nan", "inf", "1e-300"] {
            assert!(Pace::parse(text).is_err(), "{text}");
        }
    }
}
