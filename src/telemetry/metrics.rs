//! Numbers about the process: counters, gauges, summaries.
//!
//! A room that counts takes its instrument once and keeps it:
//!
//! ```ignore
//! let dropped = metrics().counter("coffer.raft.unproven_total", "Messages dropped for want of …");
//! dropped.increment();
//! ```
//!
//! Names are written with dots. Vault's own (`core.handle_request`) get the configured prefix and
//! appear as `vault_core_handle_request`; those that begin with `coffer.` are coffer's own, keep
//! their name under any configuration, and appear as `coffer_raft_unproven_total`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// A number that only goes up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Returns a counter at zero, for a place in a `static`.
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Returns the sum so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds `amount`, which may be negative.
    pub fn add(&self, amount: i64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Returns the present value.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The durations of events: their number, their sum, and the longest.
#[derive(Debug, Default)]
pub struct Summary {
    count: AtomicU64,
    sum_ns: AtomicU64,
    max_ns: AtomicU64,
}

impl Summary {
    /// Adds one duration.
    pub fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
        self.max_ns.fetch_max(ns, Ordering::Relaxed);
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn sum_ms(&self) -> f64 {
        Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)).as_secs_f64() * 1000.0
    }

    pub(super) fn max_ms(&self) -> f64 {
        Duration::from_nanos(self.max_ns.load(Ordering::Relaxed)).as_secs_f64() * 1000.0
    }
}

#[derive(Clone)]
pub(super) enum Instrument {
    Counter(Arc<Counter>),
    Gauge(Arc<Gauge>),
    Summary(Arc<Summary>),
}

/// An instrument with its name and its help.
#[derive(Clone)]
pub(super) struct Named {
    pub name: &'static str,
    pub help: &'static str,
    pub instrument: Instrument,
}

/// All instruments by name, in order of registration.
#[derive(Default)]
pub struct Metrics {
    instruments: Mutex<Vec<Named>>,
}

/// Returns the process's registry.
pub fn metrics() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(Metrics::default)
}

impl Metrics {
    /// Returns the counter `name` (`core.handle_request.errors`), made at the first call, with
    /// `help`, a sentence for the reader of the number. Take it once and keep it: this locks,
    /// counting does not.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Arc<Counter> {
        let found = self.instrument(name, help, || Instrument::Counter(Arc::default()));
        match found {
            Instrument::Counter(counter) => counter,
            Instrument::Gauge(_) | Instrument::Summary(_) => Arc::default(),
        }
    }

    /// Returns the gauge `name`, as [`Metrics::counter`].
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Arc<Gauge> {
        let found = self.instrument(name, help, || Instrument::Gauge(Arc::default()));
        match found {
            Instrument::Gauge(gauge) => gauge,
            Instrument::Counter(_) | Instrument::Summary(_) => Arc::default(),
        }
    }

    /// Returns the summary `name`, in milliseconds, as [`Metrics::counter`].
    pub fn summary(&self, name: &'static str, help: &'static str) -> Arc<Summary> {
        let found = self.instrument(name, help, || Instrument::Summary(Arc::default()));
        match found {
            Instrument::Summary(summary) => summary,
            Instrument::Counter(_) | Instrument::Gauge(_) => Arc::default(),
        }
    }

    fn instrument(
        &self,
        name: &'static str,
        help: &'static str,
        make: impl FnOnce() -> Instrument,
    ) -> Instrument {
        let mut all = self
            .instruments
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.iter().find(|known| known.name == name) {
            return found.instrument.clone();
        }
        let instrument = make();
        all.push(Named {
            name,
            help,
            instrument: instrument.clone(),
        });
        instrument
    }

    pub(super) fn all(&self) -> Vec<Named> {
        let all = self
            .instruments
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_the_same_instrument() {
        let metrics = Metrics::default();
        metrics.counter("a.b", "").add(2);
        metrics.counter("a.b", "").increment();
        assert_eq!(metrics.counter("a.b", "").value(), 3);
        assert_eq!(metrics.all().len(), 1);
        metrics.gauge("a.b", "").set(7);
        assert_eq!(metrics.counter("a.b", "").value(), 3, "not of that kind");
    }
}
