//! A histogram of durations: fixed memory, one addition for each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The buckets of each power of two; a percentile is exact to an eighth.
const PARTS: usize = 8;
/// The powers of two: microseconds from 1 to 2^32, over an hour.
const POWERS: usize = 32;
const BUCKETS: usize = PARTS * POWERS;

/// Durations by their length. Counting is one addition, and never waits.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    max_us: AtomicU64,
}

/// Percentiles of a [`Histogram`]; each is the upper end of its bucket, and no more than the
/// longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// The number of durations.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// Returns an empty histogram.
    pub const fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            max_us: AtomicU64::new(0),
        }
    }

    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket_of(us)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.max_us.fetch_max(us, Ordering::Relaxed);
    }

    /// Returns the percentiles of the durations so far.
    pub fn percentiles(&self) -> Percentiles {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .collect();
        let count: u64 = counts.iter().sum();
        let max_us = self.max_us.load(Ordering::Relaxed);
        let at = |per_cent: u64| {
            // The rank of the first that is at or above the percentile, from one.
            let rank = (count * per_cent).div_ceil(100).max(1);
            let mut seen = 0;
            let found = counts.iter().position(|in_bucket| {
                seen += in_bucket;
                seen >= rank
            });
            let end = found.map_or(max_us, |bucket| end_of(bucket).min(max_us));
            Duration::from_micros(end)
        };
        match count {
            0 => Percentiles::default(),
            count => Percentiles {
                count,
                p50: at(50),
                p99: at(99),
                max: Duration::from_micros(max_us),
            },
        }
    }
}

/// Returns the bucket of so many microseconds: the power of two, and the eighth within it.
fn bucket_of(us: u64) -> usize {
    let us = us.max(1);
    let power = usize::try_from(us.ilog2()).unwrap_or(POWERS);
    // The three bits below the highest; there are fewer in small numbers.
    let part = match power {
        0..3 => us << (3 - power),
        power => us >> (power - 3),
    };
    let part = usize::try_from(part).unwrap_or(0) % PARTS;
    (power * PARTS + part).min(BUCKETS - 1)
}

/// Returns the most microseconds that a bucket holds.
fn end_of(bucket: usize) -> u64 {
    let (power, part) = (bucket / PARTS, bucket % PARTS);
    let eighths = u64::try_from(PARTS + part + 1).unwrap_or(u64::MAX);
    (eighths << power).div_ceil(8).saturating_sub(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_its_bucket_and_close_to_its_end() {
        let mut last = 0;
        for us in (1..5_000).chain((0..31).map(|power| (1 << power) + 3)) {
            let end = end_of(bucket_of(us));
            assert!(end >= us && end - us <= us / 8 + 1, "{us}: {end}");
        }
        for us in 1..100_000 {
            let bucket = bucket_of(us);
            assert!(bucket >= last, "{us}");
            last = bucket;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let histogram = Histogram::new();
        assert_eq!(histogram.percentiles(), Percentiles::default());
        for _ in 0..98 {
            histogram.observe(Duration::from_millis(2));
        }
        histogram.observe(Duration::from_millis(40));
        histogram.observe(Duration::from_millis(300));
        let found = histogram.percentiles();
        assert_eq!(found.count, 100);
        let is_near = |found: Duration, ms: u64| {
            let exact = Duration::from_millis(ms);
            assert!(found >= exact && found <= exact * 9 / 8, "{found:?}");
        };
        is_near(found.p50, 2);
        is_near(found.p99, 40);
        assert_eq!(found.max, Duration::from_millis(300));
    }

    #[test]
    fn no_percentile_is_longer_than_the_longest() {
        let histogram = Histogram::new();
        histogram.observe(Duration::from_micros(1_025));
        let found = histogram.percentiles();
        assert_eq!(found.p50, found.max);
    }
}
