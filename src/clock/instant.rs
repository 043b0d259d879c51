//! Reads instants as people and clients write them.

use super::Timestamp;

/// Reads RFC 3339 (`2030-01-01T12:00:00.5+02:00`) or seconds since 1970. A time before 1970 is read
/// as 1970, one after the last [`Timestamp`] as that. `None` for anything else.
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits are a time beyond the last.
        return Some(match text.starts_with('-') {
            true => Timestamp::default(),
            false => Timestamp::from_secs(text.parse().unwrap_or(u64::MAX)),
        });
    }
    let (date, rest) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let zone_at = rest.find(['Z', '+', '-'])?;
    let (time, zone) = rest.split_at_checked(zone_at)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let in_range = (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 60;
    if !in_range || day < 1 || day > days_of(year, month) {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + (hour * 60 + minute) * 60 + second
        - offset_s(zone)?;
    let instant = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds(fraction)?);
    Some(Timestamp(u64::try_from(instant.max(0)).unwrap_or(u64::MAX)))
}

/// Reads numbers of exactly as many digits as `digits` gives for each, between `mark`s.
fn numbers<const N: usize>(text: &str, mark: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(mark);
    let mut found = [0; N];
    for (into, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *into = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// Reads a fraction of a second, of which nine digits count; the rest is cut off.
fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nine: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    nine.parse().ok()
}

/// Reads the offset of a zone, in seconds: `Z`, `+02:00`, `-11:30`.
fn offset_s(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next()? {
        'Z' if zone.len() == 1 => return Some(0),
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(zone.get(1..)?, ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Leap days of all years before `year`, counted from year 0, which is one itself.
    let leaps = |year: i64| match year {
        0 => 0,
        year => (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1,
    };
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    (year - 1970) * 365 + leaps(year) - leaps(1970) + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_timestamps_print() {
        let mut instant = 1_u64;
        while instant < u64::MAX / 3 {
            let at = Timestamp(instant);
            assert_eq!(parse_instant(&at.rfc3339()), Some(at), "{at}");
            instant = instant * 3 + 86_399;
        }
        for day in 0..150_000 {
            let at = Timestamp::from_secs(day * 86_400);
            assert_eq!(parse_instant(&at.rfc3339()), Some(at), "{at}");
        }
    }

    #[test]
    fn reads_zones_fractions_and_seconds() {
        for (text, seconds) in [
            ("2030-01-01T00:00:00+02:00", 1_893_448_800),
            ("2029-12-31T20:00:00-02:30", 1_893_450_600),
            ("4102444800", 4_102_444_800),
            ("0", 0),
            ("-5", 0),
            ("1960-01-01T00:00:00Z", 0),
            ("0000-02-29T00:00:00Z", 0),
        ] {
            assert_eq!(
                parse_instant(text),
                Some(Timestamp::from_secs(seconds)),
                "{text}"
            );
        }
        assert_eq!(
            parse_instant("1970-01-01T00:00:01.0000000019Z"),
            Some(Timestamp(1_000_000_001))
        );
        for text in ["9999-12-31T23:59:59Z", "99999999999999999999"] {
            assert_eq!(parse_instant(text), Some(Timestamp(u64::MAX)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_instant() {
        for text in [
            "",
            "-",
            "never",
            "2030-01-01",
            "2030-01-01T00:00:00",
            "2030-01-01 00:00:00Z",
            "2030-01-01t00:00:00z",
            "2030-13-01T00:00:00Z",
            "2030-02-29T00:00:00Z",
            "2030-01-01T24:00:00Z",
            "2030-01-01T00:00:60Z",
            "2030-01-01T00:00:00.Z",
            "2030-01-01T00:00:00Zx",
            "2030-01-01T00:00:00+2:00",
            "2030-1-01T00:00:00Z",
            "+030-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }
}
