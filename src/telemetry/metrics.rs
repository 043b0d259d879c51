//! Numbers about the process: counters, gauges, summaries.

use crate::clock::Timestamp;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Only goes up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// `amount` more.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Moves it.
    pub fn add(&self, amount: i64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// As it is now.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations: how many, how long together, the longest.
#[derive(Debug, Default)]
pub struct Summary {
    count: AtomicU64,
    sum_ns: AtomicU64,
    max_ns: AtomicU64,
}

impl Summary {
    /// One more.
    pub fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
        self.max_ns.fetch_max(ns, Ordering::Relaxed);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn sum_ms(&self) -> f64 {
        Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)).as_secs_f64() * 1000.0
    }

    fn max_ms(&self) -> f64 {
        Duration::from_nanos(self.max_ns.load(Ordering::Relaxed)).as_secs_f64() * 1000.0
    }
}

#[derive(Clone)]
enum Instrument {
    Counter(Arc<Counter>),
    Gauge(Arc<Gauge>),
    Summary(Arc<Summary>),
}

/// All instruments by name, in order of registration.
#[derive(Default)]
pub struct Metrics {
    instruments: Mutex<Vec<(&'static str, Instrument)>>,
}

/// The process's registry.
pub fn metrics() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(Metrics::default)
}

impl Metrics {
    /// The counter `name` (`core.handle_request.errors`), made at the first call. Take it once
    /// and keep it: this locks, counting does not.
    pub fn counter(&self, name: &'static str) -> Arc<Counter> {
        let found = self.instrument(name, || Instrument::Counter(Arc::default()));
        match found {
            Instrument::Counter(counter) => counter,
            Instrument::Gauge(_) | Instrument::Summary(_) => Arc::default(),
        }
    }

    /// The gauge `name`, as [`Metrics::counter`].
    pub fn gauge(&self, name: &'static str) -> Arc<Gauge> {
        let found = self.instrument(name, || Instrument::Gauge(Arc::default()));
        match found {
            Instrument::Gauge(gauge) => gauge,
            Instrument::Counter(_) | Instrument::Summary(_) => Arc::default(),
        }
    }

    /// The summary `name`, as [`Metrics::counter`].
    pub fn summary(&self, name: &'static str) -> Arc<Summary> {
        let found = self.instrument(name, || Instrument::Summary(Arc::default()));
        match found {
            Instrument::Summary(summary) => summary,
            Instrument::Counter(_) | Instrument::Gauge(_) => Arc::default(),
        }
    }

    fn instrument(&self, name: &'static str, make: impl FnOnce() -> Instrument) -> Instrument {
        let mut all = self
            .instruments
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = all.iter().find(|(known, _)| *known == name) {
            return found.clone();
        }
        let made = make();
        all.push((name, made.clone()));
        made
    }

    fn all(&self) -> Vec<(&'static str, Instrument)> {
        let all = self
            .instruments
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }

    /// Prometheus's text format; `prefix` is `vault` unless configured.
    pub fn prometheus(&self, prefix: &str) -> String {
        let mut text = String::new();
        for (name, instrument) in self.all() {
            let name = format!("{prefix}_{}", name.replace(['.', '-'], "_"));
            // Writing to a String cannot fail.
            let _ = match instrument {
                Instrument::Counter(counter) => {
                    let value = counter.value();
                    writeln!(
                        text,
                        "# HELP {name} {name}\n# TYPE {name} counter\n{name} {value}"
                    )
                }
                Instrument::Gauge(gauge) => {
                    let value = gauge.value();
                    writeln!(
                        text,
                        "# HELP {name} {name}\n# TYPE {name} gauge\n{name} {value}"
                    )
                }
                Instrument::Summary(summary) => writeln!(
                    text,
                    "# HELP {name} {name}\n# TYPE {name} summary\n{name}_sum {}\n{name}_count {}",
                    summary.sum_ms(),
                    summary.count()
                ),
            };
        }
        text
    }

    /// The JSON form of `sys/metrics`, without rates.
    pub fn json(&self, prefix: &str, now: Timestamp) -> Value {
        let (mut counters, mut gauges, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        for (name, instrument) in self.all() {
            let name = format!("{prefix}.{name}");
            let labels = Value::Object(Map::new());
            match instrument {
                Instrument::Counter(counter) => counters.push(json!({
                    "Name": name, "Count": counter.value(), "Sum": counter.value(),
                    "Labels": labels,
                })),
                Instrument::Gauge(gauge) => gauges.push(json!({
                    "Name": name, "Value": gauge.value(), "Labels": labels,
                })),
                Instrument::Summary(summary) => samples.push(sample(&name, &summary, labels)),
            }
        }
        let timestamp = now.rfc3339().replace(['T', 'Z'], " ");
        json!({
            "Timestamp": format!("{timestamp}+0000 UTC"),
            "Gauges": gauges, "Points": [], "Counters": counters, "Samples": samples,
        })
    }
}

fn sample(name: &str, summary: &Summary, labels: Value) -> Value {
    let count = summary.count();
    #[allow(clippy::cast_precision_loss)] // a mean of milliseconds needs no 53 bits
    let mean = if count == 0 {
        0.0
    } else {
        summary.sum_ms() / count as f64
    };
    json!({
        "Name": name, "Count": count, "Sum": summary.sum_ms(), "Max": summary.max_ms(),
        "Mean": mean, "Labels": labels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_the_same_instrument() {
        let metrics = Metrics::default();
        metrics.counter("a.b").add(2);
        metrics.counter("a.b").increment();
        metrics.gauge("c").set(-1);
        metrics.summary("d").observe(Duration::from_millis(5));
        let text = metrics.prometheus("vault");
        assert!(
            text.contains("# TYPE vault_a_b counter\nvault_a_b 3\n"),
            "{text}"
        );
        assert!(text.contains("vault_c -1\n"), "{text}");
        assert!(text.contains("vault_d_sum 5\nvault_d_count 1\n"), "{text}");
    }

    #[test]
    fn json_has_vaults_groups() {
        let metrics = Metrics::default();
        metrics.counter("a").increment();
        metrics.summary("s").observe(Duration::from_millis(4));
        let json = metrics.json("vault", Timestamp::from_secs(0));
        assert_eq!(json["Counters"][0]["Name"], "vault.a");
        assert_eq!(json["Samples"][0]["Mean"], 4.0);
        assert_eq!(json["Timestamp"], "1970-01-01 00:00:00 +0000 UTC");
    }
}
