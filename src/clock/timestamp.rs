//! An instant of cluster time.

use serde::{Deserialize, Serialize};
use std::time::{Duration, UNIX_EPOCH};

/// Nanoseconds of cluster time since the Unix epoch. Zero means "never" where a field says so.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the instant `seconds` after the epoch.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Returns whole seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Returns true for the zero value.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns this instant plus `duration`, stopping at the end of time.
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// Returns this instant less `duration`, stopping at the epoch.
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// Returns the time from `earlier` to this instant; zero when it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Formats the instant by RFC 3339 in UTC, with as many fraction digits as needed, as Vault
    /// prints it.
    pub fn rfc3339(self) -> String {
        let text = humantime::format_rfc3339(UNIX_EPOCH + Duration::from_nanos(self.0)).to_string();
        match text.strip_suffix('Z') {
            Some(time) if time.contains('.') => format!("{}Z", time.trim_end_matches('0')),
            _ => text,
        }
    }

    /// Reads the form that [`Self::rfc3339`] gives a whole second; `None` for anything else.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        // Looked for, not parsed: the library reads nothing after 2038 on 32 bits. Such texts are
        // in the order of their times.
        let (mut from, mut end) = (0, Self(u64::MAX).as_secs() + 1);
        while end - from > 1 {
            let middle = from + (end - from) / 2;
            match Self::from_secs(middle).rfc3339().as_str() <= text {
                true => from = middle,
                false => end = middle,
            }
        }
        let found = Self::from_secs(from);
        (found.rfc3339() == text).then_some(found)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_go_style_rfc3339_nano() {
        assert_eq!(Timestamp::from_secs(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(
            Timestamp(1_574_452_349_590_210_000).rfc3339(),
            "2019-11-22T19:52:29.59021Z"
        );
        // A leap day, a century without one, midnight, the last instant there is.
        for (instant, text) in [
            (951_782_400_000_000_000, "2000-02-29T00:00:00Z"),
            (951_868_799_999_999_999, "2000-02-29T23:59:59.999999999Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00Z"),
            (1_000_000_100, "1970-01-01T00:00:01.0000001Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!(Timestamp(instant).rfc3339(), text);
            let whole = (instant % 1_000_000_000 == 0).then_some(Timestamp(instant));
            assert_eq!(Timestamp::parse_rfc3339(text), whole, "{text}");
        }
    }

    #[test]
    fn reads_what_it_prints() {
        for seconds in [0, 1, 1_574_452_349, 2_147_483_648, u64::MAX / 1_000_000_000] {
            let instant = Timestamp::from_secs(seconds);
            assert_eq!(Timestamp::parse_rfc3339(&instant.rfc3339()), Some(instant));
        }
        for text in [
            "",
            "yesterday",
            "1969-12-31T23:59:59Z",
            "2000-13-01T00:00:00Z",
            "2000-01-01T24:00:00Z",
            "2000-01-01T00:00:00",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(
            Timestamp(u64::MAX).plus(Duration::from_secs(1)),
            Timestamp(u64::MAX)
        );
        assert_eq!(Timestamp(1).since(Timestamp(5)), Duration::ZERO);
    }
}
