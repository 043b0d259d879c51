//! Reads and prints durations as Vault does (Go's notation, plus bare seconds and `d`).

use std::time::Duration;

/// Reads `90`, `"90"`, `1h30m`, `1.5s`, `250ms`, `2d`. `None` when the text is not a duration, is
/// negative, or is too long for a `Duration` of nanoseconds in 63 bits.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return bounded(text.parse::<u64>().ok()?.checked_mul(1_000_000_000)?);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total_ns: u64 = 0;
    while !rest.is_empty() {
        let number_len = rest
            .bytes()
            .take_while(|b| b.is_ascii_digit() || *b == b'.')
            .count();
        let (number, tail) = rest.split_at(number_len);
        let unit_len = tail
            .bytes()
            .take_while(|b| !b.is_ascii_digit() && *b != b'.')
            .count();
        let (unit, tail) = tail.split_at(unit_len);
        total_ns = total_ns.checked_add(component_ns(number, unit)?)?;
        rest = tail;
    }
    bounded(total_ns)
}

fn bounded(ns: u64) -> Option<Duration> {
    i64::try_from(ns).ok().map(|_| Duration::from_nanos(ns))
}

fn component_ns(number: &str, unit: &str) -> Option<u64> {
    let unit_ns: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut ns = whole.checked_mul(unit_ns)?;
    let mut scale = unit_ns;
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        scale /= 10;
        ns = ns.checked_add(u64::from(digit - b'0').checked_mul(scale)?)?;
    }
    Some(ns)
}

/// Prints a duration as Go does: `0s`, `10h0m0s`, `1m30s`, `1.5s`, `250ms`.
pub fn format_duration(duration: Duration) -> String {
    let ns = duration.as_nanos();
    if ns == 0 {
        return String::from("0s");
    }
    if ns < 1_000 {
        return format!("{ns}ns");
    }
    if ns < 1_000_000 {
        return format!("{}µs", decimal(ns, 1_000));
    }
    if ns < 1_000_000_000 {
        return format!("{}ms", decimal(ns, 1_000_000));
    }
    let seconds = ns / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = decimal(ns % 60_000_000_000, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

fn decimal(value: u128, unit: u128) -> String {
    let (whole, fraction) = (value / unit, value % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = unit.to_string().len() - 1;
    let text = format!("{fraction:0digits$}");
    format!("{whole}.{}", text.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_go_and_vault_notation() {
        for (text, ms) in [
            ("90", 90_000),
            ("1h30m", 5_400_000),
            ("1.5s", 1_500),
            ("250ms", 250),
            ("2d", 172_800_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for text in [
            "",
            "h",
            "1",
            "-1s",
            "1x",
            "1.2.3s",
            ".s",
            "99999999999999h",
            "1 s",
        ] {
            let expected = (text == "1").then(|| Duration::from_secs(1));
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }

    #[test]
    fn prints_like_go() {
        for (ms, text) in [
            (0, "0s"),
            (36_000_000, "10h0m0s"),
            (90_000, "1m30s"),
            (1_500, "1.5s"),
            (250, "250ms"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(format_duration(Duration::from_millis(ms)), text);
        }
    }
}
