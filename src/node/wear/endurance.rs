//! The model of a device's life: so many bytes, less those that are used, at the present rate.
//!
//! Makers of cards state no endurance, or state one for long sequential writes. A store makes
//! small ones that must be durable at once, for which a card's controller erases and rewrites
//! blocks of megabytes. So the assumed endurance is a number of times that the whole device can be
//! written, well below the erase cycles of its memory:
//!
//! | kind | times | from |
//! |---|---|---|
//! | SD card, USB | 100 | 1,000 erase cycles of TLC, of which the card spends nine tenths on itself |
//! | eMMC | 300 | 3,000 cycles of MLC, likewise |
//! | SSD | 150 | the 300 that consumer drives are sold with, halved |
//!
//! Heat, age, blocks that were bad from the start and power cuts are in none of these numbers. It
//! is an order of magnitude, and good for comparing one configuration with another.

use crate::block::{Disk, DiskKind, Life};
use std::time::Duration;

const DAYS_PER_YEAR: f64 = 365.25;
/// The least time of observation from which a rate is stated.
const OBSERVED_MIN: Duration = Duration::from_secs(3600);

/// The bytes that a device can be given in its life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Endurance {
    /// Bytes, as the host sees them.
    pub bytes: f64,
    /// True when the configuration states it.
    pub is_stated: bool,
}

impl Endurance {
    /// Returns the endurance that the operator states in bytes, or the one that is assumed for the
    /// disk: `None` for a disk that does not wear like a card, or is not known.
    pub fn of(stated: Option<f64>, disk: Option<&Disk>) -> Option<Self> {
        if let Some(bytes) = stated {
            return Some(Self {
                bytes,
                is_stated: true,
            });
        }
        let disk = disk?;
        let times = match disk.kind {
            DiskKind::Sd | DiskKind::Usb => 100.0,
            DiskKind::Emmc => 300.0,
            DiskKind::Nvme => 150.0,
            DiskKind::Other if !disk.rotates => 150.0,
            DiskKind::Other | DiskKind::Loop | DiskKind::Layered | DiskKind::Memory => return None,
        };
        #[allow(clippy::cast_precision_loss)] // an assumption needs no 53 bits
        let bytes = disk.bytes? as f64 * times;
        Some(Self {
            bytes,
            is_stated: false,
        })
    }

    /// Returns the years that are left at so many bytes a day, of the part of the life that the
    /// device says is left, or of a new device; `None` where nothing is written.
    pub fn years(&self, life: Option<Life>, bytes_per_day: f64) -> Option<f64> {
        let used = life.map_or(0, |life| life.used_percent_max.min(100));
        let left = self.bytes * (100.0 - f64::from(used)) / 100.0;
        (bytes_per_day > 0.0).then(|| left / bytes_per_day / DAYS_PER_YEAR)
    }
}

/// Returns the bytes a day of `bytes` in `time`; `None` before an hour has been seen.
#[allow(clippy::cast_precision_loss)] // a rate needs no 53 bits
pub(super) fn per_day(bytes: u64, time: Duration) -> Option<f64> {
    let days = time.as_secs_f64() / 86_400.0;
    (time >= OBSERVED_MIN).then(|| bytes as f64 / days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::beneath;
    use crate::block::tests::FakeMachine;

    const GB: f64 = 1e9;

    #[test]
    fn a_card_without_a_statement_is_assumed_by_its_size() {
        let made = FakeMachine::sd();
        let disk = beneath(&made.machine, &made.data).unwrap();
        let assumed = Endurance::of(None, Some(&disk)).unwrap();
        assert!((assumed.bytes / GB - 3201.0).abs() < 1.0 && !assumed.is_stated);
        let years = assumed.years(None, 1.0 * GB).unwrap();
        assert!((years - 8.76).abs() < 0.01, "{years}");
        let stated = Endurance::of(Some(40.0 * GB), Some(&disk)).unwrap();
        assert!(stated.is_stated && (stated.bytes - 40.0 * GB).abs() < 1.0);
        assert_eq!(Endurance::of(None, None), None);
    }

    #[test]
    fn an_emmc_that_says_so_has_less_left() {
        let endurance = Endurance {
            bytes: 365.25 * GB,
            is_stated: true,
        };
        let years =
            |used_percent_max, gb| endurance.years(Some(Life { used_percent_max }), gb * GB);
        assert!((years(0, 1.0).unwrap() - 1.0).abs() < 1e-9);
        assert!((years(20, 2.0).unwrap() - 0.4).abs() < 1e-9);
        assert!(years(110, 1.0).unwrap().abs() < 1e-9, "none is left");
        assert_eq!(years(10, 0.0), None, "idle");
    }

    #[test]
    fn a_rate_takes_an_hour_of_observation() {
        assert_eq!(per_day(9, Duration::from_secs(3599)), None);
        assert_eq!(per_day(9, Duration::from_secs(43_200)), Some(18.0));
    }
}
