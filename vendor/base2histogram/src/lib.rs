//! A stand-in for the crate of this name, which openraft counts its batch sizes with.
//!
//! That crate builds 25 MB of lookup tables at the first use and takes 20 ms for it: twice the
//! memory that the whole node may have, for numbers that nobody reads here. This one has openraft's
//! part of its interface over 65 buckets, one for each power of two. It shares no code with it.

/// How often values of each magnitude were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    buckets: [u64; 65],
    slot: std::marker::PhantomData<T>,
}

/// What a histogram says about its values: upper ends of buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PercentileStats {
    /// How many values there were.
    pub samples: u64,
    /// 0.1 %.
    pub p0_1: u64,
    /// 1 %.
    pub p1: u64,
    /// 5 %.
    pub p5: u64,
    /// 10 %.
    pub p10: u64,
    /// 50 %.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p99_9: u64,
}

impl<T> Histogram<T> {
    /// No values.
    pub fn new() -> Self {
        Self {
            buckets: [0; 65],
            slot: std::marker::PhantomData,
        }
    }

    /// One value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// The same value `count` times.
    pub fn record_n(&mut self, value: u64, count: u64) {
        let magnitude = (u64::BITS - value.leading_zeros()) as usize;
        if let Some(bucket) = self.buckets.get_mut(magnitude) {
            *bucket = bucket.saturating_add(count);
        }
    }

    /// How many values there were.
    pub fn total(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The usual percentiles.
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total(),
            p0_1: self.permille(1),
            p1: self.permille(10),
            p5: self.permille(50),
            p10: self.permille(100),
            p50: self.permille(500),
            p90: self.permille(900),
            p99: self.permille(990),
            p99_9: self.permille(999),
        }
    }

    fn permille(&self, share: u64) -> u64 {
        let wanted = u128::from(self.total()) * u128::from(share);
        let mut seen = 0_u128;
        for (magnitude, count) in self.buckets.iter().enumerate() {
            seen += u128::from(*count) * 1000;
            if *count > 0 && seen >= wanted {
                return match magnitude {
                    0 => 0,
                    64 => u64::MAX,
                    bits => (1 << bits) - 1,
                };
            }
        }
        0
    }
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { samples, p50, p90, p99, .. } = self;
        write!(f, "n={samples} p50={p50} p90={p90} p99={p99}")
    }
}

/// Histograms by name; prints one line each.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart(Vec<(String, PercentileStats)>);

impl AsciiChart {
    /// An empty chart.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more line.
    pub fn add<T>(mut self, name: &str, histogram: Histogram<T>) -> Self {
        self.0.push((name.to_owned(), histogram.percentile_stats()));
        self
    }

    /// There is one form only.
    pub fn compact(&self) -> &Self {
        self
    }

    /// There is one form only.
    pub fn detailed(&self) -> &Self {
        self
    }
}

impl std::fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, stats) in &self.0 {
            writeln!(f, "{name}: {stats}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_upper_ends_of_buckets() {
        let mut histogram = Histogram::<()>::new();
        assert_eq!(histogram.percentile_stats(), PercentileStats::default());
        histogram.record_n(1, 90);
        histogram.record_n(100, 10);
        histogram.record(0);
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p50, stats.p99), (101, 1, 127));
    }
}
