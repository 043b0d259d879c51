//! Seconds as durations for people.

use std::time::Duration;

use serde_json::Value;

use crate::clock::format_duration;

/// Formats seconds as `768h`, `1m`, `1h1s`: Go's notation without the zeros at its end.
pub fn human_duration(seconds: u64) -> String {
    let mut text = format_duration(Duration::from_secs(seconds));
    if text.ends_with("m0s") {
        text.truncate(text.len() - 2);
    }
    text.replacen("h0m", "h", 1)
}

/// Formats a field's value; a number of seconds becomes a duration when the field's name says that
/// it is one.
pub fn human_field(name: &str, value: &Value) -> String {
    match value.as_u64() {
        Some(seconds) if holds_seconds(name) => human_duration(seconds),
        _ => super::plain(value),
    }
}

fn holds_seconds(name: &str) -> bool {
    let stem = |word: &str| match name.strip_suffix(word) {
        Some(start) => start.is_empty() || start.ends_with('_'),
        None => false,
    };
    stem("period") || stem("ttl") || stem("duration") || name == "lease_max" || name == "ttl_max"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn zeros_at_the_end_go() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3600, "1h"),
            (3601, "1h1s"),
            (3660, "1h1m"),
            (2_764_800, "768h"),
            (2_764_799, "767h59m59s"),
        ] {
            assert_eq!(human_duration(seconds), text);
        }
    }

    #[test]
    fn only_fields_of_time_read_as_time() {
        for (name, value, text) in [
            ("creation_ttl", json!(3600), "1h"),
            ("ttl", json!(0), "0s"),
            ("token_period", json!(60), "1m"),
            ("battle", json!(60), "60"),
            ("ttl", json!("3600"), "3600"),
            ("period", json!(null), "<nil>"),
        ] {
            assert_eq!(human_field(name, &value), text, "{name}");
        }
    }
}
