//! The counts of one node, and the warning when the budget is passed.

use super::history::{HOUR, History, Sample};
use super::{ledger, report::Report};
use crate::block::{Disk, Machine, beneath};
use crate::clock::{Timestamp, wall_clock};
use crate::config::{self, Config};
use crate::sys::duties::rewrap::Pace;
use crate::telemetry::writes;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The time between two looks where there is a budget.
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// The time between two lines of the log while the budget stays passed.
const TOLD_EVERY: Duration = Duration::from_secs(24 * 3600);
/// The part of its life that is used from which a device is warned of at the start, in percent.
const WORN_PERCENT: u8 = 90;

/// The settings of the storage stanza about wear.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// The endurance of the device, in bytes.
    pub endurance_bytes: Option<f64>,
    /// The bytes a day from which a warning is due.
    pub budget_bytes_per_day: Option<u64>,
    /// The folder that holds `sys` and `proc`.
    pub machine: Machine,
}

/// The counts of one node since its start.
pub(in crate::node) struct Wear {
    pub(super) settings: Settings,
    /// The data directory; `None` where nothing lasts.
    data: Option<PathBuf>,
    pub(super) started_at: Timestamp,
    started: Instant,
    begun: OnceLock<Begun>,
    /// True while the budget is passed.
    passed: watch::Sender<bool>,
}

/// The disk, and the counts from when it was found. To find it takes a millisecond, for which no
/// start waits.
struct Begun {
    /// The disk, or the reason why there is none.
    disk: Result<Disk, String>,
    state: Mutex<WearState>,
}

struct WearState {
    history: History,
    told: Option<Instant>,
}

impl Wear {
    /// Begins to count for the data directory of a configuration.
    pub fn of(config: &Config) -> Self {
        let Some(config::Storage::Raft(raft)) = &config.storage else {
            return Self::new(None, Settings::default());
        };
        let megabytes = raft.write_budget_mb_per_day;
        let settings = Settings {
            endurance_bytes: raft.endurance_tbw.map(|terabytes| terabytes * 1e12),
            budget_bytes_per_day: megabytes.map(|megabytes| megabytes.saturating_mul(1_000_000)),
            machine: Machine::at(&raft.system_root),
        };
        Self::new(Some(&raft.path), settings)
    }

    /// Returns counts for the data directory `data`, which begin with [`Wear::begin`]; `None` where
    /// nothing lasts.
    pub(super) fn new(data: Option<&Path>, settings: Settings) -> Self {
        Self {
            settings,
            data: data.map(Path::to_path_buf),
            started_at: wall_clock(),
            started: Instant::now(),
            begun: OnceLock::new(),
            passed: watch::Sender::new(false),
        }
    }

    /// Finds the disk and begins to count, once. Reads a few small files.
    pub(super) fn begin(&self) {
        self.begun();
    }

    fn begun(&self) -> &Begun {
        self.begun.get_or_init(|| {
            let disk = match &self.data {
                Some(data) => {
                    beneath(&self.settings.machine, data).map_err(|error| error.to_string())
                }
                None => Err("the data is in memory".into()),
            };
            let start = sample(disk.as_ref().ok(), Duration::ZERO);
            let state = Mutex::new(WearState {
                history: History::new(start),
                told: None,
            });
            Begun { disk, state }
        })
    }

    /// Returns the disk, or the reason why there is none.
    pub(super) fn disk(&self) -> &Result<Disk, String> {
        &self.begun().disk
    }

    /// Follows whether the budget is passed.
    pub fn passed(&self) -> watch::Receiver<bool> {
        self.passed.subscribe()
    }

    /// Returns the pace of a re-encryption, by the budget.
    pub fn pace(&self) -> Pace {
        Pace::new(self.settings.budget_bytes_per_day, self.passed())
    }

    /// Looks at the counts, warns where that is due, and reports them. Reads a few small files.
    pub fn look(&self) -> Report {
        let disk = self.disk().as_ref().ok();
        let now = sample(disk, self.started.elapsed());
        let mut state = self.state();
        state.history.note(now);
        let report = Report::new(self, &state.history, &now);
        let is_passed = report.is_budget_passed();
        self.passed.send_if_modified(|passed| {
            let changes = *passed != is_passed;
            *passed = is_passed;
            changes
        });
        let is_due = state.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if is_passed && is_due {
            state.told = Some(Instant::now());
            drop(state);
            report.warn();
        }
        report
    }

    /// Returns true when there is a device or a budget to look at.
    pub(super) fn has_something_to_look_at(&self) -> bool {
        self.disk().is_ok() || self.settings.budget_bytes_per_day.is_some()
    }

    fn state(&self) -> MutexGuard<'_, WearState> {
        let state = self.begun().state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time until the next look.
    pub(super) fn wait(&self) -> Duration {
        let hour = self.state().history.due_in(self.started.elapsed());
        let hour = hour.clamp(Duration::from_secs(1), HOUR);
        match self.settings.budget_bytes_per_day {
            Some(_) => hour.min(LOOK_EVERY),
            None => hour,
        }
    }

    /// Warns of a device that says itself that it is near its end.
    pub(super) fn warn_of_age(&self) {
        let card = self.disk().as_ref().ok().and_then(Disk::card);
        let Some(card) = card else { return };
        let used = card.life.map_or(0, |life| life.used_percent_max);
        let is_urgent = matches!(card.spare, Some("warning" | "urgent"));
        if used >= WORN_PERCENT || is_urgent {
            tracing::warn!(
                life_used_percent_max = used,
                spare_blocks = card.spare.unwrap_or("not told"),
                "the device of the data directory says that it is near its end: replace it soon, \
                 one node after the other"
            );
        }
    }
}

