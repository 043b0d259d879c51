//! The age of the last snapshot by the clock, as the cluster tells it.

use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;
use serde_json::Value;
use std::time::{Duration, SystemTime};

const NAME: &str = "Backups";
const CONFIGS: &str = "sys/storage/raft/snapshot-auto/config";
const STATUS: &str = "sys/storage/raft/snapshot-auto/status";
const LOGIN: &str = "set VAULT_ADDR and VAULT_TOKEN for a token with sudo on \
                     sys/storage/raft/snapshot-auto/config, and read on its status";
const HOW: &str = "coffer write sys/storage/raft/snapshot-auto/config/daily interval=24h retain=7 \
                   storage_type=local path_prefix=/var/backups/coffer local_max_space=1000000000; \
                   where something else takes them (coffer-snapshot.timer), see that it does";

/// Judges the snapshots by the clock of a running cluster.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    if subject.raft().is_none() {
        return Vec::new();
    }
    if subject.server().is_none() {
        let message = match subject.server_is_hidden() {
            true => "whether a server runs here cannot be seen",
            false => "no server runs here that could tell of them",
        };
        return vec![Finding::skip(
            NAME,
            message,
            "run this again as root or as the service's user, beside an unsealed server",
        )];
    }
    let names = match subject.world.ask(&format!("{CONFIGS}?list=true")) {
        Ok(answer) => names(&answer),
        Err(reason) => {
            return vec![Finding::skip(NAME, format!("not read: {reason}"), LOGIN)];
        }
    };
    if names.is_empty() {
        return vec![Finding::warn(
            NAME,
            "no snapshots by the clock are configured",
            HOW,
        )];
    }
    let now = subject.world.now();
    let each = names.iter().map(|name| {
        let settings = subject.world.ask(&format!("{CONFIGS}/{name}"));
        let status = subject.world.ask(&format!("{STATUS}/{name}"));
        match (settings, status) {
            (Ok(settings), Ok(status)) => judged(name, &settings, &status, now),
            (Err(reason), _) | (_, Err(reason)) => {
                Finding::skip(NAME, format!("{name}: not read: {reason}"), LOGIN)
            }
        }
    });
    each.collect()
}

fn names(answer: &Value) -> Vec<String> {
    let keys = answer.pointer("/data/keys").and_then(Value::as_array);
    let keys = keys.into_iter().flatten().filter_map(Value::as_str);
    keys.map(str::to_owned).collect()
}

fn judged(name: &str, settings: &Value, status: &Value, now: SystemTime) -> Finding {
    let text = |field: &str| {
        status
            .pointer(&format!("/data/{field}"))
            .and_then(Value::as_str)
    };
    let text = |field| text(field).unwrap_or_default();
    let interval = settings
        .pointer("/data/interval")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    let advice = "look at the active node's log and at the folder: its space, its owner, its mount";
    if !text("last_snapshot_error").is_empty() {
        let message = format!(
            "{name}: the last one failed: {}",
            text("last_snapshot_error")
        );
        return Finding::warn(NAME, message, advice);
    }
    let time = |field| humantime::parse_rfc3339_weak(text(field)).ok();
    // A node that has just become active goes by its files: the next is due an interval after the
    // last of them.
    let by_files = || time("next_snapshot_start")?.checked_sub(Duration::from_secs(interval));
    let last = time("last_snapshot_end").or_else(by_files);
    let age = last.map(|last| now.duration_since(last).unwrap_or_default());
    match age {
        None => {
            let message = format!("{name}: none was taken yet");
            let advice = "the first is taken at once: ask again, and look at the active node's log";
            Finding::warn(NAME, message, advice)
        }
        Some(age) if interval > 0 && age > Duration::from_secs(2 * interval) => {
            let message = format!("{name}: the last one is {} old", hours(age));
            Finding::warn(NAME, message, advice)
        }
        Some(age) => Finding::ok(NAME, format!("{name}: the last one is {} old", hours(age))),
    }
}

fn hours(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..7200 => format!("{} minutes", seconds / 60),
        seconds @ 7200..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::diagnose::finding::Grade;
    use serde_json::json;

    #[test]
    fn an_old_or_a_failed_snapshot_is_a_warning() {
        let now = humantime::parse_rfc3339("2026-11-30T12:00:00Z").unwrap();
        let settings = json!({"data": {"interval": 86_400}});
        let judge = |end: &str, error: &str| {
            let status = json!({"data": {"last_snapshot_end": end, "last_snapshot_error": error}});
            judged("nightly", &settings, &status, now)
        };
        assert_eq!(judge("2026-11-30T03:00:00.5Z", "").grade, Grade::Ok);
        let old = judge("2026-11-27T03:00:00Z", "");
        assert_eq!(old.grade, Grade::Warn);
        assert!(old.message.contains("3 days old"), "{}", old.message);
        let failed = judge("2026-11-30T03:00:00Z", "no space");
        assert!(failed.grade == Grade::Warn && failed.message.contains("no space"));
        assert_eq!(judge("", "").grade, Grade::Warn);
        let status = json!({"data": {"last_snapshot_end": "",
            "next_snapshot_start": "2026-11-30T15:00:00Z"}});
        let by_files = judged("nightly", &settings, &status, now);
        assert!(
            by_files.message.contains("21 hours old"),
            "{}",
            by_files.message
        );
    }
}
