//! The report as JSON, and as numbers for `sys/metrics`.

use super::history::Span;
use super::report::{Report, WornDevice};
use crate::block::Card;
use crate::telemetry::Reading;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The reason why the health that some SD cards keep is not shown.
const NO_CMD56: &str = "not read: SD cards have no standard health register; CMD56, which some \
                        makers answer in forms of their own, takes an ioctl as root";
const OWN_LIFE: &str = "the part of its life that the device says is left";
const NEW_DEVICE: &str = "a new device: what was written to it before is not known";

impl Report {
    /// Returns the answer of `sys/storage/wear`.
    pub(in crate::node) fn json(&self) -> Map<String, Value> {
        let (own, device) = self.amplification();
        let flush = &self.flush_time;
        let value = json!({
            "since": self.started_at.rfc3339(),
            "since_s": self.total.at.as_secs(),
            "payload_bytes": self.total.payload_bytes,
            "node": self.node(),
            "device": self.device.as_ref().ok().map(|device| self.device_json(device)),
            "device_unknown": self.device.as_ref().err(),
            "amplification": { "node": own.map(rounded), "device": device.map(rounded) },
            "flush_ms": {
                "count": flush.count, "p50": ms(flush.p50), "p99": ms(flush.p99),
                "max": ms(flush.max),
            },
            "endurance": self.endurance_json(),
            "budget": self.budget.as_ref().map(|budget| json!({
                "bytes_per_day": budget.bytes_per_day,
                "last_day_bytes": budget.last_day_bytes,
                "passed": self.is_budget_passed(),
            })),
            "hours": self.hours.iter().map(span).collect::<Vec<_>>(),
            "days": self.days.iter().map(span).collect::<Vec<_>>(),
        });
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn node(&self) -> Value {
        let parts = self.parts.iter().map(|part| {
            let mut shown = json!({ "bytes": part.bytes });
            let count = match part.name {
                "state" => "checkpoints",
                _ => "flushes",
            };
            if let Value::Object(shown) = &mut shown {
                shown.insert(count.into(), part.flushes.into());
            }
            (part.name.to_owned(), shown)
        });
        json!({
            "bytes": self.total.own_bytes,
            "flushes": self.total.own_flushes,
            "process_bytes": self.process_bytes,
            "parts": Value::Object(parts.collect()),
        })
    }

    fn device_json(&self, device: &WornDevice) -> Value {
        let disk = &device.disk;
        json!({
            "name": disk.name,
            "part": disk.part,
            "kind": disk.kind.name(),
            "size_bytes": disk.bytes,
            "backing_file": disk.backing_file,
            "bytes": self.total.device_bytes,
            "flushes": device.since_boot.and_then(|counters| counters.flushes)
                .map(|_| self.total.device_flushes),
            "since_boot": device.since_boot.map(|counters| json!({
                "seconds": self.uptime.as_secs(), "bytes": counters.bytes,
                "writes": counters.writes, "flushes": counters.flushes,
            })),
            "card": device.card.as_ref().map(card),
        })
    }

    fn endurance_json(&self) -> Value {
        let Some(endurance) = self.endurance else {
            return Value::Null;
        };
        let basis = match self.card().and_then(|card| card.life) {
            Some(_) => OWN_LIFE,
            None => NEW_DEVICE,
        };
        json!({
            "bytes": endurance.bytes.round(),
            "source": if endurance.is_stated { "endurance_tbw" } else { "assumed" },
            "bytes_per_day": self.bytes_per_day.map(f64::round),
            "years_left": self.years_left().map(rounded),
            "basis": basis,
        })
    }

    /// Returns the numbers for `sys/metrics`.
    pub(in crate::node) fn readings(&self) -> Vec<Reading> {
        let mut readings = Vec::new();
        for part in &self.parts {
            readings.push(
                counter(
                    "coffer.wear.written_bytes_total",
                    "Bytes that this process wrote since it started, by their purpose.",
                    part.bytes,
                )
                .with("part", part.name),
            );
            readings.push(
                counter(
                    "coffer.wear.flushes_total",
                    "Flushes that this process asked for since it started, by their purpose; for \
                     the state, checkpoints.",
                    part.flushes,
                )
                .with("part", part.name),
            );
        }
        readings.push(counter(
            "coffer.wear.payload_bytes_total",
            "Bytes of the bodies of requests that this node committed since it started.",
            self.total.payload_bytes,
        ));
        readings.extend(self.process_bytes.map(|bytes| {
            counter(
                "coffer.wear.process_bytes_total",
                "Bytes that the kernel counted as written by this process since it started.",
                bytes,
            )
        }));
        let (own, device) = self.amplification();
        for (of, times) in [("node", own), ("device", device)] {
            readings.extend(times.map(|times| {
                Reading::gauge(
                    "coffer.wear.amplification",
                    "Bytes written for each byte of payload since the start: by this node, and to \
                     the device by all programs.",
                    times,
                )
                .with("of", of)
            }));
        }
        let flush = &self.flush_time;
        for (quantile, time) in [("0.5", flush.p50), ("0.99", flush.p99), ("1", flush.max)] {
            readings.push(
                Reading::gauge(
                    "coffer.wear.flush_ms",
                    "Milliseconds that writes of the log took with their flush since the start.",
                    time.as_secs_f64() * 1000.0,
                )
                .with("quantile", quantile),
            );
        }
        readings.extend(
            self.device
                .iter()
                .flat_map(|device| device_readings(self, device)),
        );
        readings.extend(self.life_readings());
        readings
    }

    fn life_readings(&self) -> Vec<Reading> {
        let life = self.card().and_then(|card| card.life);
        let gauges = [
            (
                "coffer.wear.life_used_percent",
                "The most of the device's life that may be used, as the device says itself.",
                life.map(|life| f64::from(life.used_percent_max)),
            ),
            (
                "coffer.wear.endurance_bytes",
                "Bytes that the device is taken to bear: endurance_tbw, or assumed by its size.",
                self.endurance.map(|endurance| endurance.bytes),
            ),
            (
                "coffer.wear.years_left",
                "Years until that endurance is used up at the rate since the machine started.",
                self.years_left(),
            ),
            (
                "coffer.wear.budget_bytes_per_day",
                "The setting write_budget_mb_per_day, in bytes.",
                self.budget.as_ref().map(|budget| of(budget.bytes_per_day)),
            ),
            (
                "coffer.wear.budget_passed",
                "Whether the last 24 hours passed write_budget_mb_per_day: 1 passed, 0 not.",
                self.budget
                    .as_ref()
                    .map(|_| f64::from(u8::from(self.is_budget_passed()))),
            ),
        ];
        let known = gauges.into_iter();
        known
            .filter_map(|(name, help, value)| Some(Reading::gauge(name, help, value?)))
            .collect()
    }
}

fn device_readings(report: &Report, device: &WornDevice) -> Vec<Reading> {
    let name = &device.disk.name;
    let mut readings = Vec::new();
    if let Some(counters) = device.since_boot {
        let mut push = |name_of, help, value| {
            readings.push(counter(name_of, help, value).with("device", name.clone()));
        };
        push(
            "coffer.wear.device_written_bytes_total",
            "Bytes that all programs wrote to the data directory's device since the machine \
             started.",
            counters.bytes,
        );
        if let Some(flushes) = counters.flushes {
            push(
                "coffer.wear.device_flushes_total",
                "Flushes of the device's own cache since the machine started; none where it has no \
                 cache.",
                flushes,
            );
        }
    }
    readings.push(
        Reading::gauge(
            "coffer.wear.device_last_day_bytes",
            "Bytes that all programs wrote to the device in the last 24 hours, or since the start.",
            of(report.last_day.growth.device_bytes),
        )
        .with("device", name.clone()),
    );
    readings
}

fn card(card: &Card) -> Value {
    json!({
        "name": card.name,
        "maker": card.maker,
        "maker_id": card.maker_id,
        "brand_id": card.brand_id,
        "made": card.made,
        "life_used_percent_max": card.life.map(|life| life.used_percent_max),
        "spare_blocks": card.spare,
        "cmd56": NO_CMD56,
    })
}

fn span(span: &Span) -> Value {
    let growth = &span.growth;
    json!({
        "from_s_ago": span.from_ago.as_secs(),
        "to_s_ago": span.to_ago.as_secs(),
        "device_bytes": growth.device_bytes,
        "device_flushes": growth.device_flushes,
        "node_bytes": growth.own_bytes,
        "node_flushes": growth.own_flushes,
        "payload_bytes": growth.payload_bytes,
    })
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Reading {
    Reading::counter(name, help, of(value))
}

#[allow(clippy::cast_precision_loss)] // 2^53 bytes are more than a card bears
fn of(value: u64) -> f64 {
    value as f64
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Returns milliseconds with three places.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
