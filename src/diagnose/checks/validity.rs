//! The time for which a certificate is valid, read from its DER.
//!
//! ```text
//! Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version OPTIONAL, serial INTEGER,
//!     algorithm SEQUENCE, issuer SEQUENCE, validity SEQUENCE { from Time, until Time },
//!     ... } ... }
//! ```
//! (RFC 5280.) rustls checks all else about it; it shows no dates, and a parser of certificates
//! would be larger than all checks together.

use std::time::{Duration, SystemTime};

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The time for which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: SystemTime,
    /// The last second.
    pub until: SystemTime,
}

impl Validity {
    /// Reads the validity of a certificate; `None` for bytes that are none.
    pub fn of(der: &[u8]) -> Option<Self> {
        let certificate = element(der)?.inside(SEQUENCE)?;
        let mut at = element(certificate)?.inside(SEQUENCE)?;
        if element(at)?.tag == VERSION {
            at = element(at)?.rest;
        }
        for _serial_algorithm_issuer in 0..3 {
            at = element(at)?.rest;
        }
        let from = element(element(at)?.inside(SEQUENCE)?)?;
        let until = element(from.rest)?;
        Some(Self {
            from: time(&from)?,
            until: time(&until)?,
        })
    }
}

/// An element, and the bytes behind it.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    fn inside(&self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }
}

fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (&[tag, first], behind) = bytes.split_first_chunk::<2>()?;
    let (size, behind) = match first {
        0..=0x7f => (usize::from(first), behind),
        0x81..=0x84 => {
            let (size, behind) = behind.split_at_checked(usize::from(first & 0x7f))?;
            let size = size
                .iter()
                .fold(0_usize, |size, byte| (size << 8) | usize::from(*byte));
            (size, behind)
        }
        _ => return None,
    };
    let (content, rest) = behind.split_at_checked(size)?;
    Some(Element { tag, content, rest })
}

/// Reads `YYMMDDhhmmssZ` (1950 to 2049) or `YYYYMMDDhhmmssZ`.
fn time(element: &Element<'_>) -> Option<SystemTime> {
    let text = std::str::from_utf8(element.content)
        .ok()?
        .strip_suffix('Z')?;
    let year_digits = match element.tag {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    };
    let (year, rest) = text.split_at_checked(year_digits)?;
    let year: i64 = year.parse().ok()?;
    let year = match (element.tag, year) {
        (UTC_TIME, 0..50) => 2000 + year,
        (UTC_TIME, _) => 1900 + year,
        (_, year) => year,
    };
    let mut two = rest.as_bytes().chunks(2).map(|two| {
        let text = std::str::from_utf8(two).ok()?;
        text.parse::<i64>().ok()
    });
    let mut next = || two.next().flatten();
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let seconds = u64::try_from(seconds).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar: years begin in March, so
/// that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod unit {
    use super::*;

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn the_validity_of_a_certificate_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["pi-1.home".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2026, 2, 28);
        parameters.not_after = rcgen::date_time_ymd(2051, 3, 1);
        let made = parameters.self_signed(&key).unwrap();
        let expected = Validity {
            from: at("2026-02-28T00:00:00Z"),
            until: at("2051-03-01T00:00:00Z"),
        };
        assert_eq!(Validity::of(made.der()), Some(expected));
        for cut in 0..60 {
            assert_eq!(Validity::of(&made.der()[..cut]), None, "{cut} bytes");
        }
    }

    #[test]
    fn dates_are_days_of_the_calendar() {
        for text in [
            "1970-01-01",
            "1999-12-31",
            "2000-02-29",
            "2026-11-30",
            "2100-03-01",
        ] {
            let parts: Vec<i64> = text.split('-').map(|part| part.parse().unwrap()).collect();
            let expected = at(&format!("{text}T00:00:00Z"));
            let expected = expected
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs()
                / 86_400;
            assert_eq!(
                days(parts[0], parts[1], parts[2]),
                i64::try_from(expected).unwrap(),
                "{text}"
            );
        }
    }
}