/// Returns all counts as they stand now.
fn sample(disk: Option<&Disk>, at: Duration) -> Sample {
    let device = disk.and_then(Disk::counters).unwrap_or_default();
    Sample {
        at,
        device_bytes: device.bytes,
        device_flushes: device.flushes.unwrap_or(0),
        own_bytes: ledger::bytes(),
        own_flushes: ledger::flushes(),
        payload_bytes: writes().payload.value(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::tests::{FakeMachine, MMC};

    fn wear(made: &FakeMachine, budget_bytes_per_day: Option<u64>) -> Wear {
        let settings = Settings {
            endurance_bytes: None,
            budget_bytes_per_day,
            machine: made.machine.clone(),
        };
        let wear = Wear::new(Some(&made.data), settings);
        wear.begin();
        wear
    }

    #[test]
    fn a_passed_budget_is_told_and_forgotten_once_the_day_is_over() {
        let made = FakeMachine::sd();
        let wear = wear(&made, Some(5_000_000));
        assert!(!wear.look().is_budget_passed());
        made.counts(MMC, (1 << 30) + 5_000_192, 9);
        assert!(wear.look().is_budget_passed());
        assert!(*wear.passed().borrow());
        let told = wear.state().told.expect("the log has a line");
        wear.look();
        assert_eq!(wear.state().told, Some(told), "not told again so soon");
        // A day later only what came since then counts.
        let report = |hours: u64| {
            let disk = wear.disk().as_ref().ok();
            let now = sample(disk, HOUR * u32::try_from(hours).unwrap());
            let mut state = wear.state();
            state.history.note(now);
            Report::new(&wear, &state.history, &now).is_budget_passed()
        };
        assert!(report(1), "since the start");
        assert!(report(24));
        assert!(!report(25));
    }

    #[test]
    fn without_a_budget_nothing_is_passed() {
        let made = FakeMachine::sd();
        let wear = wear(&made, None);
        made.counts(MMC, 1 << 40, 9);
        assert!(!wear.look().is_budget_passed());
        assert_eq!(
            wear.wait().as_secs().div_ceil(60),
            60,
            "it is looked at once an hour"
        );
        assert!(wear.state().told.is_none());
    }

    #[test]
    fn a_card_is_reported_with_what_it_does_not_tell() {
        let made = FakeMachine::sd();
        std::fs::write(made.machine.path("proc/uptime"), "86400.00 1.0\n").unwrap();
        let wear = wear(&made, Some(1));
        made.counts(MMC, (1 << 30) + (1 << 20), 9);
        let report = wear.look();
        let json = serde_json::Value::Object(report.json());
        assert_eq!(json["device"]["name"], "mmcblk0");
        assert_eq!(json["device"]["bytes"], 1 << 20, "since the start");
        assert_eq!(json["device"]["flushes"], 2);
        assert_eq!(json["device"]["since_boot"]["bytes"], (1 << 30) + (1 << 20));
        assert_eq!(json["device"]["card"]["maker"], "SanDisk");
        let cmd56 = json["device"]["card"]["cmd56"].as_str().unwrap();
        assert!(cmd56.starts_with("not read: "), "{cmd56}");
        assert!(!json.to_string().contains("12345678"), "the serial number");
        assert_eq!(json["endurance"]["source"], "assumed");
        assert_eq!(
            json["endurance"]["bytes_per_day"],
            f64::from((1 << 30) + (1 << 20))
        );
        // 3.2 TB at 1.07 GB a day.
        let years = json["endurance"]["years_left"].as_f64().unwrap();
        assert!((years - 8.15).abs() < 0.02, "{years}");
        assert_eq!(json["budget"]["passed"], true);
        assert_eq!(json["days"][0]["device_bytes"], 1 << 20);
        let readings = report.readings();
        let value = |name: &str| {
            readings
                .iter()
                .find(|found| found.name == name)
                .unwrap()
                .value
        };
        assert!((value("coffer.wear.budget_passed") - 1.0).abs() < 0.1);
        assert!((value("coffer.wear.years_left") - years).abs() < 0.01);
        assert!(value("coffer.wear.device_written_bytes_total") > f64::from(1 << 30));
        assert!(
            !readings
                .iter()
                .any(|found| found.name == "coffer.wear.life_used_percent")
        );
    }

    #[test]
    fn an_emmc_has_less_left_than_a_new_one() {
        let of = |steps| {
            let made = FakeMachine::emmc(steps);
            std::fs::write(made.machine.path("proc/uptime"), "86400.00 1.0\n").unwrap();
            let json = serde_json::Value::Object(wear(&made, None).look().json());
            assert!(
                json["endurance"]["basis"]
                    .as_str()
                    .unwrap()
                    .contains("says is left")
            );
            json["endurance"]["years_left"].as_f64().unwrap()
        };
        let (little, much) = (of("0x01 0x01"), of("0x05 0x01"));
        assert!((little / much - 9.0 / 5.0).abs() < 0.01, "{little} {much}");
    }

    #[test]
    fn data_in_memory_has_no_device_and_a_reason() {
        let wear = Wear::new(None, Settings::default());
        let json = wear.look().json();
        assert!(json["device"].is_null());
        assert_eq!(json["device_unknown"], "the data is in memory");
    }
}
