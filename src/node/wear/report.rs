//! The wear of the device at one moment.

use super::endurance::{Endurance, per_day};
use super::history::{History, Sample, Span};
use super::watch::Wear;
use super::{ledger, watch};
use crate::block::{Card, Counters, Disk};
use crate::clock::Timestamp;
use crate::telemetry::{Percentiles, writes};
use std::time::Duration;

/// The device, its counters since the machine started, and its account of itself.
pub(super) struct WornDevice {
    pub disk: Disk,
    pub since_boot: Option<Counters>,
    pub card: Option<Card>,
}

/// The writes of one part of this process.
pub(super) struct Part {
    pub name: &'static str,
    pub bytes: u64,
    pub flushes: u64,
}

/// A budget, and the last day beside it.
pub(super) struct Budget {
    pub bytes_per_day: u64,
    pub last_day_bytes: u64,
}

/// The wear of the device at one moment, as far as it is known.
pub(in crate::node) struct Report {
    pub(super) started_at: Timestamp,
    /// The counts since the start.
    pub(super) total: Sample,
    pub(super) parts: Vec<Part>,
    /// The kernel's count for this process.
    pub(super) process_bytes: Option<u64>,
    /// The device, or the reason why none is known.
    pub(super) device: Result<WornDevice, String>,
    pub(super) uptime: Duration,
    pub(super) flush_time: Percentiles,
    pub(super) endurance: Option<Endurance>,
    /// Bytes that the device is given a day; `None` before an hour has been seen.
    pub(super) bytes_per_day: Option<f64>,
    pub(super) budget: Option<Budget>,
    pub(super) last_day: Span,
    pub(super) hours: Vec<Span>,
    pub(super) days: Vec<Span>,
}

impl Report {
    /// Takes all that is known at `now`.
    pub(super) fn new(wear: &Wear, history: &History, now: &Sample) -> Self {
        let watch::Settings {
            endurance_bytes,
            budget_bytes_per_day,
            machine,
        } = &wear.settings;
        let device = wear.disk().clone().map(|disk| WornDevice {
            since_boot: disk.counters(),
            card: disk.card(),
            disk,
        });
        let disk = device.as_ref().ok().map(|device| &device.disk);
        let uptime = machine.uptime();
        let since_boot = device.as_ref().ok().and_then(|device| device.since_boot);
        let bytes_per_day = match since_boot {
            Some(counters) => per_day(counters.bytes, uptime),
            None => per_day(now.own_bytes, now.at),
        };
        let last_day = history.last_day(now);
        let growth = &last_day.growth;
        let budget = budget_bytes_per_day.map(|bytes_per_day| Budget {
            bytes_per_day,
            last_day_bytes: match disk {
                Some(_) => growth.device_bytes,
                None => growth.own_bytes,
            },
        });
        let parts = writes().parts().into_iter().map(|(name, part)| Part {
            name,
            bytes: part.bytes(),
            flushes: part.flushes(),
        });
        Self {
            started_at: wear.started_at,
            total: now.since(history.start()),
            parts: parts.collect(),
            process_bytes: ledger::counted_by_kernel(),
            endurance: Endurance::of(*endurance_bytes, disk),
            device,
            uptime,
            flush_time: writes().flush_time.percentiles(),
            bytes_per_day,
            budget,
            last_day,
            hours: history.hours(now),
            days: history.days(now),
        }
    }

    /// Returns true when the last day's bytes are more than the budget.
    pub(super) fn is_budget_passed(&self) -> bool {
        let budget = self.budget.as_ref();
        budget.is_some_and(|budget| budget.last_day_bytes > budget.bytes_per_day)
    }

    /// Returns the device's account of itself.
    pub(super) fn card(&self) -> Option<&Card> {
        self.device.as_ref().ok()?.card.as_ref()
    }

    /// Returns the years that are left at the present rate.
    pub(super) fn years_left(&self) -> Option<f64> {
        let life = self.card().and_then(|card| card.life);
        self.endurance?.years(life, self.bytes_per_day?)
    }

    /// Returns the bytes that this process wrote, and those that the device was given, for each
    /// byte that clients wrote to this node since the start; `None` where they wrote none.
    pub(super) fn amplification(&self) -> (Option<f64>, Option<f64>) {
        let total = &self.total;
        let times = |bytes: u64| ratio(bytes, total.payload_bytes);
        let device = self.device.as_ref().ok();
        (
            times(total.own_bytes),
            device.and_then(|_| times(total.device_bytes)),
        )
    }

    /// Tells the log that the budget is passed.
    pub(super) fn warn(&self) {
        let Some(budget) = &self.budget else { return };
        let megabytes = |bytes: u64| bytes / 1_000_000;
        let device = self.device.as_ref().ok();
        tracing::warn!(
            device = device.map_or("unknown", |device| &device.disk.name),
            written_mb = megabytes(budget.last_day_bytes),
            by_this_node_mb = megabytes(self.last_day.growth.own_bytes),
            "the device was given more than write_budget_mb_per_day = {} in the last 24 hours: \
             `coffer operator wear` shows when, and how much of it this node wrote",
            megabytes(budget.bytes_per_day)
        );
    }
}

#[allow(clippy::cast_precision_loss)] // a ratio for people needs no 53 bits
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
