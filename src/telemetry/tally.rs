//! Counts an operation, its failures, and the time that it takes.

use super::metrics::{Counter, Summary, metrics};
use std::sync::Arc;
use std::time::Instant;

/// The two instruments of an operation that may fail: the time taken, and the failures.
pub struct Tally {
    time: Arc<Summary>,
    failures: Arc<Counter>,
}

impl Tally {
    /// Returns the instruments of these names, each with its sentence of help.
    pub fn new(
        (time, time_help): (&'static str, &'static str),
        (failures, failures_help): (&'static str, &'static str),
    ) -> Self {
        Self {
            time: metrics().summary(time, time_help),
            failures: metrics().counter(failures, failures_help),
        }
    }

    /// Counts an operation that was begun at `begun` and ended with `result`.
    pub fn count<T, E>(&self, begun: Instant, result: &Result<T, E>) {
        self.time.observe(begun.elapsed());
        if result.is_err() {
            self.failures.increment();
        }
    }

    /// Runs `work` and counts it.
    pub fn run<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let begun = Instant::now();
        let result = work();
        self.count(begun, &result);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_timed_and_counted() {
        let tally = Tally::new(("tally.test", "."), ("tally.test.failures", "."));
        let counted = || (tally.time.count(), tally.failures.value());
        assert_eq!(tally.run(|| Ok::<_, ()>(7)), Ok(7));
        assert_eq!(counted(), (1, 0));
        assert_eq!(tally.run(|| Err::<(), _>("no")), Err("no"));
        assert_eq!(counted(), (2, 1));
    }
}
