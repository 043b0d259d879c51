//! `operator wear`.

use serde_json::Value;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{columns, table};
use crate::cli::verb::{Arity, SharedFlags, Verb};

/// `operator wear`.
pub static WEAR: Verb = Verb {
    name: "wear",
    about: "Shows what a node's device was given to write, and the life it has left",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[],
    shared: SharedFlags::Field,
    run,
};

/// The longest bar, in characters.
const BAR: f64 = 40.0;
/// The time since the start up to which hours are drawn instead of days, in seconds.
const HOURS_UP_TO_S: u64 = 48 * 3600;
/// The years from which no more are told.
const YEARS_MAX: f64 = 100.0;
/// The gap between columns.
const GAP: &str = "    ";

fn run(call: &mut Call) -> Outcome {
    let answer = call.read(&Ask::get("sys/storage/wear"));
    let answer = answer.during(|| String::from("Error reading the wear of the device"))?;
    let answer = answer.ok_or(Failure::Answer("account of wear"))?;
    // The answer is printed as it came: formatted, a field of it, or wrapped on request.
    let is_whole = call.flags.text("field").is_none();
    if !call.is_table() || answer.wrap_info.is_some() || !is_whole {
        return call.print_secret(&answer);
    }
    call.warn(&answer.warnings);
    call.out(&shown(&answer.data));
    Ok(0)
}

/// Returns the whole answer for people: facts, writers, bars.
fn shown(data: &Value) -> String {
    let facts = facts(data)
        .into_iter()
        .map(|(key, value)| vec![key.into(), value]);
    let (title, bars) = bars(data);
    [
        columns(&facts.collect::<Vec<_>>(), GAP),
        table(&["Written by", "Bytes", "Flushes"], writers(data), GAP),
        format!("{title}\n{bars}"),
    ]
    .join("\n\n")
}

