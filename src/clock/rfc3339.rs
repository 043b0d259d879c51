//! RFC 3339 in UTC, for the years that nanoseconds in 64 bits reach: 1970 to 2554.

const SECOND_NS: u64 = 1_000_000_000;
const DAY_S: u64 = 86_400;
const EPOCH_YEAR: u64 = 1970;

/// The instant `nanos` after the epoch, with as many digits of fraction as needed.
pub(super) fn format(nanos: u64) -> String {
    let (seconds, fraction) = (nanos / SECOND_NS, nanos % SECOND_NS);
    let (year, month, day) = date(seconds / DAY_S);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if fraction > 0 {
        let digits = format!(".{fraction:09}");
        text.push_str(digits.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Nanoseconds after the epoch of what [`format`] writes, with or without a fraction.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = match time.split_once('.') {
        Some((time, digits)) => (time, self::fraction(digits)?),
        None => (time, 0),
    };
    let [year, month, day] = three(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = three(time, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day)? * DAY_S + hour * 3600 + minute * 60 + second;
    seconds.checked_mul(SECOND_NS)?.checked_add(fraction)
}

/// Year, month and day of the month, `days` after the epoch.
fn date(days: u64) -> (u64, u64, u64) {
    // At most a year too late: leap days of less than six centuries are no year.
    let mut year = EPOCH_YEAR + days / 365;
    if days_before(year) > days {
        year -= 1;
    }
    let (mut month, mut left) = (1, days - days_before(year));
    while left >= month_days(year, month) {
        left -= month_days(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

/// Days from the epoch to a date; `None` for one that there is not, or that is before it.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_one = (1..=12).contains(&month) && (1..=month_days(year, month)).contains(&day);
    if year < EPOCH_YEAR || !is_one {
        return None;
    }
    let before: u64 = (1..month).map(|month| month_days(year, month)).sum();
    Some(days_before(year) + before + day - 1)
}

/// Days from the epoch to the first of January.
const fn days_before(year: u64) -> u64 {
    (year - EPOCH_YEAR) * 365 + leap_years(year - 1) - leap_years(EPOCH_YEAR - 1)
}

/// Leap years up to and with `year`.
const fn leap_years(year: u64) -> u64 {
    year / 4 - year / 100 + year / 400
}

const fn month_days(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + leap_years(year) - leap_years(year - 1),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Three numbers of as many digits as `widths` says.
fn three(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (number, width) in found.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        *number = digits(part)?;
    }
    parts.next().is_none().then_some(found)
}

/// Nanoseconds of the digits after the point.
fn fraction(text: &str) -> Option<u64> {
    let places = u32::try_from(text.len())
        .ok()
        .filter(|places| (1..=9).contains(places))?;
    Some(digits(text)? * 10u64.pow(9 - places))
}

fn digits(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peer(nanos: u64) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap()
    }

    proptest! {
        #[test]
        fn writes_and_reads_as_jiff(nanos: u64, step in prop::sample::select(
            vec![1, 1000, 1_000_000, SECOND_NS, DAY_S * SECOND_NS])) {
            let nanos = nanos / step * step;
            prop_assert_eq!(format(nanos), peer(nanos).to_string());
            prop_assert_eq!(parse(&format(nanos)), Some(nanos));
        }
    }

    #[test]
    fn every_day_has_jiffs_date() {
        for day in 0..u64::MAX / (DAY_S * SECOND_NS) {
            let last = ((day + 1) * DAY_S - 1) * SECOND_NS;
            assert_eq!(format(last), peer(last).to_string());
        }
        assert_eq!(format(u64::MAX), peer(u64::MAX).to_string());
    }

    #[test]
    fn reads_nothing_else() {
        assert_eq!(parse("2000-02-29T00:00:00Z"), Some(951_782_400 * SECOND_NS));
        for text in [
            "",
            "yesterday",
            "2001-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2000-00-01T00:00:00Z",
            "2000-13-01T00:00:00Z",
            "2000-01-00T00:00:00Z",
            "2000-01-32T00:00:00Z",
            "2000-01-01T24:00:00Z",
            "2000-01-01T00:60:00Z",
            "2000-01-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "2554-07-22T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "2000-01-01T00:00:00",
            "2000-01-01 00:00:00Z",
            "2000-01-01T00:00:00+00:00",
            "2000-01-01T00:00:00.Z",
            "2000-01-01T00:00:00.0000000000Z",
            "2000-01-01T00:00:00.+1Z",
            "2000-1-01T00:00:00Z",
            "+200-01-01T00:00:00Z",
            "2000-01-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
