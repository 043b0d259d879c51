//! The hours that have passed since the start, in memory only.

use std::collections::VecDeque;
use std::time::Duration;

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
/// The most hours that are kept: a month.
const HOURS_MAX: usize = 31 * 24;
/// The most hours, and days, that are shown.
const SHOWN_HOURS_MAX: usize = 48;
const SHOWN_DAYS_MAX: usize = 31;

/// All counts at one moment. Each only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// The time since the start.
    pub at: Duration,
    /// Bytes and flushes of the device, by all programs.
    pub device_bytes: u64,
    pub device_flushes: u64,
    /// Bytes and flushes of this process.
    pub own_bytes: u64,
    pub own_flushes: u64,
    /// Bytes that clients wrote.
    pub payload_bytes: u64,
}

/// The counts between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// The ends, as times before now.
    pub from_ago: Duration,
    pub to_ago: Duration,
    /// The growth between them; its time is the length of the span.
    pub growth: Sample,
}

impl Sample {
    /// Returns the growth since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            at: self.at.saturating_sub(earlier.at),
            device_bytes: self.device_bytes.saturating_sub(earlier.device_bytes),
            device_flushes: self.device_flushes.saturating_sub(earlier.device_flushes),
            own_bytes: self.own_bytes.saturating_sub(earlier.own_bytes),
            own_flushes: self.own_flushes.saturating_sub(earlier.own_flushes),
            payload_bytes: self.payload_bytes.saturating_sub(earlier.payload_bytes),
        }
    }
}

/// The samples of the last month, and the first of all.
#[derive(Debug)]
pub(super) struct History {
    start: Sample,
    /// The samples, an hour or more apart, oldest first.
    samples: VecDeque<Sample>,
}

impl History {
    /// Begins with the counts at the start.
    pub fn new(start: Sample) -> Self {
        Self {
            start,
            samples: VecDeque::from([start]),
        }
    }

    /// Returns the counts at the start.
    pub fn start(&self) -> &Sample {
        &self.start
    }

    /// Keeps a sample if the last one is an hour old.
    pub fn note(&mut self, now: Sample) {
        let last = self.samples.back().map_or(Duration::ZERO, |last| last.at);
        if now.at >= last + HOUR {
            self.samples.push_back(now);
        }
        if self.samples.len() > HOURS_MAX {
            self.samples.pop_front();
        }
    }

    /// Returns the time until the next sample is due.
    pub fn due_in(&self, at: Duration) -> Duration {
        let last = self.samples.back().map_or(Duration::ZERO, |last| last.at);
        (last + HOUR).saturating_sub(at)
    }

    /// Returns the counts of the last 24 hours, or since the start: never of more.
    pub fn last_day(&self, now: &Sample) -> Span {
        let begin = now.at.saturating_sub(DAY);
        let first = self.samples.iter().find(|sample| sample.at >= begin);
        span(first.unwrap_or(now), now, now)
    }

    /// Returns the hours, the last one first and not whole.
    pub fn hours(&self, now: &Sample) -> Vec<Span> {
        let ends = std::iter::once(now).chain(self.samples.iter().rev());
        let spans = ends.zip(self.samples.iter().rev());
        spans
            .map(|(to, from)| span(from, to, now))
            .take(SHOWN_HOURS_MAX)
            .collect()
    }

    /// Returns the days before now, the last one first; the oldest may not be whole.
    pub fn days(&self, now: &Sample) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut to = *now;
        while spans.len() < SHOWN_DAYS_MAX {
            let begin = to.at.saturating_sub(DAY);
            let mut older = self.samples.iter().filter(|sample| sample.at < to.at);
            let within = older.clone().find(|sample| sample.at >= begin);
            // After a sleep no sample is a day old or less: then the last before it.
            let Some(from) = within.or_else(|| older.next_back()) else {
                break;
            };
            spans.push(span(from, &to, now));
            to = *from;
        }
        spans
    }
}

fn span(from: &Sample, to: &Sample, now: &Sample) -> Span {
    Span {
        from_ago: now.at.saturating_sub(from.at),
        to_ago: now.at.saturating_sub(to.at),
        growth: to.since(from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a sample after so many minutes, at a byte a minute.
    fn after(minutes: u64) -> Sample {
        Sample {
            at: Duration::from_secs(60 * minutes),
            device_bytes: 1000 + minutes,
            ..Sample::default()
        }
    }

    fn bytes(spans: &[Span]) -> Vec<u64> {
        spans.iter().map(|span| span.growth.device_bytes).collect()
    }

    #[test]
    fn hours_and_days_go_back_from_now() {
        let mut history = History::new(after(0));
        for minutes in (5..=60 * 50 + 30).step_by(5) {
            history.note(after(minutes));
        }
        let now = after(60 * 50 + 30);
        let hours = bytes(&history.hours(&now));
        assert_eq!(hours.len(), SHOWN_HOURS_MAX);
        assert_eq!(hours[..3], [30, 60, 60]);
        // Whole samples only, so a day ends at one.
        let days = history.days(&now);
        assert_eq!(bytes(&days), [60 * 23 + 30, 60 * 24, 60 * 3]);
        assert_eq!(days[2].from_ago, now.at);
        assert_eq!(days[0].to_ago, Duration::ZERO);
        let last = history.last_day(&now);
        assert_eq!(
            last.growth.device_bytes,
            60 * 23 + 30,
            "never more than a day"
        );
    }

    #[test]
    fn at_the_start_all_is_since_the_start() {
        let history = History::new(after(0));
        let now = after(7);
        assert_eq!(bytes(&history.hours(&now)), [7]);
        assert_eq!(bytes(&history.days(&now)), [7]);
        assert_eq!(history.last_day(&now).growth.device_bytes, 7);
        assert_eq!(history.due_in(now.at), Duration::from_secs(53 * 60));
    }

    #[test]
    fn a_month_is_kept_and_no_more() {
        let mut history = History::new(after(0));
        for hours in 1..40 * 24 {
            history.note(after(60 * hours));
        }
        assert_eq!(history.samples.len(), HOURS_MAX);
        assert_eq!(history.days(&after(60 * 40 * 24)).len(), SHOWN_DAYS_MAX);
    }

    #[test]
    fn a_machine_that_slept_has_longer_hours() {
        let mut history = History::new(after(0));
        history.note(after(60 * 30));
        let now = after(60 * 30 + 1);
        assert_eq!(bytes(&history.days(&now)), [1, 60 * 30], "one long span");
        assert_eq!(history.last_day(&now).growth.device_bytes, 1);
    }
}