fn facts(data: &Value) -> Vec<(&'static str, String)> {
    let at = |pointer: &str| data.pointer(pointer).filter(|value| !value.is_null());
    let number = |pointer: &str| at(pointer).and_then(Value::as_f64);
    let mut facts = vec![("Device", device(data))];
    if let Some(card) = at("/device/card") {
        facts.push(("Card", words(card, &["maker", "name", "made"])));
        let used = card.get("life_used_percent_max").and_then(Value::as_u64);
        let spare = card.get("spare_blocks").and_then(Value::as_str);
        let health = match (used, spare) {
            (None, None) => "the card tells none".to_owned(),
            (used, spare) => [
                used.map(|percent| format!("at most {percent} % of its life is used")),
                spare.map(|state| format!("spare blocks: {state}")),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
        };
        facts.push(("Health", health));
    }
    let since_s = number("/since_s").unwrap_or(0.0);
    facts.push((
        "Counted since",
        format!("the node's start, {} ago", ago(since_s)),
    ));
    if let (Some(bytes), Some(seconds)) = (
        number("/device/since_boot/bytes"),
        number("/device/since_boot/seconds"),
    ) {
        let text = format!(
            "{} since the machine's start, {} ago",
            size(bytes),
            ago(seconds)
        );
        facts.push(("All programs", text));
    }
    facts.push(("Amplification", amplification(data)));
    if number("/flush_ms/count").unwrap_or(0.0) > 0.0 {
        let ms = |name: &str| number(&format!("/flush_ms/{name}")).unwrap_or(0.0);
        let text = format!(
            "p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
            ms("p50"),
            ms("p99"),
            ms("max")
        );
        facts.push(("Log writes", text));
    }
    facts.push(("Years left", years(data)));
    if let (Some(budget), Some(last)) = (
        number("/budget/bytes_per_day"),
        number("/budget/last_day_bytes"),
    ) {
        let is_passed = at("/budget/passed").and_then(Value::as_bool) == Some(true);
        let state = if is_passed { "PASSED" } else { "kept" };
        let text = format!(
            "{state}: {} of {} in the last 24 hours",
            size(last),
            size(budget)
        );
        facts.push(("Write budget", text));
    }
    facts
}

fn device(data: &Value) -> String {
    let Some(device) = data.get("device").filter(|device| device.is_object()) else {
        let why = data.get("device_unknown").and_then(Value::as_str);
        return format!("not known: {}", why.unwrap_or("no reason was given"));
    };
    let text = |name: &str| device.get(name).and_then(Value::as_str);
    let kind = match text("kind").unwrap_or_default() {
        "sd" => "SD card",
        "emmc" => "eMMC",
        "usb" => "USB",
        "nvme" => "NVMe",
        "loop" => "a file as a disk",
        "layered" => "several disks as one",
        other => other,
    };
    let mut parts = vec![kind.to_owned()];
    parts.extend(device.get("size_bytes").and_then(Value::as_f64).map(size));
    parts.extend(text("backing_file").map(str::to_owned));
    let part = text("part")
        .map(|part| format!(", by {part}"))
        .unwrap_or_default();
    format!(
        "{}{part} ({})",
        text("name").unwrap_or_default(),
        parts.join(", ")
    )
}

fn amplification(data: &Value) -> String {
    let of = |name: &str| {
        let times = data.pointer(&format!("/amplification/{name}"))?.as_f64()?;
        Some(format!("{times:.2}"))
    };
    match (of("node"), of("device")) {
        (None, None) => "not known: clients wrote nothing to this node".into(),
        (node, device) => {
            let none = || String::from("unknown");
            let (node, device) = (node.unwrap_or_else(none), device.unwrap_or_else(none));
            format!("{node} bytes by this node for each of clients, {device} by all programs")
        }
    }
}

fn years(data: &Value) -> String {
    let Some(endurance) = data.get("endurance").filter(|found| found.is_object()) else {
        return "not known: no endurance is assumed for such a device; `endurance_tbw` states one"
            .into();
    };
    let number = |name: &str| endurance.get(name).and_then(Value::as_f64);
    let text = |name: &str| {
        endurance
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let source = match text("source") {
        "assumed" => "assumed for its size",
        _ => "stated",
    };
    let bears = format!("{} {source}", size(number("bytes").unwrap_or(0.0)));
    match (number("bytes_per_day"), number("years_left")) {
        (None, _) => format!("not known before an hour has passed ({bears})"),
        (Some(_), None) => format!("nothing is written ({bears})"),
        (Some(rate), Some(years)) => {
            let years = match years {
                many if many > YEARS_MAX => format!("more than {YEARS_MAX:.0}"),
                years => format!("{years:.1}"),
            };
            format!(
                "{years}, at {} a day ({bears}; of {})",
                size(rate),
                text("basis")
            )
        }
    }
}

fn writers(data: &Value) -> Vec<Vec<String>> {
    let number = |pointer: &str| data.pointer(pointer).and_then(Value::as_f64);
    let flushes = |pointer: &str| {
        number(pointer)
            .map(|count| format!("{count}"))
            .unwrap_or_default()
    };
    let row = |name: &str, bytes: Option<f64>, flushes: String| {
        vec![
            name.to_owned(),
            bytes.map(size).unwrap_or_default(),
            flushes,
        ]
    };
    let mut rows = vec![row(
        "clients (requests)",
        number("/payload_bytes"),
        String::new(),
    )];
    for (part, name) in [
        ("log", "log"),
        ("state", "checkpoints"),
        ("files", "keys and numbers"),
        ("audit", "audit files"),
        ("snapshots", "snapshots by the clock"),
        ("server_log", "server's log"),
    ] {
        let bytes = number(&format!("/node/parts/{part}/bytes"));
        let count = flushes(&format!("/node/parts/{part}/flushes"));
        if bytes.is_some_and(|bytes| bytes > 0.0) {
            rows.push(row(name, bytes, count));
        }
    }
    if let Some(bytes) = number("/node/process_bytes") {
        rows.push(row("this process in all", Some(bytes), String::new()));
    }
    if let Some(bytes) = number("/device/bytes") {
        rows.push(row("all programs", Some(bytes), flushes("/device/flushes")));
    }
    rows
}

/// Returns a title, and a bar for each of the last hours or days.
fn bars(data: &Value) -> (String, String) {
    let since_s = data.get("since_s").and_then(Value::as_u64).unwrap_or(0);
    let (unit, name, unit_s) = match since_s {
        0..HOURS_UP_TO_S => ("hours", "h", 3600.0),
        _ => ("days", "d", 86_400.0),
    };
    let has_device = data.get("device").is_some_and(Value::is_object);
    let (field, by) = match has_device {
        true => ("device_bytes", "by all programs"),
        false => ("node_bytes", "by this node"),
    };
    let spans: Vec<(f64, f64, f64)> = data
        .get(unit)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|span| {
            let number = |name: &str| span.get(name).and_then(Value::as_f64).unwrap_or(0.0);
            (number("from_s_ago"), number("to_s_ago"), number(field))
        })
        .collect();
    let most = spans
        .iter()
        .fold(1.0_f64, |most, (_, _, bytes)| most.max(*bytes));
    let rows = spans.iter().map(|(from, to, bytes)| {
        let length = (bytes / most * BAR).ceil();
        let bar = (0..60)
            .map(f64::from)
            .take_while(|at| *at < length)
            .map(|_| '#');
        vec![
            format!("{:.1}-{:.1} {name} ago", to / unit_s, from / unit_s),
            size(*bytes),
            bar.collect::<String>(),
        ]
    });
    let title = format!("Bytes written {by}, in the {unit} since the start:");
    let rows: Vec<Vec<String>> = rows.collect();
    // An empty cell would read "n/a", and an hour without a write has no bar.
    (title, columns(&rows, GAP).replace("n/a", ""))
}

fn words(value: &Value, names: &[&str]) -> String {
    let words = names.iter().filter_map(|name| value.get(*name)?.as_str());
    words.collect::<Vec<_>>().join(", ")
}

/// Returns bytes in the units of 1000 in which disks are sold.
fn size(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return match unit {
                "B" => format!("{value:.0} B"),
                unit => format!("{value:.1} {unit}"),
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// Returns a time in its largest unit.
fn ago(seconds: f64) -> String {
    let plural = |count: f64, unit: &str| match count.floor() {
        one if (one - 1.0).abs() < 0.5 => format!("1 {unit}"),
        count => format!("{count:.0} {unit}s"),
    };
    match seconds {
        s if s >= 86_400.0 => plural(s / 86_400.0, "day"),
        s if s >= 3600.0 => plural(s / 3600.0, "hour"),
        s if s >= 60.0 => plural(s / 60.0, "minute"),
        s => plural(s, "second"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Value {
        json!({
            "since": "2026-11-27T10:00:00Z", "since_s": 3 * 86_400 + 60, "payload_bytes": 1_000_000,
            "node": {"bytes": 3_100_000, "flushes": 1000, "process_bytes": 3_100_000, "parts": {
                "log": {"bytes": 2_000_000, "flushes": 1000},
                "state": {"bytes": 700_000, "checkpoints": 2},
                "audit": {"bytes": 0, "flushes": 0},
            }},
            "device": {"name": "mmcblk0", "part": "mmcblk0p2", "kind": "sd",
                "size_bytes": 32_010_928_128_u64, "backing_file": null, "bytes": 9_000_000,
                "flushes": null,
                "since_boot": {"seconds": 864_000, "bytes": 1_000_000_000, "flushes": null},
                "card": {"name": "SD32G", "maker": "SanDisk", "made": "05/2021",
                    "life_used_percent_max": null, "spare_blocks": null}},
            "device_unknown": null,
            "amplification": {"node": 3.1, "device": 9.0},
            "flush_ms": {"count": 1000, "p50": 2.25, "p99": 40.5, "max": 301.0},
            "endurance": {"bytes": 3.2e12, "source": "assumed", "bytes_per_day": 1e8,
                "years_left": 87.6, "basis": "a new device"},
            "budget": {"bytes_per_day": 5_000_000, "last_day_bytes": 6_000_000, "passed": true},
            "hours": [],
            "days": [
                {"from_s_ago": 86_400, "to_s_ago": 0, "device_bytes": 6_000_000, "node_bytes": 1},
                {"from_s_ago": 172_800, "to_s_ago": 86_400, "device_bytes": 0, "node_bytes": 1},
                {"from_s_ago": 259_260, "to_s_ago": 172_800, "device_bytes": 3_000_000,
                    "node_bytes": 1},
            ],
        })
    }

    #[test]
    fn a_card_of_three_days_reads_so() {
        let expected = "\
Device           mmcblk0, by mmcblk0p2 (SD card, 32.0 GB)
Card             SanDisk, SD32G, 05/2021
Health           the card tells none
Counted since    the node's start, 3 days ago
All programs     1.0 GB since the machine's start, 10 days ago
Amplification    3.10 bytes by this node for each of clients, 9.00 by all programs
Log writes       p50 2.2 ms, p99 40.5 ms, longest 301.0 ms
Years left       87.6, at 100.0 MB a day (3.2 TB assumed for its size; of a new device)
Write budget     PASSED: 6.0 MB of 5.0 MB in the last 24 hours

Written by             Bytes     Flushes
----------             -----     -------
clients (requests)     1.0 MB    n/a
log                    2.0 MB    1000
checkpoints            700.0 kB    n/a
this process in all    3.1 MB    n/a
all programs           9.0 MB    n/a

Bytes written by all programs, in the days since the start:
0.0-1.0 d ago    6.0 MB    ########################################
1.0-2.0 d ago    0 B       
2.0-3.0 d ago    3.0 MB    ####################";
        let found = shown(&answer());
        let lines = |text: &str| -> Vec<String> {
            text.lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect()
        };
        assert_eq!(lines(&found), lines(expected), "\n{found}");
    }

    #[test]
    fn a_device_that_is_not_known_has_its_reason() {
        let mut answer = answer();
        answer["device"] = Value::Null;
        answer["device_unknown"] = json!("/data is on overlay");
        answer["endurance"] = Value::Null;
        answer["budget"] = Value::Null;
        answer["amplification"] = json!({"node": null, "device": null});
        let found = shown(&answer);
        for expected in [
            "not known: /data is on overlay",
            "not known: clients wrote nothing to this node",
            "`endurance_tbw` states one",
            "Bytes written by this node, in the days",
        ] {
            assert!(found.contains(expected), "{expected}: {found}");
        }
        assert!(
            !found.contains("Card") && !found.contains("budget"),
            "{found}"
        );
    }

    #[test]
    fn units_are_those_of_disks() {
        for (bytes, text) in [
            (0.0, "0 B"),
            (999.0, "999 B"),
            (1500.0, "1.5 kB"),
            (3.2e12, "3.2 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (seconds, text) in [
            (1.0, "1 second"),
            (59.0, "59 seconds"),
            (3700.0, "1 hour"),
            (2e5, "2 days"),
        ] {
            assert_eq!(ago(seconds), text);
        }
    }
}
